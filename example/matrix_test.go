package main

import (
	"context"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// matrix is how TestPages looks at each page.
type matrix struct {
	browsers  []pictureBrowser
	languages []string
	windows   []window
	sheets    bool // make a contact sheet of each browser, window, language and scheme
	turns     bool // show each state in one of the languages only, by turns
	every     int  // show one of so many states; 0 for all
}

// pictureBrowser is a browser with the color schemes in which the pages are looked at.
type pictureBrowser struct {
	name    string
	start   func(*testing.T) *browser
	schemes []string
}

// quickMatrix is small enough for each run of the tests.
var quickMatrix = matrix{
	browsers:  []pictureBrowser{{"chromium", startChromium, []string{"light"}}},
	languages: []string{"en", "zh-CN", "zh-Hant"},
	windows:   windows,
	turns:     true,
	every:     3,
}

// longMatrix is for long runs without pictures.
var longMatrix = matrix{
	browsers:  []pictureBrowser{{"chromium", startChromium, []string{"light"}}},
	languages: []string{"en", "zh-CN", "zh-Hant"},
	windows:   windows,
}

// usualMatrix is for runs that take pictures.
var usualMatrix = matrix{
	browsers:  []pictureBrowser{{"chromium", startChromium, []string{"light", "dark"}}},
	languages: []string{"zh-CN", "en"},
	windows:   windows,
}

// fullMatrix takes about an hour.
var fullMatrix = matrix{
	browsers: []pictureBrowser{
		{"chromium", startChromium, []string{"light", "dark", "forced"}},
		{"chromium80", startChromium80, []string{"light", "dark"}},
	},
	languages: []string{"zh-CN", "zh-Hant", "en"},
	windows:   []window{{"240", 240, 320}, {"360", 360, 740}, {"1280", 1280, 800}},
	sheets:    true,
}

// TestPages shows pages in their states, each in one of three languages. It checks the
// language, the layout in a window of 240 pixels with usual and with large text, the height of
// links and buttons, and the accessibility with axe-core. A usual run has a third of the
// states, and one with SCANGATE_BROWSERS=all has all. A long run, and one in which
// SCANGATE_SCREENSHOTS names a folder for pictures, has all of them in all languages.
//
// If SCANGATE_MATRIX is "full", the test looks at each page in Chromium and in Chromium 80, in
// three languages, at 240, 360 and 1280 pixels, with light, dark and forced colors. It then
// also writes contact sheets. Run it in pieces, by browser and language, for example
//
//	SCANGATE_MATRIX=full SCANGATE_SCREENSHOTS=/tmp/pictures go test -run TestPages/chromium80/zh-Hant -timeout 1h .
func TestPages(t *testing.T) {
	looks, axe := quickMatrix, axeCore(t)
	switch {
	case os.Getenv("SCANGATE_MATRIX") == "full":
		looks = fullMatrix
	case os.Getenv("SCANGATE_SCREENSHOTS") != "":
		looks = usualMatrix
	case isLong():
		looks = longMatrix
	case hasAll():
		looks.every = 1
	}
	if axe == "" {
		t.Run("accessibility", func(t *testing.T) { t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core") })
	}
	for _, b := range looks.browsers {
		t.Run(b.name, func(t *testing.T) {
			browser := b.start(t)
			for _, lang := range looks.languages {
				t.Run(lang, func(t *testing.T) {
					testPagesIn(t, looks, b, browser, lang, axe)
				})
			}
		})
	}
}

// testPagesIn shows the pages in one browser and one language.
func testPagesIn(t *testing.T, looks matrix, b pictureBrowser, browser *browser, lang, axe string) {
	var sheets sheets
	t.Cleanup(func() { sheets.write(t, browser) }) // after the subtests, which are parallel
	shown := 0
	show := func(states []pageState, looks matrix) {
		for _, s := range states {
			shown++
			every := max(looks.every, 1)
			if shown%every != 0 || looks.turns && looks.languages[shown/every%len(looks.languages)] != lang {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				v := newVisit(t, browser, lang, s.config)
				s.show(v)
				v.wantTrue(`document.readyState === "complete"`) // style sheets have been loaded
				for name, picture := range v.pictures(looks, b, s.name) {
					sheets.add(b.name+"-"+name, s.name, picture)
				}
				testText(t, v)
				testSmallWindow(t, v)
				if axe != "" && b.name == "chromium" {
					testAccessibilityIn(t, v, looks, axe)
				}
			})
		}
	}
	show(pageStates, looks)
	show(chatStates, looks)
	switch {
	case looks.sheets || looks.turns:
		show(pageVariants, looks)
	case lang == looks.languages[0]: // without pictures, and once, to save time
		once := looks
		once.windows = nil
		show(pageVariants, once)
	}
	if lang != "zh-Hant" { // the simulator's pages are in Simplified Chinese and English
		if looks.turns {
			looks.languages = looks.languages[:2]
		}
		show(simulatorStates, looks)
	}
}

// pictures takes pictures of the page in each window and color scheme, if
// SCANGATE_SCREENSHOTS is set. It writes them, and returns those for contact sheets by window,
// language and scheme.
func (v *visit) pictures(looks matrix, b pictureBrowser, state string) map[string]image.Image {
	v.t.Helper()
	folder := os.Getenv("SCANGATE_SCREENSHOTS")
	if folder == "" {
		return nil
	}
	all := make(map[string]image.Image)
	v.front() // the browser does not draw tabs in the background
	for _, scheme := range b.schemes {
		for _, w := range looks.windows {
			name := w.name + "-" + v.lang + "-" + scheme
			v.setWindow(w, scheme)
			// Chromium 80 draws the window only, so make it as high as the page.
			v.do("sizing the window", chromedp.EmulateViewport(w.width, max(w.height, read[int64](v, `document.documentElement.scrollHeight`))))
			shot := v.shot()
			if looks.sheets {
				all[name] = decodePicture(v.t, shot)
			}
			if err := os.WriteFile(filepath.Join(folder, b.name+"-"+name+"-"+state+".png"), shot, 0o600); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	return all
}

// shot returns a picture of the window, as PNG.
func (v *visit) shot() []byte {
	v.t.Helper()
	var shot []byte
	v.do("taking a picture", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		shot, err = chromedp.CaptureScreenshot()(ctx, target)
		return none, err
	})
	return shot
}

// testText checks that the page is in the browser's language and that no text is missing.
func testText(t *testing.T, v *visit) {
	t.Helper()
	got := read[string](v, `[document.documentElement.lang, document.title, document.body.innerText].join("\n")`)
	// "%!" is a mistake in a format, braces are a template's, and a name with dots is the
	// key of a missing text.
	if !strings.HasPrefix(got, v.lang+"\n") || strings.Contains(got, "%!") || regexp.MustCompile(`[{}]|[a-z]+\.[a-z_]+\.`).MatchString(got) {
		t.Errorf("page text = %s, want language %s and no placeholders", got, v.lang)
	}
}

// testSmallWindow checks the page in a window of 240 pixels, with usual and with large text:
// nothing is wider than the window, and links and buttons are 44 pixels high.
func testSmallWindow(t *testing.T, v *visit) {
	t.Helper()
	v.setWindow(window{"240", 240, 320}, "light")
	for _, size := range []int{16, 32} {
		v.enlarge(strconv.Itoa(size) + "px")
		for what, script := range map[string]string{"too wide": wideElements, "too small to tap": smallTargets} {
			if got := read[[]string](v, script); len(got) > 0 {
				t.Errorf("text of %d px: elements %s: %q, want none", size, what, got)
			}
		}
	}
	v.enlarge("")
}

// testAccessibilityIn checks the page with axe-core. Colors and widths matter more to it than
// languages: of the full matrix, it checks one language in all of them.
func testAccessibilityIn(t *testing.T, v *visit, looks matrix, axe string) {
	t.Helper()
	if !looks.sheets || v.lang != "zh-CN" {
		testAccessibility(t, v, axe)
		return
	}
	v.inject(axe)
	for _, scheme := range []string{"light", "dark"} {
		for _, w := range looks.windows {
			v.setWindow(w, scheme)
			checkAccessibility(t, v)
		}
	}
}
