package redisstore

import (
	"errors"
	"fmt"
	"testing"
)

func newWaits() *waits {
	ws := &waits{}
	ws.init(func() {})
	return ws
}

// got returns what the waiter was sent, and whether it was sent anything.
func (w *waiter) got() (record, bool) {
	select {
	case r := <-w.result:
		return r, true
	default:
		return record{}, false
	}
}

func TestWaitsDeliver(t *testing.T) {
	ws := newWaits()
	first, second, current, other := ws.enter("k", 1), ws.enter("k", 1), ws.enter("k", 2), ws.enter("other", 1)
	ws.note("k", "without a waiter")
	if records, _ := ws.take(); len(records) != 1 || records[0].key != "k" {
		t.Fatalf("take = %v, want only \"k\"", records)
	}
	ws.deliver("k", record{value: []byte("two"), version: 2})
	a, okA := first.got()
	b, okB := second.got()
	if !okA || !okB || string(a.value) != "two" || b.version != 2 {
		t.Errorf("waiters at version 1 got %v and %v, want version 2 with the value \"two\"", a, b)
	}
	a.value[0] = 'x'
	if string(b.value) != "two" {
		t.Errorf("value of the second waiter = %q after the first changed its own, want \"two\"", b.value)
	}
	for _, w := range []*waiter{current, other} {
		if r, ok := w.got(); ok {
			t.Errorf("waiter for %q at version %d got %v, want nothing", w.key, w.version, r)
		}
	}
	ws.leave(current)
	ws.leave(current)
	ws.leave(other)
	if len(ws.records) != 0 {
		t.Errorf("records with waiters after all have left: %v, want none", ws.records)
	}
}

// A waiter that enters while a record is being read may have a newer version than was
// read.
func TestWaitsDeliverNothingStale(t *testing.T) {
	ws := newWaits()
	early := ws.enter("k", 1)
	ws.note("k")
	ws.take()
	late := ws.enter("k", 3)
	ws.deliver("k", record{version: 2})
	if _, ok := early.got(); !ok {
		t.Error("waiter that entered before the round got nothing, want version 2")
	}
	if r, ok := late.got(); ok {
		t.Errorf("waiter at version 3 that entered in the round got version %d, want nothing", r.version)
	}
	ws.note("k")
	ws.take()
	ws.deliver("k", record{version: 4})
	if _, ok := late.got(); !ok {
		t.Error("waiter at version 3 got nothing in the next round, want version 4")
	}
}

func TestWaitsTakeBatches(t *testing.T) {
	ws := newWaits()
	const all = 2*batch + 10
	for i := range all {
		ws.enter(fmt.Sprint(i), 1)
	}
	ws.noteAll()
	seen := make(map[string]bool)
	for i, want := range []int{batch, batch, 10, 0} {
		records, _ := ws.take()
		if len(records) != want {
			t.Errorf("take %d: %d records, want %d", i+1, len(records), want)
		}
		for _, record := range records {
			seen[record.key] = true
		}
	}
	if len(seen) != all {
		t.Errorf("different keys taken = %d, want %d", len(seen), all)
	}
}

func TestWaitsFailAndClose(t *testing.T) {
	ws := newWaits()
	failed := ws.enter("k", 1)
	ws.fail(errClosed)
	if r, ok := failed.got(); !ok || !errors.Is(r.err, errClosed) {
		t.Errorf("waiter after fail got %v, want the error", r)
	}
	next := ws.enter("k", 1)
	if r, ok := next.got(); ok {
		t.Errorf("waiter that entered after fail got %v, want nothing", r)
	}
	ws.close()
	if r, ok := next.got(); !ok || !errors.Is(r.err, errClosed) {
		t.Errorf("waiter after close got %v, want the error", r)
	}
	if r, ok := ws.enter("k", 1).got(); !ok || !errors.Is(r.err, errClosed) {
		t.Errorf("waiter that entered after close got %v, want the error", r)
	}
}

// BenchmarkWaits measures what a waiter costs the store, from enter to leave.
func BenchmarkWaits(b *testing.B) {
	ws := newWaits()
	for i := range 10_000 {
		ws.enter(fmt.Sprint("login:", i), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := ws.enter("login:mine", 1)
		ws.note("login:mine")
		ws.take()
		ws.deliver("login:mine", record{version: 2})
		<-w.result
		ws.leave(w)
	}
}

// A record is watched from its first waiter until a while after its last, however the last
// one ends.
func TestWaitsWatch(t *testing.T) {
	watched := make(map[string]int)
	ws := &waits{
		watch:   func(key string) { watched[key]++ },
		unwatch: func(key string) { watched[key]-- },
	}
	ws.init(func() {})
	demand := func(doing string, want int) {
		t.Helper()
		if watched["k"] != want {
			t.Errorf("%s: watched = %d, want %d", doing, watched["k"], want)
		}
		ws.dropLeft()
	}
	first, second := ws.enter("k", 1), ws.enter("k", 1)
	demand("two waiters", 1)
	ws.leave(first)
	demand("one waiter", 1)
	ws.confirm("k")
	ws.note("k")
	ws.take()
	ws.deliver("k", record{version: 2})
	demand("after the delivery", 1)
	demand("a while after the delivery", 0)
	ws.leave(second)
	demand("leaving after the delivery", 0)
	ws.leave(ws.enter("k", 1))
	ws.confirm("k")
	again := ws.enter("k", 1)
	demand("a waiter that comes soon after the last", 1)
	if again.confirmed != nil {
		t.Error("a waiter that comes soon after the last awaits the channel, want it to read at once")
	}
	ws.fail(errClosed)
	demand("after a failure", 1)
	demand("a while after a failure", 0)
	ws.close()
	ws.leave(ws.enter("k", 1))
	demand("after close", 0)
}

// A read that begins after the channel is confirmed is enough. An earlier one is repeated.
func TestWaitsConfirm(t *testing.T) {
	ws := &waits{watch: func(string) {}, unwatch: func(string) {}}
	ws.init(func() {})
	in := ws.enter("in time", 1)
	ws.enter("late", 1)
	ws.hurry("late")
	ws.confirm("in time")
	ws.confirm("late")
	select {
	case <-in.confirmed:
	default:
		t.Error("channel of a confirmed record is open, want it closed")
	}
	if records, _ := ws.take(); len(records) != 1 || records[0].key != "late" {
		t.Errorf("records to read again = %v, want only \"late\"", records)
	}
	ws.confirm("in time") // a new connection
	if records, _ := ws.take(); len(records) != 1 || records[0].key != "in time" {
		t.Errorf("records to read after a new subscription = %v, want \"in time\"", records)
	}
}

// Redis confirms a channel after its last waiter has left and the subscription has ended. The
// next waiter needs a channel again.
func TestWaitsConfirmTooLate(t *testing.T) {
	watched := make(map[string]bool)
	ws := &waits{watch: func(key string) { watched[key] = true }, unwatch: func(key string) { delete(watched, key) }}
	ws.init(func() {})
	ws.leave(ws.enter("k", 1))
	ws.dropLeft()
	ws.confirm("k")
	if len(ws.subscribed) != 0 {
		t.Errorf("channels that count as confirmed = %d, want 0: nothing would remove them", len(ws.subscribed))
	}
	if w := ws.enter("k", 1); !watched["k"] || w.confirmed == nil {
		t.Error("the next waiter has no channel of its own, want one")
	}
}
