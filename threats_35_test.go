package scangate_test

// Rows 35 to 38: answers, logs and addresses.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// answersOfEveryRoute returns an answer of each of the gate's routes, and of requests
// that the gate refuses.
func (w *world) answersOfEveryRoute() map[string]answer {
	w.t.Helper()
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	answers := map[string]answer{
		"login": desktop.get("/wechat/login"), "login JSON": desktop.postJSON("/wechat/login", `{}`, nil),
		"QR code": desktop.get(login.QRURL), "QR code as PNG": desktop.get(strings.Replace(login.QRURL, "svg", "png", 1)),
		"state": desktop.get(login.StateURL), "scan": phone.get(login.ScanURL), "phone page": page, "callback": phone.get("/wechat/callback"),
		"unknown login": phone.get("/wechat/scan/" + unknownLoginID), "unknown route": desktop.get("/wechat/nothing"),
		"wrong method": desktop.get("/wechat/logout"), "me": desktop.get("/wechat/me"), "finish": desktop.finish(login),
		"forged finish": desktop.post(login.FinishURL, nil, "Origin", "null"),
		"gated page":    desktop.get("/account"), "gated page as JSON": desktop.get("/account", "Accept", "application/json"),
		"logout": desktop.post("/wechat/logout", nil), "link": desktop.get("/wechat/link"), "change of number": desktop.get("/wechat/phone"),
		"doubled parameter": desktop.get("/wechat/login?return_to=/&return_to=/"),
	}
	w.users.failWith(errors.New("away"))
	answers["gated page while the user store fails"] = w.phone("wang").open("/account")
	w.users.failWith(nil)
	return answers
}

// TestThreat35CachingFramingSniffing: the attacker has an answer cached, framed, sniffed
// as another type, or run a script of its own. Every answer of the gate, errors too, has
// the headers that prevent it.
func TestThreat35CachingFramingSniffing(t *testing.T) {
	w := newWorld(t, (&texts{}).withPhone, withWebsite)
	for name, a := range w.answersOfEveryRoute() {
		a.checkHeaders(t, name)
	}
}

// checkHeaders checks the headers of an answer of the gate, and that its page has no inline
// script or style. Assets may be cached.
func (a answer) checkHeaders(t *testing.T, name string) {
	t.Helper()
	cached := a.StatusCode == http.StatusOK && strings.HasPrefix(name, "GET /assets/")
	if got := a.Header.Get("Cache-Control"); (got == "no-store") == cached {
		t.Errorf("%s (%d): Cache-Control = %q, want no-store: %v", name, a.StatusCode, got, !cached)
	}
	if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("%s (%d): X-Content-Type-Options = %q, want nosniff", name, a.StatusCode, got)
	}
	csp := a.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("%s (%d): Content-Security-Policy = %q, want default-src and frame-ancestors 'none', nothing unsafe", name, a.StatusCode, csp)
	}
	if a.Header.Get("Referrer-Policy") == "" {
		t.Errorf("%s (%d): no Referrer-Policy, want one", name, a.StatusCode)
	}
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return
	}
	for _, inline := range []string{"<script>", " onclick=", " onload=", " style=", "<style", "javascript:"} {
		if strings.Contains(a.body, inline) {
			t.Errorf("%s (%d): the page contains %q, want no inline script or style", name, a.StatusCode, inline)
		}
	}
}

// TestThreat35GatedPageWhileTheUserStoreFails: the gate answers in place of the
// application's page. That answer has the gate's headers too.
func TestThreat35GatedPageWhileTheUserStoreFails(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	w.users.failWith(errors.New("away"))
	a := phone.get("/account")
	if a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("gated page while the user store fails: status = %d, want %d", a.StatusCode, http.StatusServiceUnavailable)
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("gated page while the user store fails: Content-Security-Policy = %q, want frame-ancestors 'none'", csp)
	}
}

