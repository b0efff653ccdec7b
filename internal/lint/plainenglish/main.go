// Plainenglish lists sentences that are hard to read, in comments, in error and log
// messages, and in Markdown.
//
//	go run ./internal/lint/plainenglish [-summary] [paths]
//
// It reads the Go and Markdown files at or below the paths, by default the current
// directory, except in directories called .git, node_modules, testdata and vendor. It
// prints a line for each sentence and pattern, then a summary of each directory. It
// judges nothing: it fails only for input that it cannot read.
//
// # Patterns
//
//	a  free relative      who, whoever, what, whatever as a subject
//	b  vague actor        people, somebody, nobody, everybody, anybody
//	c  speaking program   tell, told, say, said, know
//	d  for as because     ", for" before a clause
//	e  else as otherwise  "else" at the start of a clause
//	f  is no              in place of "is not a"
//	g  long sentence      more than 40 words
//	h  message form       two "scangate: " prefixes, or a newline
//
// The patterns work word by word, without grammar. A single hit can be wrong; the
// numbers can be compared. Pattern a counts a relative at the start of a clause, and
// one before a verb if it has no antecedent. Questions do not count. Pattern c does not
// count verbs whose subject is a person, nor "tell apart". Pattern f does not count
// "there is no". The same patterns find 0 to 3 hits of a to c per 1,000 comment lines
// in golang.org/x/crypto/acme/autocert, golang.org/x/oauth2 and net/http/csrf.go.
//
// Messages are the literals in errors.New, fmt.Errorf and calls of a logger's methods.
//
// # Measures
//
// A comment line is a line with at least a part of a comment. Rates are hits in
// comments per 1,000 comment lines. A function's length runs from the line of func to
// that of its closing brace. Comments in bodies are groups of comment lines inside of
// functions, those at the end of a line included.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	summary := flag.Bool("summary", false, "print the summary only")
	flag.Parse()
	paths := flag.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	out := bufio.NewWriter(os.Stdout)
	err := run(out, paths, *summary)
	err = errors.Join(err, out.Flush())
	if err != nil {
		fmt.Fprintln(os.Stderr, "plainenglish:", err)
		os.Exit(1)
	}
}

// run checks the files at or below paths and prints its findings to w. A file that
// cannot be read does not keep it from checking the others.
func run(w io.Writer, paths []string, summaryOnly bool) error {
	files, err := find(paths)
	errs := []error{err}
	stats := make(summary)
	for _, path := range files {
		d, err := read(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		hits := d.check()
		stats.add(d, hits)
		if summaryOnly {
			continue
		}
		for _, h := range hits {
			fmt.Fprintf(w, "%s:%d: %s: %s\n", filepath.ToSlash(path), h.line, h.pattern.name, h.text)
		}
	}
	return errors.Join(append(errs, stats.print(w))...)
}

// find returns the Go and Markdown files at or below paths, each once.
func find(paths []string) ([]string, error) {
	var files []string
	var errs []error
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && path != root && slices.Contains(skipped[:], entry.Name()):
				return filepath.SkipDir
			case !entry.IsDir() && slices.Contains(extensions[:], filepath.Ext(path)):
				files = append(files, filepath.Clean(path))
			}
			return nil
		})
		errs = append(errs, err)
	}
	slices.Sort(files)
	return slices.Compact(files), errors.Join(errs...)
}

// skipped are the directories whose text is not this repository's own prose.
var skipped = [...]string{".git", "node_modules", "testdata", "vendor"}

// extensions are those of the files to check.
var extensions = [...]string{".go", ".md"}

// read reads the document at path.
func read(path string) (document, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the developer names the files
	if err != nil {
		return document{}, err
	}
	if filepath.Ext(path) == ".md" {
		return markdown(path, string(text)), nil
	}
	d, err := golang(path, text)
	if err != nil {
		return document{}, fmt.Errorf("parsing: %w", err)
	}
	return d, nil
}
