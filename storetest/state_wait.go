package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

// waitCases returns the cases of Wait.
func waitCases() []stateCase {
	return []stateCase{
		{"wait/at once", "Wait returns at once if the record's version is not the given one", waitAtOnce},
		{"wait/update", "Wait returns as soon as the record's version is not the given one", waitUpdate},
		{"wait/all", "an update wakes all calls that wait for the record", waitAll},
		{"wait/only then", "Wait does not return while the record has the given version", waitOnlyThen},
		{"wait/unknown", "Wait returns ErrNotFound if the record does not exist", waitUnknown},
		{"wait/gone", "Wait returns ErrNotFound, or the context's error, if the record expires while it waits", waitGone},
		{"wait/context", "Wait returns the context's error if the context ends first", waitContext},
		{"wait/follow", "Wait misses no update: waiting from version to version reaches the last one", waitFollow},
	}
}

func waitAtOnce(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.update(nil, "k", 1, "two", longTTL)
	// Any other version, also one that the record has not had yet.
	for _, version := range []int64{1, 0, -1, 3} {
		value, newer := s.wait(nil, "k", version)
		s.wantResult("Wait", value, newer, "two", 2)
	}
}

// waitDuring calls Wait for version 1 of the record from n goroutines and, while they
// wait, change. It returns their errors: Wait must return "two" at version 2.
func (s *stateProbe) waitDuring(n int, key string, change func()) []error {
	results := make(chan []error, 1)
	go func() {
		results <- race(n, func(int) error {
			ctx, cancel := context.WithTimeout(s.Context(), timeout)
			defer cancel()
			value, newer, err := s.store.Wait(ctx, key, 1)
			if err == nil && (string(value) != "two" || newer != 2) {
				err = fmt.Errorf("%.60q at version %d, want \"two\" at version 2", value, newer)
			}
			return err
		})
	}()
	// If change came before the calls wait, they would return at once, and a store
	// that loses a wake-up would pass.
	s.pause(4 * pollInterval)
	change()
	return <-results
}

func waitUpdate(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.wantAllSucceed(s.waitDuring(1, "k", func() { s.update(nil, "k", 1, "two", longTTL) }))
}

func waitAll(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.create(nil, "another", "one", longTTL)
	s.wantAllSucceed(s.waitDuring(s.racers, "k", func() {
		// The update of another record must not use up a wake-up.
		s.update(nil, "another", 1, "three", longTTL)
		s.update(nil, "k", 1, "two", longTTL)
	}))
}

// waitBriefly calls Wait for version 1 of the record with a context that ends soon and,
// while it waits, change. It returns the error of Wait.
func (s *stateProbe) waitBriefly(key string, change func()) error {
	ctx, cancel := context.WithTimeout(s.Context(), 4*shortTTL)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, _, err := s.store.Wait(ctx, key, 1)
		result <- err
	}()
	s.pause(4 * pollInterval)
	change()
	return <-result
}

func waitOnlyThen(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.create(nil, "another", "one", longTTL)
	// None of these calls changes the record.
	err := s.waitBriefly("k", func() {
		s.update(nil, "another", 1, "two", longTTL)
		s.update(scangate.ErrConflict, "k", 2, "two", longTTL)
		s.add("k", longTTL)
	})
	s.wantError("Wait for an unchanged record", err, context.DeadlineExceeded)
}

func waitUnknown(s *stateProbe) {
	s.wait(scangate.ErrNotFound, "k", 0)
	s.create(nil, "another", "one", longTTL)
	s.wait(scangate.ErrNotFound, "k", 1)
}

func waitGone(s *stateProbe) {
	s.create(nil, "k", "one", shortTTL)
	err := s.waitBriefly("k", func() { s.waitUntilGone("k", shortTTL) })
	// Expiry need not wake a waiting call, so the context's error is allowed too.
	if !errors.Is(err, scangate.ErrNotFound) {
		s.wantError("Wait for a record that expired", err, context.DeadlineExceeded)
	}
}

