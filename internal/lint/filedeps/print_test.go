package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestPrintLong(t *testing.T) {
	function := func(name string, lines int) string {
		return "// " + name + " has a comment.\n// It does not count.\nfunc " + name + "() {\n" + strings.Repeat("\n", lines-2) + "}\n"
	}
	tests := map[string]struct {
		source string
		want   string
	}{
		"short": {
			"package p\n" + function("short", 50),
			"functions over 50 lines: none\nfiles over 500 lines: none\n",
		},
		"long function": {
			"package p\n" + function("long", 51),
			"functions over 50 lines:\n\tp.go:4: long: 51\nfiles over 500 lines: none\n",
		},
		"file of 500 lines": {
			"package p\n" + strings.Repeat("\n", 499),
			"functions over 50 lines: none\nfiles over 500 lines: none\n",
		},
		"file of 501 lines": {
			"package p\n" + strings.Repeat("\n", 500),
			"functions over 50 lines: none\nfiles over 500 lines:\n\tp.go: 501\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := &source{fset: token.NewFileSet()}
			f, err := parser.ParseFile(p.fset, "p.go", test.source, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.files = []*ast.File{f}
			var got bytes.Buffer
			printLong(&got, p)
			if got.String() != test.want {
				t.Errorf("report:\n%s\nwant:\n%s", got.String(), test.want)
			}
		})
	}
}
