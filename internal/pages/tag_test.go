package pages

import (
	"bytes"
	"compress/gzip"
	"regexp"
	"strings"
	"testing"
)

// tagLimit is the largest size of the element's script, in bytes that a server sends.
const tagLimit = 8 << 10

func TestTagIsSmall(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(newTestSet(t).Tag().Body)
	if err := z.Close(); err != nil {
		t.Fatalf("gzip: %v", err)
	}
	if b.Len() > tagLimit {
		t.Errorf("login.js, compressed: %d bytes, want at most %d", b.Len(), tagLimit)
	}
}

// TestTagHoldsToStrictPolicies looks for what a Content-Security-Policy of "default-src
// 'self'" blocks.
func TestTagHoldsToStrictPolicies(t *testing.T) {
	set := newTestSet(t, func(o *Options) { o.BasePath = "/sign-in" })
	script := string(set.Tag().Body)
	for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "adoptedStyleSheets", "document.write", "eval(", "new Function", ".style", "data:", "SCANGATE"} {
		if strings.Contains(script, forbidden) {
			t.Errorf("login.js contains %q, want none", forbidden)
		}
	}
	if want := `{"base":"/sign-in","style":"` + set.AssetPath("login.css") + `"}`; !strings.Contains(script, want) {
		t.Errorf("login.js does not contain the paths of the gate, want %s", want)
	}
	if strings.Contains(source(t, "login.css"), "url(") {
		t.Error("login.css loads a file, want none")
	}
}

func TestCompact(t *testing.T) {
	const script = "\n  // a\nlet a = 1; // b\n\n    f(\"//\");\n//c\n\tg();\n"
	if got, want := compact(script), "let a = 1; // b\nf(\"//\");\ng();\n"; got != want {
		t.Errorf("compact(%q) = %q, want %q", script, got, want)
	}
	for _, file := range []string{"follow.js", "login.js"} {
		for _, text := range regexp.MustCompile("`[^`]*`").FindAllString(source(t, file), -1) {
			if strings.Contains(text, "\n") {
				t.Errorf("%s: the text %s spans lines, which compact would change", file, text)
			}
		}
	}
}

func TestShadowStyle(t *testing.T) {
	got := shadowStyle(":root { --a: 1; }\n@media (prefers-color-scheme: dark) {\n  :root { --a: 2; }\n}\np { margin: 0; }")
	want := ":host { --a: 1; }\n@media (prefers-color-scheme: dark) { :host(:not([scheme=light])) { --a: 2; } }\n:host([scheme=dark]) { --a: 2; }\np { margin: 0; }"
	if got != want {
		t.Errorf("shadowStyle:\ngot  %s\nwant %s", got, want)
	}
	for _, style := range []string{source(t, "style.css"), accentRules("#1677ff")} {
		if got := shadowStyle(style); strings.Contains(got, ":root") || strings.Count(got, "scheme=dark]") != 1 || strings.Count(got, "scheme=light]") != 1 {
			t.Errorf("shadowStyle: want no :root, and one rule for each forced scheme, in\n%s", got)
		}
	}
}
