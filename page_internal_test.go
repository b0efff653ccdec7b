package scangate

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/pages"
)

// newTestPages returns the pages of a Config that option has changed.
func newTestPages(t testing.TB, option func(*Config)) *pages.Set {
	t.Helper()
	config := Config{AppName: "Example", BasePath: "/wechat", Pages: Pages{Languages: []string{"zh", "en"}}}
	option(&config)
	set, err := newPages(&config)
	if err != nil {
		t.Fatalf("newPages: %v, want no error", err)
	}
	return set
}

func TestPageDataT(t *testing.T) {
	set := newTestPages(t, func(c *Config) { c.AppName = "{phone} & 100 %s" })
	data := PageData{Phone: "{app}"}.forTemplate(set, set.LanguageFor("en"), "finish")
	for _, c := range []struct{ purpose, key, want string }{
		{"", ".go", "Continue"},
		{"link", ".go", "Add"},
		{"link", ".again", "Try again"},
		{"", "confirm.heading", "Log in to {phone} & 100 %s?"},
		{"", "phone.sent", "The code was sent to {app}."},
		{"", "nothing", "nothing"},
		{"", ".nothing", ".nothing"},
	} {
		data.Purpose = c.purpose
		if got := data.T(c.key); got != c.want {
			t.Errorf("T(%q) for the purpose %q = %q, want %q", c.key, c.purpose, got, c.want)
		}
	}
}

// TestErrorsHaveTexts demands a heading and a text for each error that a page can show.
// It fails for the texts of any other error.
func TestErrorsHaveTexts(t *testing.T) {
	set := newTestPages(t, func(*Config) {})
	codes := map[string]bool{}
	for _, f := range append(failures, failureOf(errors.New("any other error"))) {
		codes[f.code] = true
		for _, part := range []string{".heading", ".text"} {
			key := "error." + f.code + part
			for _, lang := range set.Languages() {
				if _, ok := lang.Text("", "", key); !ok {
					t.Errorf("%s: no text %s, want one", lang.Attr(), key)
				}
			}
		}
	}
	b, err := os.ReadFile("internal/pages/files/zh.json")
	if err != nil {
		t.Fatalf("reading the Chinese texts: %v", err)
	}
	var groups map[string]map[string]string
	if err := json.Unmarshal(b, &groups); err != nil {
		t.Fatalf("decoding the Chinese texts: %v", err)
	}
	for _, key := range slices.Sorted(maps.Keys(groups["error"])) {
		if code, _, _ := strings.Cut(key, "."); !codes[code] {
			t.Errorf("text error.%s: no error has the code %s", key, code)
		}
	}
}

// TestSamplesCoverAllPages demands both samples for each page. New executes templates with
// the samples, and the last resort of render relies on the built-in pages succeeding.
func TestSamplesCoverAllPages(t *testing.T) {
	set := newTestPages(t, func(*Config) {})
	entries, err := os.ReadDir("internal/pages/files")
	if err != nil {
		t.Fatalf("reading the directory of pages: %v", err)
	}
	for _, entry := range entries {
		page, ok := strings.CutSuffix(entry.Name(), ".html")
		if !ok || page == "layout" {
			continue
		}
		for name, samples := range map[string]map[string]PageData{"full": fullSamples, "bare": bareSamples} {
			data, ok := samples[page]
			if !ok {
				t.Errorf("%s.html has no %s sample, want one", page, name)
			}
			if _, err := set.ExecuteBuiltin(page, data.forTemplate(set, set.LanguageFor("zh"), page)); err != nil {
				t.Errorf("%s.html with its %s sample: %v, want no error", page, name, err)
			}
		}
	}
}
