package scangate_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// faultySessions is an scs.Store. One of its methods can fail.
type faultySessions struct {
	scs.Store
	mu   sync.Mutex
	fail string // the method's name; "" if none fails
}

// failIn makes that method fail from now on, or none if it is empty.
func (f *faultySessions) failIn(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = method
}

// failure returns an error if that method fails.
func (f *faultySessions) failure(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == method {
		return errors.New("connection refused")
	}
	return nil
}

func (f *faultySessions) Find(token string) ([]byte, bool, error) {
	if err := f.failure("Find"); err != nil {
		return nil, false, err
	}
	return f.Store.Find(token)
}

func (f *faultySessions) Commit(token string, b []byte, expiry time.Time) error {
	if err := f.failure("Commit"); err != nil {
		return err
	}
	return f.Store.Commit(token, b, expiry)
}

func (f *faultySessions) Delete(token string) error {
	if err := f.failure("Delete"); err != nil {
		return err
	}
	return f.Store.Delete(token)
}

// withFaultySessions returns a session store, and the option of newWorld that uses it.
func withFaultySessions() (*faultySessions, func(*scangate.Config)) {
	store := &faultySessions{Store: &mapSessions{m: map[string][]byte{}}}
	m := ownSessions()
	m.Store = store
	return store, func(c *scangate.Config) { c.Session.Manager = m }
}

// checkUnavailable demands a 503 that changes no session.
func checkUnavailable(t *testing.T, done string, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s: status = %d, Retry-After %q, want %d and a time", done, a.StatusCode, a.Header.Get("Retry-After"), http.StatusServiceUnavailable)
	}
	if c := sessionCookie(a); c != nil {
		t.Errorf("%s: the session cookie is set to %q, want it left alone", done, c.Value)
	}
}

// TestLoginWhileSessionStoreFails finishes a login whose session cannot be saved. The
// desktop is not logged in as the new user.
func TestLoginWhileSessionStoreFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		method string
		login  bool // the desktop has a session already
	}{
		{"loading the session", "Find", true},
		{"renewing its token", "Delete", true},
		{"saving it", "Commit", true},
		{"saving the first session", "Commit", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, option := withFaultySessions()
			w := newWorld(t, option)
			desktop, before := w.desktop(), ""
			login := desktop.start()
			if c.login {
				w.scanLogin(desktop, w.phone("lin"))
				before = desktop.user()
				login = desktop.start()
			}
			phone := w.phone("wang")
			phone.scan(login)
			phone.answer(login, "approve")
			finished := len(w.happened())
			store.failIn(c.method)
			checkUnavailable(t, "finish while "+c.method+" fails", desktop.finish(login))
			store.failIn("")
			for _, event := range w.happened()[finished:] {
				if event == string(scangate.EventFinished) {
					t.Errorf("finish while %s fails: event %q, want none", c.method, event)
				}
			}
			if got := desktop.user(); c.method != "Commit" && got != before || c.method == "Commit" && got != "" {
				t.Errorf("after finish while %s fails: user %q, want the one before, %q, or none if Commit fails", c.method, got, before)
			}
		})
	}
}

// TestDirectLoginWhileSessionStoreFails logs in inside WeChat while sessions cannot be
// saved. The login ends on the error page, and succeeds once the store works again.
func TestDirectLoginWhileSessionStoreFails(t *testing.T) {
	store, option := withFaultySessions() // outside of the bubble: scs.New starts a goroutine
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, option)
		phone := w.phone("lin")
		store.failIn("Commit")
		checkUnavailable(t, "callback while Commit fails", phone.open("/account"))
		store.failIn("")
		if got := phone.user(); got != "" {
			t.Errorf("after a callback while Commit fails: user %q, want none", got)
		}
		pass(time.Minute) // the gate treats an immediate retry as a browser that keeps no cookies
		if phone.open("/account"); phone.user() == "" {
			t.Error("login a minute later: not logged in, want logged in")
		}
	})
}

// TestLogoutWhileSessionStoreFails logs out while the session cannot be deleted. The
// logout fails, and the browser stays logged in.
func TestLogoutWhileSessionStoreFails(t *testing.T) {
	store, option := withFaultySessions()
	w := newWorld(t, option)
	phone := w.phone("lin")
	phone.open("/account")
	user := phone.user()
	store.failIn("Delete")
	a := phone.post("/wechat/logout", nil)
	checkUnavailable(t, "logout while Delete fails", a)
	if len(a.Cookies()) != 0 {
		t.Errorf("logout while Delete fails: cookies %v, want none", a.Cookies())
	}
	store.failIn("")
	if got := phone.user(); got == "" || got != user {
		t.Errorf("after a logout while Delete fails: user %q, want %q", got, user)
	}
	for _, event := range w.happened() {
		if event == string(scangate.EventLoggedOut) {
			t.Errorf("logout while Delete fails: event %q, want none", event)
		}
	}
}
