package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

func waitCases() []stateCase {
	return []stateCase{
		{"wait/at once", "Wait returns the record at once if its version is not the one given", waitAtOnce},
		{"wait/update", "Wait returns the record as soon as its version is not the one given", waitUpdate},
		{"wait/all", "an update wakes all who wait for the record", waitAll},
		{"wait/only then", "Wait does not return while the record has the version given", waitOnlyThen},
		{"wait/unknown", "Wait returns ErrNotFound if there is no such record", waitUnknown},
		{"wait/gone", "Wait returns ErrNotFound, or the context's error when that ends, if the record goes while waiting", waitGone},
		{"wait/context", "a context that ends first is an error", waitContext},
		{"wait/follow", "no change is missed: who waits from version to version sees the last", waitFollow},
	}
}

func waitAtOnce(s *state) {
	s.create(nil, "k", "one", ages)
	s.update(nil, "k", 1, "two", ages)
	for _, version := range []int64{1, 0, -1, 3} {
		value, newer := s.wait(nil, "k", version)
		s.got("Wait", value, newer, "two", 2)
	}
}

// waiters waits for the record from n goroutines, and lets them come to wait
// before it calls change. A store that loses a wake-up might else pass by luck.
func (s *state) waiters(n int, key string, change func()) []error {
	outcomes := make(chan []error, 1)
	go func() {
		outcomes <- race(n, func(int) error {
			ctx, cancel := context.WithTimeout(s.Context(), patience)
			defer cancel()
			value, newer, err := s.store.Wait(ctx, key, 1)
			if err == nil && (string(value) != "two" || newer != 2) {
				err = fmt.Errorf("%.60q at version %d, want \"two\" at version 2", value, newer)
			}
			return err
		})
	}()
	s.moment(4 * pollings)
	change()
	return <-outcomes
}

func waitUpdate(s *state) {
	s.create(nil, "k", "one", ages)
	s.allWin(s.waiters(1, "k", func() { s.update(nil, "k", 1, "two", ages) }))
}

func waitAll(s *state) {
	s.create(nil, "k", "one", ages)
	s.create(nil, "another", "one", ages)
	s.allWin(s.waiters(s.crowd, "k", func() {
		s.update(nil, "another", 1, "three", ages)
		s.update(nil, "k", 1, "two", ages)
	}))
}

// briefly waits for the record until its context ends after some moments, while
// change is called.
func (s *state) briefly(key string, change func()) error {
	ctx, cancel := context.WithTimeout(s.Context(), 4*moments)
	defer cancel()
	outcome := make(chan error, 1)
	go func() {
		_, _, err := s.store.Wait(ctx, key, 1)
		outcome <- err
	}()
	s.moment(4 * pollings)
	change()
	return <-outcome
}

func waitOnlyThen(s *state) {
	s.create(nil, "k", "one", ages)
	s.create(nil, "another", "one", ages)
	err := s.briefly("k", func() {
		s.update(nil, "another", 1, "two", ages)
		s.update(scangate.ErrConflict, "k", 2, "two", ages)
		s.add("k", ages)
	})
	s.is("Wait for a record that did not change", err, context.DeadlineExceeded)
}

func waitUnknown(s *state) {
	s.wait(scangate.ErrNotFound, "k", 0)
	s.create(nil, "another", "one", ages)
	s.wait(scangate.ErrNotFound, "k", 1)
}

func waitGone(s *state) {
	s.create(nil, "k", "one", moments)
	err := s.briefly("k", func() { s.gone("k", moments) })
	if !errors.Is(err, scangate.ErrNotFound) {
		s.is("Wait for a record that went", err, context.DeadlineExceeded)
	}
}

