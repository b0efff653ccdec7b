package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindModules(t *testing.T) {
	root := t.TempDir()
	for path, size := range map[string]int{
		"go.mod": 1, "a_test.go": 10, "inner/b_test.go": 10,
		"b/go.mod": 1, "b/b_test.go": 5,
		"a/deep/go.mod": 1, "a/deep/inner/c_test.go": 30,
		"tools/go.mod": 1, "tools/main.go": 50,
		".git/go.mod": 1, "_old/go.mod": 1, "a/testdata/go.mod": 1, "a/testdata/x_test.go": 100, "a/node_modules/go.mod": 1,
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := findModules(root)
	want := []module{{filepath.Join(root, "a/deep"), 30}, {root, 20}, {filepath.Join(root, "b"), 5}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("findModules: got %v, %v, want %v", got, err, want)
	}
}

func TestFindModulesWithoutDirectory(t *testing.T) {
	if got, err := findModules(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Errorf("findModules of a directory that does not exist: got %v without an error", got)
	}
}
