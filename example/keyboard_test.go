package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
)

// walk is a way through a page with a keyboard only.
type walk struct {
	page, keys, result string // as the table in docs/pages.md has them
	config             func(*scangate.Config)
	show               func(*visit)
	want               string // a JavaScript expression that is true after the walk
}

// walks are the ways through the pages. Each word of keys is a key, or a text that is typed;
// see press.
var walks = []walk{
	{"login.html", "Tab, Enter", "opens the link of the code in a new tab", nil, func(v *visit) {
		v.login()
		v.evaluate(`document.querySelector("a.qr").addEventListener("click", e => window.opened = e.detail === 0)`) // 0: no pointer
	}, `window.opened`},
	{
		"login.html", "Tab × 2, Enter", "a new code; the button keeps the focus", nil, atLogin,
		`document.querySelector("a.qr").href !== window.first && document.activeElement.matches("#renew button")`,
	},
	{"login.html, with `Links`", "Tab × 3, Enter", "the first link", withLinks, atLogin, `location.pathname === "/password"`},
	{"login.html, with `Website`", "Tab × 3, Enter", "WeChat's own login page", withWebsite, atLogin, `location.pathname === "/connect/qrconnect"`},
	{
		"login.html, on a phone", "Tab × 2, Enter", "copies the link", nil, func(v *visit) { v.setUserAgent(mobileSafari); v.login() },
		`document.querySelector("[data-copy]").textContent === "Copied"`,
	},
	{"login.html, scanned", "Tab, Enter", "a new code", nil, func(v *visit) {
		atLogin(v)
		v.phoneScans("lin")
		v.waitVisible(`[data-show=scanned]`)
	}, `document.querySelector("a.qr").href !== window.first`},
	{
		"login.html, expired, refused or rejected", "Enter", "a new code", nil, func(v *visit) { atLogin(v); v.showState("denied"); v.fakeState.Store("") },
		`document.querySelector("a.qr").href !== window.first`,
	},
	{"finish.html", "Enter", "logged in", nil, showFinish("wang"), `location.pathname === "/account"`},
	{"finish.html", "Tab, Enter", "\"Not me\": the login page with a new code", nil, showFinish("wang"), `document.querySelector("a.qr") !== null`},
	{"finish.html, to add a WeChat", "Tab, Enter", "added", withAccount, showFinishLink, `location.pathname === "/"`},
	{"finish.html, to add a WeChat", "Tab × 2, Space", "not added", withAccount, showFinishLink, `location.pathname === "/"`},
	{"profile.html", "Tab, Enter", "WeChat's page", withProfile, asPhone("wang"), `location.pathname === "/connect/oauth2/authorize"`},
	{"profile.html", "Tab × 2, Space", "goes on without a profile", withProfile, asPhone("wang"), heading("Log in to Example?")},
	{
		"terms.html", "Tab, Space, Tab × 3, Enter", "ticks the box, passes the two documents, agrees", withLinks, func(v *visit) { v.openInWeChat("wang") },
		`location.pathname === "/account"`,
	},
	{"confirm.html", "Tab, Enter", "approved", nil, asPhone("lin"), heading("Done")},
	{"confirm.html", "Tab × 2, Space", "refused", nil, asPhone("lin"), heading("Refused")},
	{"confirm.html, with `MatchNumber`", "Tab, number, Enter", "approved", withNumber, asPhone("lin"), heading("Done")},
	{"confirm.html, with `MatchNumber`", "Tab × 3, Enter", "refused; no number is needed", withNumber, asPhone("lin"), heading("Refused")},
	{"confirm.html, with `MatchNumber` and `Terms`", "Tab, number, Tab, Space, Tab × 3, Enter", "approved", both(withNumber, withLinks), asPhone("lin"), heading("Done")},
	{"phone.html", "phone number, Enter, code, Enter", "the number is bound", withPhone, asPhone("wang"), heading("Log in to Example?")},
	{"phone.html, after a code was sent", "Tab × 2, Enter", "asks for another code, once the button is enabled", withPhone, func(v *visit) {
		v.scan("wang")
		v.sendCode("13800138000")
		v.advanceClock("61")
		v.wantTrue(`!document.querySelector("button.plain").disabled`)
	}, `document.querySelector("[role=alert]") !== null`}, // the gate's clock has not moved: the second code is refused
	{"phone.html, after a code was sent", "Tab × 2, Enter, Tab, phone number, Enter", "a code to another number", withPhone, func(v *visit) {
		v.scan("wang")
		v.sendCode("13900139000")
	}, `document.body.innerText.includes("138****8000")`},
	{
		"done.html, in the same browser", "Tab, Enter", "back to the application", withAccount, func(v *visit) { v.linkHere("wang"); v.answer("deny") },
		`!location.pathname.startsWith("/wechat/confirm/")`,
	},
	{
		"message.html", "Tab, Enter", "the login page", nil, func(v *visit) { v.open("/wechat/login?with=a&with=b") },
		`document.querySelector("a.qr") !== null`,
	},
}

