package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// plainSessions returns a session manager whose cookie other hosts of the domain can
// set: its name has no prefix. Its store is the one that tests look into.
func plainSessions() (*scs.SessionManager, *mapSessions) {
	store := &mapSessions{m: map[string][]byte{}}
	m := &scs.SessionManager{Lifetime: time.Hour, Store: store, Codec: scs.GobCodec{}}
	m.Cookie.Name, m.Cookie.Path, m.Cookie.Persist = "session", "/", true
	m.Cookie.HttpOnly, m.Cookie.Secure, m.Cookie.SameSite = true, true, http.SameSiteLaxMode
	return m, store
}

// tosser sends a request's cookies on with further ones, as a browser does for which
// another host of the domain has set them.
type tosser struct {
	first, last string // Cookie headers, or ""
	keep        func(name string) bool
}

// around returns hosts behind the tosser. Only requests to the application are changed.
func (c *tosser) around(hosts http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "app.example.com" {
			return hosts.RoundTrip(r)
		}
		sent := []string{c.first}
		for _, cookie := range r.Cookies() {
			if c.keep == nil || c.keep(cookie.Name) {
				sent = append(sent, cookie.Name+"="+cookie.Value)
			}
		}
		sent = append(sent, c.last)
		changed := r.Clone(r.Context())
		changed.Header.Set("Cookie", strings.Trim(strings.Join(sent, "; "), "; "))
		return hosts.RoundTrip(changed)
	})
}

// toss sets the cookie before or after the browser's own.
func (c *tosser) toss(cookie string, first bool) {
	c.first, c.last = "", cookie
	if first {
		c.first, c.last = cookie, ""
	}
}

// logged counts the lines of the log that contain all the words.
func (w *world) logged(words ...string) int {
	n := 0
line:
	for line := range strings.Lines(w.log.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue line
			}
		}
		n++
	}
	return n
}

func TestCaseA02AnotherHostsCookieDoesNotHideTheSession(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		for _, cookie := range []string{"session=x", "session=", "session=x; session=y; session=x"} {
			m, _ := plainSessions()
			w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
			toss := &tosser{}
			toss.toss(cookie, first)
			w.hosts = toss.around(w.hosts)
			phone, desktop := w.phone("lin"), w.desktop()
			if a := phone.open("/account"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, "user ") {
				t.Errorf("%s, first %t: login in WeChat ends at %s with %d, want a user at /account", cookie, first, a.Request.URL, a.StatusCode)
			}
			if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
				t.Errorf("%s, first %t: %d exchanges, want 1", cookie, first, got)
			}
			w.scanLogin(desktop, phone)
			if desktop.user() == "" {
				t.Errorf("%s, first %t: after a scan login: no user, want one", cookie, first)
			}
			desktop.post("/wechat/logout", nil)
			if got := desktop.user(); got != "" {
				t.Errorf("%s, first %t: after the logout: user %q, want none", cookie, first, got)
			}
		}
	}
}

// sessionless are applications to which the session's cookie does not come back, or not
// to an end, each for another reason.
var sessionless = []struct {
	name   string
	logins int // until the page comes
	hide   func(w *world, m *scs.SessionManager)
}{
	{"the browser refuses the cookie", 1, func(w *world, _ *scs.SessionManager) {
		w.hosts = (&tosser{keep: func(name string) bool { return name != "session" }}).around(w.hosts)
	}},
	{"LoadAndSave takes another host's cookie", 1, func(w *world, m *scs.SessionManager) {
		w.hosts = (&tosser{first: "session=x"}).around(transportWith(w.hosts, m.LoadAndSave(application(w.gate))))
	}},
	{"the browser refuses the cookie and has another one", 1, func(w *world, _ *scs.SessionManager) {
		w.hosts = (&tosser{last: "session=x", keep: func(name string) bool { return name != "session" }}).around(w.hosts)
	}},
	{"too many cookies of that name", 2, func(w *world, _ *scs.SessionManager) {
		w.hosts = (&tosser{last: strings.Repeat("; session=x", 11)[2:]}).around(w.hosts)
	}},
	{"another process cannot read the session", 2, func(w *world, m *scs.SessionManager) {
		hosts, store := w.hosts, m.Store.(*mapSessions)
		w.hosts = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/account" || r.URL.Path == "/wechat/login" {
				for token := range store.m {
					store.m[token] = []byte("by another codec")
				}
			}
			return hosts.RoundTrip(r)
		})
	}},
	{"each process has its own session store", 2, func(w *world, m *scs.SessionManager) {
		hosts := w.hosts
		w.hosts = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/account" || r.URL.Path == "/wechat/login" {
				clear(m.Store.(*mapSessions).m) // another process has none of them
			}
			return hosts.RoundTrip(r)
		})
	}},
}

