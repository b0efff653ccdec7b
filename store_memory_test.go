package scangate_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// maxRecords and maxCounters are a MemoryStore's bounds, as documented.
const (
	maxRecords  = 131_072
	maxCounters = 65_536
)

// fillRecords fills the store with records whose keys are their numbers.
func fillRecords(t *testing.T, store *scangate.MemoryStore, ttl time.Duration) {
	t.Helper()
	for i := range maxRecords {
		if err := store.Create(t.Context(), strconv.Itoa(i), nil, ttl); err != nil {
			t.Fatalf("Create of record %d of %d: %v, want no error", i+1, maxRecords, err)
		}
	}
}

func TestMemoryStoreFullOfRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		fillRecords(t, store, time.Minute)
		for range 2 {
			if err := store.Create(t.Context(), "one more", nil, time.Minute); !errors.Is(err, scangate.ErrFull) {
				t.Errorf("Create in a full store: %v, want %v", err, scangate.ErrFull)
			}
		}
		if _, _, err := store.Load(t.Context(), "one more"); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Load of the record without room: %v, want %v", err, scangate.ErrNotFound)
		}
		if err := store.Update(t.Context(), "0", 1, []byte("new"), time.Hour); err != nil {
			t.Errorf("Update in a full store: %v, want no error", err)
		}
		pass(time.Minute)
		if err := store.Create(t.Context(), "one more", nil, time.Minute); err != nil {
			t.Errorf("Create after the records have expired: %v, want no error", err)
		}
		if value, version, err := store.Load(t.Context(), "0"); string(value) != "new" || version != 2 || err != nil {
			t.Errorf("Load of the updated record: %q at version %d, %v, want %q at version 2", value, version, err, "new")
		}
	})
}

// TestLoginInFullStore begins a login at a gate whose state store is full.
func TestLoginInFullStore(t *testing.T) {
	state := scangate.NewMemoryStore()
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	fillRecords(t, state, time.Hour)
	a := w.desktop().postJSON("/wechat/login", `{}`, nil)
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("POST login: status = %d, Retry-After %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
	}
}

// TestMemoryStoreFullOfCounters adds a counter to a full table. The counter that would
// expire first makes room, and no other.
func TestMemoryStoreFullOfCounters(t *testing.T) {
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
	add(next, time.Hour, 1) // it was evicted, so it begins anew
}

// TestMemoryStoreExpiredCountersMakeRoom adds a counter to a table with an expired one.
// The store evicts no other.
func TestMemoryStoreExpiredCountersMakeRoom(t *testing.T) {
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
