package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// tornState is a state store that fails while it is away. Every second write then takes
// place all the same: the connection ends before the answer.
type tornState struct {
	scangate.StateStore
	away   atomic.Bool
	writes atomic.Int64
	failed atomic.Int64
}

var errAway = errors.New("the store is away")

// write makes a write, unless the store is away.
func (s *tornState) write(change func() error) error {
	if !s.away.Load() {
		return change()
	}
	if s.failed.Add(1); s.writes.Add(1)%2 == 0 {
		_ = change()
	}
	return errAway
}

func (s *tornState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.write(func() error { return s.StateStore.Create(ctx, key, value, ttl) })
}

func (s *tornState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return s.write(func() error { return s.StateStore.Update(ctx, key, version, value, ttl) })
}

func (s *tornState) Add(ctx context.Context, key string, window time.Duration) (n int64, err error) {
	err = s.write(func() (err error) { n, err = s.StateStore.Add(ctx, key, window); return err })
	return n, err
}

func (s *tornState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	// Reads often reach the store just before it goes away, so that writes are torn too.
	if s.away.Load() && s.failed.Add(1)%4 == 0 {
		return nil, 0, errAway
	}
	return s.StateStore.Load(ctx, key)
}

// outage lets the store fail for 3 seconds while all persons send a message at once, which
// WeChat repeats. It returns the replies.
func (s *tornState) outage(w *chatWorld, messages []wechat.Message) []string {
	w.t.Helper()
	s.away.Store(true)
	before, begun := s.failed.Load(), time.Now()
	replies := make([]string, len(messages))
	var all sync.WaitGroup
	for i, m := range messages {
		all.Go(func() {
			d := w.pusher.Push(w.t.Context(), m)
			if replies[i] = d.Reply.Content; d.Err != nil {
				w.t.Errorf("message %d: %d deliveries, error %v, want a reply", i, d.Deliveries, d.Err)
			}
		})
	}
	pass(3 * time.Second)
	s.away.Store(false)
	all.Wait()
	if took := time.Since(begun); took < 3*time.Second || took > 6*time.Second || s.failed.Load()-before < int64(len(messages)) {
		w.t.Errorf("outage: %v and %d failures, want 3 to 6 s and one for each message at least", took, s.failed.Load()-before)
	}
	return replies
}

// 1,000 persons log in at once, and the store fails for 3 seconds at each of their
// messages: no login is lost, and none is there twice.
func TestThousandLoginsByPushWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		store := &tornState{StateStore: scangate.NewMemoryStore()}
		w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) {
			c.State, c.Limits.Address, c.Logger = store, 2*n, slog.New(slog.DiscardHandler)
		})
		desktops, logins := make([]*browser, n), make([]scan, n)
		digits, answers := make([]wechat.Message, n), make([]wechat.Message, n)
		person := func(i int) string { return fmt.Sprintf("person %d", i) }
		for i := range n {
			desktops[i] = w.desktop()
			logins[i] = desktops[i].start()
			digits[i] = w.pusher.Text(person(i), logins[i].Digits)
		}
		for i, reply := range store.outage(w, digits) {
			if !strings.Contains(reply, textOne) {
				t.Errorf("digits %d: reply %q, want the question", i, reply)
			}
			answers[i] = w.pusher.Text(person(i), "1")
		}
		for i, reply := range store.outage(w, answers) {
			if reply != textApproved {
				t.Errorf("answer %d: reply %q, want %q", i, reply, textApproved)
			}
		}
		users := make(map[string]bool)
		for i, desktop := range desktops {
			if a := desktop.finish(logins[i]); a.StatusCode != http.StatusSeeOther {
				t.Errorf("finish %d: status = %d, want %d", i, a.StatusCode, http.StatusSeeOther)
			}
			known, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID(person(i), official.AppID)})
			if got := desktop.user(); err != nil || got != known.ID {
				t.Errorf("login %d: user %q, want %q of the person (%v)", i, got, known.ID, err)
			}
			users[known.ID] = true
		}
		if len(users) != n {
			t.Errorf("%d persons have %d users, want one each", n, len(users))
		}
		w.checkOnce(t, n)
	})
}

// checkOnce checks that n logins began and ended, and that none has an event twice.
func (w *chatWorld) checkOnce(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	count := make(map[scangate.EventName]int)
	seen := make(map[string]bool)
	for _, e := range w.events {
		count[e.Name]++
		if key := string(e.Name) + " " + e.Login; e.Name != scangate.EventRefused && seen[key] {
			t.Errorf("login %s: event %s twice, want once", e.Login, e.Name)
		} else {
			seen[key] = true
		}
	}
	if count[scangate.EventStarted] != n || count[scangate.EventFinished] != n {
		t.Errorf("events: %v, want %d started and finished", count, n)
	}
}

// both delivers a message to two processes at once, and returns the one reply.
func both(t *testing.T, first, second *chatWorld, m wechat.Message) string {
	t.Helper()
	other := make(chan wechattest.Delivery)
	go func() { other <- second.pusher.Deliver(t.Context(), m) }()
	a := first.pusher.Deliver(t.Context(), m)
	b := <-other
	if a.Err != nil || b.Err != nil || a.Reply.Content != b.Reply.Content {
		t.Errorf("%v at two processes: replies %q (%v) and %q (%v), want one reply", m, a.Reply.Content, a.Err, b.Reply.Content, b.Err)
	}
	return a.Reply.Content
}

// Two processes share a Redis, and each message reaches both of them at once: one login,
// one registration, and the same reply.
func TestTwoProcessesGetEachPush(t *testing.T) {
	for _, mode := range []scangate.ScanMode{scangate.ScanFollow, scangate.ScanMessage} {
		t.Run(string(mode), func(t *testing.T) {
			addr, n := redistest.Start(t).Addr, crowd(10, 100)
			more := func(c *scangate.Config) { c.Limits.Address = 10_000 }
			first, second := newChatWorld(t, mode, onRedis(t, addr), more), newChatWorld(t, mode, onRedis(t, addr), more)
			users := make(map[string]bool)
			for i := range n {
				desktop, person := first.desktop(), fmt.Sprintf("person %d", i)
				s := desktop.start()
				named, yes, question := first.pusher.Text(person, s.Digits), "1", textOne
				if s.Digits == "" { // after 20 codes in a minute a page shows digits
					named, yes, question = first.pusher.Event(person, "SCAN", first.lastScene()), s.number(), textIgnore
				}
				if got := both(t, first, second, named); !strings.Contains(got, question) {
					t.Errorf("login %d: reply %q, want the question", i, got)
				}
				answer := first.pusher.Text(person, yes)
				for range 2 {
					if got := both(t, first, second, answer); got != textApproved {
						t.Errorf("login %d: reply to the answer %q, want %q", i, got, textApproved)
					}
				}
				desktop.client.Transport = second.hosts
				if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
					t.Errorf("login %d: finish: status = %d, want %d", i, a.StatusCode, http.StatusSeeOther)
				}
				users[desktop.user()] = true
			}
			if len(users) != n || users[""] {
				t.Errorf("%d logins: %d users, want one each", n, len(users))
			}
			first.events = append(first.events, second.events...)
			first.checkOnce(t, n)
			for _, name := range []string{"scanned", "identified", "registered", "approved"} {
				got := 0
				for _, e := range first.events {
					if string(e.Name) == name {
						got++
					}
				}
				if got != n {
					t.Errorf("both processes: %d events %s, want %d", got, name, n)
				}
			}
		})
	}
}
