package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

const (
	// longTTL is for records that must outlast their case.
	longTTL = time.Hour
	// shortTTL is for records that the case waits to expire.
	shortTTL = 50 * time.Millisecond
	// timeout is how long a case waits for something that must happen.
	timeout = 20 * time.Second
	// pollInterval is the pause between two attempts to see a change.
	pollInterval = 5 * time.Millisecond
)

// Option is an option of [State].
type Option func(*stateProbe)

// Advance makes [State] call pass to let time pass for the store, which needs a
// simulated clock for that. Without this option, the suite waits in real time.
func Advance(pass func(time.Duration)) Option {
	return func(s *stateProbe) { s.pass = pass }
}

// State tests a [scangate.StateStore]. It calls newStore once per case. Each store must
// be empty, and must not share records with another.
func State(t *testing.T, newStore func(t *testing.T) scangate.StateStore, options ...Option) {
	t.Helper()
	for _, c := range stateCases() {
		t.Run(c.name, func(t *testing.T) {
			s := &stateProbe{probe: probe{t, c.rule, racers}, store: newStore(t)}
			for _, option := range options {
				option(s)
			}
			c.check(s)
		})
	}
}

// stateCase is a rule of the contract and the function that checks it.
type stateCase struct {
	name  string
	rule  string
	check func(*stateProbe)
}

// stateCases returns all cases of [State].
func stateCases() []stateCase {
	return slices.Concat(recordCases(), ttlCases(), bytesCases(), waitCases(), addCases(), stateCallCases())
}

// stateProbe is a case with its store. The methods create, load, update and wait call
// the store's method and end the case unless its error is wantErr.
type stateProbe struct {
	probe
	store scangate.StateStore
	pass  func(time.Duration) // lets time pass; nil in real time
}

func (s *stateProbe) create(wantErr error, key, value string, ttl time.Duration) {
	s.Helper()
	s.wantError("Create", s.store.Create(s.Context(), key, []byte(value), ttl), wantErr)
}

func (s *stateProbe) load(wantErr error, key string) (string, int64) {
	s.Helper()
	value, version, err := s.store.Load(s.Context(), key)
	s.wantError("Load", err, wantErr)
	return string(value), version
}

func (s *stateProbe) update(wantErr error, key string, version int64, value string, ttl time.Duration) {
	s.Helper()
	s.wantError("Update", s.store.Update(s.Context(), key, version, []byte(value), ttl), wantErr)
}

func (s *stateProbe) wait(wantErr error, key string, version int64) (string, int64) {
	s.Helper()
	// A store that misses the change must not block the suite.
	ctx, cancel := context.WithTimeout(s.Context(), timeout)
	defer cancel()
	value, newer, err := s.store.Wait(ctx, key, version)
	s.wantError("Wait", err, wantErr)
	return string(value), newer
}

// add calls Add, which must succeed, and returns the count.
func (s *stateProbe) add(key string, window time.Duration) int64 {
	s.Helper()
	n, err := s.store.Add(s.Context(), key, window)
	s.wantError("Add", err, nil)
	return n
}

// wantRecord ends the case unless Load returns value and version.
func (s *stateProbe) wantRecord(key, value string, version int64) {
	s.Helper()
	gotValue, gotVersion := s.load(nil, key)
	s.wantResult("Load", gotValue, gotVersion, value, version)
}

// wantResult ends the case unless the result of a method is the wanted one.
func (s *stateProbe) wantResult(method, value string, version int64, wantValue string, wantVersion int64) {
	s.Helper()
	if value != wantValue || version != wantVersion {
		// Some values have 100,000 bytes. Their beginning is enough for a report.
		s.broken("%s returned %.60q at version %d, want %.60q at version %d", method, value, version, wantValue, wantVersion)
	}
}

// wantCounts ends the case unless the next calls of Add return these counts.
func (s *stateProbe) wantCounts(key string, want ...int64) {
	s.Helper()
	for _, n := range want {
		if got := s.add(key, longTTL); got != n {
			s.broken("Add returned %d, want %d", got, n)
		}
	}
}

// eventually calls done until it returns true, and lets time pass in steps. After
// timeout it ends the case with the report.
func (s *stateProbe) eventually(report string, step time.Duration, done func() bool) {
	s.Helper()
	limit := time.Now().Add(timeout)
	for !done() {
		if time.Now().After(limit) {
			s.broken("%s", report)
		}
		if s.pass != nil {
			s.pass(step)
		}
		// Also with a simulated clock: a store may expire records in the background.
		s.pause(pollInterval)
	}
}

// waitUntilGone waits until a record with the given ttl has expired.
func (s *stateProbe) waitUntilGone(key string, ttl time.Duration) {
	s.Helper()
	s.eventually("the record still exists long after its ttl", ttl, func() bool {
		_, _, err := s.store.Load(s.Context(), key)
		if err != nil {
			s.wantError("Load", err, scangate.ErrNotFound)
		}
		return err != nil
	})
}

// pause waits for d or until the test's context ends.
func (s *stateProbe) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.Context().Done():
	}
}
