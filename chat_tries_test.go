package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// hookedState is a state store that calls a hook before it reads the key with that part,
// once.
type hookedState struct {
	scangate.StateStore
	part string
	hook func()
}

func (s *hookedState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if hook := s.hook; hook != nil && strings.Contains(key, s.part) {
		s.hook = nil
		hook()
	}
	return s.StateStore.Load(ctx, key)
}

// WeChat repeats a person's fifth try before the gate has answered the first delivery. The
// repetition is the same try: right digits get the question, and wrong ones the usual answer.
func TestFifthTryAndItsRepetition(t *testing.T) {
	for _, right := range []bool{true, false} {
		t.Run(fmt.Sprintf("right=%v", right), func(t *testing.T) {
			store := &hookedState{StateStore: scangate.NewMemoryStore(), part: ":digits:"}
			w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) { c.State = store })
			s := w.desktop().start()
			missed := ""
			for i := range 4 {
				missed = w.say("lin", fmt.Sprintf("0000000%d", i))
			}
			digits, want := "00000009", missed
			if right {
				digits, want = s.Digits, textOne
			}
			m := w.pusher.Text("lin", digits)
			repeated := ""
			store.hook = func() { repeated = w.push(m) }
			if first := w.push(m); !strings.Contains(first, want) || repeated != first {
				t.Errorf("fifth try: replies %q and %q, want %q twice", first, repeated, want)
			}
			if got := w.push(m); !strings.Contains(got, want) {
				t.Errorf("fifth try, another delivery: reply %q, want %q", got, want)
			}
			sixth, silent := w.say("lin", "00000008"), !right
			if (sixth == "") != silent {
				t.Errorf("sixth try: reply %q, want silence = %v", sixth, silent)
			}
		})
	}
}

// lostAnswer is a state store that writes the record with that part of its key, and then
// returns an error once, as if the connection had ended before the answer.
type lostAnswer struct {
	scangate.StateStore
	part string
	lose bool
}

func (s *lostAnswer) answer(key string, err error) error {
	if s.lose && err == nil && strings.Contains(key, s.part) {
		s.lose = false
		return errors.New("connection reset by peer")
	}
	return err
}

func (s *lostAnswer) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.answer(key, s.StateStore.Create(ctx, key, value, ttl))
}

func (s *lostAnswer) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return s.answer(key, s.StateStore.Update(ctx, key, version, value, ttl))
}

// A try counts once, even if the store fails after it was counted.
func TestTryIsCountedOnceWhenTheStoreFails(t *testing.T) {
	for _, part := range []string{":misses:", ":reply:"} {
		synctest.Test(t, func(t *testing.T) {
			store := &lostAnswer{StateStore: scangate.NewMemoryStore(), part: part}
			w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) { c.State = store })
			w.desktop().start()
			for i := range 5 {
				store.lose = true
				if got := w.say("lin", fmt.Sprintf("0000000%d", i)); !strings.Contains(got, "数字") {
					t.Errorf("%s: try %d: reply %q, want the answer to wrong digits", part, i+1, got)
				}
			}
			store.lose = false
			if got := w.say("lin", "00000009"); got != "" {
				t.Errorf("%s: sixth try: reply %q, want silence", part, got)
			}
		})
	}
}

// Silence is not stored: it must not take the place of the reply of another delivery, and
// a person must not make the gate keep records of it.
func TestSilenceIsNotStored(t *testing.T) {
	store := &countingKeys{StateStore: scangate.NewMemoryStore()}
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) { c.State = store })
	w.desktop().start()
	for i := range 5 {
		w.say("lin", fmt.Sprintf("0000000%d", i))
	}
	before := store.created
	for i := range 20 {
		if got := w.say("lin", fmt.Sprintf("000001%02d", i)); got != "" {
			t.Errorf("try after five wrong ones: reply %q, want silence", got)
		}
	}
	if got := store.created - before; got != 0 {
		t.Errorf("20 tries after five wrong ones: the store has %d new records, want 0", got)
	}
}

// countingKeys is a state store that counts new records and counters.
type countingKeys struct {
	scangate.StateStore
	created int
}

func (s *countingKeys) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	err := s.StateStore.Create(ctx, key, value, ttl)
	if err == nil {
		s.created++
	}
	return err
}

func (s *countingKeys) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	n, err := s.StateStore.Add(ctx, key, window)
	if n == 1 {
		s.created++
	}
	return n, err
}

// The store keeps few counters. A limit must not end because an attacker sends many
// messages, so a message leaves a record and not a counter.
func TestMessagesDoNotPushLimitsOut(t *testing.T) {
	t.Parallel()
	store := scangate.NewMemoryStore()
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret, withHandle(&handled{}), func(c *scangate.Config) {
		c.State, c.Limits.Address = store, 2
	})
	for range 2 {
		w.desktop().start()
	}
	for i := range 1<<16 - 50 { // almost all counters that the store has room for
		if _, err := store.Add(t.Context(), fmt.Sprintf("other:%d", i), time.Hour); err != nil {
			t.Fatalf("counter %d: %v", i, err)
		}
	}
	for range 60 {
		w.say("lin", "hello")
		w.say("lin", "00000000")
	}
	if a := w.desktop().postJSON("/wechat/login", "{}", nil); a.StatusCode != 429 {
		t.Errorf("third login of the address after 120 messages: status = %d, want 429", a.StatusCode)
	}
}
