package scangate_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestScanLogin opens a protected page on the desktop and logs in by a scan. It uses the
// login page, not JSON.
func TestScanLogin(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")

	page := desktop.open("/account")
	s := scan{ID: page.find(t, statePattern)}
	s.ScanURL, s.StateURL, s.FinishURL = "/wechat/scan/"+s.ID, "/wechat/login/"+s.ID+"/state", "/wechat/login/"+s.ID+"/finish"
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("before the scan: state = %q, want waiting", got)
	}
	confirm := phone.scan(s)
	for _, want := range []string{"Example", "Chrome", "Windows", "192.0.2.1"} {
		if !strings.Contains(confirm.body, want) {
			t.Errorf("scan: the confirm page is\n%s\nwant it to contain %q", confirm.body, want)
		}
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after the scan: state = %q, want scanned", got)
	}
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther || a.location() != s.confirmURL() {
		t.Errorf("approve: status = %d, location = %q, want 303 to %q", a.StatusCode, a.location(), s.confirmURL())
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("after the approval: state = %q, want approved", got)
	}
	if a := desktop.get(page.Request.URL.String()); !strings.Contains(a.body, s.FinishURL) {
		t.Errorf("GET the login page after the approval: got\n%s\nwant a form for %s", a.body, s.FinishURL)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish: status = %d, location = %q, want 303 to /account", a.StatusCode, a.location())
	}
	if desktop.user() == "" {
		t.Error("after finish: the desktop is not logged in, want a user")
	}
	if got := phone.user(); got != "" { // it only approved the desktop's login
		t.Errorf("after finish: the phone is logged in as %q, want no user", got)
	}
	want := []string{"started", "scanned", "identified", "registered", "approved", "finished"}
	if got := w.happened(); !slices.Equal(got, want) {
		t.Errorf("scan login: events = %v, want %v", got, want)
	}
}

func TestFinishPageNamesTheAccount(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("wang")
	s := desktop.start()
	w.tapThroughProfile(phone, phone.scan(s))
	phone.answer(s, "approve")
	if a := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(a.body, "Wang Wei") {
		t.Errorf("GET the login page after the approval: got\n%s\nwant the nickname Wang Wei", a.body)
	}
}

func TestChoiceOfLoginFlow(t *testing.T) {
	t.Parallel()
	const authorize, qrconnect = openURL + "/connect/oauth2/authorize?appid=", openURL + "/connect/qrconnect?appid="
	both, site := []func(*scangate.Config){withWebsite}, []func(*scangate.Config){withWebsiteOnly}
	for _, c := range []struct {
		name, agent string
		options     []func(*scangate.Config)
		target      string
		want        string // prefix of the redirect; empty for the gate's own page
	}{
		{"Chrome, official account", wechattest.UserAgentChrome, nil, "/wechat/login", ""},
		{"Chrome, website", wechattest.UserAgentChrome, site, "/wechat/login", qrconnect + website.AppID},
		{"Chrome, both", wechattest.UserAgentChrome, both, "/wechat/login", ""},
		{"Chrome, both, with=website", wechattest.UserAgentChrome, both, "/wechat/login?with=website", qrconnect + website.AppID},
		{"Chrome, with=website that is not configured", wechattest.UserAgentChrome, nil, "/wechat/login?with=website", ""},
		{"WeChat, official account", wechattest.UserAgentPhone, nil, "/wechat/login", authorize + official.AppID},
		{"WeChat, both", wechattest.UserAgentPhone, both, "/wechat/login", authorize + official.AppID},
		{"WeChat, website", wechattest.UserAgentPhone, site, "/wechat/login", qrconnect + website.AppID},
		{"WeChat on a desktop", wechattest.UserAgentDesktopWeChat, nil, "/wechat/login", authorize + official.AppID},
		{"WeCom is not WeChat", wechattest.UserAgentWeCom, nil, "/wechat/login", ""},
		{"no User-Agent", "", nil, "/wechat/login", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newWorld(t, c.options...).browser(c.agent).get(c.target)
			if got := a.Header.Get("Location"); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("GET %s: status = %d, location = %q, want one that begins with %q", c.target, a.StatusCode, got, c.want)
			}
			if c.want == "" && a.StatusCode != http.StatusOK {
				t.Errorf("GET %s: status = %d, want 200", c.target, a.StatusCode)
			}
		})
	}
}

