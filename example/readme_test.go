package main

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bilingual are the documents in English that have a Chinese translation beside them.
var bilingual = []string{"../README.md", "../docs/guide.md", "../docs/stores.md", "../docs/deploy.md", "../docs/pages.md", "../docs/performance.md"}

// translation returns the path of a document's translation.
func translation(name string) string { return strings.TrimSuffix(name, ".md") + ".zh-CN.md" }

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

// TestReadmeCode checks that every code block of the documents is a part of a file that
// compiles, or of nginx.conf. TestReadmeLanguages checks the Chinese documents.
func TestReadmeCode(t *testing.T) {
	all := sources(t)
	for _, name := range bilingual {
		blocks := fenced(readFile(t, name), "go")
		if len(blocks) == 0 && name != "../docs/deploy.md" {
			t.Errorf("%s: got no Go blocks, want some", name)
		}
		for _, block := range blocks {
			if got, err := format.Source([]byte(block)); err != nil || string(got) != block {
				t.Errorf("%s: block is not in gofmt's form (error %v):\n%s\nwant:\n%s", name, err, block, got)
			}
			quoted := block
			if _, body, ok := strings.Cut(block, "func main() {\n"); ok {
				// In its file the body of main is the body of an Example.
				quoted = strings.TrimSuffix(body, "}\n")
			}
			if !slices.ContainsFunc(all, func(code string) bool { return strings.Contains(code, unindent(quoted)) }) {
				t.Errorf("%s: block is in no Go file, want it in one:\n%s", name, block)
			}
		}
		for _, block := range fenced(readFile(t, name), "nginx") {
			if !strings.Contains(readFile(t, "nginx/nginx.conf"), block) {
				t.Errorf("%s: block is not in nginx/nginx.conf:\n%s", name, block)
			}
		}
	}
}

// TestReadmeIsShort keeps both READMEs at a length that people read.
func TestReadmeIsShort(t *testing.T) {
	for _, name := range []string{"../README.md", "../README.zh-CN.md"} {
		if n := strings.Count(readFile(t, name), "\n"); n < 150 || n > 200 {
			t.Errorf("%s has %d lines, want 150 to 200", name, n)
		}
	}
}

// TestReadmeLanguages checks that a document and its translation have the same headings,
// code, tables, pictures, links and commands.
func TestReadmeLanguages(t *testing.T) {
	for _, name := range bilingual {
		t.Run(strings.TrimPrefix(name, "../"), func(t *testing.T) { testLanguages(t, readFile(t, name), readFile(t, translation(name))) })
	}
}

// testLanguages compares a document with its translation.
func testLanguages(t *testing.T, english, chinese string) {
	t.Helper()
	level := func(s string) string { return strings.SplitN(s, " ", 2)[0] }
	same := func(s string) string { return s }
	for _, c := range []struct {
		name, pattern string
		as            func(string) string
	}{
		{"levels of headings", `(?m)^#+ .*$`, level},
		{"blocks of code", "(?sm)^```.*?^```$", same},
		{"commands", `(?m)^    \S.*$`, same},
		{"rows of tables", `(?m)^\|`, same},
		{"code in the rows of tables", `(?m)^\|.*$`, codeOf},
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
				found[i] = strings.ReplaceAll(c.as(s), ".zh-CN.md", ".md")
			}
			if c.name == "links" {
				// The two languages order the parts of a sentence differently.
				slices.Sort(found)
				found = slices.Compact(found)
			}
			return found
		}
		en, zh := list(english), list(chinese)
		if !slices.Equal(en, zh) {
			t.Errorf("%s: only in English: %q, only in Chinese: %q, want no difference", c.name, onlyIn(en, zh), onlyIn(zh, en))
		}
	}
}

// codeOf returns the code within a line, sorted, because the two languages order the parts
// of a sentence differently.
func codeOf(line string) string {
	code := regexp.MustCompile("`[^`]+`").FindAllString(line, -1)
	slices.Sort(code)
	return strings.Join(slices.Compact(code), " ")
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

// TestReadmeLinks checks that every file exists that a document of this repository links
// to, and in it the heading.
func TestReadmeLinks(t *testing.T) {
	for _, name := range documents(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)|<img src="([^"]+)"`).FindAllStringSubmatch(withoutCode(readFile(t, name)), -1) {
			path, heading, _ := strings.Cut(link[1]+link[2], "#")
			if strings.Contains(path, ":") {
				continue // another site
			}
			file := filepath.Join(filepath.Dir(name), path)
			if path == "" {
				file = name
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if heading != "" && !slices.Contains(anchors(readFile(t, file)), heading) {
				t.Errorf("%s links to #%s of %s, which has no such heading", name, heading, file)
			}
		}
	}
}

// documents returns the paths of all Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (entry.Name()[0] == '.' || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			found = append(found, path)
		}
		return nil
	})
	if err != nil || len(found) < 10 {
		t.Fatalf("documents: got %q, %v, want at least ten", found, err)
	}
	return found
}

// withoutCode removes the blocks of code and the code within lines.
func withoutCode(text string) string {
	text = regexp.MustCompile("(?sm)^```.*?^```$").ReplaceAllString(text, "")
	return regexp.MustCompile("(?m)^    .*$").ReplaceAllString(text, "")
}

// anchors returns the anchors of a document's headings, as GitHub makes them: small letters,
// digits, signs of other languages, and "-" for a space.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(withoutCode(text), -1) {
		words := strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")
		all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(words, ""))
	}
	return all
}

// exportedFuncs returns the names of the exported functions and methods, such as "New" and
// "Gate.Check".
func exportedFuncs(files []*ast.File) []string {
	var names []string
	for _, file := range files {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || !d.Name.IsExported() {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil {
				receiver := d.Recv.List[0].Type
				if pointer, ok := receiver.(*ast.StarExpr); ok {
					receiver = pointer.X
				}
				ident, ok := receiver.(*ast.Ident)
				if !ok || !ident.IsExported() {
					continue // the package exports no generic types
				}
				name = ident.Name + "." + name
			}
			names = append(names, name)
		}
	}
	return names
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
		for _, name := range exportedFuncs(code) {
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

// TestDesignListsEachPackage: the table of packages has one row for each directory.
func TestDesignListsEachPackage(t *testing.T) {
	design := readFile(t, "../docs/design.md")
	packages := []string{"../scscodec", "../sqlstore", "../storetest", "../wechat", "../wechattest"}
	for _, pattern := range []string{"../internal/*/*.go", "../internal/*/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			packages = append(packages, filepath.Dir(file))
		}
	}
	slices.Sort(packages)
	for _, dir := range slices.Compact(packages) {
		name := regexp.QuoteMeta("`" + strings.TrimPrefix(dir, "../") + "`")
		rows := regexp.MustCompile(`(?m)^\|[^|]*`+name+`[^|]*\|.*\|.*\|$`).FindAllString(design, -1)
		if len(rows) != 1 {
			t.Errorf("docs/design.md has %d rows of %s, want 1: %q", len(rows), name, rows)
		}
	}
}
