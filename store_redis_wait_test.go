package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"go.uber.org/goleak"

	"github.com/scangate/scangate"
)

// crowd is how many wait in the tests of outages.
const crowd = 2000

// waiters wait for a record each, for its first change.
type waiters struct {
	t      *testing.T
	keys   []string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	updated map[string]time.Time // when the update was begun
	woken   map[string]time.Time
	failed  []error
}

// startWaiters creates n records and has somebody wait for each. All of them do
// so when it returns.
func startWaiters(t *testing.T, server *redisServer, store *scangate.RedisStore, n int) *waiters {
	t.Helper()
	w := &waiters{t: t, updated: make(map[string]time.Time), woken: make(map[string]time.Time)}
	for i := range n {
		w.keys = append(w.keys, "login:"+strconv.Itoa(i))
	}
	w.each(func(key string) error { return store.Create(t.Context(), key, []byte("waiting"), time.Hour) })
	listen(t, server, store)
	server.do("CONFIG", "RESETSTAT")
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	t.Cleanup(func() {
		cancel()
		w.done.Wait()
	})
	for _, key := range w.keys {
		w.done.Go(func() { w.wait(ctx, store, key) })
	}
	if !within(20*time.Second, func() bool {
		reads, _ := strconv.Atoi(server.calls()["hmget"])
		return reads >= n && store.Idle()
	}) {
		t.Fatalf("%s of %d have come to wait", server.calls()["hmget"], n)
	}
	return w
}

// listen has the store listen before anybody waits, so that each who comes to wait
// reads once.
func listen(t *testing.T, server *redisServer, store *scangate.RedisStore) {
	t.Helper()
	before := server.listeners()
	store.Listen()
	if !within(5*time.Second, func() bool { return server.listeners() > before }) {
		t.Fatal("nobody listens")
	}
}

// each calls f for all keys, some at a time.
func (w *waiters) each(f func(key string) error) {
	w.t.Helper()
	var work sync.WaitGroup
	for keys := range slices.Chunk(w.keys, (len(w.keys)+15)/16) {
		work.Go(func() {
			for _, key := range keys {
				if err := f(key); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

func (w *waiters) wait(ctx context.Context, store scangate.StateStore, key string) {
	value, version, err := store.Wait(ctx, key, 1)
	at := time.Now()
	if err == nil && (string(value) != "approved" || version != 2) {
		err = fmt.Errorf("woken with %q at version %d", value, version)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = append(w.failed, err)
		return
	}
	w.woken[key] = at
}

// approve changes all records, by a store in what would be another process, and
// tries again while that can't reach Redis.
func (w *waiters) approve(store scangate.StateStore) {
	w.t.Helper()
	w.each(func(key string) error {
		w.mu.Lock()
		w.updated[key] = time.Now()
		w.mu.Unlock()
		for {
			err := store.Update(w.t.Context(), key, 1, []byte("approved"), time.Hour)
			if err == nil || errors.Is(err, scangate.ErrConflict) { // an earlier try was made, and its answer lost
				return nil
			}
			if w.t.Context().Err() != nil || errors.Is(err, scangate.ErrNotFound) {
				return err
			}
		}
	})
}

// wake demands that all are woken within that time, and returns how long it took
// from their updates, sorted.
func (w *waiters) wake(limit time.Duration) []time.Duration {
	w.t.Helper()
	woken := func() (n int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.woken)
	}
	if !within(limit, func() bool { return woken() == len(w.keys) }) {
		w.t.Fatalf("%d of %d woke in %v; errors: %.3q", woken(), len(w.keys), limit, w.failed)
	}
	w.done.Wait()
	var took []time.Duration
	for _, key := range w.keys {
		took = append(took, w.woken[key].Sub(w.updated[key]))
	}
	slices.Sort(took)
	w.t.Logf("%d woken: half within %v, 99%% within %v, all within %v",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	return took
}

// What one process changes wakes those who wait at another.
func TestRedisWaitAcrossProcesses(t *testing.T) {
	server := startRedis(t)
	pool := redisPool(t, server.addr)
	here, there := newRedisStoreOn(t, pool, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd)
	if !within(2*time.Second, func() bool { return pool.ActiveCount() == pool.IdleCount() }) {
		t.Errorf("%d connections are in use by those who wait", pool.ActiveCount()-pool.IdleCount())
	}
	w.approve(there)
	w.wake(2 * time.Second)
}

// Nobody is woken by what others wait for, nor by a counter of the same name.
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
	if !within(2*time.Second, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.woken) == 9 }) {
		t.Fatal("the others did not wake")
	}
	// One HMGET more for each who woke: the tenth did not even look.
	if got := server.calls()["hmget"]; got != "19" {
		t.Errorf("%s reads, want 19", got)
	}
	w.cancel()
	w.done.Wait()
	if len(w.failed) != 1 || !errors.Is(w.failed[0], context.Canceled) {
		t.Errorf("the tenth ended with %v", w.failed)
	}
}

// Many who wait for one record take one read.
func TestRedisWaitersShareARead(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 1)
	for range 99 {
		w.done.Go(func() { w.wait(t.Context(), store, w.keys[0]) })
	}
	reads := func() int {
		n, _ := strconv.Atoi(server.calls()["hmget"])
		return n
	}
	if !within(5*time.Second, func() bool { return reads() >= 100 && store.Idle() }) {
		t.Fatal("not all have come to wait")
	}
	before := reads()
	w.approve(store)
	w.done.Wait()
	// One, and one more if the store had only just begun to listen.
	if len(w.failed) != 0 || reads() > before+2 {
		t.Errorf("%d reads for 100 who wait, want 1; errors: %q", reads()-before, w.failed)
	}
}

// The connection that listens is killed over and over while all is changed.
func TestRedisWaitSubscriberKilled(t *testing.T) {
	server := startRedis(t)
	here, there := newRedisStore(t, server.addr, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd)
	stop := make(chan struct{})
	var killer sync.WaitGroup
	kills := int64(0)
	killer.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				n, _ := redis.Int64(server.do("CLIENT", "KILL", "TYPE", "pubsub"), nil)
				kills += n
			case <-stop:
				return
			}
		}
	})
	w.approve(there)
	server.do("CLIENT", "KILL", "TYPE", "pubsub")
	close(stop)
	killer.Wait()
	w.wake(2 * time.Second)
	if kills == 0 {
		t.Error("there was nothing to kill")
	}
}

