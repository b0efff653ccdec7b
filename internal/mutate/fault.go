package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// A fault is one small change of a file: text takes the place of the bytes from start to
// end.
type fault struct {
	file       string
	line       int
	start, end int
	kind       string
	text       string
	old        string
}

func (f fault) String() string {
	return fmt.Sprintf("%s:%d: %s: %s -> %s", f.file, f.line, f.kind, short(f.old), short(f.text))
}

// short returns the text on one line of at most 70 characters.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "nothing"
	}
	if r := []rune(text); len(r) > 70 {
		return string(r[:70]) + "..."
	}
	return text
}

// apply returns the file's content with the fault.
func (f fault) apply(content []byte) []byte {
	changed := append([]byte(nil), content[:f.start]...)
	changed = append(changed, f.text...)
	return append(changed, content[f.end:]...)
}

// find returns all faults of the packages in these directories.
func find(packages []string) ([]fault, error) {
	var faults []fault
	for _, dir := range packages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s contains no Go files", dir)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			content, err := os.ReadFile(file) //nolint:gosec // The person at the terminal names the directory.
			if err != nil {
				return nil, err
			}
			found, err := findIn(file, content)
			if err != nil {
				return nil, err
			}
			faults = append(faults, found...)
		}
	}
	return faults, nil
}

// findIn returns all faults of one file.
func findIn(name string, content []byte) ([]fault, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, content, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var faults []fault
	// from and to are the bytes that text replaces.
	add := func(kind string, from, to token.Pos, text string) {
		start, end := files.Position(from).Offset, files.Position(to).Offset
		faults = append(faults, fault{
			file: name, line: files.Position(from).Line, start: start, end: end,
			kind: kind, text: text, old: string(content[start:end]),
		})
	}
	source := func(n ast.Node) string {
		return string(content[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			add("inverted condition", n.Cond.Pos(), n.Cond.End(), "!("+source(n.Cond)+")")
		case *ast.BinaryExpr:
			if swapped := swapped(n.Op); swapped != token.ILLEGAL {
				add("swapped "+n.Op.String(), n.Pos(), n.End(), source(n.X)+" "+swapped.String()+" "+source(n.Y))
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok {
				// The arguments are still used, so that the file compiles.
				add("dropped call", n.Pos(), n.End(), used(call, source))
			}
		case *ast.CaseClause:
			// Only switches without a tag have conditions; the others do not compile.
			for _, c := range n.List {
				if _, ok := c.(*ast.BasicLit); !ok {
					add("inverted case", c.Pos(), c.End(), "!("+source(c)+")")
				}
			}
		}
		return true
	})
	return faults, nil
}

// swapped returns the operator that takes the other's place, or token.ILLEGAL.
func swapped(op token.Token) token.Token {
	switch op {
	case token.LSS:
		return token.LEQ
	case token.LEQ:
		return token.LSS
	case token.GTR:
		return token.GEQ
	case token.GEQ:
		return token.GTR
	case token.EQL:
		return token.NEQ
	case token.NEQ:
		return token.EQL
	case token.LAND:
		return token.LOR
	case token.LOR:
		return token.LAND
	default:
		return token.ILLEGAL
	}
}

// used returns statements that use a call's arguments without the call.
func used(call *ast.CallExpr, source func(ast.Node) string) string {
	var names []string
	for _, argument := range call.Args {
		if id, ok := argument.(*ast.Ident); ok && id.Name != "nil" {
			names = append(names, source(argument))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return strings.Repeat("_, ", len(names)-1) + "_ = " + strings.Join(names, ", ")
}
