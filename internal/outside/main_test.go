package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPublish publishes a small module, and looks at what its users would get.
func TestPublish(t *testing.T) {
	dir, proxy := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		"go.mod":              "module example.com/m\n\ngo 1.25\n\nreplace example.com/n => ../n\n",
		"m.go":                "package m\n",
		"inner/i.go":          "package inner\n",
		"other/go.mod":        "module example.com/m/other\n",
		".git/config":         "",
		"page/node_modules/x": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (module{"example.com/m", dir, "v0.1.0"}).publish(proxy); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(proxy, "example.com", "m", "@v")
	mod, err := os.ReadFile(filepath.Join(published, "v0.1.0.mod")) //nolint:gosec // The test made the directory.
	if want := "module example.com/m\n\ngo 1.25\n\n"; err != nil || string(mod) != want {
		t.Errorf("published go.mod = %q, %v, want %q", mod, err, want)
	}
	archive, err := zip.OpenReader(filepath.Join(published, "v0.1.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	want := []string{"example.com/m@v0.1.0/go.mod", "example.com/m@v0.1.0/inner/i.go", "example.com/m@v0.1.0/m.go"}
	if !slices.Equal(names, want) {
		t.Errorf("published files = %q, want %q", names, want)
	}
}

// TestRequired reads the version of the root module from lines of both forms.
func TestRequired(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.mod")
	for content, want := range map[string]string{
		"require " + root + " v0.1.0\n":                                   "v0.1.0",
		"require (\n\t" + goredis + " v0.3.0\n\t" + root + " v0.2.0\n)\n": "v0.2.0",
		"module x\n": "",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := required(file); got != want || (want == "") != (err != nil) {
			t.Errorf("required version in %q = %q, %v, want %q", content, got, err, want)
		}
	}
}

// TestComplete takes the first complete program from a document.
func TestComplete(t *testing.T) {
	document := "text\n\n```go\nx := 1\n```\n\n```go\npackage main\n\nfunc main() {}\n```\n\n```go\npackage main\n```\n"
	if got, err := complete(document); got != "package main\n\nfunc main() {}\n" || err != nil {
		t.Errorf("complete = %q, %v", got, err)
	}
	if got, err := complete("no program"); err == nil {
		t.Errorf("complete without a program = %q, want an error", got)
	}
}
