package scangate_test

// Row 68: the Redis client sends a step again.

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// cutter cuts a connection to Redis after the server has taken a command, in place of the
// reply.
type cutter struct {
	reply atomic.Int64 // which of the next replies to cut: 1 is the next one; 0 is none
	cuts  atomic.Int64
}

// cutConn is a connection of a cutter.
type cutConn struct {
	net.Conn
	cutter *cutter
}

// Read waits for the reply, so the server has run the command. Then it drops the reply.
func (c cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == 0 || c.cutter.reply.Add(-1) != 0 {
		return n, err
	}
	c.cutter.cuts.Add(1)
	_ = c.Close()
	return 0, io.ErrUnexpectedEOF
}

// pool returns a pool of such connections. Its options of redigo are the gate's.
func (c *cutter) pool(t *testing.T, addr string) *redis.Pool {
	t.Helper()
	return redisPool(t, addr, redis.DialNetDial(func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		return cutConn{conn, c}, err
	}))
}

// checkCut calls change while its reply is lost, and demands an error that leaves
// the outcome open.
func (c *cutter) checkCut(t *testing.T, what string, change func() error) {
	t.Helper()
	before := c.cuts.Load()
	c.reply.Store(1)
	err := change()
	if c.cuts.Load() != before+1 {
		t.Fatalf("%s: replies cut: %d, want 1", what, c.cuts.Load()-before)
	}
	for _, known := range []error{scangate.ErrConflict, scangate.ErrNotFound, scangate.ErrIdentityTaken, scangate.ErrPhoneTaken} {
		if errors.Is(err, known) {
			t.Errorf("%s whose reply is lost: error = %v, want none that knows the outcome", what, err)
		}
	}
	if err == nil {
		t.Errorf("%s whose reply is lost: no error, want one", what)
	}
}

// TestThreat68ReplyIsLost: a client that sends a command again after a lost reply would
// meet its own change: a compare-and-set would report a conflict, a counter would count
// twice.
func TestThreat68ReplyIsLost(t *testing.T) {
	redistest.Servers(t, redigo(), func(t *testing.T, addr func(*testing.T) string) {
		c := &cutter{}
		store := newRedisStoreOn(t, c.pool(t, addr(t)), "")
		ctx := t.Context()
		mustDo := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v, want no error", what, err)
			}
		}
		// The first call of a script makes two commands: Redis may not have it yet.
		mustDo("Create", store.Create(ctx, "warm", []byte("one"), time.Minute))
		mustDo("Update", store.Update(ctx, "warm", 1, []byte("two"), time.Minute))
		_, err := store.Add(ctx, "warm counter", time.Minute)
		mustDo("Add", err)
		_, err = store.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "warm"}})
		mustDo("Register", err)

		c.checkCut(t, "Create", func() error { return store.Create(ctx, "k", []byte("one"), time.Minute) })
		if value, version, err := store.Load(ctx, "k"); string(value) != "one" || version != 1 || err != nil {
			t.Errorf("after Create: %q, version %d, %v, want \"one\" and version 1", value, version, err)
		}
		c.checkCut(t, "Update", func() error { return store.Update(ctx, "k", 1, []byte("two"), time.Minute) })
		if value, version, err := store.Load(ctx, "k"); string(value) != "two" || version != 2 || err != nil {
			t.Errorf("after Update: %q, version %d, %v, want \"two\" and version 2", value, version, err)
		}
		c.checkCut(t, "Add", func() error { _, err := store.Add(ctx, "counter", time.Minute); return err })
		if n, err := store.Add(ctx, "counter", time.Minute); n != 2 || err != nil {
			t.Errorf("the Add after one whose reply was lost: %d, %v, want 2", n, err)
		}
		who := scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "lin"}}
		c.checkCut(t, "Register", func() error { _, err := store.Register(ctx, who); return err })
		if _, err := store.FindByWeChat(ctx, who.Identity); err != nil {
			t.Errorf("after Register: %v, want the user", err)
		}
	})
}

// TestThreat68StepIsTakenOnce loses one of the replies during a person's approval: the
// first one, the second one, and so on. The person taps again, and one approval comes of it.
func TestThreat68StepIsTakenOnce(t *testing.T) {
	c := &cutter{}
	addr := miniredis.RunT(t).Addr()
	w := newWorld(t, func(config *scangate.Config) { config.State = newRedisStoreOn(t, c.pool(t, addr), "") })
	w.know("lin")
	phone := w.phone("lin")
	w.scanLogin(w.desktop(), phone) // Redis has all scripts now
	failed := 0
	for lost := int64(1); lost <= 3; lost++ {
		desktop := w.desktop()
		s := desktop.start()
		form := url.Values{"token": {phone.scan(s).find(t, tokenPattern)}, "answer": {"approve"}}
		c.reply.Store(lost)
		a := phone.post(s.confirmURL(), form)
		c.reply.Store(0)
		if a.StatusCode == http.StatusServiceUnavailable {
			failed++
			a = phone.post(s.confirmURL(), form)
		}
		if a.StatusCode != http.StatusSeeOther {
			t.Errorf("approve while reply %d is lost: status = %d, want 303, or 503 and then 303\n%s", lost, a.StatusCode, a.body)
		}
		if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
			t.Errorf("finish: status = %d, user %q, want 303 and a user\n%s", a.StatusCode, desktop.user(), a.body)
		}
	}
	// Reads are sent again. Only the step is not.
	if failed == 0 || c.cuts.Load() == int64(failed) {
		t.Errorf("replies lost = %d, of which %d failed a request; want a lost step and a lost read", c.cuts.Load(), failed)
	}
}
