// Command testall runs the tests of every module below the current directory, as the go
// command does not look into the modules that a module contains. It runs two modules at a
// time: tests also wait, for example for a browser.
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
const atOnce = 2

func main() {
	modules, err := findModules(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testall:", err)
		os.Exit(1)
	}
	next := make(chan string, len(modules))
	for _, m := range modules {
		next <- m.dir
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

// module is a directory with a go.mod, and the size of the module's tests in bytes.
type module struct {
	dir  string
	size int64
}

// findModules returns the modules at root and below it, the one with the largest tests first:
// a long module that begins last would run alone. Like the go command, findModules leaves out
// testdata, and directories whose names begin with a dot or an underscore. It also leaves out
// modules without tests.
func findModules(root string) ([]module, error) {
	var modules []module
	var tests []module // files, and their sizes
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
			modules = append(modules, module{dir: filepath.Dir(path)})
		case strings.HasSuffix(name, "_test.go"):
			info, err := entry.Info()
			if err != nil {
				return err
			}
			tests = append(tests, module{path, info.Size()})
		}
		return nil
	})
	for _, file := range tests {
		// A file belongs to the innermost module around it.
		var owner *module
		for i := range modules {
			m := &modules[i]
			if isIn(file.dir, m.dir) && (owner == nil || len(m.dir) > len(owner.dir)) {
				owner = m
			}
		}
		if owner != nil {
			owner.size += file.size
		}
	}
	modules = slices.DeleteFunc(modules, func(m module) bool { return m.size == 0 })
	slices.SortStableFunc(modules, func(a, b module) int { return cmp.Compare(b.size, a.size) })
	return modules, err
}

// isIn reports whether a path is below a directory.
func isIn(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
