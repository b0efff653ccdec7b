package main

import (
	"context"
	"html/template"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
)

// link returns the link of the QR code on the page.
func (v *visit) link() string {
	v.t.Helper()
	return read[string](v, selectAll+`("a.qr")[0].href`)
}

// wantNewLink waits until the page's QR code is another one. It returns its link.
func (v *visit) wantNewLink(last string) string {
	v.t.Helper()
	v.waitFor("another code than "+last, selectAll+`("a.qr")[0].href !== "`+last+`"`)
	return v.link()
}

// countRenewals counts the new codes that pages of the site ask for.
func (v *visit) countRenewals() *atomic.Int32 {
	var renewals atomic.Int32
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/renew") {
			renewals.Add(1)
		}
		return false
	})
	return &renewals
}

// newCodeButton is a JavaScript expression: a visible button that asks for a new code.
const newCodeButton = `[...document.querySelectorAll("button")].some(e => e.form && e.form.id === "renew" && ` + isVisible + `(e))`

// TestCodeIsRenewedInPlace checks that the page keeps its place when its code is renewed.
func TestCodeIsRenewedInPlace(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.do("sizing the window", chromedp.EmulateViewport(360, 300))
	v.mark()
	v.evaluate(`document.querySelector("#renew button").focus(); scrollTo(0, 120)`)
	first, renewURL := v.link(), read[string](v, `document.querySelector("#renew").action`)
	v.advanceClock("121")
	next := v.wantNewLink(first)
	v.wantTrue(`document.querySelector("a.qr > svg[role=img][aria-label]:only-child") !== null`)
	v.wantMarked("a new code")
	if y := read[float64](v, `scrollY`); y != 120 {
		t.Errorf("a new code: the page is scrolled to %v, want 120 as before", y)
	}
	if !read[bool](v, `document.activeElement === document.querySelector("#renew button")`) {
		t.Error("a new code: the button has lost the focus")
	}
	id := next[strings.LastIndex(next, "/")+1:]
	if got := read[string](v, `document.querySelector("#renew").action`); got == renewURL || !strings.Contains(got, id) {
		t.Errorf("a new code: the form for another one posts to %s, want the login %s in it", got, id)
	}
	v.phoneAnswers("lin", "approve")
	v.confirmAccount()
	v.waitVisible(`#greeting`)
}

// TestUnattendedPageRests checks that a page that is left alone asks for five codes at
// most.
func TestUnattendedPageRests(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	renewals := v.countRenewals()
	v.login()
	link := v.link()
	for range 4 {
		v.advanceClock("121")
		link = v.wantNewLink(link)
	}
	v.advanceClock("121")
	v.waitVisible(`[data-show=expired]`)
	if got := renewals.Load(); got != 4 || v.link() != link {
		t.Errorf("unattended page: %d new codes and the link %s, want 4 and %s", got, v.link(), link)
	}
	v.click(`[data-show=expired] button`)
	v.wantNewLink(link)
	v.waitVisible(`[data-show=waiting]`)
}

// TestCaseA04CodeStaysUntilWeChatAnswers: a camera opens the link, without WeChat.
func TestCaseA04CodeStaysUntilWeChatAnswers(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.countFetches()
	v.mark()
	link := v.link()
	get(t, link, "text/html")
	v.evaluate(`dispatchEvent(new Event("online"))`) // the page asks for the state
	v.wantTrue(`fetches >= 2`)
	if !read[bool](v, goodCode+` && `+newCodeButton) {
		t.Error("a camera has opened the link: the code or the button for another one is hidden")
	}
	v.phoneScans("lin")
	v.waitVisible(`[data-show=scanned]`)
	v.click(`#renew button`)
	v.wantNewLink(link)
	v.waitVisible(`[data-show=waiting]`)
	for _, state := range []string{"offline", "scanned", "denied", "expired", "rejected", "approved"} {
		v.login()
		v.showState(state)
		if !read[bool](v, newCodeButton) {
			t.Errorf("state %s: no button for a new code is visible", state)
		}
		v.fakeState.Store("")
	}
}

// TestPageGoesOnAfterARefusal: the person proves another number, or answers again in a chat.
func TestPageGoesOnAfterARefusal(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.showState("rejected")
	v.showState("scanned")
	v.fakeState.Store("")
}