// TestThreat36NicknameAsMarkup: the attacker's nickname is markup, turns the text around
// or is very long. Pages escape it, and the gate bounds and cleans it first.
func TestThreat36NicknameAsMarkup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nickname  string
		forbidden string // "" if the nickname may be shown as it is
	}{
		"script":            {"<script>alert(1)</script>", "<script>alert"},
		"attribute":         {`"><img src=x onerror=alert(1)>`, "<img src=x"},
		"template":          {"{{.}}", ""},
		"direction mark":    {"a\u202eb", "\u202e"},
		"10,000 characters": {strings.Repeat("啊", 10_000), strings.Repeat("啊", 65)},
		"broken UTF-8":      {"a\xff\xfeb", "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(m map[string]any) { m["nickname"] = c.nickname }})
			desktop, attacker := w.desktop(), w.phone("wang")
			login := desktop.start()
			w.tapThroughProfile(attacker, attacker.scan(login))
			attacker.answer(login, "approve")
			page := desktop.get("/wechat/login?return_to=/account")
			desktop.finish(login)
			for where, a := range map[string]answer{"page of the approved login": page, "me": desktop.get("/wechat/me")} {
				if a.StatusCode != http.StatusOK {
					t.Errorf("%s: status = %d, want %d", where, a.StatusCode, http.StatusOK)
				}
				if c.forbidden != "" && strings.Contains(a.body, c.forbidden) {
					t.Errorf("%s: it contains %.20q, want it escaped or left out:\n%.500s", where, c.forbidden, a.body)
				}
			}
		})
	}
}

// TestThreat37SecretsInLogs: the attacker reads the logs or the events of logins with
// failures at every step. They contain no secret, code, token, state, cookie, number or
// identity, and neither do the pages.
func TestThreat37SecretsInLogs(t *testing.T) {
	// In a bubble, because the digits of real times may contain the one-time code.
	synctest.Test(t, func(t *testing.T) {
		sms := &texts{}
		w := newWorld(t, sms.withPhone, withProfile, withWebsite, func(c *scangate.Config) {
			c.OnLogin = func(context.Context, scangate.Login) error { return nil }
		})
		desktop, phone := w.desktop(), w.phone("wang")
		login := desktop.start()
		callback := phone.callback(login)
		secrets := map[string]string{
			"app secret": official.Secret, "website's secret": website.Secret, "number": strings.TrimPrefix(mobile, "+86"),
			"openid": w.wechat.OpenID("wang", official.AppID), "website's openid": w.wechat.OpenID("wang", website.AppID), "unionid": w.wechat.UnionID("wang"),
		}
		noteCallback(secrets, "scan", callback)
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret " + official.Secret})
		pages := []answer{phone.get(callback)}
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Status: http.StatusBadGateway, Body: official.Secret})
		pages = append(pages, phone.get(callback))
		w.noteTokens(secrets, "scan")
		profile := phone.open(callback)
		w.noteTokens(secrets, "scan's profile")
		w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Location: "http://192.0.2.7/"})
		phonePage := w.tapThroughProfile(phone, profile)
		pages = append(pages, profile, phone.sendCode(phonePage, "110"), phone.sendCode(phonePage, mobile), phone.sendCode(phonePage, mobile))
		secrets["one-time code"], secrets["form token"] = sms.to(mobile), phonePage.find(t, tokenPattern)
		pages = append(pages, phone.typeCode(phonePage, wrong(sms.to(mobile))), phone.typeCode(phonePage, sms.to(mobile)), phone.answer(login, "approve"), desktop.finish(login), desktop.finish(login))
		w.users.failWith(errors.New("away"))
		pages = append(pages, desktop.get("/account"))
		w.users.failWith(nil)
		another := w.desktop()
		pages = append(pages, w.noteWebsiteLogin(secrets, another))
		for name, device := range map[string]*browser{"desktop": desktop, "phone": phone, "other desktop": another} {
			for _, c := range device.appCookies() { // before the logout, which removes some
				secrets[name+"'s cookie "+c.Name] = c.Value
			}
			if name != "phone" && device.user() == "" {
				t.Errorf("%s: no user, want one", name)
			}
		}
		pages = append(pages, desktop.post("/wechat/logout", nil), another.post("/wechat/logout", nil))
		w.checkNoSecrets(secrets, pages)
	})
}

