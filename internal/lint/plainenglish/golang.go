package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// directive matches comments for tools. Only a remark after them is text.
	directive = regexp.MustCompile(`^//([a-z0-9]+:|line )`)
	// indentation matches the blanks at the start of lines in a block comment.
	indentation = regexp.MustCompile(`\n[ \t]+`)
	// logger matches the names of variables and packages that log.
	logger = regexp.MustCompile(`(?i)log(ger)?$|^slog$`)
	// logs matches the functions and methods that log.
	logs = regexp.MustCompile(`^((Debug|Info|Warn|Error|Log)(Context)?|LogAttrs|(Print|Fatal|Panic)(f|ln)?)$`)
)

// golang reads the comments and messages of a Go file.
func golang(path string, text []byte) (document, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return document{}, err
	}
	d := document{path: path, measures: measures{lines: fset.File(f.FileStart).LineCount()}}
	bodies := d.functions(fset, f)
	commented := make(map[int]bool)
	for _, group := range f.Comments {
		lines := commentLines(fset, group)
		for _, l := range lines {
			commented[l.number] = true
		}
		d.blocks = append(d.blocks, paragraphs(lines)...)
		if slices.ContainsFunc(bodies, func(b *ast.BlockStmt) bool { return b.Pos() < group.Pos() && group.End() <= b.End() }) {
			d.measures.inBodies++
		}
	}
	d.measures.commentLines = len(commented)
	d.messages(fset, f)
	slices.SortStableFunc(d.blocks, func(a, b block) int { return a.lines[0].number - b.lines[0].number })
	return d, nil
}

// functions measures the functions of f and returns their bodies.
func (d *document) functions(fset *token.FileSet, f *ast.File) []*ast.BlockStmt {
	var bodies []*ast.BlockStmt
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			bodies = append(bodies, fn.Body)
			d.measures.lengths = append(d.measures.lengths, fset.Position(fn.End()).Line-fset.Position(fn.Pos()).Line+1)
		}
	}
	return bodies
}

// commentLines returns the lines of a comment without its marks. A directive is an
// empty line, unless a remark follows it.
func commentLines(fset *token.FileSet, group *ast.CommentGroup) []line {
	var lines []line
	for _, c := range group.List {
		text := c.Text
		switch {
		case directive.MatchString(text):
			_, text, _ = strings.Cut(text[2:], "//")
		case strings.HasPrefix(text, "//"):
			text = text[2:]
		default:
			text = indentation.ReplaceAllString(strings.TrimSuffix(text[2:], "*/"), "\n")
		}
		first := fset.Position(c.Pos()).Line
		for i, l := range strings.Split(text, "\n") {
			lines = append(lines, line{first + i, strings.TrimRight(l, " \t\r")})
		}
	}
	return lines
}

// paragraphs splits the lines of a comment at empty lines. Indented lines, which are
// tables, lists or code, and headings are paragraphs of their own.
func paragraphs(lines []line) []block {
	var blocks []block
	fresh := true
	for _, l := range lines {
		text := strings.TrimPrefix(l.text, " ")
		alone := strings.HasPrefix(text, "\t") || strings.HasPrefix(text, " ") || strings.HasPrefix(text, "# ")
		switch {
		case strings.TrimSpace(text) == "":
			fresh = true
			continue
		case fresh || alone:
			blocks = append(blocks, block{kind: comment})
		}
		last := &blocks[len(blocks)-1]
		last.lines = append(last.lines, l)
		fresh = alone
	}
	return blocks
}

// messages adds the messages of errors and logs that are literals.
func (d *document) messages(fset *token.FileSet, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !takesMessage(call) {
			return true
		}
		for _, arg := range call.Args {
			if text := literal(arg); text != "" {
				d.blocks = append(d.blocks, block{message, []line{{fset.Position(arg.Pos()).Line, text}}})
				break
			}
		}
		return true
	})
}

// takesMessage reports whether call makes an error or a log entry, by the name of
// the function and of its package or receiver.
func takesMessage(call *ast.CallExpr) bool {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	name, of := fn.Sel.Name, lastName(fn.X)
	return of == "errors" && name == "New" || of == "fmt" && name == "Errorf" ||
		logger.MatchString(of) && logs.MatchString(name)
}

// lastName returns the last name in x: "Logger" for g.config.Logger, "Default" for
// a call of slog.Default.
func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr:
		if fn, ok := x.Fun.(*ast.SelectorExpr); ok && lastName(fn.X) == "slog" {
			return "slog" // slog.Default(), slog.With()
		}
		return lastName(x.Fun)
	}
	return ""
}

// literal returns the string that x is, if it is a literal or a sum with literals.
func literal(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return literal(x.X) + literal(x.Y)
	case *ast.ParenExpr:
		return literal(x.X)
	}
	return ""
}
