// Filedeps measures how the files of a package depend on each other.
//
//	go run ./internal/lint/filedeps [flags] [packages]
//
// The packages are patterns of the go command, by default the current directory.
// Test files are left out. For each package filedeps prints the numbers of files and
// functions, large types, dependencies between files, long functions and long files.
// It measures; it fails only for errors and for limits given by flags.
//
// # Dependencies
//
// File A depends on file B if an identifier in A resolves to a package-level object,
// a method or a struct field that B declares. Every method has its receiver, so two
// uses count for nothing: the type of a receiver, and the fields of that type in the
// body of its methods. Fields of other types count: A relies on the contents of
// B's type even where A does not name the type.
//
// A dependency points back if it leads from a file to a file above it. The order of
// the files, from top to bottom, is a text file with one name on each line; "#"
// starts a comment. The order may name files that do not exist. For the root package
// of the module the default order is internal/lint/filedeps/order.txt.
//
// # Calls
//
// With -calls, filedeps follows the calls that a function or method makes, depth
// first in source order, through its package and the packages below internal/ of the
// same module. It enters each function once. A function that is named without being
// called, as an argument or a method value, counts as called there. Calls through
// interfaces and variables have no static target and are not followed. A climb is a
// call, in a function that the walk enters, from one file of the package to a file
// above it; each call site counts.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// defaultOrder is the order of the root package's files, relative to the module.
const defaultOrder = "internal/lint/filedeps/order.txt"

// options are the flags and arguments.
type options struct {
	order     string
	calls     string
	forbid    []string
	maxBack   int
	maxMutual int
	patterns  []string
}

func main() {
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // flag has printed the error
	}
	if err := run(os.Stdout, ".", opts); err != nil {
		fmt.Fprintln(os.Stderr, "filedeps:", err)
		os.Exit(1)
	}
}

// parseOptions parses the command line. Usage and errors go to stderr.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("filedeps", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.order, "order", "", "`file` that names the package's files from top to bottom")
	flags.StringVar(&opts.calls, "calls", "", "print the walk of the calls that this `function` or method makes")
	flags.IntVar(&opts.maxBack, "max-back", -1, "fail if there are more than `N` back-dependencies")
	flags.IntVar(&opts.maxMutual, "max-mutual", -1, "fail if there are more than `N` mutual pairs")
	flags.Func("forbid", "fail if a package imports one of the others directly, as `package:import,import`; may be repeated",
		func(rule string) error {
			if dir, imports, ok := strings.Cut(rule, ":"); !ok || dir == "" || imports == "" {
				return fmt.Errorf("want package:import,import, got %q", rule)
			}
			opts.forbid = append(opts.forbid, rule)
			return nil
		})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	opts.patterns = flags.Args()
	if len(opts.patterns) == 0 {
		opts.patterns = []string{"."}
	}
	return opts, nil
}

// run measures the packages that opts names, as seen from the directory dir, and
// checks the limits. It returns all violations in one error.
func run(w io.Writer, dir string, opts options) error {
	world, err := load(dir, opts.patterns)
	if err != nil {
		return err
	}
	var violations []string
	for i, p := range world.roots {
		if i > 0 {
			fmt.Fprintln(w)
		}
		found, err := measure(w, world, p, opts)
		if err != nil {
			return fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		violations = append(violations, found...)
	}
	for _, rule := range opts.forbid {
		found, err := forbidden(world.roots[0].Module.Dir, rule)
		if err != nil {
			return err
		}
		violations = append(violations, found...)
	}
	if len(violations) > 0 {
		return fmt.Errorf("%s", strings.Join(violations, "\nfiledeps: "))
	}
	return nil
}

// measure prints the report on p and returns the limits that p exceeds.
func measure(w io.Writer, world *world, p *source, opts options) ([]string, error) {
	deps := dependencies(p)
	mutual := deps.mutual()
	printSummary(w, p)
	printMutual(w, deps, mutual)
	printLong(w, p)
	var violations []string
	if opts.maxMutual >= 0 && len(mutual) > opts.maxMutual {
		violations = append(violations, fmt.Sprintf("%s has %d mutual pairs of files, at most %d are allowed", p.ImportPath, len(mutual), opts.maxMutual))
	}
	ranks, err := orderOf(p, opts)
	if err != nil {
		return nil, err
	}
	if ranks != nil {
		back := deps.back(ranks)
		printBack(w, deps, back)
		if opts.maxBack >= 0 && len(back) > opts.maxBack {
			violations = append(violations, fmt.Sprintf("%s has %d back-dependencies, at most %d are allowed", p.ImportPath, len(back), opts.maxBack))
		}
	}
	if opts.calls != "" {
		walk, err := world.walk(p, opts.calls, ranks)
		if err != nil {
			return nil, err
		}
		printWalk(w, walk, ranks != nil)
	}
	return violations, nil
}

// orderOf returns the order that applies to p, or nil without one.
func orderOf(p *source, opts options) (order, error) {
	path := opts.order
	if path == "" && p.Module != nil && p.Dir == p.Module.Dir {
		path = filepath.Join(p.Dir, filepath.FromSlash(defaultOrder))
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return nil, nil
		}
	}
	if path == "" {
		return nil, nil
	}
	ranks, err := readOrder(path)
	if err != nil {
		return nil, err
	}
	return ranks, ranks.check(p.GoFiles)
}
