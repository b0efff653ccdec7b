package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFindModules(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{
		"go.mod", "a_test.go", "inner/b_test.go",
		"a/go.mod", "a/inner/b_test.go", // its name is as long as the root's
		"example/go.mod", "example/main.go", "example/deep/go.mod", "example/deep/c_test.go",
		"goredis/go.mod", "goredis/d_test.go",
		"tools/go.mod", "tools/main.go",
		".git/go.mod", "_old/go.mod", "a/testdata/go.mod", "a/testdata/x_test.go", "a/node_modules/go.mod",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := findModules(root)
	want := []string{filepath.Join(root, "goredis"), root, filepath.Join(root, "a"), filepath.Join(root, "example/deep")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("findModules: got %v, %v, want %v", got, err, want)
	}
}

// TestLongestExist: a module that moves must move in the list too.
func TestLongestExist(t *testing.T) {
	for _, dir := range longest {
		if _, err := os.Stat(filepath.Join("../..", dir, "go.mod")); err != nil {
			t.Error(err)
		}
	}
}

func TestFindModulesWithoutDirectory(t *testing.T) {
	if got, err := findModules(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Errorf("findModules of a directory that does not exist: got %v without an error", got)
	}
}
