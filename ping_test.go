package scangate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
)

func TestPingOfStoresThatAnswer(t *testing.T) {
	server := miniredis.RunT(t)
	for name, option := range map[string]func(*scangate.Config){
		"in memory": func(*scangate.Config) {}, "website only": withWebsiteOnly, "on Redis": onRedis(t, server.Addr()),
		"a manager": func(c *scangate.Config) { c.Session.Manager, _ = plainSessions() },
	} {
		w := newWorld(t, option)
		if err := w.gate.Ping(t.Context()); err != nil {
			t.Errorf("Ping %s: %v, want no error", name, err)
		}
		if got := w.wechat.TotalCalls(); got != 0 {
			t.Errorf("Ping %s: calls to WeChat = %d, want none", name, got)
		}
	}
}

// TestPingNamesTheStore has one store fail, and then all of them.
func TestPingNamesTheStore(t *testing.T) {
	sessions, withSessions := withFaultySessions()
	state := &failingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, withSessions, func(c *scangate.Config) { c.State = state })
	away := errors.New("connection refused")
	stores := []struct {
		field string
		set   func(bool)
	}{
		{"Config.State: ", func(fails bool) {
			state.err.Store(nil)
			if fails {
				state.err.Store(&away)
			}
		}},
		{"Config.Users: ", func(fails bool) {
			w.users.failWith(nil)
			if fails {
				w.users.failWith(away)
			}
		}},
		{"Config.Session.Manager.Store: ", func(fails bool) {
			sessions.failIn("")
			if fails {
				sessions.failIn("Find")
			}
		}},
	}
	for _, store := range stores {
		store.set(true)
		err := w.gate.Ping(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: "+store.field) || strings.Contains(err.Error(), ";") {
			t.Errorf("Ping while one store fails: %v, want an error that begins with %q and names no other", err, "scangate: "+store.field)
		}
		store.set(false)
	}
	for _, store := range stores {
		store.set(true)
	}
	err := w.gate.Ping(t.Context())
	checkErrorText(t, "Ping", err)
	for _, store := range stores {
		if !strings.Contains(err.Error(), store.field) {
			t.Errorf("Ping while all stores fail: %v, want one that names %s", err, store.field)
		}
	}
	if !errors.Is(err, away) {
		t.Errorf("Ping: %v, want one that wraps the store's error", err)
	}
}

// TestPingOfRedisThatIsAway stops the server.
func TestPingOfRedisThatIsAway(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, onRedis(t, server.Addr()))
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.gate.Ping(ctx); err == nil || !strings.Contains(err.Error(), "Config.State: ") || !strings.Contains(err.Error(), "Config.Session.Manager.Store: ") {
		t.Errorf("Ping without Redis: %v, want an error that names State and Session.Manager.Store", err)
	}
}

// inventing is a store of users that returns a user for each identity.
type inventing struct{ scangate.UserStore }

func (inventing) FindByWeChat(context.Context, scangate.Identity) (scangate.User, error) {
	return scangate.User{ID: "1"}, nil
}

// TestPingOfAStoreThatInventsUsers: a store that finds anyone would log in anyone.
func TestPingOfAStoreThatInventsUsers(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Users = inventing{c.Users} })
	if err := w.gate.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "Config.Users: it returned a record for a random ID") {
		t.Errorf("Ping: %v, want an error about Config.Users", err)
	}
}
