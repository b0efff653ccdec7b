package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// count returns how many events of that name have happened.
func (w *world) count(name scangate.EventName) int {
	n := 0
	for _, happened := range w.happened() {
		if happened == string(name) {
			n++
		}
	}
	return n
}

// browserKey returns the browser's key for logins.
func (b *browser) browserKey() string {
	for _, c := range b.appCookies() {
		if c.Name == "__Host-scangate" {
			key, _, _ := strings.Cut(c.Value, ".")
			return key
		}
	}
	return ""
}

// TestOnLoginRefusesForGood: Config.OnLogin refuses a login, and would allow it at a second
// try. The same request gets the same answer, at each end that a login can have.
func TestOnLoginRefusesForGood(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(w *world) (end func() (status int, user string))
	}{
		{"finish", func(w *world) func() (int, string) {
			desktop := w.desktop()
			login := w.approved(desktop, w.phone("lin"))
			return func() (int, string) { return desktop.finish(login).StatusCode, desktop.user() }
		}},
		{"callback", func(w *world) func() (int, string) {
			phone := w.phone("lin")
			callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
			return func() (int, string) { return phone.get(callback).StatusCode, phone.user() }
		}},
		{"mini program", func(w *world) func() (int, string) {
			phone := w.mini("lin")
			code := phone.loginCode()
			return func() (int, string) {
				a := phone.post("/wechat/mini/login", map[string]any{"code": code})
				return a.StatusCode, a.Session
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			options := []func(*scangate.Config){func(config *scangate.Config) {
				config.OnLogin = func(context.Context, scangate.Login) error {
					if asked++; asked == 1 {
						return errors.New("not on Sundays")
					}
					return nil
				}
			}}
			if c.name == "mini program" {
				options = append(options, miniOnly)
			}
			w := newWorld(t, options...)
			end := c.begin(w)
			for try := 1; try <= 3; try++ {
				if status, user := end(); status != http.StatusForbidden || user != "" {
					t.Errorf("try %d: status = %d, session of %q, want 403 and none", try, status, user)
				}
			}
			if asked != 1 || w.count(scangate.EventFinished) != 0 {
				t.Errorf("OnLogin calls = %d, events = %v, want one call and no finished", asked, w.happened())
			}
		})
	}
}

// TestCaseE02SessionThatIsWrittenLate: the session store fails at the end of a login. Once it
// works, the same request begins the session, which is the login's event finished, and the
// browser gets a new key. Another repetition changes nothing.
func TestCaseE02SessionThatIsWrittenLate(t *testing.T) {
	allow := func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return nil }
	}
	for _, c := range []struct {
		name    string
		option  func(*scangate.Config)
		earlier bool // the browser has a session already
		inside  bool // a login inside WeChat
	}{
		{"plain", nil, false, false},
		{"with OnLogin", allow, false, false},
		{"with an earlier session", nil, true, false},
		{"inside WeChat", nil, false, true},
		{"inside WeChat with OnLogin", allow, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ownSessions()
			store := &brittleSessions{Store: m.Store}
			m.Store = store
			w := newWorld(t, func(config *scangate.Config) {
				config.Session.Manager = m
				if c.option != nil {
					c.option(config)
				}
			})
			browser := w.desktop()
			if c.inside {
				browser = w.phone("lin")
			}
			if c.earlier {
				browser.finish(w.approved(browser, w.phone("wang")))
			}
			before := w.count(scangate.EventFinished)
			end := w.lateEnd(browser, c.inside)
			key := browser.browserKey()
			store.broken.Store(true)
			if a := end(); a.StatusCode != http.StatusServiceUnavailable || browser.browserKey() != key {
				t.Errorf("end without the store: status = %d, want 503 and the same key", a.StatusCode)
			}
			store.broken.Store(false)
			end()
			user, renewed := browser.user(), browser.browserKey()
			if user == "" || renewed == key {
				t.Errorf("end again: user = %q, key renewed = %v, want a user and a new key", user, renewed != key)
			}
			if got := w.count(scangate.EventFinished) - before; got != 1 {
				t.Errorf("events = %v, want one more finished", w.happened())
			}
		})
	}
}

// lateEnd begins a login of the browser and returns its last request.
func (w *world) lateEnd(b *browser, inside bool) func() answer {
	if inside {
		callback := w.approvedCallback(b, "lin", "/wechat/login?return_to=/account")
		return func() answer { return b.get(callback) }
	}
	login := w.approved(b, w.phone("lin"))
	return func() answer { return b.finish(login) }
}

// TestPanicInOnLoginBeginsNoSession: Config.OnLogin panics, and so decides nothing. The same request
// asks again, and begins the session.
func TestPanicInOnLoginBeginsNoSession(t *testing.T) {
	panics := true
	w := newWorld(t, func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error {
			if panics {
				panics = false
				panic("a bug of the application's")
			}
			return nil
		}
	})
	desktop := w.desktop()
	login := w.approved(desktop, w.phone("lin"))
	_, _ = desktop.try(t.Context(), false, http.MethodPost, login.FinishURL, "")
	if got := desktop.user(); got != "" {
		t.Errorf("after the panic: user = %q, want none", got)
	}
	if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish again: status = %d, user = %q, want 303 and a user", a.StatusCode, desktop.user())
	}
	if got := w.happened(); !slices.Contains(got, "finished") {
		t.Errorf("events = %v, want finished", got)
	}
}
