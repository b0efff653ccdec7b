package login

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestImports keeps HTTP and the root package out of the state machine: a handler's
// needs must not leak into the decisions about a login.
func TestImports(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			switch path, _ := strconv.Unquote(spec.Path.Value); path {
			case "net/http", "net/url", "github.com/scangate/scangate":
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