// TestLoginPageOutsideWeChat opens the login page in a phone's own browser. The phone
// cannot scan its own screen, so the page also shows the link to open in WeChat.
func TestLoginPageOutsideWeChat(t *testing.T) {
	w := newWorld(t)
	for agent, want := range map[string]bool{
		wechattest.UserAgentChrome: false,
		wechattest.UserAgentWeCom:  true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": true,
		"Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0":                                                                    true,
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile":        true,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                   false,
	} {
		a := w.browser(agent).get("/wechat/login")
		if got := strings.Contains(a.body, `value="`+appURL+"/wechat/scan/"); got != want {
			t.Errorf("GET the login page as %s: has a link to copy = %v, want %v", agent, got, want)
		}
		if !strings.Contains(a.body, "/qr.svg") {
			t.Errorf("GET the login page as %s: got\n%s\nwant a QR code", agent, a.body)
		}
	}
}

func TestSameBrowserGetsItsLoginBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, other := w.desktop(), w.desktop()
		first := desktop.start()
		if second := desktop.start(); second.ID != first.ID {
			t.Errorf("start in a second tab: login %s, want the first tab's %s", second.ID, first.ID)
		}
		if other.start().ID == first.ID {
			t.Errorf("start in another browser: login %s, want a new login", first.ID)
		}
		if a := desktop.get("/wechat/login?return_to=/other"); a.find(t, statePattern) == first.ID {
			t.Errorf("start with another return_to: login %s, want a new login", first.ID)
		}
		pass(2*time.Minute + time.Second)
		renewed := desktop.start()
		if renewed.ID == first.ID {
			t.Errorf("start 2 minutes later, not scanned: login %s, want a new login", first.ID)
		}
		w.phone("lin").scan(renewed)
		pass(2*time.Minute + time.Second)
		if again := desktop.start(); again.ID != renewed.ID {
			t.Errorf("start 2 minutes after the scan: login %s, want the scanned login %s", again.ID, renewed.ID)
		}
		if got := w.wechat.TotalCalls(); got != 1 {
			t.Errorf("all of this: %d calls to WeChat, want 1", got)
		}
	})
}

func TestTwoTabs(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	one, two := desktop.start(), desktop.start()
	phone.scan(one)
	phone.answer(one, "approve")
	if a := desktop.finish(one); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish in the first tab: status = %d, want 303", a.StatusCode)
	}
	if a := desktop.finish(two); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish in the second tab: status = %d, location = %q, want 303 to /account", a.StatusCode, a.location())
	}
	if a := desktop.get("/wechat/login?return_to=/account"); a.location() != "/account" {
		t.Errorf("GET the login page in the second tab: status = %d, location = %q, want /account", a.StatusCode, a.location())
	}
}

// TestTwoTabsInWeChat has two trips to WeChat under way at the same time.
func TestTwoTabsInWeChat(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("wang")
	targets := []string{"/account", "/other"}
	var callbacks []string
	for _, to := range targets {
		callbacks = append(callbacks, w.approvedCallback(phone, "wang", "/wechat/login?return_to="+to))
	}
	for i, want := range targets {
		if a := phone.get(callbacks[i]); a.location() != want {
			t.Errorf("callback of tab %d: status = %d, location = %q, want %q", i, a.StatusCode, a.location(), want)
		}
	}
}

