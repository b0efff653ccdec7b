package scangate_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// ownLogout is the application's own logout handler.
func (w *world) ownLogout(rw http.ResponseWriter, r *http.Request) {
	if err := w.gate.LogOut(rw, r); err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	http.Redirect(rw, r, "/bye", http.StatusSeeOther)
}

// serveLogout adds a handler to the application, at "POST /logout".
func (w *world) serveLogout(logout http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.Handle("POST /logout", logout)
	w.hosts = transportWith(w.hosts, mux)
}

// TestLogOut logs out by the application's own handler: on its own, behind RequireWeChat,
// and inside LoadAndSave. The effects are those of the gate's route.
func TestLogOut(t *testing.T) {
	for name, around := range map[string]func(*scangate.Gate, *scs.SessionManager, http.Handler) http.Handler{
		"alone":                 func(_ *scangate.Gate, _ *scs.SessionManager, h http.Handler) http.Handler { return h },
		"behind RequireWeChat":  func(g *scangate.Gate, _ *scs.SessionManager, h http.Handler) http.Handler { return g.RequireWeChat(h) },
		"inside of LoadAndSave": func(_ *scangate.Gate, m *scs.SessionManager, h http.Handler) http.Handler { return m.LoadAndSave(h) },
	} {
		t.Run(name, func(t *testing.T) {
			manager, store := plainSessions()
			w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
			w.serveLogout(around(w.gate, manager, http.HandlerFunc(w.ownLogout)))
			desktop := w.desktop()
			login := w.scanLogin(desktop, w.phone("lin"))
			open := desktop.start()
			if a := desktop.post("/logout", nil); a.StatusCode != http.StatusSeeOther || a.location() != "/bye" {
				t.Errorf("logout: %d to %q, want 303 to /bye\n%s", a.StatusCode, a.location(), a.body)
			}
			if desktop.user() != "" || len(store.m) != 0 {
				t.Errorf("after the logout: user %q and %d sessions, want none", desktop.user(), len(store.m))
			}
			if got := cookieHeader(desktop, ""); got != "" {
				t.Errorf("after the logout: cookies %q, want none", got)
			}
			for _, s := range []scan{login, open} {
				if a := desktop.finish(s); a.StatusCode != http.StatusNotFound {
					t.Errorf("finish after the logout: status = %d, want 404", a.StatusCode)
				}
			}
			if got := w.happened(); strings.Count(strings.Join(got, " "), "logged_out") != 1 {
				t.Errorf("events = %v, want one logged_out", got)
			}
		})
	}
}

// TestLogOutClosesTheLogin sends a finish again after a logout, with the cookies from
// before.
func TestLogOutClosesTheLogin(t *testing.T) {
	w := newWorld(t)
	w.serveLogout(http.HandlerFunc(w.ownLogout))
	desktop := w.desktop()
	login := w.scanLogin(desktop, w.phone("lin"))
	old := desktop.appCookies()
	desktop.post("/logout", nil)
	desktop.restoreAppCookies(old)
	if a := desktop.finish(login); a.StatusCode < http.StatusBadRequest || desktop.user() != "" {
		t.Errorf("finish after the logout: status = %d, user %q, want an error and none", a.StatusCode, desktop.user())
	}
}

// TestLogOutErrors logs out without a session, and while each store fails.
func TestLogOutErrors(t *testing.T) {
	store := &brokenSessions{mapSessions: &mapSessions{m: map[string][]byte{}}}
	manager, _ := plainSessions()
	manager.Store = store
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
	w.serveLogout(http.HandlerFunc(w.ownLogout))
	if a := w.desktop().post("/logout", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("logout without a session: status = %d, want 303", a.StatusCode)
	}
	phone := w.phone("lin")
	phone.open("/account")
	store.broken = true
	if a := phone.post("/logout", nil); a.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(a.body, "scangate: ending the session: ") {
		t.Errorf("logout while the session store fails: %d %s, want 503 and its error", a.StatusCode, a.body)
	}
	store.broken = false
	if phone.user() == "" {
		t.Error("after a failed logout: not logged in, want the session")
	}
	w.users.failWith(errors.New("away"))
	if a := phone.post("/logout", nil); a.StatusCode != http.StatusSeeOther || len(store.m) != 0 {
		t.Errorf("logout while the user store fails: status = %d, %d sessions, want 303 and none", a.StatusCode, len(store.m))
	}
}

// brokenSessions is a session store that deletes nothing while it is broken.
type brokenSessions struct {
	*mapSessions
	broken bool
}

func (s *brokenSessions) Delete(token string) error {
	if s.broken {
		return errors.New("away")
	}
	return s.mapSessions.Delete(token)
}

func TestLoginURL(t *testing.T) {
	w := newWorld(t)
	for returnTo, want := range map[string]string{
		"":                               "/wechat/login",
		"/":                              "/wechat/login",
		"/a?b=c#d":                       "/wechat/login?return_to=" + url.QueryEscape("/a?b=c#d"),
		appURL + "/account":              "/wechat/login?return_to=%2Faccount",
		"https://evil.example/":          "/wechat/login",
		"//evil.example/":                "/wechat/login",
		appURL + ".evil.example/":        "/wechat/login",
		"/" + strings.Repeat("a", 1<<12): "/wechat/login",
	} {
		if got := w.gate.LoginURL(returnTo); got != want {
			t.Errorf("LoginURL(%.60q) = %q, want %q", returnTo, got, want)
		}
	}
	desktop := w.desktop()
	page := desktop.get(w.gate.LoginURL("/account"))
	w.scanLoginOf(t, desktop, scan{ID: page.find(t, statePattern)}.urls(), "lin")
}
