package scangate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

func TestRefusedRequests(t *testing.T) {
	html := []string{"Accept", "text/html"}
	with := func(more ...string) []string { return append(append([]string{}, html...), more...) }
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for _, c := range []struct {
		name, method, target string
		header               []string
		status               int
		location             string
	}{
		{"a page load", "GET", "/account?tab=2", html, 303, "/wechat/login?return_to=%2Faccount%3Ftab%3D2"},
		{"its headers only", "HEAD", "/account", html, 303, "/wechat/login?return_to=%2Faccount"},
		{"a page load that says so", "GET", "/account", with("Sec-Fetch-Dest", "document"), 303, "/wechat/login?return_to=%2Faccount"},
		{"a frame", "GET", "/account", with("Sec-Fetch-Dest", "iframe"), 401, ""},
		{"a picture", "GET", "/account", []string{"Accept", "image/*"}, 401, ""},
		{"a script", "GET", "/account", []string{"Accept", "application/json"}, 401, ""},
		{"curl", "GET", "/account", []string{"Accept", "*/*"}, 401, ""},
		{"a form posted by our page", "POST", "/account", append(with("Referer", appURL+"/edit?id=1"), form...), 303, "/wechat/login?return_to=%2Fedit%3Fid%3D1"},
		{"a form posted by who knows what", "POST", "/account", append(with("Referer", "https://evil.example/edit"), form...), 303, "/wechat/login"},
		{"a form posted without a Referer", "POST", "/account", append(with(), form...), 303, "/wechat/login"},
		{"a form posted by a script", "POST", "/account", append(with("Sec-Fetch-Mode", "cors"), form...), 401, ""},
		{"JSON", "POST", "/account", with("Content-Type", "application/json"), 401, ""},
		{"a DELETE", "DELETE", "/account", html, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newWorld(t).desktop()
			a := b.send(t.Context(), false, c.method, c.target, "", c.header...)
			if a.StatusCode != c.status || a.location() != c.location {
				t.Errorf("%d %q, want %d %q", a.StatusCode, a.location(), c.status, c.location)
			}
			problem := `{"status":401,"title":"Login required","code":"login_required","login_url":"/wechat/login","detail":"there is no session, or it has ended"}`
			if c.status == 401 && (a.body != problem || a.Header.Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s %s", a.Header.Get("Content-Type"), a.body)
			}
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control: %q", a.Header.Get("Cache-Control"))
			}
		})
	}
}

func TestGatedAnswersArePrivate(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if a := phone.open("/account"); a.Header.Get("Cache-Control") != "private" {
		t.Errorf("Cache-Control: %q", a.Header.Get("Cache-Control"))
	}
}

// ownSessions is a session manager as an application sets it up.
func ownSessions() *scs.SessionManager {
	m := scs.New()
	m.Cookie.Name = "__Host-session"
	m.Cookie.Secure = true
	return m
}

func TestOwnSessions(t *testing.T) {
	// The counter is the application's own value in the session that it shares.
	count := func(m *scs.SessionManager) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "count", m.GetInt(r.Context(), "count")+1)
			_, _ = io.WriteString(w, strings.Repeat("I", m.GetInt(r.Context(), "count")))
		})
	}
	for _, c := range []struct {
		name  string
		mount func(m *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler
	}{
		{"the gate loads the session", func(_ *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler {
			return gate.RequireWeChat(app)
		}},
		{"the application has loaded it", func(m *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler {
			return m.LoadAndSave(gate.RequireWeChat(app))
		}},
		{"Admit, in an application that has loaded it", func(m *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler {
			return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r, ok := gate.Admit(w, r); ok {
					app.ServeHTTP(w, r)
				}
			}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ownSessions()
			w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
			phone := w.phone("lin")
			phone.open("/account")
			handler := c.mount(m, w.gate, count(m))
			for _, want := range []string{"I", "II", "III"} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/count", nil)
				for _, cookie := range phone.client.Jar.Cookies(r.URL) {
					r.AddCookie(cookie)
				}
				got := httptest.NewRecorder()
				handler.ServeHTTP(got, r)
				if got.Body.String() != want || len(got.Result().Cookies()) != 1 {
					t.Errorf("%q, want %q; cookies %v", got.Body, want, got.Result().Cookies())
				}
			}
		})
	}
}

func TestLoginKeepsTheApplicationsSession(t *testing.T) {
	m := ownSessions()
	w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
	phone := w.phone("lin")
	cart := m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { m.Put(r.Context(), "cart", "tea") }))
	before := httptest.NewRecorder()
	cart.ServeHTTP(before, httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil)
	phone.client.Jar.SetCookies(r.URL, before.Result().Cookies())
	phone.open("/account")
	after := phone.client.Jar.Cookies(r.URL)
	for _, c := range after {
		r.AddCookie(c)
		if c.Value == before.Result().Cookies()[0].Value {
			t.Error("the session's token is the one from before the login")
		}
	}
	var got string
	m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = m.GetString(r.Context(), "cart") })).
		ServeHTTP(httptest.NewRecorder(), r)
	if got != "tea" || phone.user() == "" {
		t.Errorf("cart %q, user %q", got, phone.user())
	}
}

