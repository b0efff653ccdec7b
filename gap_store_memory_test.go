package scangate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// endWithin ends the test binary if the test is not over in that time. Code that
// spins in a synctest bubble stops the bubble's clock, so only the process can be
// ended. It has to be called outside of the bubble.
func endWithin(t *testing.T, limit time.Duration) {
	t.Helper()
	name := t.Name()
	timer := time.AfterFunc(limit, func() { panic(name + " has not ended within " + limit.String()) })
	t.Cleanup(func() { timer.Stop() })
}

// An update moves the end of a record, and the store forgets the earlier end. The
// time is real: a store that spins would stop a bubble's clock.
func TestMemoryStoreUpdateMovesTheEnd(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second time.Duration
		want          error // of Load afterwards
	}{
		{"later", 200 * time.Millisecond, time.Hour, nil},
		{"earlier", time.Hour, time.Millisecond, scangate.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := scangate.NewMemoryStore()
			created := store.Create(t.Context(), "k", []byte("one"), c.first)
			updated := store.Update(t.Context(), "k", 1, []byte("two"), c.second)
			if err := errors.Join(created, updated); err != nil {
				t.Fatalf("Create and Update: %v, want no error", err)
			}
			pass(min(c.first, c.second) * 2)
			cleared := make(chan error, 1)
			go func() { cleared <- store.Create(t.Context(), "another", nil, time.Hour) }()
			select {
			case err := <-cleared:
				if err != nil {
					t.Errorf("Create of another record: %v, want no error", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Create of another record: no answer within 10 s")
			}
			value, version, err := store.Load(t.Context(), "k")
			if !errors.Is(err, c.want) || err == nil && (string(value) != "two" || version != 2) {
				t.Errorf("Load after the update: %q at version %d, %v, want the outcome %v", value, version, err, c.want)
			}
		})
	}
}