func waitContext(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.wantError("Wait until the deadline", s.waitBriefly("k", func() {}), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(s.Context())
	result := make(chan error, 1)
	go func() {
		_, _, err := s.store.Wait(ctx, "k", 1)
		result <- err
	}()
	// Cancel the call while it waits, not before.
	s.pause(4 * pollInterval)
	cancel()
	s.wantError("Wait until it was canceled", <-result, context.Canceled)
	s.wantRecord("k", "one", 1)
}

func waitFollow(s *stateProbe) {
	const followers, writers = 20, 4
	updatesPerWriter := s.racers
	last := 1 + writers*updatesPerWriter
	s.create(nil, "k", "0", longTTL)
	// Nothing makes the writers wait for the followers, which must catch up from any
	// version to the latest.
	s.wantAllSucceed(race(followers+writers, func(i int) error {
		if i < followers {
			return s.follow("k", int64(last))
		}
		for range updatesPerWriter {
			if err := s.increment("k", last); err != nil {
				return err
			}
		}
		return nil
	}))
}

// follow waits from version to version of a record that writers increment, until it has
// seen the last one.
func (s *stateProbe) follow(key string, last int64) error {
	for seen := int64(0); seen < last; {
		// Each call may take that long: the store may be slow, but must not miss a change.
		ctx, cancel := context.WithTimeout(s.Context(), timeout)
		value, newer, err := s.store.Wait(ctx, key, seen)
		cancel()
		if err != nil {
			return fmt.Errorf("waiting at version %d: %w", seen, err)
		}
		// Versions may be skipped but must rise. The number in the record is one less
		// than its version.
		if newer <= seen || string(value) != fmt.Sprint(newer-1) {
			return fmt.Errorf("%.60q at version %d after version %d, want a higher version and its value", value, newer, seen)
		}
		seen = newer
	}
	return nil
}

// addCases returns the cases of Add.
func addCases() []stateCase {
	return []stateCase{
		{"add/counts", "Add increments a counter, which starts at zero, and returns the count", addCounts},
		{"add/race", "of any number of concurrent calls to Add, each returns a different count", addRace},
		{"add/apart", "a record and a counter with the same key are independent", addApart},
		{"add/anew", "a counter starts again at zero when its window has passed", addAnew},
		{"add/first", "the window starts at the first count, and later counts do not extend it", addFirst},
	}
}

func addCounts(s *stateProbe) {
	s.wantCounts("k", 1, 2, 3)
	s.wantCounts("another", 1)
	s.wantCounts("k", 4)
}

func addRace(s *stateProbe) {
	counts := make([]int64, s.racers)
	s.wantAllSucceed(race(s.racers, func(i int) (err error) {
		counts[i], err = s.store.Add(s.Context(), "k", longTTL)
		return err
	}))
	seen := make(map[int64]bool)
	for _, n := range counts {
		if n < 1 || n > int64(s.racers) || seen[n] {
			s.broken("Add returned %d, want each number from 1 to %d once", n, s.racers)
		}
		seen[n] = true
	}
}

func addApart(s *stateProbe) {
	s.wantCounts("k", 1)
	s.load(scangate.ErrNotFound, "k")
	s.create(nil, "k", "one", longTTL)
	s.wantCounts("k", 2)
	s.wantRecord("k", "one", 1)
	s.update(nil, "k", 1, "two", longTTL)
	s.wantCounts("k", 3)
	s.wantRecord("k", "two", 2)
}

func addAnew(s *stateProbe) {
	if n := s.add("k", shortTTL); n != 1 {
		s.broken("Add returned %d, want 1", n)
	}
	// By the time that clock expires, the counter's window has passed.
	s.create(nil, "clock", "", 2*shortTTL)
	s.waitUntilGone("clock", 2*shortTTL)
	s.eventually("the counter does not start again after its window", shortTTL, func() bool { return s.add("k", longTTL) == 1 })
	s.wantCounts("k", 2)
}

func addFirst(s *stateProbe) {
	s.add("k", 2*shortTTL)
	// The steps are shorter than the window: if a count extended it, the counter would
	// never start again.
	s.eventually("the counter does not start again while it is used", shortTTL, func() bool {
		return s.add("k", 2*shortTTL) == 1
	})
}

// stateCallCases returns the cases that concern every method.
func stateCallCases() []stateCase {
	return []stateCase{
		{"context/canceled", "a method whose context is canceled returns an error that matches ctx.Err()", stateCanceled},
		{"context/deadline", "a method whose deadline has passed returns an error that matches ctx.Err()", stateDeadline},
		{"errors/secrets", "no error contains a key or a value", stateSecrets},
	}
}

// stateCall is a method and the error that it returned.
type stateCall struct {
	method string
	err    error
}

// calls calls every method with ctx, which it limits to timeout.
func (s *stateProbe) calls(ctx context.Context, key, value string, version int64) []stateCall {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, _, load := s.store.Load(ctx, key)
	// The record has another version, so Wait does not wait.
	_, _, wait := s.store.Wait(ctx, key, version-1)
	_, add := s.store.Add(ctx, key, longTTL)
	return []stateCall{
		{"Create", s.store.Create(ctx, key, []byte(value), longTTL)},
		{"Load", load},
		{"Update", s.store.Update(ctx, key, version, []byte(value), longTTL)},
		{"Wait", wait},
		{"Add", add},
	}
}

func stateCanceled(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	// Whether the record exists must not matter.
	for _, call := range append(s.calls(ctx, "k", "two", 1), s.calls(ctx, "another", "two", 1)...) {
		s.wantError(call.method, call.err, context.Canceled)
	}
}

func stateDeadline(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	ctx, cancel := context.WithTimeout(s.Context(), -time.Second)
	defer cancel()
	for _, call := range append(s.calls(ctx, "k", "two", 1), s.calls(ctx, "another", "two", 1)...) {
		s.wantError(call.method, call.err, context.DeadlineExceeded)
	}
}

func stateSecrets(s *stateProbe) {
	const key, unknown, value = "the-key-of-ann", "the-key-of-nobody", "what-ann-may-know"
	s.create(nil, key, value, longTTL)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	// Provoke every kind of error: unknown record, canceled context, existing record
	// and wrong version.
	seen := []stateCall{{"Update", s.store.Update(s.Context(), unknown, 1, []byte(value), longTTL)}}
	seen = append(seen, s.calls(ctx, key, value, 1)...)
	seen = append(seen, s.calls(s.Context(), key, value, 7)...)
	seen = append(seen, s.calls(s.Context(), unknown, value, 7)...)
	for _, call := range seen {
		if call.err == nil {
			continue
		}
		for _, secret := range []string{key, unknown, value} {
			if strings.Contains(call.err.Error(), secret) {
				s.broken("%s returned the error %q, want no %q in it", call.method, call.err, secret)
			}
		}
	}
}
