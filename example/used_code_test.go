package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// bridge is a script that defines WeixinJSBridge as WeChat's browser does, and writes down the
// calls.
const bridge = `window.calls = []; window.WeixinJSBridge = { call: (...all) => calls.push(all.join()) };`

// otherDevice returns a browser with cookies of its own at the site of v.
func (v *visit) otherDevice(browser *browser) *visit {
	v.t.Helper()
	other := &visit{site: v.site, lang: v.lang, tab: &tab{t: v.t, window: windows[1], allowErrors: true}}
	other.attach(browser.open(v.t))
	return other
}

// TestCaseA14UsedCodeSendsBack: a phone opens, in WeChat, a code that leads nowhere. The page
// sends the person back to the desktop. Its button closes it, and nothing on it logs the phone
// in.
func TestCaseA14UsedCodeSendsBack(t *testing.T) {
	browser := startChromium(t)
	for _, c := range []struct {
		name   string
		use    func(desktop *visit)
		script string // runs before the page's own scripts
		later  string // runs on the page
	}{
		{"used", func(desktop *visit) {
			showFinish("lin")(desktop)
			desktop.confirmAccount()
			desktop.waitVisible(`#greeting`)
		}, bridge, ``},
		{"refused, and WeChat defines its bridge late", func(desktop *visit) {
			desktop.startElsewhere("/wechat/login")
			desktop.phoneAnswers("lin", "deny")
		}, ``, bridge + `document.dispatchEvent(new Event("WeixinJSBridgeReady"))`},
		{"unknown", func(desktop *visit) {
			desktop.scanURL = desktop.url + "/wechat/scan/" + strings.Repeat("A", 26)
		}, bridge, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			desktop := newVisit(t, browser, "en", nil)
			c.use(desktop)
			phone := desktop.otherDevice(browser)
			phone.setUserAgent(wechattest.UserAgentPhone)
			phone.beforeScripts(c.script)
			phone.open(desktop.scanURL)
			phone.waitText(`p`, "To go on, return to the screen with the QR code and scan again.")
			if c.later != "" {
				phone.wantTrue(`document.querySelector("[data-close]").hidden`)
				phone.evaluate(c.later)
			}
			const ways = `[...document.querySelectorAll("a, form")].map(e => e.href || e.action).filter(to => !to.startsWith("javascript:"))`
			if got := read[[]string](phone, ways); len(got) > 0 {
				t.Errorf("page of a %s code: links and forms lead to %q, want none", c.name, got)
			}
			phone.click(`[data-close]`)
			phone.wantTrue(`calls.length > 0`)
			if got := read[string](phone, `calls.join("; ")`); got != "closeWindow" {
				t.Errorf("the close button calls WeixinJSBridge with %q, want closeWindow once", got)
			}
			if got := read[int](phone, `fetch("/api/account").then(answer => answer.status)`); got != http.StatusUnauthorized {
				t.Errorf("the account, on the phone: status = %d, want 401", got)
			}
		})
	}
}
