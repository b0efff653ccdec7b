package state_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/state"
)

// newRing returns an empty ring of the key "ring", and its store.
func newRing() (*state.Ring, *scangate.MemoryStore) {
	store := scangate.NewMemoryStore()
	return state.NewRing(store, "ring"), store
}

// add adds entries to the ring.
func add(t *testing.T, ring *state.Ring, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := ring.Add(t.Context(), text); err != nil {
			t.Fatalf("Add(%q): %v, want no error", text, err)
		}
	}
}

// load returns the ring's entries.
func load(t *testing.T, ring *state.Ring) state.Entries {
	t.Helper()
	e, err := ring.Load(t.Context())
	if err != nil {
		t.Fatalf("Load: %v, want no error", err)
	}
	return e
}

// checkSince compares the entries since that tag.
func checkSince(t *testing.T, ring *state.Ring, last string, want []string, wantKnown bool) {
	t.Helper()
	got, known := load(t, ring).Since(last)
	if !slices.Equal(got, want) || known != wantKnown {
		t.Errorf("Since: %q, known = %v, want %q, %v", got, known, want, wantKnown)
	}
}

func TestRingReturnsWhatWasAdded(t *testing.T) {
	ring, _ := newRing()
	checkSince(t, ring, load(t, ring).Last(), nil, true)
	add(t, ring, "a")
	checkSince(t, ring, "", nil, false)
	last := load(t, ring).Last()
	checkSince(t, ring, last, nil, true)
	add(t, ring, "b", "a", "")
	checkSince(t, ring, last, []string{"b", "a", ""}, true)
}

// TestRingHasAGapAfter64 adds as many entries as the ring holds after the one that a
// process has read, and one more.
func TestRingHasAGapAfter64(t *testing.T) {
	ring, _ := newRing()
	add(t, ring, "first")
	last := load(t, ring).Last()
	var added []string
	for i := range 63 {
		added = append(added, fmt.Sprint("user ", i))
	}
	add(t, ring, added...)
	checkSince(t, ring, last, added, true)
	add(t, ring, "one more")
	checkSince(t, ring, last, nil, false)
}

// TestRingThatWasLost loses the record in several ways after a process has read it.
func TestRingThatWasLost(t *testing.T) {
	for name, stored := range map[string]string{
		"another version": "\x02\x01a\x01b", "cut off": "\x01\x01a\x01", "empty": "", "an earlier state": "\x01\x01a\x01b",
	} {
		ring, store := newRing()
		add(t, ring, "a", "b")
		last := load(t, ring).Last()
		if err := store.Update(t.Context(), "ring", 2, []byte(stored), time.Hour); err != nil {
			t.Fatalf("Update: %v, want no error", err)
		}
		t.Log(name)
		checkSince(t, ring, last, nil, false)
		add(t, ring, "c")
		checkSince(t, ring, last, nil, false)
	}
}

// TestRingTakesEntriesAtOnce adds entries in two processes at the same time. All of them
// are in the ring.
func TestRingTakesEntriesAtOnce(t *testing.T) {
	ring, store := newRing()
	second := state.NewRing(store, "ring")
	add(t, ring, "first")
	last := load(t, ring).Last()
	var adding sync.WaitGroup
	for i := range 30 {
		for _, process := range []*state.Ring{ring, second} {
			adding.Go(func() { add(t, process, fmt.Sprint(i)) })
		}
	}
	adding.Wait()
	if got, known := load(t, ring).Since(last); len(got) != 60 || !known {
		t.Errorf("Since: %d entries, known = %v, want 60, true", len(got), known)
	}
}

func FuzzDecodeRing(f *testing.F) {
	f.Add([]byte("\x01\x01a\x01b"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		ring, store := newRing()
		if err := store.Create(t.Context(), "ring", stored, time.Hour); err != nil {
			t.Fatal(err)
		}
		add(t, ring, "a")
		e := load(t, ring)
		if got, known := e.Since(e.Last()); len(got) != 0 || !known {
			t.Errorf("stored %q: Since the last entry: %q, known = %v, want none, true", stored, got, known)
		}
	})
}
