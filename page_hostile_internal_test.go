package scangate

import (
	"html"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/pages"
)

// hostileTexts would be markup, end an attribute or leave an element if they were not
// escaped.
var hostileTexts = []string{
	`<a href="https://evil.example">x</a>`, `</title><script>alert(1)</script>`, `]]>`, `"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`, "\u202eevil", "`alert(1)`", `javascript:alert(1)`, `--><!--`, `</main></body>`,
}

// markup returns the page's tags with the names of their attributes.
func markup(page []byte) []string {
	var tags []string
	elements, _ := pages.Parse(string(page))
	for _, e := range elements {
		tag := e.Name
		for _, a := range e.Attrs {
			tag += " " + a.Name
		}
		tags = append(tags, tag)
	}
	return tags
}

// hostileConfig returns an option of newTestPages that puts the text wherever the
// application's own may be.
func hostileConfig(t *testing.T, text string) func(*Config) {
	t.Helper()
	doc, err := os.ReadFile("docs/pages.md")
	if err != nil {
		t.Fatalf("reading the list of keys: %v", err)
	}
	texts := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9.]+)` \\|([^|]*)").FindAllStringSubmatch(string(doc), -1) {
		texts[row[1]] = text + strings.Join(regexp.MustCompile(`\{[a-z]+\}`).FindAllString(row[2], -1), "")
	}
	return func(c *Config) {
		c.AppName = text
		c.Pages.Terms = []Link{{Text: text, URL: "/a", Version: "1"}, {Text: "x", Texts: map[string]string{"en": text}, URL: "/b", Version: "2"}}
		c.Pages.Links = []Link{{Text: text, URL: "/c"}}
		c.Pages.Footer = []Link{{Text: text, URL: "/d"}, {Text: text}}
		c.Pages.Texts = map[string]map[string]string{"en": texts}
	}
}

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	plain := newTestPages(t, hostileConfig(t, "x"))
	for _, hostile := range hostileTexts {
		config := Config{}
		hostileConfig(t, hostile)(&config)
		if faults, err := pages.Texts(config.Pages.Texts).Check(); err != nil || len(faults) > 0 || len(config.Pages.Texts["en"]) < 100 {
			t.Fatalf("%d texts %q: faults = %v, error = %v, want all texts and neither", len(config.Pages.Texts["en"]), hostile, faults, err)
		}
		set := newTestPages(t, hostileConfig(t, hostile))
		for _, samples := range []map[string]PageData{fullSamples, bareSamples} {
			for name, data := range samples {
				want, err := plain.Execute(name, data.forTemplate(plain, plain.LanguageFor("en"), name))
				if err != nil {
					t.Fatalf("%s.html: %v", name, err)
				}
				got, err := set.Execute(name, data.forTemplate(set, set.LanguageFor("en"), name))
				if err != nil {
					t.Fatalf("%s.html with %q: %v", name, hostile, err)
				}
				if !slices.Equal(markup(got), markup(want)) {
					t.Errorf("%s.html with %q: other markup than with \"x\":\n%s", name, hostile, got)
				}
				shown := html.UnescapeString(string(got))
				if !strings.Contains(shown, "<h1>"+hostile) || !strings.Contains(shown, "<span>"+hostile+"</span>\n</footer>") {
					t.Errorf("%s.html with %q: the text is not in the heading and in the footer:\n%s", name, hostile, got)
				}
			}
		}
	}
}
