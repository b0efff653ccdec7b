package redistest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// Failover tests a store while its connections break or its master changes.
func Failover(t *testing.T, b Backend) {
	run(t, b, map[string]func(*testing.T, Backend){
		"failover":                       testFailover,
		"calls of Wait keep connections": testWaitsKeepConnections,
		"deaf connection":                testWaitDeafConnection,
		"cut connections":                testCutConnections,
	})
}

// The old master becomes a replica, and the pool dials the new one. Sentinel would cut
// off the old master's clients.
func testFailover(t *testing.T, b Backend) {
	WallClock(t)
	for name, cutOff := range map[string][]string{"clients cut off": {"normal", "pubsub"}, "clients left alone": nil} {
		t.Run(name, func(t *testing.T) {
			fast := []string{"--repl-diskless-sync-delay", "0"}
			first, second := Start(t, fast...), Start(t, fast...)
			var master atomic.Pointer[string]
			master.Store(&first.Addr)
			newStore := func() *Store {
				return b.New(t, Options{Addr: first.Addr, Dial: func(ctx context.Context) (net.Conn, error) {
					return dialTo(*master.Load())(ctx)
				}})
			}
			here, there := newStore(), newStore()
			w := StartWaiters(t, first, here, Crowd(20, 100))
			if _, err := there.Add(t.Context(), "k", time.Hour); err != nil {
				t.Fatal(err)
			}
			second.Follow(first)
			second.Do("REPLICAOF", "NO", "ONE")
			master.Store(&second.Addr)
			first.Follow(second)
			for _, kind := range cutOff {
				first.Do("CLIENT", "KILL", "TYPE", kind)
			}
			// The connection to the old master makes one call fail, unless the pool has
			// noticed that it was cut off.
			n, err := there.Add(t.Context(), "k", time.Hour)
			if IsFailure(err) {
				n, err = there.Add(t.Context(), "k", time.Hour)
			} else if !b.NoticesCuts || cutOff == nil {
				t.Errorf("Add at the old master: error = %v, want a failure", err)
			}
			if err != nil || n != 2 {
				t.Errorf("Add at the new master = %d, %v, want 2", n, err)
			}
			w.Approve(there)
			w.Wake()
		})
	}
}

// A call of Wait that ends early costs no connection.
func testWaitsKeepConnections(t *testing.T, b Backend) {
	server := Start(t)
	o := Options{Addr: server.Addr}
	dials := countDials(&o)
	store := b.New(t, o)
	if err := store.Create(t.Context(), "k", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	Listen(t, server, store)
	before := dials.Load()
	for range 20 {
		reads := server.Reads()
		ctx, cancel := context.WithCancel(t.Context())
		waited := make(chan error)
		go func() {
			_, _, err := store.Wait(ctx, "k", 1)
			waited <- err
		}()
		if !Within(Patience, func() bool { return server.Reads() > reads && store.Idle() }) {
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
func testWaitDeafConnection(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	proxy := StartProxy(t, server.Addr)
	here := b.New(t, Options{
		Addr: proxy.Addr(), Limit: 500 * time.Millisecond, Ping: 200 * time.Millisecond,
		NoIdle: true, // the listening connection is the only one that stays
	})
	there := b.New(t, Options{Addr: server.Addr})
	w := StartWaiters(t, server, here, 10)
	// Without PING the connection would end after 700 ms.
	pings := func() int {
		n, _ := strconv.Atoi(server.Calls()["ping"])
		return n
	}
	if !Within(Patience, func() bool { return pings() >= 5 }) {
		t.Errorf("PINGs on the listening connection = %d, want 5", pings())
	}
	if n := server.Calls()["subscribe"]; n != "" {
		t.Errorf("new subscriptions on a connection that works = %s, want 0", n)
	}
	proxy.each(func(l *link) { l.deaf.Store(true) })
	w.Approve(there)
	w.Wake()
}

// Connections are cut at random, in the middle of commands and of answers. A change that
// a call reported has happened, once, and a waiting process sees the last change.
func testCutConnections(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	proxy := StartProxy(t, server.Addr)
	steady := b.New(t, Options{Addr: server.Addr})
	if err := steady.Create(t.Context(), "k", []byte("0"), time.Hour); err != nil {
		t.Fatal(err)
	}
	proxy.Limits(2000, 2000)
	const writers = 8
	enough := int64(Crowd(100, 400))
	var work, following sync.WaitGroup
	var won, unknown atomic.Int64
	for range writers {
		store := b.New(t, Options{Addr: proxy.Addr()})
		work.Go(func() {
			for won.Load() < enough {
				increment(t, store, &won, &unknown)
			}
		})
	}
	follower := b.New(t, Options{Addr: proxy.Addr()})
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
func increment(t *testing.T, store *Store, won, unknown *atomic.Int64) {
	value, version, err := store.Load(t.Context(), "k")
	if err != nil {
		if !IsFailure(err) {
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
	case IsFailure(err):
		unknown.Add(1)
	case !errors.Is(err, scangate.ErrConflict):
		t.Errorf("Update over cut connections: error = %v, want ErrConflict, a failure or none", err)
	}
}

// follow waits from version to version until the record "k" is "the end".
func follow(t *testing.T, store *Store) {
	for seen := int64(1); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 5*Patience)
		value, version, err := store.Wait(ctx, "k", seen)
		cancel()
		switch {
		case err == nil && version > seen && string(value) == "the end":
			return
		case err == nil && version > seen && string(value) == strconv.FormatInt(version-1, 10):
			seen = version
		case err == nil || !IsFailure(err):
			t.Errorf("Wait after version %d = %q at version %d, %v, want a newer version or a failure", seen, value, version, err)
			return
		}
	}
}
