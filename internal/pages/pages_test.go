package pages

import (
	"html/template"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// newTestSet returns pages in both languages, unless an option changes that.
func newTestSet(t *testing.T, options ...func(*Options)) *Set {
	t.Helper()
	o := Options{App: "Example", BasePath: "/wechat", Languages: []string{"zh", "en"}}
	for _, option := range options {
		option(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// source returns a built-in file.
func source(t *testing.T, file string) string {
	t.Helper()
	b, err := files.ReadFile("files/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAssets(t *testing.T) {
	set := newTestSet(t)
	for name, a := range set.assets {
		if !regexp.MustCompile(`^(style|script|login)-[0-9a-f]{12}\.(css|js)$`).MatchString(name) || a.ContentType == "" {
			t.Errorf("asset %s has the type %q, want a name with a hash and a type", name, a.ContentType)
		}
	}
	other := newTestSet(t, func(o *Options) { o.AccentColor = "#1677ff" })
	if a, b := set.AssetPath("style.css"), other.AssetPath("style.css"); a == b {
		t.Errorf("style.css with another accent color = %s, want another path", a)
	}
	if a, b := set.AssetPath("script.js"), other.AssetPath("script.js"); a != b {
		t.Errorf("script.js with another accent color = %s, want %s as before", b, a)
	}
	for file, want := range map[string]string{
		"style.css": source(t, "style.css"),
		"script.js": "(() => {\n" + source(t, "follow.js") + source(t, "script.js") + "})();\n",
	} {
		name, ok := strings.CutPrefix(set.AssetPath(file), "/wechat/assets/")
		if a, found := set.Asset(name); !ok || !found || string(a.Body) != want {
			t.Errorf("the asset at %s is not %s", set.AssetPath(file), file)
		}
	}
	if _, found := set.Asset("style.css"); found {
		t.Error("the asset style.css exists, want it under its name with a hash only")
	}
}

// pageNames returns the names of the templates that are pages of their own.
func pageNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, tmpl := range newTestSet(t).builtin.Templates() {
		if name, ok := strings.CutSuffix(tmpl.Name(), ".html"); ok && name != "layout" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// textNames returns the prefixes that a page's texts have: one for most pages, and one per
// error for message.html.
func textNames(page string, texts map[string]string) []string {
	switch page {
	case "done":
		return []string{"done.approved", "done.denied"}
	case "profile":
		return []string{"profile", "profile.known", "profile.needed"}
	case "message":
		codes := make(map[string]bool)
		for key := range texts {
			if code, ok := strings.CutPrefix(key, "error."); ok {
				code, _, _ = strings.Cut(code, ".")
				codes["error."+code] = true
			}
		}
		return slices.Sorted(maps.Keys(codes))
	}
	return []string{page}
}

var textCall = regexp.MustCompile(`\.(?:T|Split) "([^"]+)"`)

// chatText matches the key of a text of a reply in a chat.
var chatText = regexp.MustCompile(`"(chat\.[a-z]+)"`)

// chatSource returns the code that composes replies in a chat.
func chatSource(t *testing.T) string {
	t.Helper()
	var all []byte
	for _, file := range []string{"../chat/speech.go", "../../chat.go", "../../chat_messages.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read the code of chats: %v", err)
		}
		all = append(all, b...)
	}
	return string(all)
}

// TestTextsAreUsed fails for a text that no page uses, and for a text that a page uses but
// that does not exist.
func TestTextsAreUsed(t *testing.T) {
	texts := newTestSet(t).languages[0].texts
	unused := maps.Clone(texts)
	use := func(page, name, key string) {
		found := false
		for _, k := range []string{name + key, name + key + ".link", strings.TrimPrefix(key, ".")} {
			if _, ok := texts[k]; ok {
				found = true
				delete(unused, k)
			}
		}
		if !found {
			t.Errorf("%s.html uses the text %s%s, which does not exist", page, name, key)
		}
	}
	for _, page := range pageNames(t) {
		for _, m := range textCall.FindAllStringSubmatch(source(t, page+".html"), -1) {
			for _, name := range textNames(page, texts) {
				if !strings.HasPrefix(m[1], ".") {
					name = ""
				}
				use(page, name, m[1])
			}
		}
	}
	for _, m := range textCall.FindAllStringSubmatch(source(t, "layout.html"), -1) {
		if m[1] != ".heading" { // each page uses its own in <h1>, too
			use("layout", "", m[1])
		}
	}
	use("chat", "chat.echo", ".heading") // in the place of those of the link's page
	use("chat", "chat.echo", ".text")
	for _, way := range []string{".web", ".website", ".follow", ".message", ".mini"} {
		use("login", "login", way) // by PageData.Ways
	}
	for _, m := range chatText.FindAllStringSubmatch(chatSource(t), -1) {
		use("chat", "", m[1])
	}
	for key := range unused {
		t.Errorf("no page uses the text %s", key)
	}
}

func TestReplace(t *testing.T) {
	const builtin = `<!doctype html>`
	for _, c := range []struct {
		name, text   string
		begins, with string // the login page, after the replacement
		wrong        string // in Replace's error
	}{
		{"a page", `{{define "login.html"}}mine{{end}}`, "mine", "", ""},
		{"another page", `{{define "phone.html"}}mine{{end}}`, builtin, `class="qr"`, ""},
		{"a part of all pages", `{{define "page-head"}}mine{{end}}`, "mine", `class="qr"`, ""},
		{"no page", `{{define "index.html"}}mine{{end}}`, builtin, `class="qr"`, "called like a page"},
	} {
		set := newTestSet(t)
		err := set.Replace(template.Must(template.New("").Parse(c.text)))
		if (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("Replace %s: error = %v, want %q in it", c.name, err, c.wrong)
		}
		if got, err := set.Execute("login", nil); err != nil || !strings.HasPrefix(string(got), c.begins) || !strings.Contains(string(got), c.with) {
			t.Errorf("Replace %s: the login page is %.20q..., %v, want %q first and %q", c.name, got, err, c.begins, c.with)
		}
		if got, err := set.ExecuteBuiltin("login", nil); err != nil || !strings.HasPrefix(string(got), builtin) {
			t.Errorf("Replace %s: the built-in login page is %.20q..., %v, want %q first", c.name, got, err, builtin)
		}
	}
}

func TestExecuteReturnsNoHalfPage(t *testing.T) {
	set := newTestSet(t)
	if err := set.Replace(template.Must(template.New("").Parse(`{{define "login.html"}}half {{.Missing}}{{end}}`))); err != nil {
		t.Fatal(err)
	}
	if got, err := set.Execute("login", struct{}{}); err == nil || len(got) != 0 {
		t.Errorf("Execute of a failing template = %q, %v, want only an error", got, err)
	}
}

func TestIsImageData(t *testing.T) {
	for s, want := range map[string]bool{
		"data:image/png;base64,iVBORw0KGgo=": true,
		"data:image/svg+xml,%3Csvg/%3E":      true,
		"data:image/png":                     false,
		"data:text/html,<script>":            false,
		`data:image/png,"onerror=alert(1)`:   false,
		"data:image/png,a b":                 false,
		"data:image/png,ä":                   false,
		"/logo.png":                          false,
	} {
		if got := IsImageData(s); got != want {
			t.Errorf("IsImageData(%q) = %t, want %t", s, got, want)
		}
	}
}
