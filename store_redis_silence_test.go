package scangate_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// fillPool makes n idle connections.
func fillPool(t *testing.T, store *testStore, n int) {
	t.Helper()
	var conns []redis.Conn
	for range n {
		conn := store.pool.Get()
		if _, err := conn.Do("PING"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// All connections of a process die at once, and neither end notices that. The worst
// moment is just after a PING. The calls of Wait return the changes within the time that
// the documentation of Wait states, although the pool holds dead connections too.
func TestCaseE05WaitNoticesDeadConnections(t *testing.T) {
	wallClock(t)
	if !largeCrowd() {
		t.Skip("takes 10 seconds of real time; SCANGATE_LARGE=1 runs it")
	}
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	here, there := newRedisStore(t, proxy.addr(), ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, 10)
	fillPool(t, here, 20)
	before := server.calls()["ping"]
	if !within(patience, func() bool { return server.calls()["ping"] != before }) {
		t.Fatal("no PING on the listening connection")
	}
	proxy.each(func(l *link) { l.deaf.Store(true) })
	died := time.Now()
	w.approve(there)
	if !within(10*9*time.Second, func() bool { return w.count() == len(w.keys) }) {
		t.Fatalf("calls of Wait woken within 90 s = %d, want %d", w.count(), len(w.keys))
	}
	t.Logf("all calls of Wait returned %v after their connections had died", time.Since(died))
}

// The same with short limits: the 20 dead connections of the pool do not add up.
func TestCaseE05DeadPoolDelaysOnce(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	const limit, ping = time.Second, 200 * time.Millisecond
	here := newLimitedStore(t, redisPool(t, proxy.addr()), limit, ping)
	there := newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, 10)
	fillPool(t, here, 20)
	proxy.each(func(l *link) { l.deaf.Store(true) })
	died := time.Now()
	w.approve(there)
	w.wake()
	// One dead connection after another would take at least 20 limits.
	if took := time.Since(died); took > 15*limit {
		t.Errorf("all calls of Wait returned %v after their connections had died, want about %v", took, limit+ping)
	}
}
