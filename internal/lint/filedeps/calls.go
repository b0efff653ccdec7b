package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"sort"
	"strings"
)

// body is a function with the package that declares it.
type body struct {
	in   *source
	decl *ast.FuncDecl
}

// file returns the name of the file that declares b.
func (b body) file() string {
	return b.in.file(b.decl.Pos())
}

// step is a function that a walk enters.
type step struct {
	name string
	at   token.Position
}

// walk is the outcome of following a function's calls.
type walk struct {
	steps  []step
	files  map[string]bool
	climbs int
}

// walker follows calls. It identifies functions by their full name, because export data
// and source give the same function two objects.
type walker struct {
	root    *source
	bodies  map[string]body
	entered map[string]bool
	ranks   order
	walk    walk
}

// walk follows the calls that the function or method called name makes in p. Without
// ranks it counts no climbs.
func (w *world) walk(p *source, name string, ranks order) (*walk, error) {
	wk := &walker{
		root: p, bodies: make(map[string]body), entered: make(map[string]bool), ranks: ranks,
		walk: walk{files: make(map[string]bool)},
	}
	wk.index(p)
	start, err := wk.find(name)
	if err != nil {
		return nil, err
	}
	for _, dep := range w.listed {
		if p.Module == nil || dep.ImportPath == p.ImportPath || !strings.HasPrefix(dep.ImportPath, p.Module.Path+"/internal/") {
			continue
		}
		s, err := w.check(dep)
		if err != nil {
			return nil, err
		}
		wk.index(s)
	}
	wk.enter(start)
	return &wk.walk, nil
}

// index makes the functions of s known.
func (wk *walker) index(s *source) {
	for _, f := range s.files {
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				if obj, ok := s.info.Defs[fn.Name].(*types.Func); ok {
					wk.bodies[obj.FullName()] = body{s, fn}
				}
			}
		}
	}
}

// find returns the full name of the one function or method called name, which may
// be written as Type.Method.
func (wk *walker) find(name string) (string, error) {
	var found []string
	for full, b := range wk.bodies {
		obj := b.in.info.Defs[b.decl.Name]
		qualified := obj.Name()
		if named := receiver(obj); named != nil {
			qualified = named.Obj().Name() + "." + obj.Name()
		}
		if name == obj.Name() || name == qualified {
			found = append(found, full)
		}
	}
	sort.Strings(found)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no function or method is called %s", name)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s is ambiguous: %s", name, strings.Join(found, ", "))
}

// shortName returns the full name without the import path: "(*Gate).serve" in the
// package that the walk began in, "login.Parse" in another.
func (wk *walker) shortName(full string, in *source) string {
	if in == wk.root {
		return strings.ReplaceAll(full, in.ImportPath+".", "")
	}
	return strings.ReplaceAll(full, in.ImportPath+".", in.types.Name()+".")
}

// enter records the function with the full name and follows its calls.
func (wk *walker) enter(full string) {
	b := wk.bodies[full]
	wk.entered[full] = true
	at := b.in.fset.Position(b.decl.Pos())
	wk.walk.steps = append(wk.walk.steps, step{wk.shortName(full, b.in), at})
	wk.walk.files[at.Filename] = true
	ast.Inspect(b.decl.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		fn, ok := b.in.info.Uses[id].(*types.Func)
		if !ok {
			return true
		}
		callee := fn.Origin().FullName()
		target, ok := wk.bodies[callee]
		if !ok {
			return true
		}
		if b.in == wk.root && target.in == wk.root && wk.ranks.climbs(b.file(), target.file()) {
			wk.walk.climbs++
		}
		if !wk.entered[callee] {
			wk.enter(callee)
		}
		return true
	})
}
