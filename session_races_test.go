package scangate_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// barrier is where one call waits while a hook is set.
type barrier struct{ hook atomic.Pointer[func()] }

// pass waits if hold has been called.
func (b *barrier) pass() {
	if hook := b.hook.Swap(nil); hook != nil {
		(*hook)()
	}
}

// gatedSessions is a session store whose next write waits while a hook is set.
type gatedSessions struct {
	*mapSessions
	barrier
}

func (s *gatedSessions) Commit(token string, b []byte, expiry time.Time) error {
	s.pass()
	return s.mapSessions.Commit(token, b, expiry)
}

// hold makes the next call wait until release is called. entered is closed when it waits.
func (b *barrier) hold() (entered chan struct{}, release func()) {
	entered, released := make(chan struct{}), make(chan struct{})
	hook := func() {
		close(entered)
		<-released
	}
	b.hook.Store(&hook)
	return entered, func() { close(released) }
}

// background runs f and returns a function that waits for its end.
func background(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// noUser checks that neither the browser nor the cookies that it had are logged in.
func (w *world) noUser(b *browser, cookies string, store *mapSessions) {
	w.t.Helper()
	thief := w.desktop().get("/account", "Cookie", cookies)
	if user := b.user(); user != "" || thief.StatusCode == http.StatusOK || len(store.m) != 0 {
		w.t.Errorf("after the logout: user = %q, status with the earlier cookies = %d, sessions = %d, want no user and none", user, thief.StatusCode, len(store.m))
	}
}

// TestThreat62RepeatUnderWayDuringALogout: WeChat delivers the callback twice. The browser
// logs out while OnLogin decides about the second one.
func TestThreat62RepeatUnderWayDuringALogout(t *testing.T) {
	var calls atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	manager, store := plainSessions()
	w := newWorld(t, func(c *scangate.Config) {
		c.Session.Manager = manager
		c.OnLogin = func(context.Context, scangate.Login) error {
			if calls.Add(1) == 2 {
				close(entered)
				<-release
			}
			return nil
		}
	})
	phone := w.phone("lin")
	callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
	phone.get(callback)
	wait := background(func() { phone.get(callback) })
	<-entered
	cookies := cookieHeader(phone, "session")
	if a := phone.post("/wechat/logout", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: status = %d, want 303", a.StatusCode)
	}
	close(release)
	wait()
	w.noUser(phone, cookies, store)
}

// TestThreat62RepeatUnderWayAtASlowStore: the browser logs out while the session store
// writes the session of a repeated finish. Then another person logs in.
func TestThreat62RepeatUnderWayAtASlowStore(t *testing.T) {
	for _, next := range []string{"", "wang"} {
		t.Run("next user "+next, func(t *testing.T) {
			manager, plain := plainSessions()
			store := &gatedSessions{mapSessions: plain}
			manager.Store = store
			w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
			desktop := w.desktop()
			login := w.scanLogin(desktop, w.phone("lin"))
			lin := desktop.user()
			entered, release := store.hold()
			wait := background(func() { desktop.finish(login) })
			<-entered
			cookies := cookieHeader(desktop, "session")
			desktop.post("/wechat/logout", nil)
			if next != "" {
				w.scanLogin(desktop, w.phone(next))
			}
			release()
			wait()
			if next == "" {
				w.noUser(desktop, cookies, plain)
			} else if got := desktop.user(); got == lin || got == "" {
				t.Errorf("after the login of %s: user = %q, want theirs and not %q", next, got, lin)
			}
		})
	}
}

// slowPage adds a gated page whose handler waits, and then changes the session.
func (w *world) slowPage(change func(ctx context.Context) error) (entered chan struct{}, release func()) {
	entered, released := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.Handle("/slow", w.gate.RequireWeChat(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(entered)
		<-released
		if err := change(r.Context()); err != nil {
			w.t.Errorf("changing the session: error = %v, want none", err)
		}
		_, _ = io.WriteString(rw, "ok")
	})))
	w.hosts = transportWith(w.hosts, mux)
	return entered, func() { close(released) }
}

// TestThreat32SlowWriterRevivesNoSession: a handler writes to a session that a logout has
// ended meanwhile, and then another person has logged in with the browser.
func TestThreat32SlowWriterRevivesNoSession(t *testing.T) {
	for _, next := range []string{"", "wang"} {
		t.Run("next user "+next, func(t *testing.T) {
			manager, store := plainSessions()
			w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
			entered, release := w.slowPage(func(ctx context.Context) error { manager.Put(ctx, "k", "v"); return nil })
			desktop := w.desktop()
			w.scanLogin(desktop, w.phone("lin"))
			cookies := cookieHeader(desktop, "session")
			wait := background(func() { desktop.get("/slow") })
			<-entered
			desktop.post("/wechat/logout", nil)
			want := ""
			if next != "" {
				w.scanLogin(desktop, w.phone(next))
				want = desktop.user()
			}
			release()
			wait()
			if next == "" {
				w.noUser(desktop, cookies, store)
			} else if got := desktop.user(); got != want {
				t.Errorf("after the slow request of the previous user: user = %q, want %q", got, want)
			}
		})
	}
}

// TestThreat62LogoutClosesTheLoginsOfAllSessions: a request carries two sessions of one
// user. After its logout, a callback of either login begins no session.
func TestThreat62LogoutClosesTheLoginsOfAllSessions(t *testing.T) {
	manager, _ := plainSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
	phone := w.phone("lin")
	first := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/1")
	second := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/2")
	var session string
	for _, cookie := range phone.get(first).Cookies() {
		if cookie.Name == "session" {
			session = cookie.Value
		}
	}
	phone.dropCookie("session") // as if the browser had sent both callbacks at once
	phone.get(second)
	cookies := phone.appCookies()
	phone.post("/wechat/logout", nil, "Cookie", cookieHeader(phone, "")+"; session="+session)
	for name, callback := range map[string]string{"first": first, "second": second} {
		phone.restoreAppCookies(cookies)
		phone.dropCookie("session")
		if a := phone.get(callback); phone.user() != "" {
			t.Errorf("%s callback after the logout: %d to %q, user = %q, want none", name, a.StatusCode, a.location(), phone.user())
		}
	}
}
