package ttlmap

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pass advances the bubble's time.
func pass(d time.Duration) { <-time.After(d) }

// put adds an entry that lives for ttl, and demands that there is room.
func put[V any](t *testing.T, m *Map[V], key string, value V, ttl time.Duration) {
	t.Helper()
	if err := m.Put(key, value, time.Now().Add(ttl)); err != nil {
		t.Fatalf("Put of %s: %v, want no error", key, err)
	}
}

// checkEntry demands that the map has the key with that value.
func checkEntry[V comparable](t *testing.T, m *Map[V], key string, want V) {
	t.Helper()
	if e, ok := m.Get(key); !ok || e.Value != want {
		t.Errorf("Get of %s: %+v, %t, want the value %v", key, e, ok, want)
	}
}

// checkNone demands that the map does not have the keys.
func checkNone[V any](t *testing.T, m *Map[V], keys ...string) {
	t.Helper()
	for _, key := range keys {
		if e, ok := m.Get(key); ok || e != nil {
			t.Errorf("Get of %s: %+v, %t, want no entry", key, e, ok)
		}
	}
}

// checkKeys demands that the map stores these keys, in any order.
func checkKeys[V any](t *testing.T, m *Map[V], want ...string) {
	t.Helper()
	if got := slices.Sorted(m.Keys()); !slices.Equal(got, want) {
		t.Errorf("Keys: %q, want %q", got, want)
	}
}

func TestEntryLivesUntilItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int](10, nil)
		checkNone(t, m, "a")
		put(t, m, "a", 1, time.Minute)
		pass(time.Minute - time.Nanosecond)
		checkEntry(t, m, "a", 1)
		pass(time.Nanosecond)
		checkNone(t, m, "a")
	})
}

func TestGetBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int](2, nil)
		if err := m.Put("key", 7, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if e, ok := m.GetBytes([]byte("key")); !ok || e.Value != 7 {
			t.Errorf("GetBytes of a key: %v, %t, want 7", e, ok)
		}
		if _, ok := m.GetBytes([]byte("another")); ok {
			t.Error("GetBytes of another key: found an entry, want none")
		}
		<-time.After(time.Hour)
		if _, ok := m.GetBytes([]byte("key")); ok {
			t.Error("GetBytes after an hour: found the entry, want none")
		}
	})
}

func TestEntryThatHasExpiredAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int](10, nil)
		put(t, m, "now", 1, 0)
		put(t, m, "past", 2, -time.Hour)
		checkNone(t, m, "now", "past")
	})
}

func TestValueCanBeChangedInPlace(t *testing.T) {
	m := New[int](10, nil)
	put(t, m, "a", 1, time.Minute)
	if e, ok := m.Get("a"); ok {
		e.Value++
	}
	checkEntry(t, m, "a", 2)
}

// TestPutReplaces replaces an entry by one that expires later or earlier. The first
// expiry is forgotten.
func TestPutReplaces(t *testing.T) {
	for name, second := range map[string]time.Duration{"later": time.Hour, "earlier": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New[string](10, nil)
				put(t, m, "a", "first", time.Minute)
				put(t, m, "a", "second", second)
				checkKeys(t, m, "a")
				pass(second - time.Nanosecond)
				put(t, m, "b", "", time.Hour) // removes expired entries
				checkEntry(t, m, "a", "second")
				pass(time.Nanosecond)
				put(t, m, "c", "", time.Hour)
				checkKeys(t, m, "b", "c")
			})
		})
	}
}

func TestFullMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int](2, nil)
		put(t, m, "a", 1, time.Minute)
		if m.Full() {
			t.Error("Full with 1 of 2 entries: true, want false")
		}
		put(t, m, "b", 2, time.Hour)
		if !m.Full() {
			t.Error("Full with 2 of 2 entries: false, want true")
		}
		if err := m.Put("c", 3, time.Now().Add(time.Hour)); !errors.Is(err, ErrFull) {
			t.Errorf("Put of a third entry: %v, want %v", err, ErrFull)
		}
		checkKeys(t, m, "a", "b")
		put(t, m, "b", 4, time.Hour) // replaces, so it needs no room
		checkEntry(t, m, "b", 4)
		pass(time.Minute)
		if m.Full() {
			t.Error("Full after an entry has expired: true, want false")
		}
		put(t, m, "c", 5, time.Hour)
		m.Remove("b")
		put(t, m, "d", 6, time.Hour)
		checkKeys(t, m, "c", "d")
	})
}

func TestMapWithoutRoom(t *testing.T) {
	m := New[int](0, nil)
	if err := m.Put("a", 1, time.Now().Add(time.Hour)); !errors.Is(err, ErrFull) || !m.Full() {
		t.Errorf("Put to a map of no entries: %v, Full = %t, want %v and true", err, m.Full(), ErrFull)
	}
	checkNone(t, m, "a")
}

func TestRemovedIsCalledForEveryRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone []string
		m := New(10, func(e *Entry[string]) { gone = append(gone, e.Value) })
		check := func(done string, want ...string) {
			t.Helper()
			if !slices.Equal(gone, want) {
				t.Errorf("%s: removed was called for %q, want %q", done, gone, want)
			}
		}
		put(t, m, "third", "third", 3*time.Minute)
		put(t, m, "first", "replaced", time.Minute)
		put(t, m, "first", "first", time.Minute)
		put(t, m, "second", "second", 2*time.Minute)
		put(t, m, "removed", "removed", time.Minute)
		put(t, m, "evicted", "evicted", time.Second)
		m.Remove("removed")
		m.Evict()
		check("Put, Remove and Evict", "removed", "evicted")
		pass(2 * time.Minute)
		checkNone(t, m, "first", "second")
		check("Get of expired entries", "removed", "evicted")
		put(t, m, "last", "last", time.Hour)
		check("Put after 2 minutes", "removed", "evicted", "first", "second")
		pass(time.Minute)
		m.Full()
		m.Full()
		check("Full after 3 minutes, twice", "removed", "evicted", "first", "second", "third")
		checkKeys(t, m, "last")
	})
}

func TestRemove(t *testing.T) {
	m := New[int](10, nil)
	for i := range 5 {
		put(t, m, strconv.Itoa(i), i, time.Duration(5-i)*time.Minute)
	}
	m.Remove("2")
	m.Remove("2")
	m.Remove("unknown")
	checkNone(t, m, "2", "unknown")
	checkKeys(t, m, "0", "1", "3", "4")
}

// TestEvictRemovesTheNextToExpire evicts all entries. Replacing an entry moves it in the
// order.
func TestEvictRemovesTheNextToExpire(t *testing.T) {
	m := New[int](10, nil)
	for i, key := range []string{"d", "a", "e", "b", "c"} {
		put(t, m, key, i, time.Duration(key[0])*time.Minute)
	}
	put(t, m, "a", 0, time.Hour*24)
	for _, want := range [][]string{{"a", "c", "d", "e"}, {"a", "d", "e"}, {"a", "e"}, {"a"}, {}} {
		m.Evict()
		checkKeys(t, m, want...)
	}
}

func TestKeysIncludeStoredExpiredEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New[int](10, nil)
		put(t, m, "a", 1, time.Minute)
		put(t, m, "b", 2, time.Hour)
		pass(time.Minute)
		checkKeys(t, m, "a", "b")
		m.Full() // removes expired entries
		checkKeys(t, m, "b")
	})
}

// TestGetBesideGet reads from many goroutines. The race detector fails the test if Get
// changes the map.
func TestGetBesideGet(t *testing.T) {
	m := New[int](10, nil)
	put(t, m, "a", 1, time.Hour)
	put(t, m, "expired", 2, 0)
	var readers sync.WaitGroup
	for range 10 {
		readers.Go(func() {
			for range 100 {
				checkEntry(t, m, "a", 1)
				checkNone(t, m, "expired", "unknown")
			}
		})
	}
	readers.Wait()
}

// model does what a Map promises, without its queue.
type model struct {
	values  map[string]int
	expires map[string]time.Time
}

// sweep removes expired entries.
func (m model) sweep() {
	maps.DeleteFunc(m.expires, func(_ string, at time.Time) bool { return !time.Now().Before(at) })
	maps.DeleteFunc(m.values, func(key string, _ int) bool { return m.expires[key].IsZero() })
}

// next returns the key of the entry that expires first.
func (m model) next() string {
	first := ""
	for key, at := range m.expires {
		if first == "" || at.Before(m.expires[first]) {
			first = key
		}
	}
	return first
}

// TestMapBehavesAsItsModel applies the same random changes to a map and to a model.
func TestMapBehavesAsItsModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, steps = 20, 5_000
		random := rand.New(rand.NewPCG(1, 2))
		m, want := New[int](limit, nil), model{map[string]int{}, map[string]time.Time{}}
		for step := range steps {
			key := strconv.Itoa(random.IntN(2 * limit))
			switch random.IntN(8) {
			case 0:
				m.Remove(key)
				delete(want.values, key)
				delete(want.expires, key)
			case 1:
				pass(time.Duration(random.IntN(1000)) * time.Millisecond)
			case 2:
				want.sweep()
				m.Full() // removes expired entries
				if first := want.next(); first != "" {
					m.Evict()
					delete(want.values, first)
					delete(want.expires, first)
				}
			default:
				expires := time.Now().Add(time.Duration(random.Int64N(int64(10 * time.Second))))
				want.sweep()
				_, known := want.values[key]
				full := !known && len(want.values) == limit
				if err := m.Put(key, step, expires); errors.Is(err, ErrFull) != full {
					t.Fatalf("step %d, Put of %s: %v, want ErrFull: %t", step, key, err, full)
				}
				if !full {
					want.values[key], want.expires[key] = step, expires
				}
			}
			m.Full() // removes expired entries
			want.sweep()
			checkKeys(t, m, slices.Sorted(maps.Keys(want.values))...)
			for key, value := range want.values {
				checkEntry(t, m, key, value)
			}
			if t.Failed() {
				t.Fatalf("the map differs from its model after step %d", step)
			}
		}
	})
}
