package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// listed is what "go list" reports about a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
	Imports    []string
	DepOnly    bool
	Module     *struct{ Path, Dir string }
}

// source is a package with its syntax and types.
type source struct {
	*listed
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	types *types.Package
}

// world holds the packages to measure and their dependencies.
type world struct {
	fset     *token.FileSet
	listed   []*listed
	importer types.Importer
	roots    []*source
}

// load lists the packages that match patterns, as seen from dir, with their
// dependencies, and type-checks those that match.
func load(dir string, patterns []string) (*world, error) {
	all, err := goList(dir, append([]string{"-export", "-deps", "--"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string, len(all))
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	w := &world{fset: token.NewFileSet(), listed: all}
	w.importer = importer.ForCompiler(w.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %q", path)
		}
		return os.Open(exports[path])
	})
	for _, p := range all {
		if p.DepOnly {
			continue
		}
		s, err := w.check(p)
		if err != nil {
			return nil, err
		}
		w.roots = append(w.roots, s)
	}
	if len(w.roots) == 0 {
		return nil, fmt.Errorf("no packages match %s", strings.Join(patterns, " "))
	}
	return w, nil
}

// check parses and type-checks the files of p that are not tests.
func (w *world) check(p *listed) (*source, error) {
	s := &source{listed: p, fset: w.fset, info: &types.Info{
		Defs: make(map[*ast.Ident]types.Object),
		Uses: make(map[*ast.Ident]types.Object),
	}}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(w.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	conf := types.Config{Importer: w.importer}
	var err error
	s.types, err = conf.Check(p.ImportPath, w.fset, s.files, s.info)
	return s, err
}

// file returns the name of the file that holds pos, without its directory.
func (s *source) file(pos token.Pos) string {
	return filepath.Base(s.fset.Position(pos).Filename)
}

// goList runs "go list -json" in dir and decodes its output.
func goList(dir string, args ...string) ([]*listed, error) {
	//nolint:gosec,noctx // the arguments come from the developer's command line, and go list needs no deadline
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,Imports,DepOnly,Module"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var all []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// forbidden returns the imports that rule, "package:import,import", forbids and that
// the package has. The package is a directory below moduleDir.
func forbidden(moduleDir, rule string) ([]string, error) {
	dir, imports, _ := strings.Cut(rule, ":")
	found, err := goList(moduleDir, "--", "./"+strings.TrimPrefix(dir, "./"))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no package matches %q", dir)
	}
	var violations []string
	for _, p := range found {
		for _, path := range strings.Split(imports, ",") {
			if slices.Contains(p.Imports, strings.TrimSpace(path)) {
				violations = append(violations, fmt.Sprintf("%s imports %s, which -forbid does not allow", p.ImportPath, strings.TrimSpace(path)))
			}
		}
	}
	return violations, nil
}
