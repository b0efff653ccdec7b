package scangate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// TestSessionLifetime logs in and looks whether the session lives shortly before its end
// and is over shortly after it. Requests do not make it longer.
func TestSessionLifetime(t *testing.T) {
	for _, c := range []struct{ set, want time.Duration }{{0, 7 * 24 * time.Hour}, {2 * time.Hour, 2 * time.Hour}, {90 * 24 * time.Hour, 90 * 24 * time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(g *scangate.Config) { g.Session.Lifetime = c.set })
			desktop := w.desktop()
			w.scanLogin(desktop, w.phone("lin"))
			pass(c.want / 2)
			if desktop.user() == "" {
				t.Errorf("Lifetime %v: no user after %v, want one", c.set, c.want/2)
			}
			pass(c.want/2 - time.Minute)
			if desktop.user() == "" {
				t.Errorf("Lifetime %v: no user a minute before %v, want one", c.set, c.want)
			}
			pass(2 * time.Minute)
			if got := desktop.user(); got != "" {
				t.Errorf("Lifetime %v: user %q a minute after %v, want none", c.set, got, c.want)
			}
		})
	}
}

func TestSessionLifetimeIsTheCookies(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Session.Lifetime = 2 * time.Hour })
	desktop, phone := w.desktop(), w.phone("lin")
	s := w.approved(desktop, phone)
	if c := sessionCookie(desktop.finish(s)); c == nil || c.MaxAge < 7190 || c.MaxAge > 7201 {
		t.Errorf("finish: session cookie %v, want one of 2 hours", c)
	}
}