func waitContext(s *state) {
	s.create(nil, "k", "one", ages)
	s.is("Wait", s.briefly("k", func() {}), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(s.Context())
	outcome := make(chan error, 1)
	go func() {
		_, _, err := s.store.Wait(ctx, "k", 1)
		outcome <- err
	}()
	s.moment(4 * pollings)
	cancel()
	s.is("Wait", <-outcome, context.Canceled)
	s.holds("k", "one", 1)
}

// waitFollow has some follow a record while others update it, each as often as
// it can.
func waitFollow(s *state) {
	const followers, writers = 20, 4
	updates := s.crowd
	last := 1 + writers*updates
	s.create(nil, "k", "0", ages)
	s.allWin(race(followers+writers, func(i int) error {
		if i < followers {
			return s.follow("k", int64(last))
		}
		for range updates {
			if err := s.increment("k", last); err != nil {
				return err
			}
		}
		return nil
	}))
}

// follow waits from version to version until it has seen the last.
func (s *state) follow(key string, last int64) error {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for seen := int64(0); seen < last; {
		value, newer, err := s.store.Wait(ctx, key, seen)
		if err != nil {
			return fmt.Errorf("waiting at version %d: %w", seen, err)
		}
		if newer <= seen || string(value) != fmt.Sprint(newer-1) {
			return fmt.Errorf("%.60q at version %d, after version %d", value, newer, seen)
		}
		seen = newer
	}
	return nil
}

func addCases() []stateCase {
	return []stateCase{
		{"add/counts", "Add counts one up and returns the count; a counter begins at zero", addCounts},
		{"add/race", "of any number of calls to Add, each gets a count of its own", addRace},
		{"add/apart", "records and counters of the same key are apart", addApart},
		{"add/anew", "a counter begins anew when window has passed", addAnew},
		{"add/first", "the window is that of the first count, and later ones don't prolong it", addFirst},
	}
}

func addCounts(s *state) {
	s.counts("k", 1, 2, 3)
	s.counts("another", 1)
	s.counts("k", 4)
}

func addRace(s *state) {
	counts := make([]int64, s.crowd)
	s.allWin(race(s.crowd, func(i int) (err error) {
		counts[i], err = s.store.Add(s.Context(), "k", ages)
		return err
	}))
	seen := make(map[int64]bool)
	for _, n := range counts {
		if n < 1 || n > int64(s.crowd) || seen[n] {
			s.broken("one of %d calls got %d, which is out of range or another's", s.crowd, n)
		}
		seen[n] = true
	}
}

func addApart(s *state) {
	s.counts("k", 1)
	s.load(scangate.ErrNotFound, "k")
	s.create(nil, "k", "one", ages)
	s.counts("k", 2)
	s.holds("k", "one", 1)
	s.update(nil, "k", 1, "two", ages)
	s.counts("k", 3)
	s.holds("k", "two", 2)
}

func addAnew(s *state) {
	if n := s.add("k", moments); n != 1 {
		s.broken("Add returned %d, want 1", n)
	}
	s.create(nil, "clock", "", 2*moments)
	s.gone("clock", 2*moments)
	s.eventually("the counter counts on after its window", moments, func() bool { return s.add("k", ages) == 1 })
	s.counts("k", 2)
}

// addFirst counts on without a pause longer than the window.
func addFirst(s *state) {
	s.add("k", 2*moments)
	s.eventually("the counter counts on for as long as it is used", moments, func() bool {
		return s.add("k", 2*moments) == 1
	})
}

func stateCallCases() []stateCase {
	return []stateCase{
		{"context/canceled", "a method whose context was canceled returns an error that is ctx.Err()", stateCanceled},
		{"context/deadline", "a method whose context's deadline has passed returns an error that is ctx.Err()", stateDeadline},
		{"errors/secrets", "no error's text holds a key or a value", stateSecrets},
	}
}

// stateCall is what a method returned.
type stateCall struct {
	method string
	err    error
}

// calls calls every method with the context, and gives up waiting when patience
// is over.
func (s *state) calls(ctx context.Context, key, value string, version int64) []stateCall {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _, load := s.store.Load(ctx, key)
	_, _, wait := s.store.Wait(ctx, key, version-1)
	_, add := s.store.Add(ctx, key, ages)
	return []stateCall{
		{"Create", s.store.Create(ctx, key, []byte(value), ages)},
		{"Load", load},
		{"Update", s.store.Update(ctx, key, version, []byte(value), ages)},
		{"Wait", wait},
		{"Add", add},
	}
}

func stateCanceled(s *state) {
	s.create(nil, "k", "one", ages)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for _, call := range append(s.calls(ctx, "k", "two", 1), s.calls(ctx, "another", "two", 1)...) {
		s.is(call.method, call.err, context.Canceled)
	}
}

func stateDeadline(s *state) {
	s.create(nil, "k", "one", ages)
	ctx, cancel := context.WithTimeout(s.Context(), -time.Second)
	defer cancel()
	for _, call := range append(s.calls(ctx, "k", "two", 1), s.calls(ctx, "another", "two", 1)...) {
		s.is(call.method, call.err, context.DeadlineExceeded)
	}
}

// stateSecrets makes the store return as many errors as it has.
func stateSecrets(s *state) {
	const key, unknown, value = "the-key-of-ann", "the-key-of-nobody", "what-ann-may-know"
	s.create(nil, key, value, ages)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	seen := []stateCall{{"Update", s.store.Update(s.Context(), unknown, 1, []byte(value), ages)}}
	seen = append(seen, s.calls(ctx, key, value, 1)...)
	seen = append(seen, s.calls(s.Context(), key, value, 7)...)
	seen = append(seen, s.calls(s.Context(), unknown, value, 7)...)
	for _, call := range seen {
		if call.err == nil {
			continue
		}
		for _, secret := range []string{key, unknown, value} {
			if strings.Contains(call.err.Error(), secret) {
				s.broken("%s returned the error %q", call.method, call.err)
			}
		}
	}
}
