package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// shadow is a JavaScript expression: the shadow root of scangate-login.
const shadow = `document.querySelector("scangate-login").shadowRoot`

// openTag opens a page with the element, in a browser with cookies of its own, and waits for
// the QR code.
func openTag(t *testing.T, browser *browser, page, lang string, option func(*scangate.Config)) *visit {
	t.Helper()
	v := newVisit(t, browser, lang, option)
	v.open("/tags/" + page)
	if strings.HasSuffix(page, "?dialog") {
		v.click(`#open`)
	}
	v.waitVisible(`.qr svg`)
	return v
}

// requireNPM skips a test without the files of React and Vue.
func requireNPM(t *testing.T) {
	t.Helper()
	for _, file := range []string{"react.production.min.js", "react-dom.production.min.js", "vue.runtime.global.prod.js"} {
		if _, err := os.Stat(filepath.Join(os.Getenv("SCANGATE_NPM"), file)); os.Getenv("SCANGATE_NPM") == "" || err != nil {
			skipWithout(t, "npm", "SCANGATE_NPM is not a folder with the file "+file)
		}
	}
}

// TestTag logs in by the element in a plain page, with React and with Vue, inline and in a
// dialog, with light and with dark colors. The pages have a Content-Security-Policy of
// "default-src 'self'", and an error on the browser's console fails the test.
func TestTag(t *testing.T) {
	browser := startChromium(t)
	for _, page := range []string{"plain.html", "react.html", "react.html?dialog", "vue.html", "vue.html?dialog"} {
		for scheme, card := range map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(25, 28, 31)"} {
			t.Run(page+"/"+scheme, func(t *testing.T) {
				if page != "plain.html" {
					requireNPM(t)
				}
				v := openTag(t, browser, page, "en", nil)
				v.setWindow(windows[0], scheme)
				if got := read[string](v, `getComputedStyle(document.querySelector("scangate-login")).backgroundColor`); got != card {
					t.Errorf("color of the card = %s, want %s", got, card)
				}
				v.screenshot("tag-" + strings.NewReplacer(".html", "", "?", "-").Replace(page) + "-" + scheme)
				v.phoneScans("wang")
				v.waitVisible(`[data-show=scanned]`)
				v.phoneAnswers("wang", "approve")
				v.waitVisible(`.who`)
				v.wantTrue(shadow + `.activeElement.matches(".answers .primary")`)
				v.screenshot("tag-account-" + scheme)
				v.confirmAccount()
				v.waitVisible(`#name, #greeting`)
			})
		}
	}
}

// TestTagEvents records the events of a login, and of one that the desktop declines.
func TestTagEvents(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", nil)
	v.evaluate(`window.happened = []; for (const name of ["state", "approved", "finished", "error"]) {
		addEventListener("scangate-" + name, (event) => { happened.push([name, Object.values(event.detail || {}).join()].filter(Boolean).join(" ")); event.preventDefault() }) }`)
	first := v.link()
	v.phoneAnswers("wang", "approve")
	v.waitVisible(`.who`)
	v.click(`div.answers button:not(.primary)`)
	v.wantNewLink(first)
	v.scanURL = ""
	v.phoneAnswers("wang", "approve")
	v.confirmAccount()
	v.waitText(`h2`, "Confirmed")
	// The page may miss that the phone has scanned: the approval follows at once.
	got := strings.Join(read[[]string](v, `happened.filter(e => e !== "state scanned")`), "; ")
	if want := "state approved; approved; state declined; state waiting; state approved; approved; finished /account"; got != want {
		t.Errorf("events = %s\nwant %s", got, want)
	}
	if got := read[string](v, `location.pathname`); got != "/tags/plain.html" {
		t.Errorf("after preventDefault the browser is at %s, want the same page", got)
	}
	v.open("/account")
	v.waitVisible(`#greeting`)
}

