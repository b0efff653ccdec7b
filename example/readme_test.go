package main

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// readmes are the English and the Chinese README.
var readmes = []string{"../README.md", "../README.zh-CN.md"}

// readFile returns the text of a file.
func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fenced returns the code blocks of a document in a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, block := range regexp.MustCompile("(?sm)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// unindent removes the tabs at the start of each line.
func unindent(code string) string {
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(code, "")
}

// sources returns the text of every Go file in the repository, without indentation.
func sources(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			all = append(all, unindent(readFile(t, path)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestReadmeCode checks that every code block of README.md is a part of a file that
// compiles, or of nginx.conf. TestReadmeLanguages checks the Chinese README.
func TestReadmeCode(t *testing.T) {
	readme := readFile(t, readmes[0])
	blocks := fenced(readme, "go")
	if len(blocks) == 0 {
		t.Error("README.md: got no Go blocks, want some")
	}
	all := sources(t)
	for _, block := range blocks {
		if got, err := format.Source([]byte(block)); err != nil || string(got) != block {
			t.Errorf("README.md: block is not in gofmt's form (error %v):\n%s\nwant:\n%s", err, block, got)
		}
		if block == apiBlock(t, readme) {
			continue // TestReadmeAPI checks it
		}
		quoted := block
		if _, body, ok := strings.Cut(block, "func main() {\n"); ok {
			// In its file the body of main is the body of an Example.
			quoted = strings.TrimSuffix(body, "}\n")
		}
		if !slices.ContainsFunc(all, func(code string) bool { return strings.Contains(code, unindent(quoted)) }) {
			t.Errorf("README.md: block is in no Go file, want it in one:\n%s", block)
		}
	}
	for _, block := range fenced(readme, "nginx") {
		if !strings.Contains(readFile(t, "nginx/nginx.conf"), block) {
			t.Errorf("README.md: block is not in nginx/nginx.conf:\n%s", block)
		}
	}
}

// TestReadmeSettings checks that the tables of both READMEs have one row for each field of
// Config.
func TestReadmeSettings(t *testing.T) {
	for _, name := range readmes {
		readme := readFile(t, name)
		for _, field := range reflect.VisibleFields(reflect.TypeFor[scangate.Config]()) {
			if n := strings.Count(readme, "\n| `"+field.Name+"` | "); n != 1 {
				t.Errorf("%s: got %d rows for Config.%s, want 1", name, n, field.Name)
			}
		}
	}
}

// TestReadmeLanguages checks that both READMEs have the same headings, code, settings,
// pictures, links and commands.
func TestReadmeLanguages(t *testing.T) {
	english, chinese := readFile(t, readmes[0]), readFile(t, readmes[1])
	level := func(s string) string { return strings.SplitN(s, " ", 2)[0] }
	same := func(s string) string { return s }
	for _, c := range []struct {
		name, pattern string
		as            func(string) string
	}{
		{"levels of headings", `(?m)^#+ .*$`, level},
		{"blocks of code", "(?sm)^```.*?^```$", same},
		{"commands", `(?m)^    \S.*$`, same},
		{"first columns of settings", "(?m)^\\| `\\w+` \\|", same},
		{"WeChat's error codes", `(?m)^\| 100\d\d`, same},
		{"numbers of steps", `(?m)^\d+\. `, same},
		{"links", `\]\([^)#]+`, same},
		{"pictures", `<img src="[^"]+" width="\d+"`, func(s string) string { return strings.Replace(s, "-zh.png", "-en.png", 1) }},
	} {
		list := func(text string) []string {
			// Code contains comments, which look like headings, and brackets.
			if c.name != "blocks of code" {
				text = regexp.MustCompile("(?sm)^```.*?^```$").ReplaceAllString(text, "")
			}
			found := regexp.MustCompile(c.pattern).FindAllString(text, -1)
			for i, s := range found {
				found[i] = strings.NewReplacer("README.zh-CN.md", "README.md").Replace(c.as(s))
			}
			if c.name == "links" {
				// The two languages order the parts of a sentence differently.
				slices.Sort(found)
				found = slices.Compact(found)
			}
			return found
		}
		en, zh := list(english), list(chinese)
		if len(en) == 0 || !slices.Equal(en, zh) {
			t.Errorf("%s: only in README.md: %q, only in README.zh-CN.md: %q, want no difference", c.name, onlyIn(en, zh), onlyIn(zh, en))
		}
	}
}

// onlyIn returns the elements of list that other does not contain. If the lists differ
// only in their order or in repetitions, it returns the whole list.
func onlyIn(list, other []string) []string {
	only := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	if len(only) == 0 {
		return list
	}
	return only
}

// TestReadmeLinks checks that every file exists that a README links to.
func TestReadmeLinks(t *testing.T) {
	for _, name := range readmes {
		readme := readFile(t, name)
		for _, link := range regexp.MustCompile(`\]\(([^) ]+)\)|<img src="([^"]+)"`).FindAllStringSubmatch(readme, -1) {
			path, _, _ := strings.Cut(link[1]+link[2], "#")
			if strings.Contains(path, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", path)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// apiBlock returns the code block with the API of the root package.
func apiBlock(t *testing.T, readme string) string {
	t.Helper()
	for _, block := range fenced(readme, "go") {
		if strings.Contains(block, "\nfunc New(config Config) (*Gate, error)\n") {
			return block
		}
	}
	t.Fatal("README.md: got no block with func New, want one with the API")
	return ""
}

// api holds what a package exports.
type api struct {
	funcs map[string]string // from "New" or "Gate.Check" to the signature
	types map[string]string // from the name to the type, see typeCode
	names []string          // of constants and variables
}

// elided are the types whose fields README.md does not show.
var elided = []string{"Config", "Gate", "PageData", "MemoryStore", "RedisStore", "StateStore"}

// TestReadmeAPI checks that README.md shows the exported API of the root package, all of
// it and nothing else.
func TestReadmeAPI(t *testing.T) {
	block := apiBlock(t, readFile(t, readmes[0]))
	parse := func(name string, source any) *ast.File {
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	shown := newAPI(parse("README.md", "package scangate\n"+block))
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	var root []*ast.File
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			root = append(root, parse(file, nil))
		}
	}
	exported := newAPI(root...)
	mentioned := func(name string) bool { return regexp.MustCompile(`\b` + name + `\b`).MatchString(block) }
	checkShown(t, exported, shown, mentioned)
	checkExists(t, exported, shown, block)
}

// checkShown fails the test if README.md does not show a part of the API as it is.
func checkShown(t *testing.T, exported, shown api, mentioned func(name string) bool) {
	t.Helper()
	for name, signature := range exported.funcs {
		receiver, method, _ := strings.Cut(name, ".")
		switch {
		case slices.Contains([]string{"MemoryStore", "RedisStore"}, receiver) && method != "Close" && method != "Delete":
			// Their other methods implement interfaces, which README.md shows.
		case receiver == "NoPhones":
			// It has two methods of UserStore, and one that New calls.
		case receiver == "PageData":
			if !mentioned(method) {
				t.Errorf("README.md: no mention of the method PageData.%s, want one", method)
			}
		case shown.funcs[name] != signature:
			t.Errorf("README.md: signature of %s = %q, want %q", name, shown.funcs[name], signature)
		}
	}
	for name, code := range exported.types {
		if !mentioned(name) || !slices.Contains(elided, name) && shown.types[name] != code {
			t.Errorf("README.md: type %s = %q, want %q", name, shown.types[name], code)
		}
	}
	for _, name := range exported.names {
		if !mentioned(name) {
			t.Errorf("README.md: no mention of %s, want one", name)
		}
	}
}

// checkExists fails the test if README.md shows something that is not part of the API.
func checkExists(t *testing.T, exported, shown api, block string) {
	t.Helper()
	for name := range shown.funcs {
		if exported.funcs[name] == "" {
			t.Errorf("README.md: shows %s, which the package does not export", name)
		}
	}
	for name := range shown.types {
		if exported.types[name] == "" {
			t.Errorf("README.md: shows type %s, which the package does not export", name)
		}
	}
	// Comments in the block mention constants and errors.
	for _, name := range regexp.MustCompile(`\b(Err|Event|Register)[A-Z]\w+\b`).FindAllString(block, -1) {
		if !slices.Contains(exported.names, name) && exported.types[name] == "" && !strings.Contains(block, "Config."+name) {
			t.Errorf("README.md: mentions %s, which the package does not export", name)
		}
	}
}

// newAPI returns what the files export.
func newAPI(files ...*ast.File) api {
	a := api{funcs: make(map[string]string), types: make(map[string]string)}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				a.addFunc(d)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					a.addSpec(spec)
				}
			}
		}
	}
	return a
}

// addFunc adds a function or a method.
func (a *api) addFunc(d *ast.FuncDecl) {
	name := d.Name.Name
	if d.Recv != nil {
		receiver := d.Recv.List[0].Type
		if pointer, ok := receiver.(*ast.StarExpr); ok {
			receiver = pointer.X
		}
		ident, ok := receiver.(*ast.Ident)
		if !ok {
			return // the package exports no generic types
		}
		name = ident.Name + "." + name
	}
	// The second check is for the receiver's type.
	if d.Name.IsExported() && ast.IsExported(name) {
		a.funcs[name] = code(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
	}
}

// addSpec adds a type, or the names of constants or variables.
func (a *api) addSpec(spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			a.types[s.Name.Name] = typeCode(s.Type)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				a.names = append(a.names, name.Name)
			}
		}
	}
}

// typeCode returns a type as code. For structs and interfaces it returns the exported
// members in alphabetical order, because README.md groups fields by their type.
func typeCode(expr ast.Expr) string {
	var list *ast.FieldList
	switch e := expr.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return code(expr)
	}
	var members []string
	for _, field := range list.List {
		for _, name := range field.Names {
			if name.IsExported() {
				members = append(members, name.Name+" "+code(field.Type))
			}
		}
	}
	slices.Sort(members)
	return "has " + strings.Join(members, "; ")
}

// code returns a node as code in one line.
func code(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestExamples checks that there is an Example for every exported function, and for every
// method of the types that applications call.
func TestExamples(t *testing.T) {
	for _, p := range []struct {
		dir   string
		types []string // whose methods need an Example
	}{
		{"..", []string{"Gate"}},
		{"../wechat", []string{"Client"}},
		{"../wechattest", []string{"Phone"}},
		{"../storetest", nil},
		{"../sqlstore", nil},
	} {
		code, examples := parsePackage(t, p.dir)
		for name := range newAPI(code...).funcs {
			receiver, _, method := strings.Cut(name, ".")
			want := "Example" + strings.ReplaceAll(name, ".", "_")
			if (!method || slices.Contains(p.types, receiver)) && !examples[want] {
				t.Errorf("package in %s: no %s for %s, want one", p.dir, want, name)
			}
		}
	}
}

// parsePackage returns the files of a package without its tests, and the names of the
// Examples in its tests.
func parsePackage(t *testing.T, dir string) (code []*ast.File, examples map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	examples = make(map[string]bool)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			code = append(code, file)
			continue
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(d.Name.Name, "Example") {
				examples[d.Name.Name] = true
			}
		}
	}
	return code, examples
}
