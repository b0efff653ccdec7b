package scangate_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCaseA05TabsInAFreshBrowser: several tabs are opened at the same time in a browser
// without a cookie, so that each answer sets another key. All of them are logged in, each
// at its own page.
func TestCaseA05TabsInAFreshBrowser(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	type tab struct{ wechat, returnTo string }
	var tabs []tab
	for i := range 4 {
		fresh := w.desktop() // sends no cookie, as a tab that is opened at the same time
		returnTo := fmt.Sprintf("/account?tab=%d", i)
		a := fresh.get("/wechat/login?with=website&return_to=" + returnTo)
		tabs = append(tabs, tab{a.Header.Get("Location"), returnTo})
		desktop.client.Jar.SetCookies(a.Request.URL, a.Cookies())
	}
	for i, tab := range tabs {
		callback, err := w.wechat.Approve(tab.wechat, "lin")
		if err != nil {
			t.Fatal(err)
		}
		if a := desktop.get(callback); a.StatusCode != http.StatusSeeOther || a.location() != tab.returnTo {
			t.Errorf("callback of tab %d: status = %d, location = %q, want 303 to %s", i, a.StatusCode, a.location(), tab.returnTo)
		}
	}
	desktop.post("/wechat/logout", nil)
	if got := desktop.appCookies(); len(got) != 0 {
		t.Errorf("cookies after the logout = %v, want none", got)
	}
}

// freshTabs opens login pages at the same time in a desktop without a cookie, so that each
// answer sets another key. The desktop's present key is the last one's.
func (w *world) freshTabs(desktop *browser, n int) []scan {
	w.t.Helper()
	var tabs []scan
	for range n {
		var s scan
		a := w.desktop().postJSON("/wechat/login", `{"return_to":"/account"}`, &s)
		if a.StatusCode != http.StatusCreated {
			w.t.Fatalf("start: status = %d, body = %s, want 201", a.StatusCode, a.body)
		}
		desktop.client.Jar.SetCookies(a.Request.URL, a.Cookies())
		tabs = append(tabs, s)
	}
	return tabs
}

// renew asks for a new code in the place of the login's.
func (b *browser) renew(s scan) scan {
	b.t.Helper()
	var next scan
	if a := b.postJSON("/wechat/login/"+s.ID+"/renew", "{}", &next); a.StatusCode != http.StatusCreated || next.ID == s.ID {
		b.t.Fatalf("renew: status = %d, login = %q, want 201 and another login than %q", a.StatusCode, next.ID, s.ID)
	}
	return next
}

// TestCaseA05TabsInAFreshBrowserRenew: several login pages are opened at the same time in a
// browser without a cookie, and renew their codes again and again. Each page can use its new
// code. The code before ends, and no other browser can use either.
func TestCaseA05TabsInAFreshBrowserRenew(t *testing.T) {
	w := newWorld(t)
	w.know("lin")
	desktop, stranger := w.desktop(), w.desktop()
	stranger.start()
	tabs := w.freshTabs(desktop, 3)
	cookies := len(desktop.appCookies())
	for i, first := range tabs {
		last := first
		for turn := range 3 {
			next := desktop.renew(last)
			if a := desktop.get(next.QRURL); a.StatusCode != http.StatusOK {
				t.Errorf("tab %d, renewal %d: QR code: status = %d, want 200", i, turn+1, a.StatusCode)
			}
			if now, before := desktop.state(next), desktop.state(last); now != "waiting" || turn == 0 && before != "expired" {
				t.Errorf("tab %d, renewal %d: states = %s, and %s of the code before, want waiting and expired", i, turn+1, now, before)
			}
			for _, target := range []string{last.StateURL, next.StateURL, next.QRURL} {
				if a := stranger.get(target); a.StatusCode != http.StatusNotFound {
					t.Errorf("GET %s by another browser: status = %d, want 404", target, a.StatusCode)
				}
			}
			if a := stranger.postJSON("/wechat/login/"+next.ID+"/renew", "{}", nil); a.StatusCode != http.StatusNotFound {
				t.Errorf("renewal by another browser: status = %d, want 404", a.StatusCode)
			}
			last = next
		}
		tabs[i] = last
	}
	if got := len(desktop.appCookies()); got != cookies {
		t.Errorf("cookies after nine renewals = %d, want %d as before", got, cookies)
	}
	w.scanLoginOf(t, desktop, tabs[0], "lin")
}

// TestRenewalWithAnOldKey renews two codes at the same time, an hour after the browser has got
// its key, so that each answer sets another one. Both new codes work.
func TestRenewalWithAnOldKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.know("lin")
		desktop := w.desktop()
		desktop.start()
		pass(59 * time.Minute)
		one := desktop.start()
		var other scan
		desktop.postJSON("/wechat/login", `{"return_to":"/other"}`, &other)
		pass(2 * time.Minute)
		before := desktop.appCookies()
		renewed := desktop.renew(one)
		desktop.restoreAppCookies(before) // both requests leave before the first answer arrives
		last := desktop.renew(other)
		for name, login := range map[string]scan{"the first": renewed, "the second": last} {
			if a := desktop.get(login.StateURL + "?seen=none"); a.StatusCode != http.StatusOK {
				t.Errorf("state of %s renewed login: status = %d, want 200", name, a.StatusCode)
			}
		}
		w.scanLoginOf(t, desktop, renewed, "lin")
	})
}

