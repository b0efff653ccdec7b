package scangate_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// While other calls hold all connections of the pool, no waiting call is woken. They are
// woken once there is a connection again.
func TestRedisWaitPoolExhausted(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	here, there := newRedisStore(t, server.addr, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, 10)
	if !within(patience, here.idle) {
		t.Fatal("waiting calls hold connections, want none")
	}
	var conns []redis.Conn
	for here.pool.IdleCount() > 0 {
		conns = append(conns, here.pool.Get())
	}
	here.pool.MaxActive = len(conns)
	w.approve(there)
	pass(200 * time.Millisecond) // time for the store to fail at reading the changes
	if _, _, err := here.Load(t.Context(), w.keys[0]); !errors.Is(err, redis.ErrPoolExhausted) {
		t.Errorf("Load on the exhausted pool: error = %v, want ErrPoolExhausted", err)
	}
	if n := w.count(); n != 0 {
		t.Errorf("calls of Wait woken without a connection = %d, want 0", n)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	w.wake()
}

// The old master becomes a replica, and the pool dials the new one. Sentinel would cut
// off the old master's clients.
func TestRedisFailover(t *testing.T) {
	wallClock(t)
	for name, cutOff := range map[string][]string{"clients cut off": {"normal", "pubsub"}, "clients left alone": nil} {
		t.Run(name, func(t *testing.T) {
			fast := []string{"--repl-diskless-sync-delay", "0"}
			first, second := startRedis(t, fast...), startRedis(t, fast...)
			var master atomic.Pointer[string]
			master.Store(&first.addr)
			newStore := func() *testStore {
				pool := redisPool(t, "")
				pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
					return redis.DialContext(ctx, "tcp", *master.Load())
				}
				return newRedisStoreOn(t, pool, "")
			}
			here, there := newStore(), newStore()
			w := startWaiters(t, first, here, crowd(20, 100))
			if _, err := there.Add(t.Context(), "k", time.Hour); err != nil {
				t.Fatal(err)
			}
			second.follow(first)
			second.do("REPLICAOF", "NO", "ONE")
			master.Store(&second.addr)
			first.follow(second)
			for _, kind := range cutOff {
				first.do("CLIENT", "KILL", "TYPE", kind)
			}
			// The connection to the old master makes one call fail.
			if _, err := there.Add(t.Context(), "k", time.Hour); !isFailure(err) {
				t.Errorf("Add at the old master: error = %v, want a failure", err)
			}
			if n, err := there.Add(t.Context(), "k", time.Hour); err != nil || n != 2 {
				t.Errorf("Add at the new master = %d, %v, want 2", n, err)
			}
			w.approve(there)
			w.wake()
		})
	}
}

// A call of Wait that ends early costs no connection.
func TestRedisWaitsKeepConnections(t *testing.T) {
	server := startRedis(t)
	pool := redisPool(t, server.addr)
	dials := countDials(pool)
	store := newRedisStoreOn(t, pool, "")
	if err := store.Create(t.Context(), "k", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	listen(t, server, store)
	before := dials.Load()
	for range 20 {
		reads := server.reads()
		ctx, cancel := context.WithCancel(t.Context())
		waited := make(chan error)
		go func() {
			_, _, err := store.Wait(ctx, "k", 1)
			waited <- err
		}()
		if !within(patience, func() bool { return server.reads() > reads && store.idle() }) {
			t.Fatal("Wait has not read the record")
		}
		cancel()
		if err := <-waited; !errors.Is(err, context.Canceled) {
			t.Errorf("Wait after its context: error = %v, want Canceled", err)
		}
	}
	// Right after the subscription, the store reads its waiters' records itself. That can
	// overlap with a call's own read and take a second connection, which stays in the pool.
	if n := dials.Load() - before; n > 1 {
		t.Errorf("connections made for 20 calls of Wait = %d, want at most 1", n)
	}
}

// The store replaces a listening connection on which nothing arrives any more, although
// no end has closed it.
func TestRedisWaitDeafConnection(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	pool := redisPool(t, proxy.addr())
	pool.MaxIdle = 0 // the listening connection is the only one that stays
	here, there := newLimitedStore(t, pool, 500*time.Millisecond, 200*time.Millisecond), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, 10)
	// Without PING the connection would end after 700 ms.
	pings := func() int {
		n, _ := strconv.Atoi(server.calls()["ping"])
		return n
	}
	if !within(patience, func() bool { return pings() >= 5 }) {
		t.Errorf("PINGs on the listening connection = %d, want 5", pings())
	}
	if n := server.calls()["subscribe"]; n != "" {
		t.Errorf("new subscriptions on a connection that works = %s, want 0", n)
	}
	proxy.each(func(l *link) { l.deaf.Store(true) })
	w.approve(there)
	w.wake()
}