// atLogin opens the login page, and keeps the link of its code in the variable first.
func atLogin(v *visit) {
	v.login()
	v.waitVisible(`[data-show=waiting]`)
	v.evaluate(`window.first = document.querySelector("a.qr").href`)
}

// showFinishLink shows the finish page of a login that adds a WeChat.
func showFinishLink(v *visit) {
	v.open("/wechat/link?return_to=/")
	v.phoneAnswers("wang", "approve")
	v.waitVisible(`form[data-finish]`)
}

// asPhone returns a function that makes the browser the phone of a person who scans.
func asPhone(person string) func(*visit) { return func(v *visit) { v.scan(person) } }

// heading is a JavaScript expression: the page has that heading.
func heading(text string) string {
	return fmt.Sprintf(`document.querySelector("h1").textContent === %q`, text)
}

// TestKeyboard walks through the pages with a keyboard only. The focus must be visible at
// each step.
func TestKeyboard(t *testing.T) {
	browser := startChromium(t)
	for i, w := range walks {
		if i%3 != 0 && !hasAll() {
			continue
		}
		t.Run(w.page+"/"+w.result, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t, browser, "en", w.config)
			w.show(v)
			// A Tab that is pressed before the browser has moved the focus to [autofocus] goes to
			// another element.
			v.wantTrue(`document.readyState === "complete" && (!document.querySelector("[autofocus]") || document.activeElement.matches("[autofocus]"))`)
			for _, key := range strings.Split(w.keys, ", ") {
				v.press(key)
			}
			v.waitFor(w.result, w.want)
		})
	}
}

// press presses a key of a walk, or types the text that its word stands for.
func (v *visit) press(word string) {
	v.t.Helper()
	word, count, _ := strings.Cut(word, " × ")
	times, _ := strconv.Atoi(count)
	text, field := map[string]string{"Tab": "\t", "Enter": "\r", "Space": " ", "phone number": "13800138000", "number": strconv.Itoa(v.number)}[word], ""
	switch word {
	case "phone number":
		field = "phone"
	case "number", "code":
		field = word
	}
	if field != "" {
		v.wantTrue(`document.readyState === "complete" && document.activeElement.id === "` + field + `"`)
	}
	if word == "code" {
		text = v.code.Load().(string)
	}
	for range max(times, 1) {
		v.do("pressing "+word, chromedp.KeyEvent(text))
		if word == "Tab" && !read[bool](v, `document.activeElement.matches(":focus-visible") && (s => s.outlineStyle === "solid" && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))`) {
			v.t.Errorf("focus on %s: got no visible outline, want a solid one", read[string](v, `document.activeElement.outerHTML.slice(0, 200)`))
		}
	}
}

// TestKeyboardTable compares the table in docs/pages.md with the walks.
func TestKeyboardTable(t *testing.T) {
	var want strings.Builder
	for _, w := range walks {
		fmt.Fprintf(&want, "| %s | %s | %s |\n", w.page, w.keys, w.result)
	}
	_, rest, _ := strings.Cut(string(readFile(t, "../docs/pages.md")), "| page | keys | result |\n|---|---|---|\n")
	if got, _, _ := strings.Cut(rest, "\n\n"); got+"\n" != want.String() {
		t.Errorf("docs/pages.md, table of keys:\n%s\nwant:\n%s", got, want.String())
	}
}
