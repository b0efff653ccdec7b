package scangate_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// tossed is a desktop at which another host of the domain has set the attacker's session
// cookie.
type tossed struct {
	*world
	manager  *scs.SessionManager
	store    *mapSessions
	tosser   *tosser
	desktop  *browser
	attacker string // the attacker's user ID
	cookie   string // the attacker's session
}

// newTossed logs the attacker in. The desktop gets the attacker's cookie by set.
func newTossed(t *testing.T) *tossed {
	t.Helper()
	m, store := plainSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	attacker := w.phone("wang")
	for _, c := range attacker.open("/account").Request.Cookies() {
		if c.Name == "session" {
			d := &tossed{world: w, manager: m, store: store, tosser: &tosser{}, attacker: attacker.user(), cookie: "session=" + c.Value}
			w.hosts = d.tosser.around(w.hosts)
			d.desktop = w.desktop()
			return d
		}
	}
	t.Fatal("the attacker is not logged in")
	return nil
}

// login logs lin in at the desktop.
func (d *tossed) login() { d.scanLogin(d.desktop, d.phone("lin")) }

// forEachOrder runs the test with the attacker's cookie before and after the desktop's.
func forEachOrder(t *testing.T, test func(t *testing.T, d *tossed, first bool)) {
	for name, first := range map[string]bool{"first": true, "last": false} {
		t.Run(name, func(t *testing.T) { test(t, newTossed(t), first) })
	}
}

func TestThreat64TossedBesideASession(t *testing.T) {
	forEachOrder(t, func(t *testing.T, d *tossed, first bool) {
		d.login()
		user := d.desktop.user()
		d.tosser.toss(d.cookie, first)
		for _, target := range []string{"/account", "/wechat/me"} {
			if a := d.desktop.get(target, "Accept", "application/json"); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("GET %s with two users' sessions: %d %s, want %d", target, a.StatusCode, a.body, http.StatusUnauthorized)
			}
		}
		if got := d.logged("level=WARN", "two live sessions", "cookie=session"); got != 2 {
			t.Errorf("%d warnings, want 2:\n%s", got, d.log)
		}
		d.tosser.toss("", false)
		if got := d.desktop.user(); got != user {
			t.Errorf("without the attacker's cookie: user %q, want %q as before", got, user)
		}
	})
}

func TestThreat64TossedBeforeALogin(t *testing.T) {
	forEachOrder(t, func(t *testing.T, d *tossed, first bool) {
		d.tosser.toss(d.cookie, first)
		d.login()
		user := d.desktop.user()
		if user == "" || user == d.attacker {
			t.Errorf("after the login: user %q, want another than the attacker's %q", user, d.attacker)
		}
		if got := len(d.store.m); got != 1 {
			t.Errorf("after the login: %d sessions, want the new one alone", got)
		}
	})
}

func TestThreat64TossedBesideASessionThenLogin(t *testing.T) {
	forEachOrder(t, func(t *testing.T, d *tossed, first bool) {
		d.login()
		user := d.desktop.user()
		d.tosser.toss(d.cookie, first)
		d.login()
		if got := d.desktop.user(); got != user {
			t.Errorf("after another login: user %q, want %q", got, user)
		}
	})
}

func TestThreat64TossedAndLoggedOut(t *testing.T) {
	forEachOrder(t, func(t *testing.T, d *tossed, first bool) {
		d.login()
		d.tosser.toss(d.cookie, first)
		if a := d.desktop.post("/wechat/logout", nil); a.StatusCode != http.StatusSeeOther {
			t.Errorf("logout: %d, want %d", a.StatusCode, http.StatusSeeOther)
		}
		if got := d.desktop.user(); got != "" {
			t.Errorf("after the logout: user %q (the attacker is %q), want none", got, d.attacker)
		}
		if got := len(d.store.m); got != 0 {
			t.Errorf("after the logout: %d sessions, want none", got)
		}
	})
}

// The application's LoadAndSave takes the first cookie. A login and a logout end the
// session of the other one as well.
func TestThreat64TossedInsideLoadAndSave(t *testing.T) {
	d := newTossed(t)
	d.tosser.toss(d.cookie, false)
	d.hosts = d.tosser.around(transportWith(d.hosts, d.manager.LoadAndSave(application(d.gate))))
	d.desktop = d.world.desktop()
	d.login()
	if got := d.desktop.user(); got == "" || got == d.attacker {
		t.Errorf("after the login: user %q, want another than the attacker's %q", got, d.attacker)
	}
	d.desktop.post("/wechat/logout", nil)
	if got := d.desktop.user(); got != "" {
		t.Errorf("after the logout: user %q (the attacker is %q), want none", got, d.attacker)
	}
}

// Two sessions of one user do not contradict each other. A failing store returns an error
// and decides nothing.
func TestThreat64TwoSessionsOfOneUser(t *testing.T) {
	d := newTossed(t)
	second := d.phone("wang")
	cookies := d.cookie
	for _, c := range second.open("/account").Request.Cookies() {
		if c.Name == "session" {
			cookies += "; session=" + c.Value
		}
	}
	if user, err := d.gate.Check(request(t, appURL+"/", cookies)); err != nil || user.ID != d.attacker {
		t.Errorf("Check with two sessions of one user: %q, %v, want %q", user.ID, err, d.attacker)
	}
	store, option := withFaultySessions()
	w := newWorld(t, option)
	store.failIn("Find")
	if _, err := w.gate.Check(request(t, appURL+"/", "__Host-session=a; __Host-session=b")); err == nil || errors.Is(err, scangate.ErrLoginRequired) {
		t.Errorf("Check while the store fails: %v, want the store's error", err)
	}
}

// The application's LoadAndSave takes the attacker's session, which comes first.
func TestThreat64TwoUsersInsideLoadAndSave(t *testing.T) {
	d := newTossed(t)
	d.hosts = d.tosser.around(transportWith(d.hosts, d.manager.LoadAndSave(application(d.gate))))
	d.desktop = d.world.desktop()
	d.login()
	d.tosser.toss(d.cookie, true)
	if got := d.desktop.user(); got != "" {
		t.Errorf("user with sessions of two users = %q (the attacker is %q), want none", got, d.attacker)
	}
}

// Cookies without a session must not hide one from a logout.
func TestThreat64LogoutBehindManyCookies(t *testing.T) {
	for _, c := range []struct {
		name, cookies string
		status        int
	}{
		{"one value ten times", strings.Repeat("session=x; ", 10), http.StatusSeeOther},
		{"more values than the gate reads", junkCookies(30), http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newTossed(t)
			d.login()
			own := cookieHeader(d.desktop, "session")
			d.tosser.toss(strings.TrimSuffix(c.cookies, "; "), true)
			a := d.desktop.post("/wechat/logout", nil)
			d.tosser.toss("", true)
			alive := d.world.desktop().get("/account", "Cookie", own).StatusCode == http.StatusOK
			if a.StatusCode != c.status || alive != (c.status != http.StatusSeeOther) {
				t.Errorf("logout: status = %d, the session lives: %t; want %d, and a session only if the logout failed", a.StatusCode, alive, c.status)
			}
		})
	}
}

// junkCookies returns n cookies of the session's name with different values.
func junkCookies(n int) string {
	var cookies strings.Builder
	for i := range n {
		fmt.Fprintf(&cookies, "session=x%d; ", i)
	}
	return cookies.String()
}
