package scangate_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// postAgain posts a form, and posts it again with the cookies from before: the browser has
// lost the first answer. It returns the second answer.
func (b *browser) postAgain(path string, form url.Values) answer {
	b.t.Helper()
	before := b.appCookies()
	if a := b.post(path, form); a.StatusCode != http.StatusSeeOther {
		b.t.Errorf("POST %s: status = %d, want 303\n%s", path, a.StatusCode, a.body)
	}
	b.restoreAppCookies(before)
	return b.post(path, form)
}

// TestCaseA03RepeatedLastForm: the last form of a login inside WeChat ends the login. The
// browser sends it again and is logged in.
func TestCaseA03RepeatedLastForm(t *testing.T) {
	sms := &texts{}
	for _, c := range []struct {
		name   string
		option func(*scangate.Config)
		form   func(*browser, answer) url.Values
	}{
		{"the profile is skipped", withProfile, func(*browser, answer) url.Values { return url.Values{} }},
		{"the terms are accepted", withTerms, func(*browser, answer) url.Values { return url.Values{"agree": {versions}} }},
		{"the code is right", sms.withPhone, func(phone *browser, page answer) url.Values {
			phone.sendCode(page, mobile)
			return url.Values{"code": {sms.to(mobile)}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.option)
			phone := w.phone("lin")
			page := phone.open("/account")
			form := c.form(phone, page)
			form.Set("token", page.find(t, tokenPattern))
			a := phone.postAgain(page.Request.URL.Path, form)
			if a.StatusCode != http.StatusSeeOther || a.location() != "/account" || phone.user() == "" {
				t.Errorf("the form again: status = %d to %q, user = %q, want 303 to /account and a user", a.StatusCode, a.location(), phone.user())
			}
		})
	}
}

// TestCaseA03RepeatedFinishOfALink: a repeated finish of a link, and a repeated approval of a
// link inside WeChat, lead to the page where the link began.
func TestCaseA03RepeatedFinishOfALink(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, login := w.approvedLink()
	for _, which := range []string{"first", "second"} {
		if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
			t.Errorf("%s finish of the link: status = %d to %q, want 303 to /account", which, a.StatusCode, a.location())
		}
	}
	w = newWorld(t, ownLogin)
	phone := w.phone("lin")
	phone.logInAs(w.knowPhone("", clerk("a")))
	page := phone.open("/wechat/link?return_to=/account")
	form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
	if a := phone.postAgain(page.Request.URL.Path, form); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("approve the link again: status = %d to %q, want 303 to /account", a.StatusCode, a.location())
	}
	if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("the confirm page afterwards: status = %d to %q, want 303 to /account", a.StatusCode, a.location())
	}
}

// TestCaseA10OldCallbackWithoutACode: the same rule holds for the address to which WeChat
// sends a browser that has refused.
func TestCaseA10OldCallbackWithoutACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		refused, err := url.Parse(callback)
		if err != nil {
			t.Fatal(err)
		}
		values := refused.Query()
		values.Del("code")
		refused.RawQuery = values.Encode()
		phone.get(callback)
		for _, later := range []time.Duration{0, 70 * time.Second, 40 * time.Minute, 24 * time.Hour} {
			pass(later)
			if a := phone.get(refused.String()); a.StatusCode != http.StatusSeeOther {
				t.Errorf("the address without a code, %v later: status = %d, want 303\n%s", later, a.StatusCode, a.body)
			}
		}
	})
}

// TestCaseA10OldPages: the same rule holds for the pages of the login's steps, which a tab or
// the history may load again. Without a session, they show the login's error.
func TestCaseA10OldPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sms := &texts{}
		w := newWorld(t, withProfile, withTerms, sms.withPhone)
		phone := w.phone("lin")
		pages := w.stepsInside(phone, sms)
		calls, codes := w.wechat.TotalCalls(), sms.sent
		for _, c := range []struct {
			after time.Duration
			to    string
		}{{0, "/account"}, {70 * time.Second, "/"}, {40 * time.Minute, "/"}, {24 * time.Hour, "/"}} {
			pass(c.after)
			for _, page := range pages {
				if a := phone.get(page); a.StatusCode != http.StatusSeeOther || a.location() != c.to {
					t.Errorf("GET %s after another %v: status = %d, location = %q, want 303 to %s\n%s", page, c.after, a.StatusCode, a.location(), c.to, a.body)
				}
			}
		}
		if w.wechat.TotalCalls() != calls || sms.sent != codes {
			t.Errorf("old pages: calls to WeChat = %d, codes = %d, want %d and %d", w.wechat.TotalCalls(), sms.sent, calls, codes)
		}
		phone.post("/wechat/logout", nil)
		for _, page := range pages {
			if a := phone.get(page); a.StatusCode != http.StatusNotFound {
				t.Errorf("GET %s without a session: status = %d, want 404", page, a.StatusCode)
			}
		}
	})
}

