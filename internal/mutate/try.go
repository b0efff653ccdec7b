package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// A result is the outcome of the tests with one fault.
type result string

const (
	invalid   result = "invalid" // the file does not compile
	noticed   result = "noticed"
	unnoticed result = "MISSED"
)

// try runs the tests with the fault.
func try(ctx context.Context, f fault, limit time.Duration) (result, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := overlay(dir, f)
	if err != nil {
		return "", err
	}
	own := "./" + filepath.ToSlash(filepath.Dir(f.file))
	if err := command(ctx, limit, "build", "-overlay", overlay, own).Run(); err != nil {
		return invalid, nil //nolint:nilerr // The exit status is the answer.
	}
	packages := slices.Compact([]string{own, "."})
	if own == "./." {
		packages = []string{"."}
	}
	// The quick tests of all packages come first: they notice most faults.
	for _, short := range []string{"-short", "-short=false"} {
		for _, pkg := range packages {
			err := command(ctx, limit, "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", short, "-timeout", limit.String(), pkg).Run()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return noticed, nil
			}
			if err != nil {
				return "", err
			}
		}
	}
	return unnoticed, nil
}

// overlay writes the broken file and the description of it that the go command reads, and
// returns the path of the latter.
func overlay(dir string, f fault) (string, error) {
	content, err := os.ReadFile(f.file)
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(f.file)
	if err != nil {
		return "", err
	}
	broken := filepath.Join(dir, filepath.Base(f.file))
	if err := os.WriteFile(broken, f.apply(content), 0o600); err != nil { //nolint:gosec // The file is in the program's own directory.
		return "", err
	}
	description, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, description, 0o600)
}

// command returns a command of go that is killed a minute after the limit: go test stops
// itself at the limit, and a build may hang too.
func command(ctx context.Context, limit time.Duration, arguments ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(ctx, limit+time.Minute)
	c := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // Its arguments are this program's.
	c.Cancel = func() error { cancel(); return c.Process.Kill() }
	return c
}