func TestGateInsideLoadAndSave(t *testing.T) {
	m := ownSessions()
	m.IdleTimeout = time.Hour
	w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
	whole := m.LoadAndSave(application(w.gate))
	w.hosts = transportWith(w.hosts, whole)
	phone := w.phone("lin")
	if phone.open("/account"); phone.user() == "" {
		t.Error("not logged in")
	}
	if !strings.Contains(w.log.String(), "mount the gate outside") {
		t.Error("no warning about IdleTimeout")
	}
	phone.post("/wechat/logout", nil)
	if phone.user() != "" {
		t.Error("not logged out")
	}
}

// transportWith puts another handler in the application's place.
func transportWith(hosts http.RoundTripper, app http.Handler) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "app.example.com" {
			return hosts.RoundTrip(r)
		}
		in := r.Clone(r.Context())
		in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
		if in.Body == nil {
			in.Body = http.NoBody
		}
		got := httptest.NewRecorder()
		app.ServeHTTP(got, in)
		resp := got.Result()
		resp.Request = r
		return resp, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSessionStoreFailure(t *testing.T) {
	m := ownSessions()
	store := &failingSessions{Store: m.Store}
	m.Store = store
	w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	store.err = errors.New("the session store has gone")
	for _, target := range []string{"/account", "/wechat/me", "/wechat/login"} {
		if a := phone.get(target); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", target, a.StatusCode)
		}
	}
	if a := phone.post("/wechat/logout", nil); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("logout: %d", a.StatusCode)
	}
	store.err = nil
	if phone.user() == "" {
		t.Error("logged out by it")
	}
}

type failingSessions struct {
	scs.Store
	err error
}

func (f *failingSessions) Find(token string) ([]byte, bool, error) {
	if f.err != nil {
		return nil, false, f.err
	}
	return f.Store.Find(token)
}

func TestUserWhoIsBarredOrGone(t *testing.T) {
	users := &changingUsers{UserStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(config *scangate.Config) { config.Users = users })
	phone := w.phone("lin")
	phone.open("/account")
	for _, c := range []struct {
		name   string
		change func(*scangate.User) error
		want   int
	}{
		{"disabled", func(u *scangate.User) error { u.Disabled = true; return nil }, http.StatusSeeOther},
		{"signed out", func(u *scangate.User) error { u.SessionsEndedAt = time.Now().Add(time.Minute); return nil }, http.StatusSeeOther},
		{"gone", func(*scangate.User) error { return scangate.ErrNotFound }, http.StatusSeeOther},
		{"signed out before", func(u *scangate.User) error { u.SessionsEndedAt = time.Now().Add(-time.Minute); return nil }, http.StatusOK},
		{"as ever", func(*scangate.User) error { return nil }, http.StatusOK},
	} {
		users.change = c.change
		if a := phone.get("/account"); a.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, a.StatusCode, c.want)
		}
	}
}

type changingUsers struct {
	scangate.UserStore
	change func(*scangate.User) error
}

func (c *changingUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	u, err := c.UserStore.FindByID(ctx, id)
	if err == nil && c.change != nil {
		err = c.change(&u)
	}
	return u, err
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil)
	if _, err := w.gate.Check(r); !errors.Is(err, scangate.ErrLoginRequired) {
		t.Errorf("nobody: %v", err)
	}
	phone := w.phone("lin")
	phone.open("/account")
	for _, c := range phone.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	if user, err := w.gate.Check(r); err != nil || user.ID != phone.user() {
		t.Errorf("%q, %v", user.ID, err)
	}
	if _, ok := scangate.UserFromContext(r.Context()); ok {
		t.Error("Check changed the request")
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		phone.open("/account")
		pass(7*24*time.Hour - time.Minute)
		if phone.user() == "" {
			t.Error("logged out within 7 days")
		}
		pass(2 * time.Minute)
		if phone.user() != "" {
			t.Error("logged in after 7 days")
		}
	})
}