// TestTagShowsRefusals: the application refuses the person at the end.
func TestTagShowsRefusals(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return errors.New("rejected by the test") }
	})
	v.evaluate(`addEventListener("scangate-error", (event) => window.code = event.detail.code)`)
	v.phoneAnswers("wang", "approve")
	v.confirmAccount()
	v.waitText(`h2`, "You can't log in")
	if got := read[string](v, `code`); got != "rejected" {
		t.Errorf("scangate-error: code = %q, want rejected", got)
	}
	v.wantTrue(`document.querySelector("scangate-login").shadowRoot.activeElement?.matches("button")`)
	v.do("pressing Enter", chromedp.KeyEvent("\r"))
	v.waitVisible(`[data-show=waiting]`)
}

// TestTagKeepsTheFocusOfFields: an attacker approves the login while the person types into
// the application's own form. Enter must not log the person in to that account.
func TestTagKeepsTheFocusOfFields(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", nil)
	v.evaluate(`{ const field = document.createElement("input"); document.body.prepend(field); field.focus() }`)
	v.phoneAnswers("wang", "approve")
	v.waitVisible(`.who`)
	v.do("pressing Enter", chromedp.KeyEvent("\r"))
	if !read[bool](v, `document.activeElement.matches("input")`) {
		t.Error("the account appears: the field has lost the focus")
	}
	v.waitVisible(`.who`)
}

// TestTagRestsWhileHidden removes and hides the element, and shows it again.
func TestTagRestsWhileHidden(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	var polls atomic.Int32
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPoll(r) {
			polls.Add(1)
			context.AfterFunc(r.Context(), func() { polls.Add(-1) })
		}
		return false
	})
	v.open("/tags/plain.html")
	for name, c := range map[string]struct{ hide, show string }{
		"hidden":  {`document.querySelector("scangate-login").hidden = true`, `document.querySelector("scangate-login").hidden = false`},
		"removed": {`window.tag = document.querySelector("scangate-login"); tag.remove()`, `document.querySelector("main").append(tag)`},
		"moved":   {`window.tag = document.querySelector("scangate-login"); document.body.append(tag); tag.hidden = true`, `tag.hidden = false`},
	} {
		eventually(t, "the element polls", func() bool { return polls.Load() == 1 })
		link := v.link()
		v.evaluate(c.hide)
		eventually(t, "the element has ended its poll", func() bool { return polls.Load() == 0 })
		v.evaluate(c.show)
		v.waitVisible(`.qr svg`)
		if got := v.link(); got != link {
			t.Errorf("%s and shown again: the code is of %s, want %s as before", name, got, link)
		}
	}
	// Long enough for the code to be over: the element begins anew.
	v.evaluate(`document.querySelector("scangate-login").hidden = true`)
	eventually(t, "the element has ended its poll", func() bool { return polls.Load() == 0 })
	v.advanceClock("121")
	v.evaluate(`document.querySelector("scangate-login").hidden = false`)
	// An approval before the element has its login again would be of a login that is over.
	eventually(t, "the element polls", func() bool { return polls.Load() == 1 })
	v.waitVisible(`.qr svg`)
	v.phoneAnswers("wang", "approve")
	v.waitVisible(`.who`)
}

// TestTagWaitsForTheNetwork: the network is away when the page loads the element's login,
// and when the person confirms the account.
func TestTagWaitsForTheNetwork(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", nil)
	v.setOffline(true)
	v.waitVisible(`[data-show=offline]`)
	v.waitVisible(`.qr svg`)
	v.setOffline(false)
	v.wantTrue(`!` + shadow + `.querySelector("[data-offline]")`)
	v.phoneAnswers("wang", "approve")
	v.waitVisible(`.who`)
	v.setOffline(true)
	v.click(`div.answers .primary`)
	v.waitText(`[role=status]`, "No connection. Trying again…")
	v.setOffline(false)
	v.waitVisible(`#greeting`)
}

