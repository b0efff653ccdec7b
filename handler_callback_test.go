package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// tapThroughProfile follows the profile page to WeChat and allows the user info there.
func (w *world) tapThroughProfile(phone *browser, profile answer) answer {
	w.t.Helper()
	consent := phone.open(profile.find(w.t, wechatURLPattern))
	return w.tap(phone, consent, wechattest.Allow)
}

// tap gives the answer on a page of WeChat.
func (w *world) tap(phone *browser, page answer, answer wechattest.Answer) answer {
	w.t.Helper()
	u := *page.Request.URL
	u.RawQuery += "&" + wechattest.AnswerParam + "=" + string(answer)
	return phone.open(u.String())
}

// approvedCallback opens a login URL of the gate inside WeChat and approves the login
// there. It returns the URL of the callback, unopened.
func (w *world) approvedCallback(phone *browser, person, loginURL string) string {
	w.t.Helper()
	to := phone.get(loginURL).Header.Get("Location")
	callback, err := w.wechat.Approve(to, person)
	if err != nil {
		w.t.Fatalf("approve %s as %s: %v", to, person, err)
	}
	return callback
}

// websiteCallback starts a login on WeChat's own page and approves it there. It returns
// the URL of the callback, unopened.
func (w *world) websiteCallback(desktop *browser, person string) string {
	w.t.Helper()
	to := desktop.get("/wechat/login?return_to=/account&with=website").Header.Get("Location")
	callback, err := w.wechat.Approve(to, person)
	if err != nil {
		w.t.Fatalf("approve %s as %s: %v", to, person, err)
	}
	return callback
}

// loginByScan logs lin in on a desktop.
func (w *world) loginByScan() {
	w.t.Helper()
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := phone.scan(s); strings.Contains(a.Request.URL.Path, "/profile/") {
		w.tapThroughProfile(phone, a)
	}
	phone.answer(s, "approve")
	desktop.finish(s)
	if desktop.user() == "" {
		w.t.Error("login by scan: no user on the desktop, want one")
	}
}

// loginInside logs lin in inside WeChat.
func (w *world) loginInside() {
	w.t.Helper()
	phone := w.phone("lin")
	if a := phone.open("/account"); strings.Contains(a.Request.URL.Path, "/profile/") {
		w.tapThroughProfile(phone, a)
	}
	if phone.user() == "" {
		w.t.Error("login inside WeChat: no user on the phone, want one")
	}
}

// loginByWebsite logs lin in on WeChat's own page.
func (w *world) loginByWebsite() {
	w.t.Helper()
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "lin"))
	if desktop.user() == "" {
		w.t.Error("login on WeChat's page: no user on the desktop, want one")
	}
}

// sessionCookie returns the session cookie that the answer sets, or nil.
func sessionCookie(a answer) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == "__Host-session" {
			return c
		}
	}
	return nil
}

func TestLoginInsideWeChat(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if a := phone.open("/account"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, "user ") {
		t.Fatalf("open /account inside WeChat: status = %d, body = %q, want 200 and a user", a.StatusCode, a.body)
	}
	first := phone.user()
	again := w.phone("lin")
	again.open("/account")
	if got := again.user(); first == "" || got != first {
		t.Errorf("second login of the same person: user = %q, want the first login's %q", got, first)
	}
	if other := w.phone("wang").open("/account"); other.body == "user "+first {
		t.Errorf("login of another person: user = %q, want another user", first)
	}
}

func TestLoginByWeChatsOwnPage(t *testing.T) {
	for name, option := range map[string]func(*scangate.Config){"website only": withWebsiteOnly, "both accounts": withWebsite} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, option)
			desktop := w.desktop()
			if a := desktop.open(w.websiteCallback(desktop, "lin")); !strings.HasPrefix(a.body, "user ") {
				t.Errorf("callback from WeChat's page: status = %d, body = %q, want a user", a.StatusCode, a.body)
			}
		})
	}
}

func TestCallsToWeChat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		known   bool
		options []func(*scangate.Config)
		login   func(w *world)
		want    int
	}{
		{"known user, scan", true, nil, (*world).loginByScan, 1},
		{"known user, scan, FetchProfile", true, []func(*scangate.Config){withProfile}, (*world).loginByScan, 1},
		{"known user, inside WeChat, both accounts", true, []func(*scangate.Config){withWebsite}, (*world).loginInside, 1},
		{"new user, scan", false, nil, (*world).loginByScan, 1},
		{"new user, scan, FetchProfile", false, []func(*scangate.Config){withProfile}, (*world).loginByScan, 3},
		{"new user, inside WeChat, FetchProfile", false, []func(*scangate.Config){withProfile}, (*world).loginInside, 3},
		{"new user, website, FetchProfile", false, []func(*scangate.Config){withWebsiteOnly, withProfile}, (*world).loginByWebsite, 2},
		{"new user, website", false, []func(*scangate.Config){withWebsiteOnly}, (*world).loginByWebsite, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.options...)
			if c.known {
				w.know("lin")
			}
			c.login(w)
			if got := w.wechat.TotalCalls(); got != c.want {
				t.Errorf("login: %d calls to WeChat, want %d", got, c.want)
			}
		})
	}
}

