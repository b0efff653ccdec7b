package scangate_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/internal/session"
)

// eachSessionStore calls test with a manager for each of the library's own stores of
// sessions, each empty.
func eachSessionStore(t *testing.T, test func(t *testing.T, manager *scs.SessionManager)) {
	for name, newStore := range map[string]func(t *testing.T) scs.Store{
		"memory": func(*testing.T) scs.Store { return session.NewMemoryStore() },
		"miniredis": func(t *testing.T) scs.Store {
			return session.NewRedis(redisPool(t, miniredis.RunT(t).Addr()), "app", "site")
		},
		"redis-server": func(t *testing.T) scs.Store {
			return session.NewRedis(redisPool(t, redistest.Start(t).Addr), "app", "site")
		},
		"several servers": func(t *testing.T) scs.Store {
			pools := []*redis.Pool{redisPool(t, miniredis.RunT(t).Addr()), redisPool(t, miniredis.RunT(t).Addr())}
			return session.NewShards(pools, "app", "site", slog.New(slog.DiscardHandler))
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, session.NewManager(true, newStore(t))) })
	}
}

// changes are what a handler does to its session.
var changes = map[string]func(m *scs.SessionManager, ctx context.Context) error{
	"Put":        func(m *scs.SessionManager, ctx context.Context) error { m.Put(ctx, "k", "v"); return nil },
	"RenewToken": func(m *scs.SessionManager, ctx context.Context) error { return m.RenewToken(ctx) },
	"Commit": func(m *scs.SessionManager, ctx context.Context) error {
		m.Put(ctx, "k", "v")
		_, _, err := m.Commit(ctx)
		return err
	},
}

// demandEnded checks that a slow request has sent no session cookie, that the browser is
// logged in as want, and that its earlier cookies are worthless.
func (w *world) demandEnded(b *browser, slow answer, cookies, want string) {
	w.t.Helper()
	if cookie := sessionCookie(slow); slow.StatusCode != http.StatusOK || cookie != nil {
		w.t.Errorf("slow request: status = %d, session cookie = %v, want 200 and none", slow.StatusCode, cookie)
	}
	if got := b.user(); got != want {
		w.t.Errorf("after the slow request: user = %q, want %q", got, want)
	}
	if got := w.desktop().get("/account", "Cookie", cookies); got.StatusCode == http.StatusOK {
		w.t.Errorf("with the cookies from before the logout: body = %q, want no user", got.body)
	}
}

// TestThreat32SlowHandlerRevivesNoSession: a handler changes a session that a logout has
// ended meanwhile, and then another person has logged in with the browser.
func TestThreat32SlowHandlerRevivesNoSession(t *testing.T) {
	eachSessionStore(t, func(t *testing.T, manager *scs.SessionManager) {
		for name, change := range changes {
			for _, next := range []string{"", "wang"} {
				t.Run(name+" next user "+next, func(t *testing.T) {
					w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
					entered, release := w.slowPage(func(ctx context.Context) error { return change(manager, ctx) })
					desktop := w.desktop()
					w.scanLogin(desktop, w.phone("lin"))
					cookies := cookieHeader(desktop, "__Host-session")
					var slow answer
					wait := background(func() { slow = desktop.get("/slow") })
					<-entered
					desktop.post("/wechat/logout", nil)
					want := ""
					if next != "" {
						w.scanLogin(desktop, w.phone(next))
						want = desktop.user()
					}
					release()
					wait()
					w.demandEnded(desktop, slow, cookies, want)
				})
			}
		}
	})
}

// heldCodec is a codec whose next Encode waits while a hook is set. scs encodes a session
// just before it writes it.
type heldCodec struct {
	scs.Codec
	*barrier
}

func (c heldCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	c.pass()
	return c.Codec.Encode(deadline, values)
}

// TestThreat32LogoutDuringTheWriteIsNotUndone: the logout comes while the gate already
// saves the session that a handler has changed.
func TestThreat32LogoutDuringTheWriteIsNotUndone(t *testing.T) {
	eachSessionStore(t, func(t *testing.T, manager *scs.SessionManager) {
		codec := heldCodec{manager.Codec, &barrier{}}
		manager.Codec = codec
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
		_, proceed := w.slowPage(func(ctx context.Context) error { return changes["Put"](manager, ctx) })
		proceed()
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		cookies := cookieHeader(desktop, "__Host-session")
		entered, release := codec.hold()
		var slow answer
		wait := background(func() { slow = desktop.get("/slow") })
		<-entered
		if a := desktop.post("/wechat/logout", nil); a.StatusCode != http.StatusSeeOther {
			t.Errorf("logout: status = %d, want 303", a.StatusCode)
		}
		release()
		wait()
		w.demandEnded(desktop, slow, cookies, "")
	})
}

// TestRenewedSessionLasts renews the token of a session that nothing has ended.
func TestRenewedSessionLasts(t *testing.T) {
	eachSessionStore(t, func(t *testing.T, manager *scs.SessionManager) {
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
		_, proceed := w.slowPage(func(ctx context.Context) error { return changes["RenewToken"](manager, ctx) })
		proceed()
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		user, cookies := desktop.user(), cookieHeader(desktop, "__Host-session")
		if a := desktop.get("/slow"); sessionCookie(a) == nil {
			t.Errorf("request that renews the token: status = %d without a session cookie, want one", a.StatusCode)
		}
		if got := desktop.user(); got != user || got == "" {
			t.Errorf("after RenewToken: user = %q, want %q", got, user)
		}
		if got := w.desktop().get("/account", "Cookie", cookies); got.StatusCode == http.StatusOK {
			t.Errorf("with the earlier token: body = %q, want no user", got.body)
		}
	})
}