// Connections are cut at random, in the middle of commands and of answers. A change that
// a call reported has happened, once, and a waiting process sees the last change.
func TestRedisCutConnections(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	steady := newRedisStore(t, server.addr, "")
	if err := steady.Create(t.Context(), "k", []byte("0"), time.Hour); err != nil {
		t.Fatal(err)
	}
	proxy.limits(2000, 2000)
	const writers = 8
	enough := int64(crowd(100, 400))
	var work, following sync.WaitGroup
	var won, unknown atomic.Int64
	for range writers {
		store := newRedisStore(t, proxy.addr(), "")
		work.Go(func() {
			for won.Load() < enough {
				increment(t, store, &won, &unknown)
			}
		})
	}
	follower := newRedisStore(t, proxy.addr(), "")
	following.Go(func() { follow(t, follower) })
	work.Wait()

	value, version, err := steady.Load(t.Context(), "k")
	if err != nil || string(value) != strconv.FormatInt(version-1, 10) {
		t.Errorf("record = %q at version %d, %v, want one less than the version", value, version, err)
	}
	if changes := version - 1; changes < won.Load() || changes > won.Load()+unknown.Load() {
		t.Errorf("changes made = %d, want %d that succeeded and at most %d of unknown outcome", changes, won.Load(), unknown.Load())
	}
	if unknown.Load() == 0 {
		t.Error("changes of unknown outcome = 0, want at least 1: no connection was cut")
	}
	t.Logf("%d changes succeeded, %d have an unknown outcome", won.Load(), unknown.Load())
	if err := steady.Update(t.Context(), "k", version, []byte("the end"), time.Hour); err != nil {
		t.Errorf("the last Update: error = %v, want none", err)
	}
	following.Wait()
}

// increment adds one to the number in the record "k". It counts the successful changes
// and those of unknown outcome.
func increment(t *testing.T, store *testStore, won, unknown *atomic.Int64) {
	value, version, err := store.Load(t.Context(), "k")
	if err != nil {
		if !isFailure(err) {
			t.Errorf("Load over cut connections: error = %v, want a failure or none", err)
		}
		return
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n != version-1 {
		t.Errorf("Load over cut connections = %q at version %d, want one less than the version", value, version)
	}
	err = store.Update(t.Context(), "k", version, []byte(strconv.FormatInt(n+1, 10)), time.Hour)
	switch {
	case err == nil:
		won.Add(1)
	case isFailure(err):
		unknown.Add(1)
	case !errors.Is(err, scangate.ErrConflict):
		t.Errorf("Update over cut connections: error = %v, want ErrConflict, a failure or none", err)
	}
}

// follow waits from version to version until the record "k" is "the end".
func follow(t *testing.T, store *testStore) {
	for seen := int64(1); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
		value, version, err := store.Wait(ctx, "k", seen)
		cancel()
		switch {
		case err == nil && version > seen && string(value) == "the end":
			return
		case err == nil && version > seen && string(value) == strconv.FormatInt(version-1, 10):
			seen = version
		case err == nil || !isFailure(err):
			t.Errorf("Wait after version %d = %q at version %d, %v, want a newer version or a failure", seen, value, version, err)
			return
		}
	}
}
