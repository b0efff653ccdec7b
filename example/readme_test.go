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

// readmes are the two, which say the same.
var readmes = []string{"../README.md", "../README.zh-CN.md"}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fenced returns a document's blocks of code in a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, block := range regexp.MustCompile("(?sm)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// flat is code whatever it is indented by.
func flat(code string) string {
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(code, "")
}

// sources returns all of the repository's Go code, file by file.
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
			all = append(all, flat(readFile(t, path)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestReadmeCode demands that what README.md shows is quoted from code that
// compiles, line by line, or from nginx.conf.
func TestReadmeCode(t *testing.T) {
	readme := readFile(t, readmes[0])
	blocks := fenced(readme, "go")
	if len(blocks) == 0 {
		t.Error("there is no code")
	}
	all := sources(t)
	for _, block := range blocks {
		if got, err := format.Source([]byte(block)); err != nil || string(got) != block {
			t.Errorf("gofmt would change this, or says %v:\n%s", err, block)
		}
		if block == apiBlock(t, readme) {
			continue // see TestReadmeAPI
		}
		quoted := block
		if _, body, ok := strings.Cut(block, "func main() {\n"); ok {
			quoted = strings.TrimSuffix(body, "}\n") // which is an Example in its file
		}
		if !slices.ContainsFunc(all, func(code string) bool { return strings.Contains(code, flat(quoted)) }) {
			t.Errorf("no file has this:\n%s", block)
		}
	}
	for _, block := range fenced(readme, "nginx") {
		if !strings.Contains(readFile(t, "nginx/nginx.conf"), block) {
			t.Errorf("nginx.conf hasn't this:\n%s", block)
		}
	}
	if own := readFile(t, "ownusers/members.go"); !slices.Contains(blocks, own) {
		t.Error("the store of an application's own isn't there whole")
	}
}

// TestReadmeSettings demands a row for each field of the Config.
func TestReadmeSettings(t *testing.T) {
	for _, name := range readmes {
		readme := readFile(t, name)
		for _, field := range reflect.VisibleFields(reflect.TypeFor[scangate.Config]()) {
			if n := strings.Count(readme, "\n| `"+field.Name+"` | "); n != 1 {
				t.Errorf("%s: Config.%s has %d rows", name, field.Name, n)
			}
		}
	}
}

// TestReadmeLanguages compares the two: headings, code, settings, pictures, links
// and commands are the same.
func TestReadmeLanguages(t *testing.T) {
	english, chinese := readFile(t, readmes[0]), readFile(t, readmes[1])
	outline := func(s string) string { return strings.SplitN(s, " ", 2)[0] }
	same := func(s string) string { return s }
	for _, c := range []struct {
		name, pattern string
		as            func(string) string
	}{
		{"levels of headings", `(?m)^#+ .*$`, outline},
		{"blocks of code", "(?sm)^```.*?^```$", same},
		{"commands", `(?m)^    \S.*$`, same},
		{"first columns of settings", "(?m)^\\| `\\w+` \\|", same},
		{"codes of WeChat's", `(?m)^\| 100\d\d`, same},
		{"numbers of steps", `(?m)^\d+\. `, same},
		{"links", `\]\([^)#]+`, same},
		{"pictures", `<img src="[^"]+" width="\d+"`, func(s string) string { return strings.Replace(s, "-zh.png", "-en.png", 1) }},
	} {
		list := func(text string) []string {
			if c.name != "blocks of code" {
				text = regexp.MustCompile("(?sm)^```.*?^```$").ReplaceAllString(text, "")
			}
			found := regexp.MustCompile(c.pattern).FindAllString(text, -1)
			for i, s := range found {
				found[i] = strings.NewReplacer("README.zh-CN.md", "README.md").Replace(c.as(s))
			}
			if c.name == "links" {
				slices.Sort(found) // sentences are built in another order
				found = slices.Compact(found)
			}
			return found
		}
		en, zh := list(english), list(chinese)
		if len(en) == 0 || !slices.Equal(en, zh) {
			t.Errorf("%s differ: %q\nand %q", c.name, onlyIn(en, zh), onlyIn(zh, en))
		}
	}
}

// onlyIn returns what only the first list has; all of it if that is nothing.
func onlyIn(list, other []string) []string {
	only := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	if len(only) == 0 {
		return list
	}
	return only
}

// TestReadmeLinks demands that what is linked to is there.
func TestReadmeLinks(t *testing.T) {
	for _, name := range readmes {
		readme := readFile(t, name)
		for _, link := range regexp.MustCompile(`\]\(([^)]+)\)|<img src="([^"]+)"`).FindAllStringSubmatch(readme, -1) {
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

// apiBlock is the block of code with the root package's API.
func apiBlock(t *testing.T, readme string) string {
	t.Helper()
	for _, block := range fenced(readme, "go") {
		if strings.Contains(block, "\nfunc New(config Config) (*Gate, error)\n") {
			return block
		}
	}
	t.Fatal("README.md doesn't show the API")
	return ""
}

// api is what a package exports: each function, method and type as code, and the
// names of all else.
type api struct {
	funcs, types map[string]string
	names        []string
}

// elided are types of which README.md shows the name alone.
var elided = []string{"Config", "Gate", "PageData", "MemoryStore", "RedisStore", "StateStore"}

// TestReadmeAPI demands that README.md shows all that the root package exports as
// it is, and nothing else. Methods that an interface asks for are known by it.
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
	word := func(name string) bool { return regexp.MustCompile(`\b` + name + `\b`).MatchString(block) }
	for name, signature := range exported.funcs {
		receiver, method, _ := strings.Cut(name, ".")
		switch {
		case slices.Contains([]string{"MemoryStore", "RedisStore"}, receiver) && method != "Close":
		case receiver == "PageData":
			if !word(method) {
				t.Errorf("PageData's method %s is missing", method)
			}
		case shown.funcs[name] != signature:
			t.Errorf("%s is %q, and shown as %q", name, signature, shown.funcs[name])
		}
	}
	for name, code := range exported.types {
		if !word(name) || !slices.Contains(elided, name) && shown.types[name] != code {
			t.Errorf("%s is %q, and shown as %q", name, code, shown.types[name])
		}
	}
	for _, name := range exported.names {
		if !word(name) {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range shown.funcs {
		if exported.funcs[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name := range shown.types {
		if exported.types[name] == "" {
			t.Errorf("there is no type %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`\b(Err|Event|Register)[A-Z]\w+\b`).FindAllString(block, -1) {
		if !slices.Contains(exported.names, name) && exported.types[name] == "" && !strings.Contains(block, "Config."+name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// newAPI reads what the files export.
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

func (a *api) addFunc(d *ast.FuncDecl) {
	name := d.Name.Name
	if d.Recv != nil {
		receiver := d.Recv.List[0].Type
		if pointer, ok := receiver.(*ast.StarExpr); ok {
			receiver = pointer.X
		}
		ident, ok := receiver.(*ast.Ident)
		if !ok {
			return // of a generic type: all of them are the package's own
		}
		name = ident.Name + "." + name
	}
	if d.Name.IsExported() && ast.IsExported(name) {
		a.funcs[name] = code(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
	}
}

func (a *api) addSpec(spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			a.types[s.Name.Name] = shape(s.Type)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				a.names = append(a.names, name.Name)
			}
		}
	}
}

// shape is a type's code, without comments; of a struct its exported fields, in
// alphabetical order, for README.md puts those of one type together.
func shape(expr ast.Expr) string {
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

func code(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestExamples demands an Example for what applications call: every exported
// function of the packages, and every method of the types that they work with.
func TestExamples(t *testing.T) {
	for _, p := range []struct {
		dir   string
		types []string
	}{
		{"..", []string{"Gate"}},
		{"../wechat", []string{"Client"}},
		{"../wechattest", []string{"Phone"}},
		{"../storetest", nil},
		{"../sqlstore", nil},
	} {
		files, err := filepath.Glob(p.dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		var code []*ast.File
		examples := make(map[string]bool)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			switch {
			case err != nil:
				t.Fatal(err)
			case !strings.HasSuffix(name, "_test.go"):
				code = append(code, file)
				continue
			}
			for _, decl := range file.Decls {
				if d, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(d.Name.Name, "Example") {
					examples[d.Name.Name] = true
				}
			}
		}
		for name := range newAPI(code...).funcs {
			receiver, _, method := strings.Cut(name, ".")
			want := "Example" + strings.ReplaceAll(name, ".", "_")
			if (!method || slices.Contains(p.types, receiver)) && !examples[want] {
				t.Errorf("%s has no %s", p.dir, want)
			}
		}
	}
}