// TestTabsOfOneLoginAgree: a new code, and the end of the login, in one of two tabs.
func TestTabsOfOneLoginAgree(t *testing.T) {
	browser := startFullChromium(t)
	for _, c := range []struct {
		name, script string
		ownWindow    bool
	}{
		{"one window", ``, false},
		{"two windows", ``, true},
		{"one window, no BroadcastChannel", `delete window.BroadcastChannel`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := newVisit(t, browser, "en", nil)
			renewals := first.countRenewals()
			first.beforeScripts(c.script)
			first.login()
			first.waitVisible(`[data-show=waiting]`)
			second := first.another(c.ownWindow)
			second.beforeScripts(c.script)
			second.login()
			link := second.link()
			second.click(`#renew button`)
			link = second.wantNewLink(link)
			first.waitFor("the code of the other tab", `document.querySelector("a.qr").href === "`+link+`"`)
			if got := renewals.Load(); got != 1 {
				t.Errorf("two tabs, one tap: %d new codes, want 1", got)
			}
			second.phoneAnswers("lin", "approve")
			if c.ownWindow {
				// Both tabs are visible and ask. One that is on its way to the question would
				// not hear that the other has an answer.
				first.waitVisible(`form[data-finish]`)
			}
			second.confirmAccount()
			second.waitVisible(`#greeting`)
			first.waitVisible(`#greeting`)
		})
	}
}

// TestSuccessIsShown checks the page in the moment between the approval and the next page.
func TestSuccessIsShown(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	for preference, want := range map[string]string{"no-preference": "draw 0.3s", "reduce": "none 0s"} {
		v.call("setting prefers-reduced-motion: "+preference, func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: preference}},
			})
			return err
		})
		v.fakeState.Store("")
		v.login()
		v.showState("scanned")
		v.wantTrue(`document.querySelector("link[rel=icon]").href.startsWith("data:image/svg+xml,")`)
		v.showState("approved")
		v.wantTrue(`document.title.startsWith("✓ ") && document.querySelector("link[rel=icon]").href.includes("path")`)
		got := read[string](v, `(s => s.animationName + " " + s.animationDuration)(getComputedStyle(document.querySelector("[data-show=approved] .check path")))`)
		if got != want {
			t.Errorf("prefers-reduced-motion: %s: animation of the check mark = %s, want %s", preference, got, want)
		}
	}
}

// TestFinishWithoutAsking: a page marks its form, or a part around it, to be sent at once. The
// browser sends it by itself if it has no fetch.
func TestFinishWithoutAsking(t *testing.T) {
	own := template.Must(template.New("").Parse(`{{define "finish.html"}}{{template "page-head" .}}<h1>on</h1>
		<div data-auto><form method="post" action="{{.FinishURL}}" data-finish><button>on</button><button name="answer" value="deny">off</button></form></div>{{template "page-foot"}}{{end}}`))
	browser := startChromium(t)
	for _, script := range []string{``, `delete window.fetch`} {
		v := newVisit(t, browser, "en", func(c *scangate.Config) { c.Pages.Templates = own })
		v.beforeScripts(script)
		v.login()
		v.phoneAnswers("lin", "approve")
		v.waitVisible(`#greeting`)
	}
}

// TestPagesOfTheExampleTemplates: the number of the smallest pages is that of the new code,
// and their page of the account, which has no <main>, is sent by the script.
func TestPagesOfTheExampleTemplates(t *testing.T) {
	own := template.Must(template.ParseFiles("../testdata/pages.html"))
	v := newVisit(t, startChromium(t), "en", func(c *scangate.Config) { c.Pages.Templates = own })
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/static/pages.css" {
			return false
		}
		w.Header().Set("Content-Type", "text/css")
		return true
	})
	v.login()
	const scanURL = `document.querySelector("main").dataset.scanUrl`
	first := read[string](v, scanURL)
	v.click(`form[action$="/renew"] button`)
	v.waitFor("another code than "+first, scanURL+` !== "`+first+`"`)
	v.scanURL = read[string](v, scanURL)
	number := read[string](v, `document.querySelector("main b").textContent`)
	if page := v.phoneScans("lin"); !strings.Contains(page, "<b>"+number+"</b>") {
		t.Errorf("a new code: the page shows the number %s, want that of the phone's page\n%s", number, page)
	}
	v.phoneAnswers("lin", "approve")
	v.click(`form[action$="/finish"] button:not([name])`)
	v.waitVisible(`#greeting`)
}

// TestCaseA24WithoutAbortController: the page reloads, as it does without scripts.
func TestCaseA24WithoutAbortController(t *testing.T) {
	testReloads(t, "AbortController")
}

// TestWithoutFetch: the pages reload, and the browser itself sends the finish form.
func TestWithoutFetch(t *testing.T) {
	testReloads(t, "fetch")
}

// testReloads logs in with a browser without one of the functions that the scripts use.
func testReloads(t *testing.T, missing string) {
	t.Helper()
	v := newVisit(t, startChromium(t), "en", nil)
	v.beforeScripts(`delete window.` + missing)
	v.login()
	v.waitFor("a page without "+missing, `window.`+missing+` === undefined && (window.marked = true)`)
	v.waitFor("the page to reload", `window.marked === undefined && `+scriptsRan)
	v.phoneScans("lin")
	v.waitVisible(`[data-show=scanned]`)
	v.phoneAnswers("lin", "approve")
	v.confirmAccount()
	v.waitVisible(`#greeting`)
}
