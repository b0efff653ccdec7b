package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits above which a report names a type, a function or a file.
const (
	manyMethods  = 15 // methods, from here on
	longFunction = 50 // lines, more than
	longFile     = 500
)

// printSummary prints the numbers of files and functions, and the large types.
func printSummary(w io.Writer, p *source) {
	functions, methods := 0, make(map[string]int)
	for _, f := range p.files {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			functions++
			if named := receiver(p.info.Defs[fn.Name]); named != nil {
				methods[named.Obj().Name()]++
			}
		}
	}
	fmt.Fprintf(w, "package %s\n%d files, %d functions and methods\n", p.ImportPath, len(p.files), functions)
	names := slices.SortedFunc(maps.Keys(methods), func(a, b string) int {
		return cmp.Or(methods[b]-methods[a], cmp.Compare(a, b))
	})
	fmt.Fprintf(w, "types with %d or more methods:%s\n", manyMethods, none(len(names) == 0 || methods[names[0]] < manyMethods))
	for _, name := range names {
		if methods[name] >= manyMethods {
			fmt.Fprintf(w, "\t%s: %d\n", name, methods[name])
		}
	}
}

// none returns " none" for an empty list.
func none(empty bool) string {
	if empty {
		return " none"
	}
	return ""
}

// printMutual prints the number of dependencies and the mutual pairs.
func printMutual(w io.Writer, deps graph, pairs []edge) {
	fmt.Fprintf(w, "%d dependencies between files\n%d mutual pairs:%s\n", len(deps), len(pairs), none(len(pairs) == 0))
	for _, e := range pairs {
		fmt.Fprintf(w, "\t%s <-> %s (%s, %s)\n", e.from, e.to, deps[e].name, deps[edge{e.to, e.from}].name)
	}
}

// printBack prints the back-dependencies, each with an example.
func printBack(w io.Writer, deps graph, back []edge) {
	fmt.Fprintf(w, "%d back-dependencies of %d dependencies:%s\n", len(back), len(deps), none(len(back) == 0))
	for _, e := range back {
		fmt.Fprintf(w, "\t%s -> %s: %s at %s\n", e.from, e.to, deps[e].name, short(deps[e].at))
	}
}

// printLong prints functions and files that are longer than the limits. A function
// counts from the line of func to that of its closing brace.
func printLong(w io.Writer, p *source) {
	var functions, files []string
	for _, f := range p.files {
		if n := p.fset.File(f.FileStart).LineCount(); n > longFile {
			files = append(files, fmt.Sprintf("\t%s: %d\n", p.file(f.FileStart), n))
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			start := p.fset.Position(fn.Pos())
			if n := p.fset.Position(fn.End()).Line - start.Line + 1; n > longFunction {
				functions = append(functions, fmt.Sprintf("\t%s: %s: %d\n", short(start), fn.Name.Name, n))
			}
		}
	}
	fmt.Fprintf(w, "functions over %d lines:%s\n%s", longFunction, none(len(functions) == 0), strings.Join(functions, ""))
	fmt.Fprintf(w, "files over %d lines:%s\n%s", longFile, none(len(files) == 0), strings.Join(files, ""))
}

// printWalk prints the functions that a walk enters, and its totals. Climbs are
// known only with an order.
func printWalk(w io.Writer, wk *walk, ordered bool) {
	fmt.Fprintf(w, "calls of %s:\n", wk.steps[0].name)
	for _, s := range wk.steps {
		fmt.Fprintf(w, "\t%s, %s\n", short(s.at), s.name)
	}
	fmt.Fprintf(w, "%d functions, %d files", len(wk.steps), len(wk.files))
	if ordered {
		fmt.Fprintf(w, ", %d climbs", wk.climbs)
	}
	fmt.Fprintln(w)
}

// short returns a position relative to the working directory where that is shorter.
func short(at token.Position) string {
	name := at.Filename
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, name); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(name), at.Line)
}
