package scangate_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// The limits of a MemoryStore, as documented.
const (
	maxRecords  = 1_048_576
	maxCounters = 65_536
)

// fillRecords creates as many records as have room, named by their numbers.
func fillRecords(t *testing.T, store *scangate.MemoryStore, ttl time.Duration) {
	t.Helper()
	for i := range maxRecords {
		if err := store.Create(t.Context(), strconv.Itoa(i), nil, ttl); err != nil {
			t.Fatalf("Create of record %d of %d: %v, want no error", i+1, maxRecords, err)
		}
	}
}

func TestMemoryStoreFullOfRecords(t *testing.T) {
	t.Parallel()
	store := scangate.NewMemoryStore()
	fillRecords(t, store, time.Hour)
	fill(t, store, "more ", 1, time.Hour)
	if got := store.Records(); got != maxRecords {
		t.Errorf("records after %d were created = %d, want %d", maxRecords+1, got, maxRecords)
	}
}

// In a full store a new record takes the place of the one that was written first. An
// updated record keeps its place for a minute longer.
func TestMemoryStoreDropsByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSmallStore()
		demand := func(when, key string, want error) {
			t.Helper()
			if _, _, err := store.Load(t.Context(), key); !errors.Is(err, want) {
				t.Errorf("Load of %q %s: error = %v, want %v", key, when, err, want)
			}
		}
		for i := range 3 {
			fill(t, store, "first "+strconv.Itoa(i)+"-", 1, time.Hour)
			pass(time.Second)
		}
		if err := store.Update(t.Context(), "first 0-0", 1, []byte("new"), time.Hour); err != nil {
			t.Errorf("Update: error = %v, want none", err)
		}
		fill(t, store, "more ", smallStore-1, time.Hour)
		demand("in a full store", "first 0-0", nil)
		demand("in a full store", "first 1-0", scangate.ErrNotFound)
		demand("in a full store", "first 2-0", scangate.ErrNotFound)
		pass(time.Minute + time.Second)
		fill(t, store, "yet more ", smallStore-1, time.Hour)
		demand("before the last of the older records has gone", "first 0-0", nil)
		fill(t, store, "last ", 1, time.Hour)
		demand("when all older records have gone", "first 0-0", scangate.ErrNotFound)
	})
}

// A gate whose state store is full of other records takes new logins.
func TestLoginInFullStore(t *testing.T) {
	state := newSmallStore()
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	fill(t, state, "", smallStore, time.Hour)
	w.scanLogin(w.desktop(), w.phone("lin"))
}

// Of the counters the one that would end next makes room for a new one, and no
// other.
func TestMemoryStoreFullOfCounters(t *testing.T) {
	t.Parallel()
	store := scangate.NewMemoryStore()
	add := func(key string, window time.Duration, want int64) {
		t.Helper()
		got, err := store.Add(t.Context(), key, window)
		if got != want || err != nil {
			t.Fatalf("Add to counter %s: %d, %v, want %d", key, got, err, want)
		}
	}
	const next = "30000"
	for i := range maxCounters {
		window := 2 * time.Hour
		if key := strconv.Itoa(i); key == next {
			window = time.Hour
		}
		add(strconv.Itoa(i), window, 1)
	}
	add(next, time.Hour, 2) // the table is full, and still counts
	add("one more", 3*time.Hour, 1)
	add("one more", 3*time.Hour, 2)
	for i := range maxCounters {
		if key := strconv.Itoa(i); key != next {
			add(key, 2*time.Hour, 2)
		}
	}
	add(next, time.Hour, 1) // it began anew
}

// Counters whose windows have passed make room before any other goes.
func TestMemoryStoreExpiredCountersMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		for i := range maxCounters {
			window := time.Hour
			if i == 0 {
				window = time.Minute
			}
			if _, err := store.Add(t.Context(), strconv.Itoa(i), window); err != nil {
				t.Fatalf("Add to counter %d: %v, want no error", i, err)
			}
		}
		pass(time.Minute)
		if n, err := store.Add(t.Context(), "one more", time.Hour); n != 1 || err != nil {
			t.Errorf("Add to a new counter: %d, %v, want 1", n, err)
		}
		for i := 1; i < maxCounters; i++ {
			if n, err := store.Add(t.Context(), strconv.Itoa(i), time.Hour); n != 2 || err != nil {
				t.Fatalf("Add to counter %d: %d, %v, want 2", i, n, err)
			}
		}
	})
}

// endWithin ends the test binary if the test takes longer than limit. Code that spins
// in a synctest bubble stops the bubble's clock, so nothing else ends it. Call
// endWithin outside the bubble.
func endWithin(t *testing.T, limit time.Duration) {
	t.Helper()
	name := t.Name()
	timer := time.AfterFunc(limit, func() { panic(name + " has not ended within " + limit.String()) })
	t.Cleanup(func() { timer.Stop() })
}

// TestMemoryStoreUpdateMovesTheEnd updates a record with another lifetime, and demands
// that the store forgets the first one. The time is real: a store that spins would stop
// a bubble's clock.
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
