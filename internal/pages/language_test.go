package pages

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLanguageFor(t *testing.T) {
	both := newTestSet(t)
	english := newTestSet(t, func(o *Options) { o.Languages = []string{"en", "zh"} })
	only := newTestSet(t, func(o *Options) { o.Languages = []string{"en"} })
	for _, c := range []struct {
		set          *Set
		header, want string
	}{
		{both, "", "zh"},
		{both, "fr", "zh"},
		{both, "en", "en"},
		{both, "en-GB,en;q=0.9", "en"},
		{both, "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{both, "en;q=0.5, zh;q=0.9", "zh"},
		{both, "fr, en;q=0.4", "en"},
		{both, "EN-us", "en"},
		{both, "zh-TW", "zh"},
		{both, "en;q=0", "zh"},
		{both, "en;q=x", "zh"},
		{both, strings.Repeat("a,", 100_000) + "en", "zh"},
		{english, "", "en"},
		{english, "fr", "en"},
		{english, "zh-CN", "zh"},
		{only, "", "en"},
		{only, "zh-CN", "en"},
	} {
		if got := c.set.LanguageFor(c.header).tag; got != c.want {
			t.Errorf("LanguageFor(%.40q) = %s, want %s", c.header, got, c.want)
		}
	}
}

func TestLanguagesHaveTheSameTexts(t *testing.T) {
	set := newTestSet(t)
	zh, en := set.languages[0].texts, set.languages[1].texts
	place := regexp.MustCompile(`\{\w+\}`)
	for key, text := range zh {
		inZH, inEN := place.FindAllString(text, -1), place.FindAllString(en[key], -1)
		slices.Sort(inZH)
		slices.Sort(inEN)
		if en[key] == "" || text == "" || !slices.Equal(inZH, inEN) || strings.ContainsAny(text+en[key], "%<>") {
			t.Errorf("text %s: %q in English, %q in Chinese, want both, with the same places and without markup", key, en[key], text)
		}
	}
	if len(en) != len(zh) {
		t.Errorf("%d texts in English, want %d as in Chinese", len(en), len(zh))
	}
}

func TestSupported(t *testing.T) {
	set := newTestSet(t)
	for tag, attr := range map[string]string{"zh": "zh-CN", "en": "en"} {
		if got := set.LanguageFor(tag).Attr(); got != attr || !Supported(tag) {
			t.Errorf("language %s: lang attribute %q, supported %t, want %q", tag, got, Supported(tag), attr)
		}
	}
	for _, tag := range []string{"", "fr", "zh-CN", "EN"} {
		if Supported(tag) {
			t.Errorf("Supported(%q) = true, want false", tag)
		}
	}
	if _, err := New(Options{Languages: []string{"fr"}}); err == nil {
		t.Error("New with a language that does not exist: no error, want one")
	}
}

func TestText(t *testing.T) {
	l := Language{texts: map[string]string{
		"go": "shared", "finish.go": "own", "finish.go.link": "own for link", "finish.text": "text", "again": "shared again",
	}}
	for _, c := range []struct{ page, purpose, key, want string }{
		{"finish", "", ".go", "own"},
		{"finish", "link", ".go", "own for link"},
		{"finish", "phone", ".go", "own"},
		{"login", "", ".go", "shared"},
		{"finish", "link", ".again", "shared again"},
		{"login", "link", "finish.go", "own for link"},
		{"login", "", "finish.text", "text"},
		{"login", "", "again", "shared again"},
		{"login", "", ".text", ""},
		{"login", "", "nothing", ""},
	} {
		got, ok := l.Text(c.page, c.purpose, c.key)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Text(%q, %q, %q) = %q, %t, want %q", c.page, c.purpose, c.key, got, ok, c.want)
		}
	}
}
