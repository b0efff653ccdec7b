package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// wideElements is a JavaScript expression: elements that reach beyond the window.
const wideElements = `[...document.body.querySelectorAll("*")].filter(e => e.getClientRects().length > 0 && getComputedStyle(e).visibility === "visible" &&
	(e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map(e => e.outerHTML.slice(0, 200))
	.concat(document.documentElement.scrollWidth > innerWidth ? ["the page is " + document.documentElement.scrollWidth + " wide"] : [])`

// overlaps is a JavaScript expression: parts of the login page that cover each other.
const overlaps = `(() => {
	const box = s => { const e = [...document.querySelectorAll(s)].find(e => e.getClientRects().length > 0); return e && { s, r: e.getBoundingClientRect() } };
	const parts = [".status > div:not([hidden])", "a.qr", ".line", ".number", ".timer", "#renew"].map(box).filter(Boolean);
	const shown = document.querySelector(".login").dataset.state === "waiting" ? parts : parts.filter(p => p.s !== "a.qr");
	return shown.flatMap((a, i) => shown.slice(i + 1).filter(b => a.r.top < b.r.bottom - 1 && b.r.top < a.r.bottom - 1 && a.r.left < b.r.right - 1 && b.r.left < a.r.right - 1)
		.map(b => a.s + " and " + b.s)).concat([...document.querySelectorAll(".status > div:not([hidden]) *")].filter(e => e.getBoundingClientRect().bottom > box(".stage").r.bottom + 1).map(e => "outside: " + e.outerHTML));
})()`

// smallTargets is a JavaScript expression: controls that are less than 44 pixels high. A tap
// on the label of a box ticks it. Links in a sentence are as high as its lines.
const smallTargets = `[...document.querySelectorAll("a, button, input, summary")].map(e => e.type === "checkbox" ? e.closest("label") : e)
	.filter(e => !e.matches("label a") && e.getClientRects().length > 0 && e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 200))`

// enlarge sets the size of the text as a user does in the browser's settings.
func (v *visit) enlarge(size string) {
	v.t.Helper()
	v.evaluate(`document.documentElement.style.fontSize = "` + size + `"`)
}

// checkLayout checks the login page in a window of 240 pixels, with usual and large text.
func checkLayout(t *testing.T, v *visit, state string) {
	t.Helper()
	v.do("sizing the window", chromedp.EmulateViewport(240, 320))
	for _, size := range []string{"16px", "24px", "32px"} {
		v.enlarge(size)
		for what, script := range map[string]string{"too wide": wideElements, "cover each other": overlaps, "too small to tap": smallTargets} {
			if got := read[[]string](v, script); len(got) > 0 {
				t.Errorf("state %s, %s, text of %s: %d elements %s, want none; the first: %.150s", state, v.lang, size, len(got), what, got[0])
			}
		}
	}
}

// TestCaseA24Chromium80 logs in with a Chromium 80, and looks at the pages in a small
// window.
func TestCaseA24Chromium80(t *testing.T) {
	browser := startChromium80(t)
	if read[bool](newVisit(t, browser, "en", nil), `"replaceChildren" in document`) { // since Chromium 86
		t.Fatal("SCANGATE_CHROMIUM80 is the path of a newer browser")
	}
	for _, lang := range []string{"en", "zh-CN"} {
		t.Run(lang, func(t *testing.T) {
			v := newVisit(t, browser, lang, withWebsite)
			v.login()
			v.wantTrue(`document.querySelector("a.qr img").naturalWidth > 0`)
			link := v.link()
			checkLayout(t, v, "waiting")
			v.evaluate(`document.querySelector("#renew button").click()`)
			v.wantNewLink(link)
			v.wantTrue(`document.querySelector("a.qr > svg:only-child") !== null`)
			v.phoneScans("lin")
			v.wantTrue(`document.querySelector(".login").dataset.state === "scanned"`)
			checkLayout(t, v, "scanned")
			v.phoneAnswers("lin", "approve")
			v.wantTrue(`document.querySelector("form[action*='/finish'] .primary") !== null`)
			v.do("sizing the window", chromedp.EmulateViewport(240, 320))
			v.enlarge("24px")
			if got := read[[]string](v, wideElements); len(got) > 0 {
				t.Errorf("finish page: too wide: %q, want none", got)
			}
			v.evaluate(`document.querySelector("form[action*='/finish'] .primary").click()`)
			v.wantTrue(`location.pathname === "/account"`)
		})
	}
}

// TestCaseA24SmallWindowAndLargeText is TestCaseA24Chromium80's check in each state, in
// the browser of today.
func TestCaseA24SmallWindowAndLargeText(t *testing.T) {
	browser := startChromium(t)
	for _, lang := range []string{"en", "zh-CN"} {
		v := newVisit(t, browser, lang, withWebsite)
		v.login()
		for _, state := range []string{"waiting", "scanned", "offline", "denied", "expired", "rejected"} {
			if state != "waiting" {
				v.login()
				v.showState(state)
			}
			checkLayout(t, v, state)
			v.fakeState.Store("")
		}
		v.setUserAgent(mobileSafari)
		v.login()
		checkLayout(t, v, "waiting on a phone")
	}
}

// TestCaseA24ButtonsStack: two answers stand side by side, and below each other if the
// text is large.
func TestCaseA24ButtonsStack(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	showFinish("wang")(v)
	v.do("sizing the window", chromedp.EmulateViewport(320, 568))
	for size, want := range map[string]bool{"16px": false, "32px": true} {
		v.enlarge(size)
		got := read[bool](v, `(([a, b]) => b.getBoundingClientRect().top >= a.getBoundingClientRect().bottom)(document.querySelectorAll(".answers button"))`)
		if got != want {
			t.Errorf("text of %s: buttons below each other = %t, want %t", size, got, want)
		}
	}
}

// TestCaseA24IconsInForcedColors: with colors of the system's, backgrounds have no color.
func TestCaseA24IconsInForcedColors(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.call("forcing colors", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
		})
		return err
	})
	v.login()
	for state, element := range map[string]string{"denied": ".icon.cross", "scanned": ".icon.phone"} {
		v.login()
		v.showState(state)
		style := read[string](v, `(s => [s.backgroundColor, s.borderTopWidth, s.forcedColorAdjust].join())(getComputedStyle(document.querySelector("[data-show=`+state+`] `+element+`"), "::before"))`)
		if strings.HasSuffix(style, ",0px,auto") {
			t.Errorf("state %s: style of the icon = %s, want a border, or a background that stays", state, style)
		}
		v.fakeState.Store("")
	}
	v.login()
	v.showState("approved")
	if got := read[string](v, `getComputedStyle(document.querySelector(".icon.check path")).stroke`); got == "none" {
		t.Error("state approved: the check mark has no stroke")
	}
}
