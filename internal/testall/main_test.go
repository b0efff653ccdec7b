package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFindModules(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{".", "b", "a/deep", ".git", "_old", "a/testdata", "a/node_modules", "tools", "nothing"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if dir == "nothing" {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, dir, "go.mod"), []byte("module x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := findModules(root)
	want := []string{root, filepath.Join(root, "a/deep"), filepath.Join(root, "b")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("findModules: got %v, %v, want %v", got, err, want)
	}
}

func TestFindModulesWithoutDirectory(t *testing.T) {
	if got, err := findModules(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Errorf("findModules of a directory that does not exist: got %v without an error", got)
	}
}