func TestJSONLogin(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	var got map[string]any
	a := desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &got)
	if a.StatusCode != http.StatusCreated || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("start: status = %d, Content-Type = %q, want 201 application/json", a.StatusCode, a.Header.Get("Content-Type"))
	}
	for _, key := range []string{"id", "scan_url", "qr_url", "state_url", "finish_url", "match_number", "expires_at", "other_ways"} {
		if _, ok := got[key]; !ok {
			t.Errorf("start: got %v, want the key %q", got, key)
		}
	}
	s := desktop.start()
	phone := w.phone("chen")
	w.tapThroughProfile(phone, phone.scan(s))
	phone.answer(s, "approve")
	var done struct {
		ReturnTo string `json:"return_to"`
	}
	if a := desktop.postJSON(s.FinishURL, `{}`, &done); a.StatusCode != http.StatusOK || done.ReturnTo != "/account" {
		t.Errorf("finish: status = %d, body = %s, want 200 with return_to /account", a.StatusCode, a.body)
	}
}

func TestJSONLoginInsideWeChat(t *testing.T) {
	var s scan
	a := newWorld(t, withWebsite).phone("lin").postJSON("/wechat/login", `{}`, &s)
	if a.StatusCode != http.StatusCreated || !strings.HasPrefix(s.RedirectURL, openURL) {
		t.Errorf("start inside WeChat: status = %d, body = %s, want 201 with a redirect_url to WeChat", a.StatusCode, a.body)
	}
}

func TestJSONLoginRefusesOtherBodies(t *testing.T) {
	desktop := newWorld(t, withWebsite).desktop()
	for name, body := range map[string]string{"a form": "return_to=/", "an array": "[]", "a number for a string": `{"return_to":1}`} {
		a := desktop.postJSON("/wechat/login", body, nil)
		if got := a.Header.Get("Content-Type"); a.StatusCode != http.StatusBadRequest || got != "application/problem+json" {
			t.Errorf("start with %s: status = %d, Content-Type = %q, want 400 application/problem+json\n%s", name, a.StatusCode, got, a.body)
		}
	}
}

func TestQRCode(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	s := desktop.start()
	a := desktop.get(s.QRURL)
	if got := a.Header.Get("Content-Type"); got != "image/svg+xml" || !strings.HasPrefix(a.body, "<svg ") || len(a.body) > 10<<10 {
		t.Errorf("GET %s: status = %d, Content-Type = %q, %d bytes, want an SVG of at most 10 KiB", s.QRURL, a.StatusCode, got, len(a.body))
	}
	png := strings.Replace(s.QRURL, "svg", "png", 1)
	a = desktop.get(png)
	if got := a.Header.Get("Content-Type"); got != "image/png" || !strings.HasPrefix(a.body, "\x89PNG") {
		t.Errorf("GET %s: status = %d, Content-Type = %q, want a PNG", png, a.StatusCode, got)
	}
}

// TestReturnToWithHiddenCharacters has characters that a browser or a proxy may drop or
// replace.
func TestReturnToWithHiddenCharacters(t *testing.T) {
	phone := newWorld(t).phone("lin")
	phone.open("/account")
	for returnTo, want := range map[string]string{
		"/account?name=文":          "/account?name=%E6%96%87",
		"/account#文":               "/account#%E6%96%87",
		"/account?name=\u0080":     "/",
		"/account?name=\u0085":     "/",
		"/account?name=\u009f":     "/",
		"/account?name=\u00a0":     "/account?name=%C2%A0",
		"/account#\u0085":          "/",
		"/account?name=\xff":       "/",
		"/account?name=\xe6\x96":   "/",
		"/account?name=\xc0\xaf":   "/",
		"/account#\xff":            "/",
		"/account\u0085?name=lin":  "/",
		"/account%C2%85?name=lin":  "/",
		"/account?name=%C2%85":     "/account?name=%C2%85",
		"/account?name=\x7f":       "/",
		"/account?name=a\tb":       "/",
		"/account?name=\ufffd":     "/",
		"/account?name=\U0001f430": "/account?name=%F0%9F%90%B0",
	} {
		if a := phone.get("/wechat/login?return_to=" + url.QueryEscape(returnTo)); a.location() != want {
			t.Errorf("GET the login page with return_to %q: status = %d, location = %q, want %q", returnTo, a.StatusCode, a.location(), want)
		}
	}
}
