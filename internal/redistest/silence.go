package redistest

import (
	"testing"
	"time"
)

// WaitNoticesDeadConnections has all connections of a process die at once, and neither end
// notices that. The worst
// moment is just after a PING. The calls of Wait return the changes within the time that
// the documentation of Wait states, although the pool holds dead connections too.
func WaitNoticesDeadConnections(t *testing.T, b Backend) {
	WallClock(t)
	if !LargeCrowd() {
		t.Skip("takes 10 seconds of real time; SCANGATE_LARGE=1 runs it")
	}
	server := Start(t)
	proxy := StartProxy(t, server.Addr)
	here, there := b.New(t, Options{Addr: proxy.Addr()}), b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, here, 10)
	here.Fill(20)
	before := server.Calls()["ping"]
	if !Within(Patience, func() bool { return server.Calls()["ping"] != before }) {
		t.Fatal("no PING on the listening connection")
	}
	proxy.each(func(l *link) { l.deaf.Store(true) })
	died := time.Now()
	w.Approve(there)
	if !Within(10*9*time.Second, func() bool { return w.Count() == len(w.Keys) }) {
		t.Fatalf("calls of Wait woken within 90 s = %d, want %d", w.Count(), len(w.Keys))
	}
	t.Logf("all calls of Wait returned %v after their connections had died", time.Since(died))
}

// DeadPoolDelaysOnce is the same with short limits: the 20 dead connections of the pool do not add up.
func DeadPoolDelaysOnce(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	proxy := StartProxy(t, server.Addr)
	const limit, ping = time.Second, 200 * time.Millisecond
	here := b.New(t, Options{Addr: proxy.Addr(), Limit: limit, Ping: ping})
	there := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, here, 10)
	here.Fill(20)
	proxy.each(func(l *link) { l.deaf.Store(true) })
	died := time.Now()
	w.Approve(there)
	w.Wake()
	// One dead connection after another would take at least 20 limits.
	if took := time.Since(died); took > 15*limit {
		t.Errorf("all calls of Wait returned %v after their connections had died, want about %v", took, limit+ping)
	}
}
