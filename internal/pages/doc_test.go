package pages

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// pagesDoc returns the documentation of the pages.
func pagesDoc(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatalf("reading the documentation: %v", err)
	}
	return string(doc)
}

// TestPagesDocListsAllTexts compares the tables of docs/pages.md with the texts.
func TestPagesDocListsAllTexts(t *testing.T) {
	set := newTestSet(t)
	zh, en := set.languages[0].texts, set.languages[1].texts
	listed := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9.]+)` \\| (.*) \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(pagesDoc(t), -1) {
		key, where := row[1], strings.TrimSpace(row[4])
		if en[key] == "" || row[2] != en[key] || row[3] != zh[key] || where == "" {
			t.Errorf("docs/pages.md lists %s as %q, %q (%s), want %q, %q and where it stands", key, row[2], row[3], where, en[key], zh[key])
		}
		if listed[key] {
			t.Errorf("docs/pages.md lists %s twice, want once", key)
		}
		listed[key] = true
	}
	for key := range en {
		if !listed[key] {
			t.Errorf("docs/pages.md does not list %s, want every text", key)
		}
	}
}

// TestPagesDocListsTheAttributes demands that docs/pages.md explains each data attribute of
// the built-in pages.
func TestPagesDocListsTheAttributes(t *testing.T) {
	doc := pagesDoc(t)
	for _, page := range append(pageNames(t), "layout") {
		for _, attribute := range regexp.MustCompile(`\bdata-[a-z-]+`).FindAllString(source(t, page+".html"), -1) {
			if !strings.Contains(doc, "`"+attribute+"`") {
				t.Errorf("docs/pages.md does not explain %s of %s.html", attribute, page)
			}
		}
	}
}
