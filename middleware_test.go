package scangate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// loginRequired is the problem that a script without a session gets.
const loginRequired = `{"status":401,"title":"Login required","code":"login_required","login_url":"/wechat/login","detail":"there is no session, or it has ended"}`

func TestRequestsWithoutASession(t *testing.T) {
	t.Parallel()
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
		{"a HEAD request", "HEAD", "/account", html, 303, "/wechat/login?return_to=%2Faccount"},
		{"a page load with Sec-Fetch-Dest", "GET", "/account", with("Sec-Fetch-Dest", "document"), 303, "/wechat/login?return_to=%2Faccount"},
		{"a frame", "GET", "/account", with("Sec-Fetch-Dest", "iframe"), 401, ""},
		{"an image", "GET", "/account", []string{"Accept", "image/*"}, 401, ""},
		{"a script", "GET", "/account", []string{"Accept", "application/json"}, 401, ""},
		{"curl", "GET", "/account", []string{"Accept", "*/*"}, 401, ""},
		{"a form posted by a page of the application", "POST", "/account", append(with("Referer", appURL+"/edit?id=1"), form...), 303, "/wechat/login?return_to=%2Fedit%3Fid%3D1"},
		{"a form posted by another site", "POST", "/account", append(with("Referer", "https://evil.example/edit"), form...), 303, "/wechat/login"},
		{"a form posted without a Referer", "POST", "/account", append(with(), form...), 303, "/wechat/login"},
		{"a form posted by a script", "POST", "/account", append(with("Sec-Fetch-Mode", "cors"), form...), 401, ""},
		{"JSON", "POST", "/account", with("Content-Type", "application/json"), 401, ""},
		{"a DELETE", "DELETE", "/account", html, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newWorld(t).desktop().send(t.Context(), false, c.method, c.target, "", c.header...)
			if a.StatusCode != c.status || a.location() != c.location {
				t.Errorf("%s %s: status = %d, location = %q, want %d to %q", c.method, c.target, a.StatusCode, a.location(), c.status, c.location)
			}
			if got := a.Header.Get("Content-Type"); c.status == 401 && (a.body != loginRequired || got != "application/problem+json") {
				t.Errorf("%s %s: Content-Type = %q, body = %s, want application/problem+json %s", c.method, c.target, got, a.body, loginRequired)
			}
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s %s: Cache-Control = %q, want no-store", c.method, c.target, got)
			}
		})
	}
}