func TestCaseA02ALoopEndsWithAPage(t *testing.T) {
	t.Parallel()
	for _, c := range sessionless {
		t.Run(c.name, func(t *testing.T) {
			m, _ := plainSessions()
			w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
			c.hide(w, m)
			phone := w.phone("lin")
			for try := 1; try <= 2; try++ { // the person taps "try again"
				a := phone.open("/account")
				if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "did not keep the login") ||
					!strings.Contains(a.body, `href="/wechat/login?return_to=%2Faccount"`) {
					t.Errorf("try %d: login ends at %s with %d, want %d and a page with a way on:\n%s", try, a.Request.URL, a.StatusCode, http.StatusBadRequest, a.body)
				}
				if got := w.wechat.Calls(wechattest.OpExchange); got != try*c.logins {
					t.Errorf("try %d: %d exchanges, want %d", try, got, try*c.logins)
				}
				if got := w.logged("level=ERROR", "cookie=session"); got != try {
					t.Errorf("try %d: %d errors name the cookie, want %d:\n%s", try, got, try, w.log)
				}
			}
		})
	}
}

func TestCaseA02AScanLoginThatIsNotKeptEndsWithAPage(t *testing.T) {
	t.Parallel()
	for _, c := range sessionless {
		t.Run(c.name, func(t *testing.T) {
			m, _ := plainSessions()
			w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
			c.hide(w, m)
			desktop, phone := w.desktop(), w.phone("lin")
			for range c.logins {
				w.scanLogin(desktop, phone)
			}
			if a := desktop.open("/account?another=page"); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "did not keep the login") {
				t.Errorf("after the login: %s answers %d, want %d and the page:\n%s", a.Request.URL, a.StatusCode, http.StatusBadRequest, a.body)
			}
			for range c.logins {
				w.scanLogin(desktop, phone)
			}
			var problem struct{ Code string }
			if a := desktop.postJSON("/wechat/login", `{}`, &problem); a.StatusCode != http.StatusBadRequest || problem.Code != "no_cookies" {
				t.Errorf("a script after the login: %d %s, want %d and no_cookies", a.StatusCode, a.body, http.StatusBadRequest)
			}
			if got := w.logged("level=ERROR", "cookie=session"); got != 2 {
				t.Errorf("%d errors name the cookie, want 2:\n%s", got, w.log)
			}
		})
	}
}

func TestCaseA02NoPageAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := plainSessions()
		w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
		w.hosts = (&tosser{keep: func(name string) bool { return name != "session" }}).around(w.hosts)
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		pass(10 * time.Second)
		if a := desktop.open("/account"); a.StatusCode != http.StatusOK || w.logged("level=ERROR") != 0 {
			t.Errorf("login page after 10 s: %d, want %d and no error:\n%s", a.StatusCode, http.StatusOK, w.log)
		}
	})
}

func TestCaseA02ASecondLoginIsNoLoop(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(w *world, phone *browser)
	}{
		{"after a logout", func(_ *world, phone *browser) { phone.post("/wechat/logout", nil) }},
		{"after the end of all sessions", func(w *world, phone *browser) {
			if err := w.users.EndSessions(t.Context(), phone.user(), time.Now()); err != nil {
				t.Fatal(err)
			}
			pass(time.Millisecond) // or the next login would begin at that very time
		}},
		{"logged in", func(*world, *browser) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				phone := w.phone("lin")
				phone.open("/account")
				pass(time.Millisecond)
				c.end(w, phone)
				if a := phone.postJSON("/wechat/login", `{}`, nil); a.StatusCode != http.StatusCreated {
					t.Errorf("a script begins a login: %d %s, want %d", a.StatusCode, a.body, http.StatusCreated)
				}
				if phone.open("/account"); phone.user() == "" || w.logged("level=ERROR") != 0 {
					t.Errorf("the next login: no user, or an error:\n%s", w.log)
				}
			})
		})
	}
}

// Two gates on one host share the cookie that marks a login.
func TestCaseA02AnotherGateOnTheHostIsNoLoop(t *testing.T) {
	m, _ := plainSessions()
	option := func(c *scangate.Config) { c.Session.Manager = m }
	w := newWorld(t, option)
	staff := newWorld(t, option, func(c *scangate.Config) { c.BasePath = "/staff" })
	w.hosts = transportWith(w.hosts, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/staff/") {
			staff.gate.ServeHTTP(rw, r)
			return
		}
		application(w.gate).ServeHTTP(rw, r)
	}))
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	if a := desktop.get("/staff/login"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "/staff/scan/") {
		t.Errorf("the other gate's login page: %d, want %d and a QR code:\n%s", a.StatusCode, http.StatusOK, a.body)
	}
}

// request returns a request of a browser with that Cookie header.
func request(t *testing.T, target, cookies string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Cookie", cookies)
	return r
}
