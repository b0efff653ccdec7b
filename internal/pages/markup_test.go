package pages

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for page, want := range map[string]string{
		``:                                    ``,
		`a < b <3 <`:                          ``,
		`<!doctype html><P>x</P >`:            `p; /p`,
		`<a href="/x?a=1&amp;b=2" ID='"'>y`:   `a href="/x?a=1&b=2" id="\""`,
		`<input required disabled= value=x/>`: `input required="" disabled="value=x/"`,
		`<input value=x required>`:            `input value="x" required=""`,
		"<br/><i\n\tb\f=\r'c'>":               `br; i b="c"`,
		`<!-- <a> --><b>`:                     `b`,
		`<?xml <x> ?><b>`:                     `b`,
		`<script>if (a<b) "<i>"</SCRIPT><u>`:  `script "if (a<b) \"<i>\""; /script; u`,
		`<title><b></title><style>`:           `title "<b>"; /title; style`,
		`<noscript><meta a></noscript>`:       `noscript; meta a=""; /noscript`,
		`<a =x>`:                              `a =x=""`,
		`<a href="x`:                          `a href="x"`,
		`<a`:                                  ``,
		`</a href="<b>"><i>`:                  `/a; i`,
		`<a/href=x><svg/onload=y>`:            `a href="x"; svg onload="y"`,
	} {
		elements, _ := Parse(page)
		var got []string
		for _, e := range elements {
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
			t.Errorf("Parse(%q):\ngot  %s\nwant %s", page, got, want)
		}
	}
}

func TestParseReturnsTheText(t *testing.T) {
	for page, want := range map[string]string{
		"a":                              "a",
		"<p>a &lt;b&gt; <b>c</b></p>":    "a <b> c",
		"<title>x</title>1 <!-- 2 --> 3": "1 3",
		"<script>x</script><i title='4'>5 < 6</i>": "5 6",
	} {
		if _, text := Parse(page); strings.Join(strings.Fields(text), " ") != want {
			t.Errorf("Parse(%q): text = %q, want %q", page, text, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, page := range []string{`<a b="c">`, `<script></scr`, `<!--`, `<a =`, `</`, "<a\x00='"} {
		f.Add(page)
	}
	f.Fuzz(func(t *testing.T, page string) {
		elements, _ := Parse(page)
		if n := len(elements); n > strings.Count(page, "<") {
			t.Errorf("Parse(%q) = %d elements, want at most one for each \"<\"", page, n)
		}
	})
}