// multipartForm encodes names and values as multipart/form-data. It returns the body and
// the Content-Type.
func multipartForm(t *testing.T, namesAndValues ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if err := w.WriteField(namesAndValues[i], namesAndValues[i+1]); err != nil {
			t.Fatalf("write the field %s: %v", namesAndValues[i], err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("close the multipart form: %v", err)
	}
	return b.String(), w.FormDataContentType()
}

// postMultipart sends a form as multipart/form-data and follows no redirect.
func (b *browser) postMultipart(t *testing.T, target string, namesAndValues ...string) answer {
	t.Helper()
	body, contentType := multipartForm(t, namesAndValues...)
	return b.send(t.Context(), false, http.MethodPost, target, body, "Content-Type", contentType)
}

func TestMultipartPostWithoutASession(t *testing.T) {
	body, contentType := multipartForm(t, "title", "Hello")
	a := newWorld(t).desktop().send(t.Context(), false, http.MethodPost, "/account", body,
		"Content-Type", contentType, "Referer", appURL+"/edit?id=1")
	const want = "/wechat/login?return_to=%2Fedit%3Fid%3D1"
	if a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("POST a multipart form without a session: status = %d, location = %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
}

func TestGatedAnswersArePrivate(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if got := phone.open("/account").Header.Get("Cache-Control"); got != "private" {
		t.Errorf("open /account: Cache-Control = %q, want private", got)
	}
}

// ownSessions returns a session manager as an application configures it.
func ownSessions() *scs.SessionManager {
	m := scs.New()
	m.Cookie.Name = "__Host-session"
	m.Cookie.Secure = true
	return m
}

func TestOwnSessions(t *testing.T) {
	// count keeps a value of the application in the session that it shares with the gate.
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
		{"the application loads the session", func(m *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler {
			return m.LoadAndSave(gate.RequireWeChat(app))
		}},
		{"Admit, and the application loads the session", func(m *scs.SessionManager, gate *scangate.Gate, app http.Handler) http.Handler {
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
				if cookies := got.Result().Cookies(); got.Body.String() != want || len(cookies) != 1 {
					t.Errorf("GET /count: body = %q, cookies = %v, want %q and one cookie", got.Body, cookies, want)
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
			t.Errorf("login: session token = %q, the one from before the login, want another", c.Value)
		}
	}
	var got string
	m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = m.GetString(r.Context(), "cart") })).
		ServeHTTP(httptest.NewRecorder(), r)
	if got != "tea" || phone.user() == "" {
		t.Errorf("login: cart = %q, user = %q, want tea and a user", got, phone.user())
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
		t.Error("login inside LoadAndSave: no user, want one")
	}
	if !strings.Contains(w.log.String(), "mount the gate outside") {
		t.Errorf("log: got\n%s\nwant the advice to mount the gate outside", w.log)
	}
	phone.post("/wechat/logout", nil)
	if got := phone.user(); got != "" {
		t.Errorf("after logout: user = %q, want none", got)
	}
}

// transportWith returns a transport that sends the application's requests to another
// handler, and all other requests to hosts.
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

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSessionStoreFails(t *testing.T) {
	m := ownSessions()
	store := &failingSessions{Store: m.Store}
	m.Store = store
	w := newWorld(t, func(config *scangate.Config) { config.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	store.err = errors.New("the session store has gone")
	for _, target := range []string{"/account", "/wechat/me", "/wechat/login"} {
		if a := phone.get(target); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("GET %s: status = %d, Retry-After = %q, want 503 and a time", target, a.StatusCode, a.Header.Get("Retry-After"))
		}
	}
	if a := phone.post("/wechat/logout", nil); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("logout: status = %d, want 503", a.StatusCode)
	}
	store.err = nil
	if phone.user() == "" {
		t.Error("after the store has recovered: no user, want the session to continue")
	}
}

// failingSessions is a session store that finds nothing while err is set. It returns err.
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

func TestSessionOfAChangedUser(t *testing.T) {
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
		{"sessions end later than the login", func(u *scangate.User) error { u.SessionsEndedAt = time.Now().Add(time.Minute); return nil }, http.StatusSeeOther},
		{"deleted", func(*scangate.User) error { return scangate.ErrNotFound }, http.StatusSeeOther},
		{"sessions ended before the login", func(u *scangate.User) error { u.SessionsEndedAt = time.Now().Add(-time.Minute); return nil }, http.StatusOK},
		{"unchanged", func(*scangate.User) error { return nil }, http.StatusOK},
	} {
		users.change = c.change
		if a := phone.get("/account"); a.StatusCode != c.want {
			t.Errorf("GET /account of a user, %s: status = %d, want %d", c.name, a.StatusCode, c.want)
		}
	}
}

// changingUsers is a UserStore that changes each user that FindByID or FindByWeChat returns.
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

func (c *changingUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	u, err := c.UserStore.FindByWeChat(ctx, who)
	if err == nil && c.change != nil {
		err = c.change(&u)
	}
	return u, err
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil)
	if _, err := w.gate.Check(r); !errors.Is(err, scangate.ErrLoginRequired) {
		t.Errorf("Check without a session: error = %v, want %v", err, scangate.ErrLoginRequired)
	}
	phone := w.phone("lin")
	phone.open("/account")
	for _, c := range phone.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	if user, err := w.gate.Check(r); err != nil || user.ID != phone.user() {
		t.Errorf("Check with a session: user = %q, error = %v, want %q", user.ID, err, phone.user())
	}
	if user, ok := scangate.UserFromContext(r.Context()); ok {
		t.Errorf("Check: the request's user = %q, want the request unchanged", user.ID)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		phone.open("/account")
		pass(7*24*time.Hour - time.Minute)
		if phone.user() == "" {
			t.Error("a minute less than 7 days after the login: no user, want one")
		}
		pass(2 * time.Minute)
		if got := phone.user(); got != "" {
			t.Errorf("a minute more than 7 days after the login: user = %q, want none", got)
		}
	})
}
