package scangate_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// What a MemoryStore holds at most, by its documentation.
const (
	maxRecords  = 131_072
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
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		fillRecords(t, store, time.Minute)
		for range 2 {
			if err := store.Create(t.Context(), "one more", nil, time.Minute); !errors.Is(err, scangate.ErrFull) {
				t.Errorf("Create in a full store: %v, want %v", err, scangate.ErrFull)
			}
		}
		if _, _, err := store.Load(t.Context(), "one more"); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Load of what had no room: %v, want %v", err, scangate.ErrNotFound)
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

// A gate whose state store is full answers 503.
func TestLoginInFullStore(t *testing.T) {
	state := scangate.NewMemoryStore()
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	fillRecords(t, state, time.Hour)
	a := w.desktop().postJSON("/wechat/login", `{}`, nil)
	if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("POST login: status = %d, Retry-After %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
	}
}

// Of the counters the one that would end next makes room for a new one, and no
// other.
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
	add(next, time.Hour, 1) // it began anew
}

// Counters whose windows have passed make room before any other goes.
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
