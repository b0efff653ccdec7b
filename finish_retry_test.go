package scangate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/scangate/scangate"
)

// TestFinishRefusesADamagedBody posts answers that the gate cannot read. They neither
// log the browser in nor end the login.
func TestFinishRefusesADamagedBody(t *testing.T) {
	t.Parallel()
	const form, json = "application/x-www-form-urlencoded", "application/json"
	for _, c := range []struct{ name, contentType, body string }{
		{"deny twice", form, "answer=deny&answer=deny"},
		{"deny and approve", form, "answer=deny&answer=approve"},
		{"a malformed escape", form, "answer=%zz"},
		{"a semicolon", form, "answer=deny;answer=deny"},
		{"too large", form, "answer=deny&padding=" + strings.Repeat("a", 16<<10)},
		{"a form without its parts", "multipart/form-data; boundary=x", ""},
		{"two parts of one name", "multipart/form-data; boundary=x", strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"answer\"\r\n\r\ndeny\r\n", 2) + "--x--\r\n"},
		{"JSON that ends early", json, `{"answer":"deny"`},
		{"JSON with deny twice", json, `{"answer":"deny","answer":"deny"}`},
		{"JSON with a list", json, `{"answer":["deny"]}`},
		{"JSON that is not an object", json, `"deny"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			desktop := w.desktop()
			login := w.approved(desktop, w.phone("lin"))
			a := desktop.send(t.Context(), false, http.MethodPost, login.FinishURL, c.body, "Content-Type", c.contentType)
			if a.StatusCode != http.StatusBadRequest || sessionCookie(a) != nil || desktop.user() != "" {
				t.Errorf("finish: status = %d, session = %v, user = %q, want %d and no session", a.StatusCode, sessionCookie(a), desktop.user(), http.StatusBadRequest)
			}
			if got := desktop.state(login); got != "approved" {
				t.Errorf("after the damaged body: state = %q, want approved", got)
			}
			if got := desktop.finish(login).StatusCode; got != http.StatusSeeOther {
				t.Errorf("second finish: status = %d, want %d", got, http.StatusSeeOther)
			}
		})
	}
}

// refusingState is a state store whose updates fail.
type refusingState struct {
	scangate.StateStore
	refuse atomic.Bool
}

func (s *refusingState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if s.refuse.Load() {
		return errors.New("connection refused")
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

// TestCaseE02FinishWithAFailedStoreKeepsTheLogin finishes a login while a store fails. The
// approval remains usable, and the gate does not call OnLogin.
func TestCaseE02FinishWithAFailedStoreKeepsTheLogin(t *testing.T) {
	users, state := &interceptedUsers{}, &refusingState{StateStore: scangate.NewMemoryStore()}
	for _, c := range []struct {
		name          string
		fail, restore func()
	}{
		{"the user store", func() { users.failIn("FindByWeChat", errors.New("connection refused")) }, func() { users.before = nil }},
		{"the state store", func() { state.refuse.Store(true) }, func() { state.refuse.Store(false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			w := newWorld(t, users.wrap, func(config *scangate.Config) {
				config.State = state
				config.OnLogin = func(_ context.Context, l scangate.Login) error {
					asked = append(asked, l.User.ID)
					return nil
				}
			})
			desktop := w.desktop()
			login := w.approved(desktop, w.phone("lin"))
			c.fail()
			a := desktop.finish(login)
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("finish: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
			}
			if got := a.Cookies(); len(got) != 0 {
				t.Errorf("finish: Set-Cookie = %v, want none", got)
			}
			c.restore()
			if len(asked) != 0 || slices.Contains(w.happened(), "finished") {
				t.Errorf("finish: OnLogin calls = %q, events = %v, want no call and no finished", asked, w.happened())
			}
			if got := desktop.state(login); got != "approved" || desktop.user() != "" {
				t.Errorf("after the failure: state = %q, user = %q, want approved and no user", got, desktop.user())
			}
			if got := desktop.finish(login).StatusCode; got != http.StatusSeeOther {
				t.Errorf("second finish: status = %d, want %d", got, http.StatusSeeOther)
			}
			if user := desktop.user(); user == "" || !slices.Equal(asked, []string{user}) {
				t.Errorf("second finish: user = %q, OnLogin calls = %q, want one call for that user", user, asked)
			}
		})
	}
}

// lateBody is a request's body before which something else happens.
type lateBody struct {
	io.Reader
	before func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	return b.Reader.Read(p)
}

// TestFinishWithALateBody finishes a login with a body that the client holds back until the
// login was denied in another request. No session is written, not even for a moment.
func TestFinishWithALateBody(t *testing.T) {
	sessions := &countedSessions{mapSessions: mapSessions{m: make(map[string][]byte)}}
	manager := scs.New()
	manager.Store, manager.Cookie.Secure = sessions, true
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
	desktop := w.desktop()
	login := w.approved(desktop, w.phone("lin"))
	before := sessions.saved()
	body := &lateBody{strings.NewReader("answer=approve"), func() {
		desktop.post(login.FinishURL, url.Values{"answer": {"deny"}})
	}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appURL+strings.TrimPrefix(login.FinishURL, appURL), body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", appURL)
	for _, cookie := range desktop.client.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	answer := httptest.NewRecorder()
	w.gate.ServeHTTP(answer, r)
	if answer.Code < 300 || sessions.saved() != before {
		t.Errorf("finish after a refusal: status = %d, %d sessions saved, want a refusal and none", answer.Code, sessions.saved()-before)
	}
	if got := desktop.state(login); got != "denied" {
		t.Errorf("state = %q, want denied", got)
	}
}
