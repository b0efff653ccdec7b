package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate/wechattest"
)

// wantTrue waits until a JavaScript expression is true.
func (v *visit) wantTrue(expression string) {
	v.t.Helper()
	v.waitFor(expression, expression)
}

// advanceClock moves the clock of the page's scripts forward.
func (v *visit) advanceClock(seconds string) {
	v.t.Helper()
	v.evaluate(`{ const now = Date.now; Date.now = () => now() + 1000 * ` + seconds + ` }`)
}

// TestTimeLeft reads the countdown of the QR code, down to its renewal.
func TestTimeLeft(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.login()
	desktop.wantTrue(`document.querySelector(".timer").textContent === ""`)
	desktop.advanceClock("106")
	desktop.wantTrue(`/^New code in 0:(1[0-4]|0\d)$/.test(document.querySelector(".timer").textContent)`)
	first := read[string](desktop, `document.querySelector("a.qr").href`)
	desktop.advanceClock("15")
	desktop.wantTrue(`document.querySelector("a.qr").href !== "` + first + `" && document.querySelector(".timer").textContent === ""`)
}

// TestPhoneForm checks the attributes by which a phone shows a keypad and fills in the code
// from a text message, and the countdown until another code can be sent.
func TestPhoneForm(t *testing.T) {
	phone := newVisit(t, startChromium(t), "en", withPhone)
	phone.scan("wang")
	phone.wantTrue(`document.activeElement.matches("#phone[type=tel][autocomplete=tel]")`)
	phone.sendCode("13800138000")
	phone.wantTrue(`document.activeElement.matches("#code[inputmode=numeric][autocomplete=one-time-code][maxlength='16']")`)
	const again = `document.querySelector("button.plain")`
	phone.wantTrue(again + `.disabled && /^Send again \((60|[3-5]\d)\)$/.test(` + again + `.textContent)`)
	phone.advanceClock("30")
	phone.wantTrue(again + `.disabled && /^Send again \((30|[12]?\d)\)$/.test(` + again + `.textContent)`)
	phone.advanceClock("30")
	phone.wantTrue(`!` + again + `.disabled && ` + again + `.textContent === "Send again"`)
	phone.typeCode("000000")
	phone.wantTrue(`document.activeElement.matches("#code[aria-invalid][aria-describedby=wrong]")`)
}

// TestStatusIsAnnounced checks that the status, which a screen reader announces, contains
// the text of each new state.
func TestStatusIsAnnounced(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.login()
	// A role=status element is a live region: its text is announced when it changes.
	for _, c := range []struct{ state, want string }{{"scanned", "Look at your phone"}, {"offline", "No connection"}, {"denied", "Refused"}} {
		desktop.showState(c.state)
		desktop.wantTrue(`[...document.querySelectorAll("[role=status]")].some(e => e.innerText.startsWith("` + c.want + `"))`)
	}
}

// TestReducedMotion checks that the login page has no animations for users who have asked
// the system for less motion.
func TestReducedMotion(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	for preference, want := range map[string]string{"reduce": "=== 0", "no-preference": "> 0"} {
		desktop.call("setting prefers-reduced-motion: "+preference, func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: preference}},
			})
			return err
		})
		desktop.login()
		desktop.waitVisible(`[data-show=waiting]`)
		desktop.wantTrue(`document.getAnimations().length ` + want)
	}
}

// TestExpiredIsRenewed renews an expired QR code with one click.
func TestExpiredIsRenewed(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.login()
	desktop.showState("expired")
	desktop.fakeState.Store("")
	desktop.click(`[data-show=expired] button`)
	desktop.waitVisible(`[data-show=waiting]`)
}

// TestPagesAreSelfContained checks that the login page loads resources of the gate only,
// and that browsers may cache its style sheet and its script.
func TestPagesAreSelfContained(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "zh-CN", nil)
	desktop.login()
	desktop.waitVisible(`[data-show=waiting]`)
	loaded := read[[]string](desktop, `performance.getEntriesByType("resource").map(e => e.name)`)
	assets := 0
	for _, address := range loaded {
		if !strings.HasPrefix(address, desktop.url+"/wechat/") {
			t.Errorf("the login page loaded %s, want only URLs of the gate", address)
		}
		if strings.Contains(address, "/assets/") {
			assets++
			resp := get(t, address, "*/*")
			if caching := resp.Header.Get("Cache-Control"); resp.StatusCode != http.StatusOK || !strings.Contains(caching, "immutable") {
				t.Errorf("GET %s: status = %d, Cache-Control = %q, want 200, immutable", address, resp.StatusCode, caching)
			}
		}
	}
	if assets != 2 {
		t.Errorf("the login page loaded %d assets, want 2: %q", assets, loaded)
	}
}

// TestExampleIsAccessible checks the example's own pages with axe-core.
func TestExampleIsAccessible(t *testing.T) {
	axe := axeCore(t)
	if axe == "" {
		t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core")
	}
	browser := startChromium(t)
	for name, show := range map[string]func(*visit){
		"the public page": func(v *visit) { v.open("/") },
		"the account page": func(v *visit) {
			v.setUserAgent(wechattest.UserAgentPhone)
			v.open("/account")
			v.click(`a[href*="person=lin"]`)
			v.click(`a.primary`)
			v.click(`a[href*="answer=allow"]`)
			v.waitVisible(`#greeting`)
		},
		"the single-page application": func(v *visit) { v.open("/spa/"); v.waitVisible(`#open`) },
		"its dialog":                  func(v *visit) { v.openDialog(); v.waitVisible(`[data-show=waiting]`) },
		"its dialog, refused": func(v *visit) {
			v.openDialog()
			v.showState("denied")
		},
	} {
		for _, lang := range []string{"zh-CN", "en"} { // testAccessibility uses dark colors for English
			t.Run(name+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, withWebsite)
				show(v)
				testAccessibility(t, v, axe)
				testNarrow(t, v)
			})
		}
	}
}

// openDialog opens the login dialog of the single-page application.
func (v *visit) openDialog() {
	v.t.Helper()
	v.open("/spa/")
	v.click(`#open`)
}