// TestLoginCookiesAreBounded: a browser keeps the keys of five single logins at most.
func TestLoginCookiesAreBounded(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	for i := range 20 {
		a := w.desktop().get(fmt.Sprintf("/wechat/login?return_to=/%d", i), "Cookie", cookieHeader(desktop, "__Host-scangate-"))
		desktop.client.Jar.SetCookies(a.Request.URL, a.Cookies())
	}
	if got := strings.Count(cookieHeader(desktop, "__Host-scangate-"), "="); got != 5 {
		t.Errorf("cookies of single logins = %d, want 5", got)
	}
}

// cookieHeader returns the browser's cookies of that prefix as a Cookie header.
func cookieHeader(b *browser, prefix string) string {
	var pairs []string
	for _, c := range b.appCookies() {
		if strings.HasPrefix(c.Name, prefix) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// TestCaseB12PlantedKey: the attacker has planted a browser key in the desktop before its
// login. It is of no use for the next login of that browser.
func TestCaseB12PlantedKey(t *testing.T) {
	w := newWorld(t)
	desktop, attacker := w.desktop(), w.desktop()
	first := desktop.start()
	for _, c := range desktop.appCookies() {
		attacker.client.Jar.SetCookies(mustURL(t, appURL), []*http.Cookie{c})
	}
	if got := attacker.start().ID; got != first.ID {
		t.Fatalf("the planted key: login = %q, want the desktop's %q", got, first.ID)
	}
	w.scanLoginOf(t, desktop, first, "lin")
	desktop.post("/wechat/logout", nil)
	second := desktop.start()
	if got := attacker.start().ID; got == second.ID {
		t.Error("the planted key after a login: the attacker gets the desktop's next login, want another one")
	}
	if a := attacker.get(second.StateURL); a.StatusCode != http.StatusNotFound {
		t.Errorf("state of the desktop's next login, by the attacker: status = %d, want 404", a.StatusCode)
	}
}

// TestCaseB12PlantedKeyLastsAnHour: the attacker has planted a browser key in a desktop
// that opens a login page every 20 minutes. The first login page after an hour makes a
// new key, also if the attacker has made the cookie last for years.
func TestCaseB12PlantedKeyLastsAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, attacker := w.desktop(), w.desktop()
		attacker.start()
		planted := attacker.appCookies()
		for visit := range 7 {
			if visit < 3 { // the attacker cannot plant it again
				desktop.restoreAppCookies(planted)
			}
			login := desktop.start()
			desktop.get("/wechat/login?return_to=/account")
			attacker.restoreAppCookies(planted) // its own key would be renewed too
			a := attacker.get(login.StateURL)
			if want := visit < 3; (a.StatusCode == http.StatusOK) != want {
				t.Errorf("after %d minutes: the attacker gets the desktop's login: status = %d, want it to work: %t", 20*visit, a.StatusCode, want)
			}
			pass(20 * time.Minute)
		}
	})
}

// TestCaseB12LoginsUnderWayOutliveTheirKey begins logins just before the browsers get new
// keys. They can be completed afterwards.
func TestCaseB12LoginsUnderWayOutliveTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withWebsite)
		w.know("lin")
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		phone.scan(login)
		pass(59 * time.Minute)
		first := desktop.start()
		callback := w.approvedCallback(desktop, "lin", "/wechat/login?with=website&return_to=/account")
		if a := phone.scan(first); a.Request.URL.Path != first.confirmURL() {
			t.Fatalf("scan: status = %d at %s, want the confirm page", a.StatusCode, a.Request.URL)
		}
		before := cookieHeader(desktop, "__Host-scangate")
		pass(2 * time.Minute)
		second := desktop.start()
		if after := cookieHeader(desktop, "__Host-scangate"); after == before || second.ID == first.ID {
			t.Errorf("a login page after 61 minutes: the same key or login, want new ones")
		}
		phone.scan(second)
		if a := phone.scan(first); a.Request.URL.Path != first.confirmURL() {
			t.Errorf("the first code again: status = %d at %s, want the confirm page", a.StatusCode, a.Request.URL)
		}
		phone.answer(first, "approve")
		if got := desktop.state(first); got != "approved" {
			t.Errorf("the first login's state = %q, want approved", got)
		}
		if a := desktop.get(callback); a.location() != "/account" {
			t.Errorf("callback of the login on WeChat's page: %d to %q, want /account", a.StatusCode, a.location())
		}
		if a := desktop.finish(first); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
			t.Errorf("finish of the first login: status = %d, user %q, want a login", a.StatusCode, desktop.user())
		}
	})
}

// TestCaseA15TabsOfOneLogin: two tabs of one login wait. After the first one has
// finished, the second one still learns the state.
func TestCaseA15TabsOfOneLogin(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	login := desktop.start()
	w.scanLoginOf(t, desktop, login, "lin")
	if got := desktop.state(login); got != "approved" {
		t.Errorf("state in the second tab = %q, want %q", got, "approved")
	}
}

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
