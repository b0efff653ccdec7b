package redisstore_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The store works over any client, so it depends neither on redigo nor on the root
// package.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("Go files of the package = %q, %v, want some", files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			inner := path == "github.com/scangate/scangate/internal/redisconn" || path == "github.com/scangate/scangate/internal/state"
			if strings.Contains(path, ".") && !inner {
				t.Errorf("%s imports %q, want only the standard library, internal/redisconn and internal/state", file, path)
			}
		}
	}
}
