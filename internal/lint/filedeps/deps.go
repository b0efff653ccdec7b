package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
)

// edge is a dependency of one file on another.
type edge struct{ from, to string }

// use is an identifier that makes a file depend on another.
type use struct {
	name string
	at   token.Position
}

// graph maps each dependency to the first use, in source order, that causes it.
type graph map[edge]use

// dependencies returns the dependencies between the files of p.
func dependencies(p *source) graph {
	deps := make(graph)
	for _, f := range p.files {
		from := p.file(f.FileStart)
		for _, decl := range f.Decls {
			skip := receiverUses(p, decl)
			ast.Inspect(decl, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if !ok {
					return true
				}
				obj := p.info.Uses[id]
				if obj == nil || obj.Pkg() != p.types || !obj.Pos().IsValid() || skip(id, obj) {
					return true
				}
				to := p.file(obj.Pos())
				e := edge{from, to}
				if _, known := deps[e]; !known && from != to {
					deps[e] = use{id.Name, p.fset.Position(id.Pos())}
				}
				return true
			})
		}
	}
	return deps
}

// receiverUses returns a function that reports whether a use inside decl is one that
// every method of the type has: the receiver's type, or one of the type's own fields.
func receiverUses(p *source, decl ast.Decl) func(*ast.Ident, types.Object) bool {
	f, ok := decl.(*ast.FuncDecl)
	if !ok || f.Recv == nil {
		return func(*ast.Ident, types.Object) bool { return false }
	}
	fields := make(map[types.Object]bool)
	if named := receiver(p.info.Defs[f.Name]); named != nil {
		if s, ok := named.Underlying().(*types.Struct); ok {
			for field := range s.Fields() {
				fields[field.Origin()] = true
			}
		}
	}
	return func(id *ast.Ident, obj types.Object) bool {
		if v, ok := obj.(*types.Var); ok {
			obj = v.Origin()
		}
		return fields[obj] || f.Recv.Pos() <= id.Pos() && id.Pos() < f.Recv.End()
	}
}

// receiver returns the type that obj is a method of, or nil if obj is not a method.
func receiver(obj types.Object) *types.Named {
	f, ok := obj.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return nil
	}
	t := f.Signature().Recv().Type()
	if ptr, ok := t.(*types.Pointer); ok {
		t = ptr.Elem()
	}
	named, _ := t.(*types.Named)
	return named
}

// sorted returns the edges in alphabetical order.
func sorted(edges []edge) []edge {
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	return edges
}

// mutual returns one edge for each pair of files that depend on each other.
func (g graph) mutual() []edge {
	var pairs []edge
	for e := range maps.Keys(g) {
		if _, ok := g[edge{e.to, e.from}]; ok && e.from < e.to {
			pairs = append(pairs, e)
		}
	}
	return sorted(pairs)
}

// back returns the edges that lead from a file to one above it.
func (g graph) back(ranks order) []edge {
	var edges []edge
	for e := range maps.Keys(g) {
		if ranks.climbs(e.from, e.to) {
			edges = append(edges, e)
		}
	}
	return sorted(edges)
}
