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

// mustBe fails the test unless the expression is true, now or soon.
func (v *visit) mustBe(expression string) {
	v.t.Helper()
	v.waitFor(expression, expression)
}

// later has the page's clock run ahead.
func (v *visit) later(seconds string) {
	v.t.Helper()
	v.evaluate(`{ const now = Date.now; Date.now = () => now() + 1000 * ` + seconds + ` }`)
}

// press presses a key until the expression is true.
func (v *visit) press(key, expression string) {
	v.t.Helper()
	for range 20 {
		if read[bool](v, expression) {
			return
		}
		v.do("pressing a key", chromedp.KeyEvent(key))
	}
	v.t.Fatalf("the key never brings about %s", expression)
}

func TestTimeLeft(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.mustBe(`/^New code in (2:00|1:[1-5]\d)$/.test(document.querySelector(".timer").textContent)`)
	v.later("60")
	v.mustBe(`/^New code in (1:00|0:[1-5]\d)$/.test(document.querySelector(".timer").textContent)`)
	v.later("60")
	v.mustBe(`/^New code in (2:00|1:\d\d)$/.test(document.querySelector(".timer").textContent)`) // the page has begun again
}

// TestPhoneForm sees that a phone shows digits to type with, fills the code in by
// itself, and counts down to when another code may be sent.
func TestPhoneForm(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", withPhone)
	v.scan("wang")
	v.mustBe(`document.activeElement.matches("#phone[type=tel][autocomplete=tel]")`)
	v.sendCode("13800138000")
	v.mustBe(`document.activeElement.matches("#code[inputmode=numeric][autocomplete=one-time-code][maxlength='6']")`)
	const again = `document.querySelector("button.plain")`
	v.mustBe(again + `.disabled && /^Send again \((60|[3-5]\d)\)$/.test(` + again + `.textContent)`)
	v.later("30")
	v.mustBe(again + `.disabled && /^Send again \((30|[12]?\d)\)$/.test(` + again + `.textContent)`)
	v.later("30")
	v.mustBe(`!` + again + `.disabled && ` + again + `.textContent === "Send again"`)
	v.typeCode("000000")
	v.mustBe(`document.activeElement.matches("#code[aria-invalid][aria-describedby=wrong]")`)
}

// TestKeyboard logs in with the phone's page in a browser without a mouse, which
// can always see where it is.
func TestKeyboard(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", withNumber)
	v.scan("lin")
	v.press("\t", `document.activeElement.id === "number"`)
	v.do("typing a number", chromedp.KeyEvent("10"))
	v.press("\t", `document.activeElement.value === "approve"`)
	if !read[bool](v, `document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle === "solid"`) {
		t.Error("the focus can't be seen")
	}
	v.press("\t", `document.activeElement.value === "deny"`)
	v.do("pressing the space bar", chromedp.KeyEvent(" "))
	v.waitText(`h1`, "Refused")
}

// TestStatusIsSaid sees that a screen reader is told of a new state.
func TestStatusIsSaid(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	for _, c := range []struct{ state, want string }{{"scanned", "Look at your phone"}, {"offline", "No connection"}, {"denied", "Refused"}} {
		v.say(c.state)
		v.mustBe(`document.querySelector("[role=status]").innerText.startsWith("` + c.want + `")`)
	}
}

func TestReducedMotion(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	for preference, want := range map[string]string{"reduce": "=== 0", "no-preference": "> 0"} {
		v.call("asking for motion: "+preference, func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: preference}},
			})
			return err
		})
		v.login()
		v.waitVisible(`[data-show=waiting]`)
		v.mustBe(`document.getAnimations().length ` + want)
	}
}

// TestExpiredIsRenewed takes one tap.
func TestExpiredIsRenewed(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.say("expired")
	v.lie.Store("")
	v.click(`[data-show=expired] a`)
	v.waitVisible(`[data-show=waiting]`)
}

// TestPagesLoadTheirOwn sees that a page needs nothing but what the gate serves,
// and that browsers keep the style and the script.
func TestPagesLoadTheirOwn(t *testing.T) {
	v := newVisit(t, startChromium(t), "zh-CN", nil)
	v.login()
	v.waitVisible(`[data-show=waiting]`)
	loaded := read[[]string](v, `performance.getEntriesByType("resource").map(e => e.name)`)
	kept := 0
	for _, address := range loaded {
		if !strings.HasPrefix(address, v.url+"/wechat/") {
			t.Errorf("the page loads %s", address)
		}
		if strings.Contains(address, "/assets/") {
			kept++
			resp := get(t, address, "*/*")
			if caching := resp.Header.Get("Cache-Control"); resp.StatusCode != http.StatusOK || !strings.Contains(caching, "immutable") {
				t.Errorf("%s is %d, %q", address, resp.StatusCode, caching)
			}
		}
	}
	if kept != 2 {
		t.Errorf("the page has loaded %q", loaded)
	}
}

// TestExampleIsAccessible has axe-core look at the example's own pages.
func TestExampleIsAccessible(t *testing.T) {
	axe := axeCore(t)
	if axe == "" {
		t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core")
	}
	browser := startChromium(t)
	for name, show := range map[string]func(*visit){
		"the public page": func(v *visit) { v.open("/") },
		"the account": func(v *visit) {
			v.agent(wechattest.UserAgentPhone)
			v.open("/account")
			v.click(`a[href*="person=lin"]`)
			v.click(`button.plain`)
			v.waitVisible(`#greeting`)
		},
		"the page that nobody leaves": func(v *visit) { v.open("/spa/"); v.waitVisible(`#open`) },
		"its dialog":                  func(v *visit) { v.openDialog(); v.waitVisible(`[data-show=waiting]`) },
		"its dialog, refused": func(v *visit) {
			v.openDialog()
			v.say("denied")
		},
	} {
		for _, lang := range []string{"zh-CN", "en"} { // which is light and dark
			t.Run(name+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, withWebsite)
				show(v)
				testAccessibility(t, v, axe)
				testNarrow(t, v)
			})
		}
	}
}

func (v *visit) openDialog() {
	v.t.Helper()
	v.open("/spa/")
	v.click(`#open`)
}
