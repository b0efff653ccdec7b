package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// testNarrow checks that the page fits into a window of 320 pixels, the width of the
// narrowest phones, without scrolling sideways.
func testNarrow(t *testing.T, v *visit) {
	v.setWindow(window{"narrow", 320, 568}, "light")
	wide := read[[]string](v, `[document.body, ...document.body.querySelectorAll("*")]
		.filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth || e === document.body && e.scrollWidth > innerWidth)
		.map(e => e.outerHTML.slice(0, 200))`)
	if len(wide) > 0 {
		t.Errorf("elements wider than 320 pixels: %q, want none", wide)
	}
}

// testAccessibility checks the page with axe-core: in Chinese on a phone with light colors,
// in English on a desktop with dark colors.
func testAccessibility(t *testing.T, v *visit, axe string) {
	t.Helper()
	v.inject(axe)
	if v.lang == "en" {
		v.setWindow(windows[0], "dark")
	} else {
		v.setWindow(windows[1], "light")
	}
	checkAccessibility(t, v)
}

// inject runs the script axe.min.js in the page.
func (v *visit) inject(axe string) {
	v.t.Helper()
	// The debugger runs the script, so the page's Content-Security-Policy does not apply.
	v.evaluate(axe + "\n;null")
}

// checkAccessibility checks the page with axe-core, which inject has loaded, in the window
// and the colors that it has.
func checkAccessibility(t *testing.T, v *visit) {
	t.Helper()
	found := read[struct {
		Passes     int
		Violations []string
	}](v, `axe.run(document, { preload: !document.querySelector("scangate-login") }).then(r => ({
		passes: r.passes.length,
		violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)),
	}))`)
	for _, violation := range found.Violations {
		t.Errorf("axe-core, %s: %s", v.window.name, violation)
	}
	// A page that axe-core has not looked at has no violations either.
	if found.Passes < 10 {
		t.Errorf("axe-core, %s: %d rules passed, want at least 10", v.window.name, found.Passes)
	}
}

// axeCore returns the script axe.min.js that SCANGATE_AXE names. It returns "" if that is
// not set, unless SCANGATE_REQUIRE names axe.
func axeCore(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SCANGATE_AXE")
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "axe") {
			t.Fatal("SCANGATE_REQUIRE names axe, but SCANGATE_AXE does not name axe.min.js")
		}
		return ""
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}