// stepsInside logs a new person in inside WeChat, and returns the pages on the way.
func (w *world) stepsInside(phone *browser, sms *texts) []string {
	w.t.Helper()
	terms := phone.open("/account")
	profile := phone.submit(terms.Request.URL.Path, url.Values{"token": {terms.find(w.t, tokenPattern)}, "agree": {versions}})
	number := phone.submit(profile.Request.URL.Path, url.Values{"token": {profile.find(w.t, tokenPattern)}})
	last := phone.prove(sms, number, mobile)
	var pages []string
	for name, page := range map[string]answer{"terms": terms, "profile": profile, "phone": number} {
		if got := page.Request.URL.Path; !strings.HasPrefix(got, "/wechat/"+name+"/") {
			w.t.Fatalf("login inside WeChat: at %s, want the page %s\n%s", got, name, page.body)
		}
		pages = append(pages, page.Request.URL.Path)
	}
	if !strings.HasPrefix(last.body, "user ") {
		w.t.Fatalf("login inside WeChat: status = %d at %s, want the account page\n%s", last.StatusCode, last.Request.URL, last.body)
	}
	return pages
}

// TestCaseA14SameDeviceBeginsAgain: a browser that stayed at WeChat's page for long has no
// other screen to return to.
func TestCaseA14SameDeviceBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withWebsite)
		for _, later := range []time.Duration{7 * time.Minute, 20 * time.Minute, 90 * time.Minute} {
			desktop := w.desktop()
			callback := w.approvedCallback(desktop, "lin", "/wechat/login?with=website&return_to=/account")
			pass(later)
			if a := desktop.get(callback); a.StatusCode < 400 || !strings.Contains(a.body, "Try again") || strings.Contains(a.body, "QR code") {
				t.Errorf("callback after %v: status = %d, want an error with \"Try again\" and no word of a QR code\n%s", later, a.StatusCode, a.body)
			}
		}
	})
}

// TestCaseB15KnownSameDeviceLogin: a made-up state with the ID of a same-device login gets
// the page of an unknown ID.
func TestCaseB15KnownSameDeviceLogin(t *testing.T) {
	w := newWorld(t)
	known := loginOfState(t, w.phone("lin").get("/wechat/login?return_to=/account").Header.Get("Location"))
	attacker := w.desktop()
	for _, kind := range []string{"0", "2"} {
		a := attacker.get("/wechat/callback?code=c&state=" + known + kind + strings.Repeat("B", 32))
		b := attacker.get("/wechat/callback?code=c&state=" + strings.Repeat("A", 26) + kind + strings.Repeat("B", 32))
		if a.StatusCode != http.StatusBadRequest || a.body != b.body {
			t.Errorf("states of the kind %s: status = %d, got\n%s\nfor a known login and\n%s\nfor an unknown one, want 400 and the same page", kind, a.StatusCode, a.body, b.body)
		}
	}
}

// TestCaseB12PlantedKeyOfASameDeviceLogin: the key is replaced at the end of a login on one
// device too.
func TestCaseB12PlantedKeyOfASameDeviceLogin(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, attacker := w.desktop(), w.desktop()
	attacker.get("/wechat/login?return_to=/account")
	desktop.restoreAppCookies(attacker.appCookies())
	desktop.open(w.websiteCallback(desktop, "lin"))
	desktop.loseSession()
	var next scan
	desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &next)
	if a := attacker.get(next.StateURL); a.StatusCode != http.StatusNotFound {
		t.Errorf("state of the next login for the planted key: status = %d, want 404", a.StatusCode)
	}
}

// TestCaseE04UnreachableWeChatRejectsNothing: ten callbacks cannot reach WeChat. They do not
// count as codes that WeChat rejected.
func TestCaseE04UnreachableWeChatRejectsNothing(t *testing.T) {
	var down atomic.Bool
	w := newWorld(t, func(c *scangate.Config) {
		next := c.WeChat.HTTPClient.Transport
		c.WeChat.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return next.RoundTrip(r)
		})}
	})
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	down.Store(true)
	for range 10 {
		if a := phone.scan(login); a.StatusCode != http.StatusBadGateway {
			t.Errorf("callback without WeChat: status = %d, want 502", a.StatusCode)
		}
	}
	down.Store(false)
	if a := phone.scan(login); a.Request.URL.Path != login.confirmURL() {
		t.Errorf("scan afterwards: status = %d at %s, want the confirm page", a.StatusCode, a.Request.URL)
	}
}

// TestCaseA25ScriptUnderAnotherHost: a script in WeChat begins a login at another host.
func TestCaseA25ScriptUnderAnotherHost(t *testing.T) {
	w := newAliasWorld(t)
	phone := w.phone("lin")
	var got scan
	phone.postJSON(aliasURL+"/wechat/login", `{"return_to":"/account"}`, &got)
	if a := phone.open(got.RedirectURL); phone.user() == "" {
		t.Errorf("login by the redirect_url %q: status = %d at %s, want a user", got.RedirectURL, a.StatusCode, a.Request.URL)
	}
}
