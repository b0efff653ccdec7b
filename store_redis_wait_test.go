package scangate_test

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

func TestRedisWaitAcrossProcesses(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	here, there := newRedisStore(t, server.addr, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd(50, 2000))
	if !within(patience, here.idle) {
		t.Errorf("connections that waiting calls hold = %d, want 0", here.pool.ActiveCount()-here.pool.IdleCount())
	}
	w.approve(there)
	w.wake()
}

// Neither a change of another record nor a counter of the same name wakes a waiter.
func TestRedisWaitIsForOneKey(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 10)
	tenth := w.keys[0]
	w.keys = w.keys[1:]
	w.approve(store)
	if _, err := store.Add(t.Context(), tenth, time.Hour); err != nil {
		t.Fatal(err)
	}
	if !within(patience, func() bool { return w.count() == 9 }) {
		t.Fatalf("calls of Wait for changed records: %d woke, want 9", w.count())
	}
	// Each record was read once by its call of Wait, and once more after its change.
	if got := server.reads(); got != 19 {
		t.Errorf("reads = %d, want 19: the unchanged record once, the others twice", got)
	}
	w.cancel()
	w.awaitEnd()
	if len(w.failed) != 1 || !errors.Is(w.failed[0], context.Canceled) {
		t.Errorf("call of Wait for the unchanged record: errors = %v, want Canceled", w.failed)
	}
}

func TestRedisWaitersShareARead(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 1)
	for range 99 {
		w.done.Go(func() { w.wait(t.Context(), store, w.keys[0]) })
	}
	if !within(patience, func() bool { return server.reads() >= 100 && store.idle() }) {
		t.Fatalf("records read by calls of Wait = %d, want 100", server.reads())
	}
	before := server.reads()
	w.approve(store)
	w.awaitEnd()
	// A second read is possible if the store had only just begun to listen.
	if got := server.reads() - before; len(w.failed) != 0 || got > 2 {
		t.Errorf("reads for 100 calls of Wait on one record = %d, want 1 or 2; errors: %q", got, w.failed)
	}
}

// The listening connection is killed again and again while all records change.
func TestRedisWaitSubscriberKilled(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	here, there := newRedisStore(t, server.addr, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd(50, 2000))
	kill := func() int64 {
		n, _ := redis.Int64(server.do("CLIENT", "KILL", "TYPE", "pubsub"), nil)
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
	w.approve(there)
	close(stop)
	killer.Wait()
	kills += kill()
	w.wake()
	if kills == 0 {
		t.Error("listening connections killed = 0, want at least 1")
	}
}

// Redis crashes and comes back while all calls wait. Other processes update the records
// as soon as Redis is back, before the waiting process listens again.
func TestRedisWaitRestart(t *testing.T) {
	wallClock(t)
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	pool := redisPool(t, server.addr)
	dials := countDials(pool)
	here, there := newRedisStoreOn(t, pool, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd(50, 2000))
	server.kill()
	if _, _, err := here.Load(t.Context(), w.keys[0]); !isFailure(err) {
		t.Errorf("Load while Redis is down: error = %v, want a failure", err)
	}
	var approving sync.WaitGroup
	approving.Go(func() { w.approve(there) })
	// Each try to listen again takes a longer pause than the one before.
	before := dials.Load()
	if !within(patience, func() bool { return dials.Load() >= before+3 }) {
		t.Errorf("tries to listen again = %d, want 3", dials.Load()-before)
	}
	server.start()
	back := time.Now()
	approving.Wait()
	w.wake()
	t.Logf("the last call of Wait returned %v after Redis was back", time.Since(back))
}

// A record that is gone after a restart ends its call of Wait.
func TestRedisWaitRestartEmpty(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 10)
	server.kill()
	server.start()
	w.awaitEnd()
	if len(w.failed) != 10 {
		t.Errorf("calls of Wait that failed = %d, want 10", len(w.failed))
	}
	for _, err := range w.failed {
		if !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Wait for a lost record: error = %v, want ErrNotFound", err)
		}
	}
}

func TestRedisClose(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	leaks := goleak.IgnoreCurrent()
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 100)
	begun := time.Now()
	for i := range 2 {
		if err := store.Close(); err != nil {
			t.Errorf("Close, call %d: error = %v, want none", i+1, err)
		}
	}
	w.awaitEnd()
	if took := time.Since(begun); took > patience || len(w.failed) != 100 {
		t.Errorf("Close released %d calls of Wait in %v, want 100 within %v", len(w.failed), took, patience)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Errorf("goroutines after Close: %v", err)
	}
	key := w.keys[0]
	if _, _, err := store.Wait(t.Context(), key, 1); !isFailure(err) {
		t.Errorf("Wait on a closed store: error = %v, want a failure", err)
	}
	if err := store.Update(t.Context(), key, 1, nil, time.Hour); err != nil {
		t.Errorf("Update on a closed store: error = %v, want none", err)
	}
	if value, version, err := store.Wait(t.Context(), key, 1); err != nil || version != 2 || value == nil {
		t.Errorf("Wait for a changed record on a closed store = %q, %d, %v, want version 2", value, version, err)
	}
}

func TestRedisCloseDuringOutage(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 10)
	server.kill()
	if err := store.Close(); err != nil {
		t.Errorf("Close while Redis is down: error = %v, want none", err)
	}
	w.awaitEnd()
}
