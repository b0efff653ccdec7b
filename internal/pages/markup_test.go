package pages

import (
	"fmt"
	"strings"
	"testing"
)

func TestElements(t *testing.T) {
	for page, want := range map[string]string{
		``:                                    ``,
		`a < b <3 <`:                          ``,
		`<!doctype html><P>x</P >`:            `p`,
		`<a href="/x?a=1&amp;b=2" ID='"'>y`:   `a href="/x?a=1&b=2" id="\""`,
		`<input required disabled= value=x/>`: `input required="" disabled="value=x/"`,
		`<input value=x required>`:            `input value="x" required=""`,
		"<br/><i\n\tb\f=\r'c'>":               `br; i b="c"`,
		`<!-- <a> --><b>`:                     `b`,
		`<?xml <x> ?><b>`:                     `b`,
		`<script>if (a<b) "<i>"</SCRIPT><u>`:  `script "if (a<b) \"<i>\""; u`,
		`<title><b></title><style>`:           `title "<b>"; style`,
		`<noscript><meta a></noscript>`:       `noscript; meta a=""`,
		`<a =x>`:                              `a =x=""`,
		`<a href="x`:                          `a href="x"`,
		`<a`:                                  ``,
		`</a href="<b>"><i>`:                  `i`,
		`<a/href=x><svg/onload=y>`:            `a href="x"; svg onload="y"`,
	} {
		var got []string
		for _, e := range Elements(page) {
			if e.Name == "" {
				continue
			}
			text := e.Name
			for _, a := range e.Attrs {
				text += fmt.Sprintf(" %s=%q", a.Name, a.Value)
			}
			if e.Text != "" {
				text += fmt.Sprintf(" %q", e.Text)
			}
			got = append(got, text)
		}
		if got := strings.Join(got, "; "); got != want {
			t.Errorf("Elements(%q):\ngot  %s\nwant %s", page, got, want)
		}
	}
}

func FuzzElements(f *testing.F) {
	for _, page := range []string{`<a b="c">`, `<script></scr`, `<!--`, `<a =`, `</`, "<a\x00='"} {
		f.Add(page)
	}
	f.Fuzz(func(t *testing.T, page string) {
		if n := len(Elements(page)); n > strings.Count(page, "<") {
			t.Errorf("Elements(%q) = %d elements, want at most one for each \"<\"", page, n)
		}
	})
}