// TestTagAttributes changes the attributes of an element that has begun a login.
func TestTagAttributes(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", withWebsite)
	v.evaluate(`document.querySelector("scangate-login").lang = "zh-CN"`)
	v.waitText(`h2`, "微信登录")
	v.wantTrue(shadow + `.querySelector(".login").lang === "zh-CN"`)
	v.evaluate(`document.querySelector("scangate-login").setAttribute("scheme", "dark")`)
	v.setWindow(windows[0], "light")
	if got := read[string](v, `getComputedStyle(document.querySelector("scangate-login")).backgroundColor`); got != "rgb(25, 28, 31)" {
		t.Errorf("scheme=dark with a light system: color of the card = %s, want the dark one", got)
	}
	v.evaluate(`document.querySelector("scangate-login").style.setProperty("--accent", "rgb(1, 2, 3)")`)
	if got := read[string](v, `getComputedStyle(`+shadow+`.querySelector("#renew button")).color`); got != "rgb(1, 2, 3)" {
		t.Errorf("--accent on the element: color of a button = %s, want that", got)
	}
	v.evaluate(`document.querySelector("scangate-login").setAttribute("with", "website")`)
	v.waitVisible(`a.primary`)
	v.click(`a.primary`)
	v.click(`a[href*="person=chen"]`)
	v.click(`a[href*="answer=allow"]`)
	v.waitVisible(`#greeting`)
}

// TestTagLinks adds a WeChat to an account.
func TestTagLinks(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", withAccount)
	v.evaluate(`{ const tag = document.querySelector("scangate-login"); tag.setAttribute("link", ""); tag.setAttribute("return-to", "/spa/") }`)
	v.waitText(`h2`, "Add a WeChat to your account")
	v.phoneAnswers("wang", "approve")
	v.waitText(`dl dd`, "林小北")
	v.confirmAccount()
	v.waitFor("the page to return to", `location.pathname === "/spa/"`)
}

// TestTagOnPhones: a phone outside WeChat copies the link, and one in WeChat taps once.
func TestTagOnPhones(t *testing.T) {
	browser := startChromium(t)
	t.Run("another browser", func(t *testing.T) {
		phone := newVisit(t, browser, "en", nil)
		phone.setUserAgent(mobileSafari)
		phone.open("/tags/plain.html")
		phone.waitVisible(`#link`)
		phone.setWindow(windows[1], "light")
		phone.screenshot("tag-here")
		phone.click(`.code .primary`)
		phone.waitText(`button`, "Copied")
		if got := read[string](phone, shadow+`.querySelector("#link").value`); !strings.HasPrefix(got, phone.url+"/wechat/scan/") {
			t.Errorf("copied link = %q, want %s/wechat/scan/...", got, phone.url)
		}
	})
	t.Run("WeChat", func(t *testing.T) {
		phone := newVisit(t, browser, "en", nil)
		phone.setUserAgent(wechattest.UserAgentPhone)
		phone.open("/tags/plain.html")
		phone.click(`a.primary`)
		phone.click(`a[href*="person=lin"]`)
		phone.waitVisible(`#greeting`)
	})
}

// TestTagIsAccessible checks the element with axe-core in each state, and its width.
func TestTagIsAccessible(t *testing.T) {
	axe := axeCore(t)
	if axe == "" {
		t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core")
	}
	browser := startChromium(t)
	for _, s := range []struct {
		name   string
		option func(*scangate.Config)
		show   func(*visit)
	}{
		{"waiting", withWebsite, func(*visit) {}},
		{"scanned", nil, func(v *visit) { v.showState("scanned") }},
		{"denied", nil, func(v *visit) { v.showState("denied") }},
		{"offline", nil, func(v *visit) { v.showState("offline") }},
		{"account", nil, func(v *visit) { v.phoneAnswers("wang", "approve"); v.waitVisible(`.who`) }},
		{"a new WeChat", withAccount, func(v *visit) {
			login := v.link()
			v.evaluate(`document.querySelector("scangate-login").setAttribute("link", "")`)
			v.wantNewLink(login)
			v.phoneAnswers("wang", "approve")
			v.waitVisible(`dl`)
		}},
		{"an error", nil, func(v *visit) { failTag(v) }},
		{"on a phone", withWebsite, func(v *visit) { v.setUserAgent(mobileSafari); v.open("/tags/plain.html"); v.waitVisible(`#link`) }},
	} {
		for _, lang := range []string{"zh-CN", "en"} { // testAccessibility uses dark colors for English
			t.Run(s.name+"/"+lang, func(t *testing.T) {
				v := openTag(t, browser, "plain.html", lang, s.option)
				v.evaluate(`document.documentElement.lang = "` + lang + `"`)
				v.evaluate(`document.querySelector("scangate-login").lang = "` + lang + `"`)
				v.waitFor("the language", shadow+`.querySelector("[lang='`+lang+`'] .qr svg") !== null`)
				s.show(v)
				testAccessibility(t, v, axe)
				v.do("sizing the window", chromedp.EmulateViewport(240, 320))
				wide := read[[]string](v, `[...`+shadow+`.querySelectorAll("*")].filter(e => e.getClientRects().length > 0 && e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 200))`)
				if len(wide) > 0 {
					t.Errorf("elements wider than 240 pixels: %q, want none", wide)
				}
			})
		}
	}
}

