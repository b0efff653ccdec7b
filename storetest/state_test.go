package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// faultyState is a correct StateStore except for the methods that are set.
type faultyState struct {
	scangate.StateStore
	create func(ctx context.Context, key string, value []byte, ttl time.Duration) error
	load   func(ctx context.Context, key string) ([]byte, int64, error)
	update func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error
	wait   func(ctx context.Context, key string, version int64) ([]byte, int64, error)
	add    func(ctx context.Context, key string, window time.Duration) (int64, error)
}

func (s *faultyState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.create != nil {
		return s.create(ctx, key, value, ttl)
	}
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *faultyState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if s.load != nil {
		return s.load(ctx, key)
	}
	return s.StateStore.Load(ctx, key)
}

func (s *faultyState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if s.update != nil {
		return s.update(ctx, key, version, value, ttl)
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func (s *faultyState) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	if s.wait != nil {
		return s.wait(ctx, key, version)
	}
	return s.StateStore.Wait(ctx, key, version)
}

func (s *faultyState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if s.add != nil {
		return s.add(ctx, key, window)
	}
	return s.StateStore.Add(ctx, key, window)
}

// stateFault breaks one rule of a correct store.
type stateFault struct {
	name  string
	fails []string // the cases that must fail; see wantFailures
	set   func(s *faultyState, good scangate.StateStore)
}

// store returns a new store with the fault.
func (f stateFault) store() scangate.StateStore {
	good := scangate.NewMemoryStore()
	s := &faultyState{StateStore: good}
	f.set(s, good)
	return s
}

func TestStateFindsFaults(t *testing.T) {
	caught := make(map[string]bool)
	for _, f := range stateFaults() {
		t.Run(f.name, func(t *testing.T) {
			wantFailures(t, stateFailures(t, f.store), f.fails)
		})
		for _, name := range f.fails {
			caught[name] = true
		}
	}
	for _, c := range stateCases() {
		if !caught[c.name] {
			t.Errorf("no fault makes the case %q fail, want one", c.name)
		}
	}
}

// stateFaults returns faults that, together, make every case fail.
func stateFaults() []stateFault {
	return slices.Concat(
		createFaults(), updateFaults(), overlappingUpdateFaults(), ttlFaults(), keyFaults(), valueFaults(),
		waitFaults(), waitEndFaults(), addFaults(), windowFaults(), stateCallFaults(), stateSecretFaults(),
	)
}

// The functions below return a fault of a single method.

func faultyCreate(name string, fails []string, create func(ctx context.Context, good scangate.StateStore, key string, value []byte, ttl time.Duration) error) stateFault {
	return stateFault{name, fails, func(s *faultyState, good scangate.StateStore) {
		s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			return create(ctx, good, key, value, ttl)
		}
	}}
}

func faultyLoad(name string, fails []string, load func(ctx context.Context, good scangate.StateStore, key string) ([]byte, int64, error)) stateFault {
	return stateFault{name, fails, func(s *faultyState, good scangate.StateStore) {
		s.load = func(ctx context.Context, key string) ([]byte, int64, error) { return load(ctx, good, key) }
	}}
}

func faultyUpdate(name string, fails []string, update func(ctx context.Context, good scangate.StateStore, key string, version int64, value []byte, ttl time.Duration) error) stateFault {
	return stateFault{name, fails, func(s *faultyState, good scangate.StateStore) {
		s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
			return update(ctx, good, key, version, value, ttl)
		}
	}}
}

func faultyWait(name string, fails []string, wait func(ctx context.Context, good scangate.StateStore, key string, version int64) ([]byte, int64, error)) stateFault {
	return stateFault{name, fails, func(s *faultyState, good scangate.StateStore) {
		s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
			return wait(ctx, good, key, version)
		}
	}}
}

func faultyAdd(name string, fails []string, add func(ctx context.Context, good scangate.StateStore, key string, window time.Duration) (int64, error)) stateFault {
	return stateFault{name, fails, func(s *faultyState, good scangate.StateStore) {
		s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
			return add(ctx, good, key, window)
		}
	}}
}
