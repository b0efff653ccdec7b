package pages

import (
	"regexp"
	"testing"
)

// newSyntax matches syntax and functions of JavaScript that came after ES2017, or after
// Safari 12.
var newSyntax = regexp.MustCompile(`\?\.[^0-9]|\?\?|(&&|\|\|)=|catch \{|[{,]\s*\.\.\.|for await|\.(flat|flatMap|matchAll|replaceAll|at|finally|replaceChildren|requestSubmit|animate)\(|` +
	`fromEntries|allSettled|structuredClone|AbortSignal|event\.submitter|toggleAttribute|#[a-z]+ [=(]`)

// newStyle matches CSS that Chromium 80 or Safari 12 does not have.
var newStyle = regexp.MustCompile(`\binset:|:is\(|:where\(|:has\(|\bclamp\(|aspect-ratio|@layer|@container|display: flex;[^}]*\bgap:`)

func TestCaseA24AssetsForOldBrowsers(t *testing.T) {
	for file, pattern := range map[string]*regexp.Regexp{"follow.js": newSyntax, "script.js": newSyntax, "login.js": newSyntax, "style.css": newStyle, "login.css": newStyle} {
		for _, found := range pattern.FindAllString(source(t, file), -1) {
			t.Errorf("%s contains %q, which old browsers do not have", file, found)
		}
	}
}