// failTag makes the element show an error of its next login.
func failTag(v *visit) {
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		_ = json.NewEncoder(w).Encode(map[string]string{"code": "too_many"})
		return true
	})
	v.evaluate(`document.querySelector("scangate-login").setAttribute("return-to", "/elsewhere")`)
	v.waitVisible(`.icon`)
}

// TestTagHidesBlockedPictures: the page's policy blocks WeChat's pictures.
func TestTagHidesBlockedPictures(t *testing.T) {
	v := openTag(t, startChromium(t), "plain.html", "en", withProfile)
	v.phoneAnswers("wang", "approve")
	v.waitFor("the hidden picture", shadow+`.querySelector(".who img").hidden && `+shadow+`.querySelector(".who i").innerText === "W"`)
}

// TestTagInTwoTabs: both tabs go on when the login is finished in one.
func TestTagInTwoTabs(t *testing.T) {
	first := openTag(t, startChromium(t), "plain.html", "en", nil)
	second := first.another(true)
	second.open("/tags/plain.html")
	second.waitVisible(`.qr svg`)
	if got := []string{first.link(), second.link()}; !slices.Equal(got[:1], got[1:]) {
		t.Errorf("two tabs show the codes of %q, want one", got)
	}
	second.phoneAnswers("wang", "approve")
	first.waitVisible(`.who`)
	second.confirmAccount()
	second.waitVisible(`#greeting`)
	first.waitVisible(`#greeting`)
}

// TestTagsPolicy checks that the pages of TestTag have the strict policy.
func TestTagsPolicy(t *testing.T) {
	s := newSite(t, nil)
	for _, page := range []string{"plain.html", "react.html", "vue.html"} {
		resp := get(t, fmt.Sprintf("%s/tags/%s", s.url, page), "text/html")
		if got := resp.Header.Get("Content-Security-Policy"); resp.StatusCode != http.StatusOK || got != "default-src 'self'" {
			t.Errorf("GET %s: status = %d, policy = %q, want 200 and default-src 'self'", page, resp.StatusCode, got)
		}
	}
}

// TestCaseA24TagInChromium80 logs in by the element with a Chromium 80.
func TestCaseA24TagInChromium80(t *testing.T) {
	v := newVisit(t, startChromium80(t), "en", nil)
	v.open("/tags/plain.html")
	v.wantTrue(shadow + ` && ` + shadow + `.querySelector("a.qr svg") !== null`)
	first := v.link()
	v.evaluate(shadow + `.querySelector("#renew button").click()`)
	v.wantNewLink(first)
	v.phoneScans("wang")
	v.wantTrue(shadow + `.querySelector(".login").dataset.state === "scanned"`)
	v.phoneAnswers("wang", "approve")
	v.wantTrue(shadow + `.activeElement !== null && ` + shadow + `.activeElement.matches(".answers .primary")`)
	v.evaluate(shadow + `.activeElement.click()`)
	v.wantTrue(`location.pathname === "/account"`)
}

// TestTagShowsDigits: the gate answers with digits that the person sends to the account, in
// place of a QR code.
func TestTagShowsDigits(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if isPoll(r) {
			<-r.Context().Done()
			return true
		}
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"digits":"4821","way":"message","match_number":42,"expires_in":120,"state_url":"/wechat/login/x/state","renew_url":"/renew"}`))
		return true
	})
	v.open("/tags/plain.html")
	v.waitText(`.number b`, "4821")
	if read[bool](v, shadow+`.querySelector(".qr, #link") !== null`) {
		t.Error("digits to send: the card has a QR code or a link, want neither")
	}
}