// noteCallback adds the secrets in a callback's URL.
func noteCallback(secrets map[string]string, of, callback string) {
	u, _ := url.Parse(callback)
	secrets[of+"'s code"], secrets[of+"'s state"] = u.Query().Get("code"), u.Query().Get("state")
}

// noteTokens adds the tokens that WeChat returns at the next exchange of a code.
func (w *world) noteTokens(secrets map[string]string, of string) {
	for _, field := range []string{"access_token", "refresh_token"} {
		secrets[of+"'s "+field] = "" // fails the test unless WeChat returns one
	}
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Edit: func(m map[string]any) {
		for _, field := range []string{"access_token", "refresh_token"} {
			secrets[of+"'s "+field], _ = m[field].(string)
		}
	}})
}

// noteWebsiteLogin logs wang in on WeChat's own page, after a failure.
func (w *world) noteWebsiteLogin(secrets map[string]string, desktop *browser) answer {
	w.t.Helper()
	callback := w.websiteCallback(desktop, "wang")
	noteCallback(secrets, "website", callback)
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Status: http.StatusBadGateway, Body: website.Secret})
	failed := desktop.get(callback)
	w.noteTokens(secrets, "website")
	desktop.open(callback)
	return failed
}

// checkNoSecrets checks that no secret is in the log, in an event or, form tokens
// excepted, on a page.
func (w *world) checkNoSecrets(secrets map[string]string, pages []answer) {
	w.t.Helper()
	w.mu.Lock()
	events := fmt.Sprintf("%+v", w.events)
	w.mu.Unlock()
	for name, secret := range secrets {
		switch {
		case len(secret) < 6:
			w.t.Errorf("%s of the test = %q, want 6 characters at least", name, secret)
		case strings.Contains(w.log.String(), secret):
			w.t.Errorf("log: it contains the %s, want it left out:\n%s", name, w.log)
		case strings.Contains(events, secret):
			w.t.Errorf("events: they contain the %s, want it left out: %s", name, events)
		}
		for _, a := range pages {
			if name != "form token" && strings.Contains(a.body, secret) {
				w.t.Errorf("%s %s: the page contains the %s, want it left out:\n%s", a.Request.Method, a.Request.URL.Path, name, a.body)
			}
		}
	}
}

// TestThreat38ForgedAddress: the attacker sends headers of proxies to get around the
// limit of its address. Without Config.ClientIP the address is the connection's.
func TestThreat38ForgedAddress(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 3 })
	for i := range 5 {
		forged := fmt.Sprintf("203.0.113.%d", i)
		a := w.desktop().get("/wechat/login", "X-Forwarded-For", forged, "X-Real-IP", forged, "Forwarded", "for="+forged, "CF-Connecting-IP", forged)
		want := http.StatusOK
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if a.StatusCode != want {
			t.Errorf("login %d with a forged address: status = %d, want %d", i, a.StatusCode, want)
		}
	}
}

// TestThreat38ForgedAddressOnTheConfirmPage: the attacker sends the victim's address
// with its login. The confirm page shows the connection's.
func TestThreat38ForgedAddressOnTheConfirmPage(t *testing.T) {
	w := newWorld(t)
	attacker, phone := w.desktop(), w.phone("lin")
	id := attacker.get("/wechat/login", "X-Forwarded-For", "203.0.113.7").find(t, statePattern)
	page := phone.scan(scan{ID: id}.urls())
	if !strings.Contains(page.body, "192.0.2.1") || strings.Contains(page.body, "203.0.113.7") {
		t.Errorf("confirm page: want the address 192.0.2.1 and not 203.0.113.7 in\n%s", page.body)
	}
}