func TestOnePersonByBothAccounts(t *testing.T) {
	w := newWorld(t, withWebsite)
	byWebsite := func() string {
		desktop := w.desktop()
		desktop.open(w.websiteCallback(desktop, "wang"))
		return desktop.user()
	}
	inside := func() string {
		phone := w.phone("wang")
		if a := phone.open("/account"); strings.Contains(a.Request.URL.Path, "/profile/") {
			w.tapThroughProfile(phone, a)
		}
		return phone.user()
	}
	first := byWebsite()
	for i, got := range []string{inside(), byWebsite(), inside()} {
		if first == "" || got != first {
			t.Errorf("login %d after the first: user = %q, want the first login's %q", i+1, got, first)
		}
	}
	user, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID("wang", official.AppID)})
	if err != nil || len(user.Identities) != 2 {
		t.Errorf("FindByWeChat: identities = %v, error = %v, want 2 identities", user.Identities, err)
	}
}

func TestCallbackDeliveredTwice(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []func(*scangate.Config)
		login   func(*world)
	}{
		{"scan", nil, (*world).loginByScan},
		{"inside WeChat", nil, (*world).loginInside},
		{"inside WeChat, FetchProfile", []func(*scangate.Config){withProfile}, (*world).loginInside},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.options...)
				w.wechat.DeliverTwice(true)
				// The second callback arrives during the exchange of the first.
				w.wechat.Fail(wechattest.OpExchange, 9, wechattest.Fault{Delay: time.Second})
				c.login(w)
				finished := 0
				for _, name := range w.happened() {
					if name == "finished" {
						finished++
					}
				}
				if finished != 1 {
					t.Errorf("callback delivered twice: %d finished events, want 1", finished)
				}
				want := 1 + len(c.options) // FetchProfile exchanges a second code
				if got := w.wechat.Calls(wechattest.OpExchange); got != want {
					t.Errorf("callback delivered twice: %d exchanges, want %d", got, want)
				}
			})
		})
	}
}

func TestCallbackTwiceAtOnce(t *testing.T) {
	for name, start := range map[string]func(*world, *browser) string{
		"inside WeChat": func(w *world, b *browser) string {
			return w.approvedCallback(b, "lin", "/wechat/login?return_to=/account")
		},
		"website": func(w *world, b *browser) string { return w.websiteCallback(b, "lin") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withWebsite)
			phone := w.phone("lin")
			w.know("lin")
			callback := start(w, phone)
			var twice sync.WaitGroup
			answers := make([]answer, 2)
			for i := range answers {
				twice.Go(func() { answers[i], _ = phone.try(t.Context(), false, http.MethodGet, callback, "") })
			}
			twice.Wait()
			for i, a := range answers {
				if a.Response == nil || a.StatusCode != http.StatusSeeOther || a.location() != "/account" || sessionCookie(a) == nil {
					t.Errorf("callback %d of 2 at once: got %+v, want 303 to /account with a session cookie", i+1, a.Response)
				}
			}
			if later := phone.get(callback); later.StatusCode != http.StatusSeeOther || later.location() != "/account" {
				t.Errorf("third callback: status = %d, location = %q, want 303 to /account", later.StatusCode, later.location())
			}
			if phone.user() == "" {
				t.Error("after three callbacks: no user, want one")
			}
			if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
				t.Errorf("three callbacks with one code: %d exchanges, want 1", got)
			}
		})
	}
}

// TestTwoCodesWithOneState approves one login twice. The gate exchanges the first code
// only.
func TestTwoCodesWithOneState(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	to := phone.get("/wechat/login?return_to=/account").Header.Get("Location")
	for i := range 2 {
		callback, err := w.wechat.Approve(to, "lin")
		if err != nil {
			t.Fatalf("approve %s: %v", to, err)
		}
		if a := phone.get(callback); a.location() != "/account" {
			t.Errorf("callback with code %d: status = %d, location = %q, want /account\n%s", i+1, a.StatusCode, a.location(), a.body)
		}
	}
	if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
		t.Errorf("two codes with one state: %d exchanges, want 1", got)
	}
}

func TestPhoneThatGoesAwayDuringTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := phone.try(ctx, false, http.MethodGet, callback, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("first callback, given up after 1s: error = %v, want %v", err, context.DeadlineExceeded)
		}
		if a := phone.open(callback); !strings.HasPrefix(a.body, "user ") {
			t.Errorf("second callback: status = %d, body = %q, want a user", a.StatusCode, a.body)
		}
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
			t.Errorf("two callbacks: %d exchanges, want 1", got)
		}
	})
}

// dropCookie removes a cookie of the application from the browser's jar.
func (b *browser) dropCookie(name string) {
	u, _ := url.Parse(appURL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", Secure: true, MaxAge: -1}})
}

// TestBrowserThatKeepsNoSession must not send the browser from the login to WeChat and
// back without end.
func TestBrowserThatKeepsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		if a := phone.get(w.approvedCallback(phone, "lin", "/wechat/login")); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("callback: status = %d, want 303", a.StatusCode)
		}
		phone.dropCookie("__Host-session")
		if a := phone.get("/wechat/login"); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "cookies") {
			t.Errorf("GET the login page without the session: status = %d, location = %q, want 400 and the word cookies",
				a.StatusCode, a.Header.Get("Location"))
		}
		pass(time.Minute)
		if a := phone.get("/wechat/login"); a.StatusCode != http.StatusSeeOther {
			t.Errorf("GET the login page a minute later: status = %d, want 303", a.StatusCode)
		}
	})
}
