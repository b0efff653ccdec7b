package pages

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// pagesDocs are the documentation of the pages and its translation.
var pagesDocs = []string{"docs/pages.md", "docs/pages.zh-CN.md"}

// pagesDoc returns the text of one of pagesDocs.
func pagesDoc(t *testing.T, name string) string {
	t.Helper()
	doc, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatalf("reading the documentation: %v", err)
	}
	return string(doc)
}

// TestPagesDocListsAllTexts compares the tables of pagesDocs with the texts.
func TestPagesDocListsAllTexts(t *testing.T) {
	set := newTestSet(t)
	zh, en := set.languages[0].texts, set.languages[1].texts
	for _, name := range pagesDocs {
		listed := make(map[string]bool)
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9.]+)` \\| (.*) \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(pagesDoc(t, name), -1) {
			key, where := row[1], strings.TrimSpace(row[4])
			if en[key] == "" || row[2] != en[key] || row[3] != zh[key] || where == "" {
				t.Errorf("%s lists %s as %q, %q (%s), want %q, %q and where it stands", name, key, row[2], row[3], where, en[key], zh[key])
			}
			if listed[key] {
				t.Errorf("%s lists %s twice, want once", name, key)
			}
			listed[key] = true
		}
		for key := range en {
			if !listed[key] {
				t.Errorf("%s does not list %s, want every text", name, key)
			}
		}
	}
}

// TestPagesDocListsTheAttributes demands that each of pagesDocs explains each data attribute
// of the built-in pages.
func TestPagesDocListsTheAttributes(t *testing.T) {
	for _, name := range pagesDocs {
		doc := pagesDoc(t, name)
		for _, page := range append(pageNames(t), "layout") {
			for _, attribute := range regexp.MustCompile(`\bdata-[a-z-]+`).FindAllString(source(t, page+".html"), -1) {
				if !strings.Contains(doc, "`"+attribute+"`") {
					t.Errorf("%s does not explain %s of %s.html", name, attribute, page)
				}
			}
		}
	}
}
