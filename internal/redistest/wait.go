package redistest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"go.uber.org/goleak"

	"github.com/scangate/scangate"
)

// Waits tests [scangate.StateStore.Wait] across processes and outages.
func Waits(t *testing.T, b Backend) {
	run(t, b, map[string]func(*testing.T, Backend){
		"across processes":     testWaitAcrossProcesses,
		"for one key":          testWaitIsForOneKey,
		"sharing a read":       testWaitersShareARead,
		"subscriber killed":    testWaitSubscriberKilled,
		"restart":              testWaitRestart,
		"restart without data": testWaitRestartEmpty,
		"close":                testClose,
		"close in an outage":   testCloseDuringOutage,
	})
}

func testWaitAcrossProcesses(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	o := Options{Addr: server.Addr, Limit: Patience}
	here, there := b.New(t, o), b.New(t, o)
	w := StartWaiters(t, server, here, Crowd(50, 2000))
	if !Within(Patience, here.Idle) {
		t.Error("waiting calls hold connections, want none")
	}
	w.Approve(there)
	w.Wake()
}

// Neither a change of another record nor a counter of the same name wakes a waiter.
func testWaitIsForOneKey(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, store, 10)
	tenth := w.Keys[0]
	w.Keys = w.Keys[1:]
	w.Approve(store)
	if _, err := store.Add(t.Context(), tenth, time.Hour); err != nil {
		t.Fatal(err)
	}
	if !Within(Patience, func() bool { return w.Count() == 9 }) {
		t.Fatalf("calls of Wait for changed records: %d woke, want 9", w.Count())
	}
	// Each record was read once by its call of Wait. The change came in a message.
	if got := server.Reads(); got != 10 {
		t.Errorf("reads = %d, want 10: each record once", got)
	}
	w.cancel()
	w.AwaitEnd()
	if len(w.failed) != 1 || !errors.Is(w.failed[0], context.Canceled) {
		t.Errorf("call of Wait for the unchanged record: errors = %v, want Canceled", w.failed)
	}
}

func testWaitersShareARead(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, store, 1)
	var calling sync.WaitGroup
	for range 99 {
		calling.Add(1)
		w.done.Go(func() {
			calling.Done()
			w.wait(t.Context(), store, w.Keys[0])
		})
	}
	calling.Wait()
	w.Approve(store)
	w.AwaitEnd()
	// The first call reads the record, and the others join it. A call that begins only
	// after the change reads too, hence the margin.
	if got := server.Reads(); len(w.failed) != 0 || got > 50 {
		t.Errorf("reads for 100 calls of Wait on one record = %d, want 1; errors: %q", got, w.failed)
	}
}

// The listening connection is killed again and again while all records change.
func testWaitSubscriberKilled(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	o := Options{Addr: server.Addr, Limit: Patience}
	here, there := b.New(t, o), b.New(t, o)
	w := StartWaiters(t, server, here, Crowd(50, 2000))
	kill := func() int64 {
		n, _ := redis.Int64(server.Do("CLIENT", "KILL", "TYPE", "pubsub"), nil)
		return n
	}
	kills := kill()
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				kills += kill()
			case <-stop:
				return
			}
		}
	})
	w.Approve(there)
	close(stop)
	killer.Wait()
	kills += kill()
	w.Wake()
	if kills == 0 {
		t.Error("listening connections killed = 0, want at least 1")
	}
}

// Redis crashes and comes back while all calls wait. Other processes update the records
// as soon as Redis is back, before the waiting process listens again.
func testWaitRestart(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	o := Options{Addr: server.Addr}
	dials := countDials(&o)
	here, there := b.New(t, o), b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, here, Crowd(50, 2000))
	server.Kill()
	if _, _, err := here.Load(t.Context(), w.Keys[0]); !IsFailure(err) {
		t.Errorf("Load while Redis is down: error = %v, want a failure", err)
	}
	var approving sync.WaitGroup
	approving.Go(func() { w.Approve(there) })
	// Each try to listen again takes a longer pause than the one before.
	before := dials.Load()
	if !Within(Patience, func() bool { return dials.Load() >= before+3 }) {
		t.Errorf("tries to listen again = %d, want 3", dials.Load()-before)
	}
	server.Restart()
	back := time.Now()
	approving.Wait()
	w.Wake()
	t.Logf("the last call of Wait returned %v after Redis was back", time.Since(back))
}

// A record that is gone after a restart ends its call of Wait.
func testWaitRestartEmpty(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, store, 10)
	server.Kill()
	server.Restart()
	w.AwaitEnd()
	if len(w.failed) != 10 {
		t.Errorf("calls of Wait that failed = %d, want 10", len(w.failed))
	}
	for _, err := range w.failed {
		if !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Wait for a lost record: error = %v, want ErrNotFound", err)
		}
	}
}

func testClose(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	leaks := goleak.IgnoreCurrent()
	store := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, store, 100)
	begun := time.Now()
	for i := range 2 {
		if err := store.Close(); err != nil {
			t.Errorf("Close, call %d: error = %v, want none", i+1, err)
		}
	}
	w.AwaitEnd()
	if took := time.Since(begun); took > Patience || len(w.failed) != 100 {
		t.Errorf("Close released %d calls of Wait in %v, want 100 within %v", len(w.failed), took, Patience)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Errorf("goroutines after Close: %v", err)
	}
	key := w.Keys[0]
	if _, _, err := store.Wait(t.Context(), key, 1); !IsFailure(err) {
		t.Errorf("Wait on a closed store: error = %v, want a failure", err)
	}
	if !b.StaysOpen {
		return
	}
	if err := store.Update(t.Context(), key, 1, nil, time.Hour); err != nil {
		t.Errorf("Update on a closed store: error = %v, want none", err)
	}
	if value, version, err := store.Wait(t.Context(), key, 1); err != nil || version != 2 || value == nil {
		t.Errorf("Wait for a changed record on a closed store = %q, %d, %v, want version 2", value, version, err)
	}
}

func testCloseDuringOutage(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, store, 10)
	server.Kill()
	if err := store.Close(); err != nil {
		t.Errorf("Close while Redis is down: error = %v, want none", err)
	}
	w.AwaitEnd()
}
