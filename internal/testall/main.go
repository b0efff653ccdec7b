// Command testall runs the tests of every module below the current directory, as the go
// command does not look into the modules that a module contains. It runs three modules at a
// time, because tests also wait: for a browser, and for servers.
//
//	go run ./internal/testall [flags of go test]
//
// It prints the go command's output of each module when the module is done, and the time that
// it took. Its exit status is 1 if a test failed.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// atOnce is the number of modules whose tests run at a time.
const atOnce = 3

// longest are the modules whose tests take the most time. They begin first: a long one that
// began last would run alone.
var longest = []string{"example", "goredis", ".", "bench", "example/sql"}

func main() {
	modules, err := findModules(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testall:", err)
		os.Exit(1)
	}
	next := make(chan string, len(modules))
	for _, m := range modules {
		next <- m
	}
	close(next)
	var (
		workers sync.WaitGroup
		printer sync.Mutex
		status  int
	)
	for range atOnce {
		workers.Go(func() {
			for dir := range next {
				start := time.Now()
				out, err := test(dir, os.Args[1:])
				printer.Lock()
				fmt.Printf("# %s, %.0f s\n%s", dir, time.Since(start).Seconds(), out)
				if err != nil {
					fmt.Fprintf(os.Stderr, "testall: go test in %s: %v\n", dir, err)
					status = 1
				}
				printer.Unlock()
			}
		})
	}
	workers.Wait()
	os.Exit(status)
}

// test runs the tests of the module in a directory, and returns the output.
func test(dir string, flags []string) ([]byte, error) {
	// The example's tests drive a browser. On a slow machine they take more than the 10
	// minutes that are go test's default. A -timeout among the arguments wins.
	//nolint:gosec // Its arguments are those of the person at the terminal.
	command := exec.CommandContext(context.Background(), "go", slices.Concat([]string{"test", "-timeout", "20m"}, flags, []string{"./..."})...)
	command.Dir = dir
	return command.CombinedOutput()
}

// findModules returns the directories of the modules at root and below it, those of longest
// first. Like the go command, findModules leaves out testdata, and directories whose names
// begin with a dot or an underscore. It also leaves out modules without tests.
func findModules(root string) ([]string, error) {
	var modules, tests []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case entry.IsDir():
			if path != root && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
		case name == "go.mod":
			modules = append(modules, filepath.Dir(path))
		case strings.HasSuffix(name, "_test.go"):
			tests = append(tests, path)
		}
		return nil
	})
	hasTests := make(map[string]bool)
	for _, file := range tests {
		owner := "" // the innermost module around the file
		for _, m := range modules {
			if isIn(file, m) && (owner == "" || isIn(m, owner)) {
				owner = m
			}
		}
		hasTests[owner] = true
	}
	modules = slices.DeleteFunc(modules, func(m string) bool { return !hasTests[m] })
	slices.SortStableFunc(modules, func(a, b string) int { return cmp.Compare(rank(root, a), rank(root, b)) })
	return modules, err
}

// rank returns the place of a module in longest, or the one after them all.
func rank(root, dir string) int {
	rel, err := filepath.Rel(root, dir)
	if at := slices.Index(longest, filepath.ToSlash(rel)); err == nil && at >= 0 {
		return at
	}
	return len(longest)
}

// isIn reports whether a path is below a directory.
func isIn(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
