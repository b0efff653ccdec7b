// Command testall runs the tests of every module below the current directory, one module
// after another, as the go command does not look into the modules that a module contains.
//
//	go run ./internal/testall [flags of go test]
//
// It prints what the go command prints. Its exit status is 1 if a test failed.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

func main() {
	modules, err := findModules(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testall:", err)
		os.Exit(1)
	}
	status := 0
	for _, dir := range modules {
		fmt.Println("#", dir)
		// The example's tests drive a browser. On a slow machine they take more than the 10
		// minutes that are go test's default. A -timeout among the arguments wins.
		//nolint:gosec // Its arguments are those of the person at the terminal.
		command := exec.CommandContext(context.Background(), "go", slices.Concat([]string{"test", "-timeout", "20m"}, os.Args[1:], []string{"./..."})...)
		command.Dir, command.Stdout, command.Stderr = dir, os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "testall: go test in %s: %v\n", dir, err)
			status = 1
		}
	}
	os.Exit(status)
}

// findModules returns the directories at root and below it that contain a go.mod, parents
// first. Like the go command, it leaves out testdata, and directories whose names begin
// with a dot or an underscore. The module tools has no packages.
func findModules(root string) ([]string, error) {
	var modules []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (name[0] == '.' || name[0] == '_' || slices.Contains([]string{"testdata", "node_modules", "tools"}, name)) {
			return filepath.SkipDir
		}
		if !entry.IsDir() && name == "go.mod" {
			modules = append(modules, filepath.Dir(path))
		}
		return nil
	})
	slices.Sort(modules)
	return modules, err
}
