package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// What the cases about time go by. A store has to keep what lasts for ages, and
// to drop what lasts for moments before patience is over.
const (
	ages     = time.Hour
	moments  = 50 * time.Millisecond
	patience = 20 * time.Second
	pollings = 5 * time.Millisecond
)

// Option is an option of [State].
type Option func(*state)

// Advance tells [State] how to make time pass for the store at once, where the
// store's clock is not the real one. Without it the suite waits.
func Advance(pass func(time.Duration)) Option {
	return func(s *state) { s.pass = pass }
}

// State tests a [scangate.StateStore]. It calls newStore once for each case; each
// store has to be empty, and no two of them may share their records.
func State(t *testing.T, newStore func(t *testing.T) scangate.StateStore, options ...Option) {
	t.Helper()
	for _, c := range stateCases() {
		t.Run(c.name, func(t *testing.T) {
			s := &state{probe: probe{t, c.rule, crowd}, store: newStore(t)}
			for _, option := range options {
				option(s)
			}
			c.check(s)
		})
	}
}

// stateCase is one rule of the contract and what tests it.
type stateCase struct {
	name  string
	rule  string
	check func(*state)
}

func stateCases() []stateCase {
	return slices.Concat(recordCases(), ttlCases(), bytesCases(), waitCases(), addCases(), stateCallCases())
}

// state is a store under test. Each of its methods calls that of the store and
// demands the outcome that its first argument says.
type state struct {
	probe
	store scangate.StateStore
	pass  func(time.Duration) // nil: time passes by itself
}

func (s *state) create(want error, key, value string, ttl time.Duration) {
	s.Helper()
	s.is("Create", s.store.Create(s.Context(), key, []byte(value), ttl), want)
}

func (s *state) load(want error, key string) (string, int64) {
	s.Helper()
	value, version, err := s.store.Load(s.Context(), key)
	s.is("Load", err, want)
	return string(value), version
}

func (s *state) update(want error, key string, version int64, value string, ttl time.Duration) {
	s.Helper()
	s.is("Update", s.store.Update(s.Context(), key, version, []byte(value), ttl), want)
}

// wait gives up when patience is over.
func (s *state) wait(want error, key string, version int64) (string, int64) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	value, newer, err := s.store.Wait(ctx, key, version)
	s.is("Wait", err, want)
	return string(value), newer
}

func (s *state) add(key string, window time.Duration) int64 {
	s.Helper()
	n, err := s.store.Add(s.Context(), key, window)
	s.is("Add", err, nil)
	return n
}

// holds demands that the store has that record.
func (s *state) holds(key, value string, version int64) {
	s.Helper()
	got, v := s.load(nil, key)
	s.got("Load", got, v, value, version)
}

// got demands that a method returned that record.
func (s *state) got(method, value string, version int64, wantValue string, wantVersion int64) {
	s.Helper()
	if value != wantValue || version != wantVersion {
		s.broken("%s returned %.60q at version %d, want %.60q at version %d", method, value, version, wantValue, wantVersion)
	}
}

// counts demands that the next counts of a key are those.
func (s *state) counts(key string, want ...int64) {
	s.Helper()
	for _, n := range want {
		if got := s.add(key, ages); got != n {
			s.broken("Add returned %d, want %d", got, n)
		}
	}
}

// eventually lets time pass, in steps, until done reports true.
func (s *state) eventually(what string, step time.Duration, done func() bool) {
	s.Helper()
	limit := time.Now().Add(patience)
	for !done() {
		if time.Now().After(limit) {
			s.broken("%s", what)
		}
		if s.pass != nil {
			s.pass(step)
		}
		s.moment(pollings)
	}
}

// gone waits until the record, which lasts for ttl, is gone.
func (s *state) gone(key string, ttl time.Duration) {
	s.Helper()
	s.eventually("the record is there long after its ttl", ttl, func() bool {
		_, _, err := s.store.Load(s.Context(), key)
		if err != nil {
			s.is("Load", err, scangate.ErrNotFound)
		}
		return err != nil
	})
}

// moment is some time in which others get on, or the context's end.
func (s *state) moment(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.Context().Done():
	}
}