// Redis crashes and comes back while all wait. Changes are made from the moment
// that it is there, which is before those who wait know of it.
func TestRedisWaitRestart(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	here, there := newRedisStore(t, server.addr, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, crowd)
	server.kill()
	if _, _, err := here.Load(t.Context(), w.keys[0]); err == nil || errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Load while Redis is away: %v", err)
	}
	var approving sync.WaitGroup
	approving.Go(func() { w.approve(there) })
	pass(300 * time.Millisecond) // for the pauses between tries to grow
	server.start()
	back := time.Now()
	approving.Wait()
	w.wake(3 * time.Second)
	late := time.Since(back)
	t.Logf("the last one woke %v after Redis was back", late)
	if late > 2*time.Second {
		t.Error("that is too late")
	}
}

// Records that are gone after a restart are not found, and nobody waits for them
// any longer.
func TestRedisWaitRestartEmpty(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 10)
	server.kill()
	server.start()
	w.done.Wait()
	for _, err := range w.failed {
		if !errors.Is(err, scangate.ErrNotFound) {
			t.Error(err)
		}
	}
}

func TestRedisClose(t *testing.T) {
	server := startRedis(t)
	leaks := goleak.IgnoreCurrent()
	pool := redisPool(t, server.addr)
	store := newRedisStoreOn(t, pool, "")
	w := startWaiters(t, server, store, 100)
	begin := time.Now()
	for range 2 {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	w.done.Wait()
	if took := time.Since(begin); took > time.Second || len(w.failed) != 100 {
		t.Errorf("%d were released in %v", len(w.failed), took)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
	if _, _, err := store.Wait(t.Context(), w.keys[0], 1); err == nil {
		t.Error("Wait on a closed store: no error")
	}
	if err := store.Update(t.Context(), w.keys[0], 1, nil, time.Hour); err != nil {
		t.Errorf("Update on a closed store: %v", err)
	}
	if value, version, err := store.Wait(t.Context(), w.keys[0], 1); err != nil || version != 2 || value == nil {
		t.Errorf("Wait for what has changed, on a closed store: %q, %d, %v", value, version, err)
	}
}

// A store that is closed while nobody can be reached ends all the same.
func TestRedisCloseWhileAway(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, store, 10)
	server.kill()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	w.done.Wait()
}
