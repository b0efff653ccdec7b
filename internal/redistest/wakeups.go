package redistest

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/state"
)

// WakeUps tests which processes a change reaches.
func WakeUps(t *testing.T, b Backend) {
	run(t, b, map[string]func(*testing.T, Backend){
		"only processes that wait": testWakeOnlyWaiting,
		"a process that has left":  testWakeNotAfterLeaving,
		"many processes":           testWakeManyProcesses,
		"damaged registrations":    testWakeDamagedRegistrations,
		"several versions":         testWakeSeveralVersions,
		"quiet updates":            testQuietUpdates,
		"cost of processes":        testCostOfProcesses,
	})
}

// recordKey is the Redis key of the record "k".
const recordKey = "{scangate}:state:k"

// registered returns the entries of the processes that are registered at the record.
func registered(t *testing.T, server *Server, key string) string {
	t.Helper()
	waiting, err := redis.String(server.Do("HGET", key, "waiting"), nil)
	if err != nil && !errors.Is(err, redis.ErrNil) {
		t.Fatal(err)
	}
	return waiting
}

// process is a store with a count of the bytes that it has received.
type process struct {
	*Store
	got *atomic.Int64
}

// countingConn counts the bytes read.
type countingConn struct {
	net.Conn
	got *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got.Add(int64(n))
	return n, err
}

// startProcess returns a store that listens and that sends no PING during the test.
func startProcess(t *testing.T, b Backend, server *Server) process {
	t.Helper()
	p := process{got: new(atomic.Int64)}
	dial := dialTo(server.Addr)
	p.Store = b.New(t, Options{Addr: server.Addr, Ping: time.Hour, Dial: func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		return countingConn{conn, p.got}, err
	}})
	Listen(t, server, p.Store)
	if !Within(Patience, p.Idle) {
		t.Fatal("the store holds a connection without a call")
	}
	return p
}

// waitAsync calls Wait for the record "k". When it returns, the process is registered.
func (p process) waitAsync(ctx context.Context, t *testing.T, server *Server, version int64) <-chan awaited {
	t.Helper()
	before := registered(t, server, recordKey)
	result := make(chan awaited, 1)
	go func() {
		value, newer, err := p.Wait(ctx, "k", version)
		result <- awaited{string(value), newer, err}
	}()
	if !Within(Patience, func() bool { return registered(t, server, recordKey) != before || before == "all" && p.Idle() }) {
		t.Fatal("the process has not registered at the record")
	}
	return result
}

// awaited is what Wait returned.
type awaited struct {
	value   string
	version int64
	err     error
}

// demand fails the test unless Wait returns that soon.
func demand(t *testing.T, doing string, result <-chan awaited, want awaited) {
	t.Helper()
	select {
	case got := <-result:
		if got.value != want.value || got.version != want.version || !errors.Is(got.err, want.err) {
			t.Errorf("%s: Wait = %+v, want %+v", doing, got, want)
		}
	case <-time.After(Patience):
		t.Fatalf("%s: Wait has not returned within %v", doing, Patience)
	}
}

// create creates the record "k" with the value "one".
func (p process) create(t *testing.T) {
	t.Helper()
	if err := p.Create(t.Context(), "k", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
}

// update updates the record "k".
func (p process) update(ctx context.Context, t *testing.T, version int64, value string) {
	t.Helper()
	if err := p.Update(ctx, "k", version, []byte(value), time.Hour); err != nil {
		t.Fatalf("Update of version %d: error = %v, want none", version, err)
	}
}

func testWakeOnlyWaiting(t *testing.T, b Backend) {
	server := Start(t)
	waits, changes, idle := startProcess(t, b, server), startProcess(t, b, server), startProcess(t, b, server)
	changes.create(t)
	result := waits.waitAsync(t.Context(), t, server, 1)
	// The entry is the end of the process's channel, and a number.
	if entry := registered(t, server, recordKey); len(entry) != 20 {
		t.Errorf("registrations at the record = %q, want one of 20 characters", entry)
	}
	before := idle.got.Load()
	changes.update(t.Context(), t, 1, strings.Repeat("x", 500))
	demand(t, "update", result, awaited{strings.Repeat("x", 500), 2, nil})
	if entry := registered(t, server, recordKey); entry != "" {
		t.Errorf("registrations after the update = %q, want none", entry)
	}
	if got := idle.got.Load() - before; got != 0 {
		t.Errorf("bytes sent to a process that waits for nothing = %d, want 0", got)
	}
}

// The last call of Wait of a process ends without a change.
func testWakeNotAfterLeaving(t *testing.T, b Backend) {
	server := Start(t)
	waits, leaves := startProcess(t, b, server), startProcess(t, b, server)
	waits.create(t)
	result := waits.waitAsync(t.Context(), t, server, 1)
	ctx, cancel := context.WithCancel(t.Context())
	left := leaves.waitAsync(ctx, t, server, 1)
	cancel()
	demand(t, "leaving", left, awaited{err: context.Canceled})
	if !Within(Patience, func() bool { return len(registered(t, server, recordKey)) == 20 && leaves.Idle() }) {
		t.Fatalf("registrations after one process has left = %q, want the other's", registered(t, server, recordKey))
	}
	before := leaves.got.Load()
	waits.update(t.Context(), t, 1, "two")
	demand(t, "update", result, awaited{"two", 2, nil})
	if got := leaves.got.Load() - before; got != 0 {
		t.Errorf("bytes sent to a process that has left = %d, want 0", got)
	}
}

// More processes wait for one record than it has entries for.
func testWakeManyProcesses(t *testing.T, b Backend) {
	server := Start(t)
	var results []<-chan awaited
	first := startProcess(t, b, server)
	first.create(t)
	for i := range 20 {
		results = append(results, startProcess(t, b, server).waitAsync(t.Context(), t, server, 1))
		if entries := registered(t, server, recordKey); len(entries) != 20*(i+1) && (i < 16 || entries != "all") {
			t.Fatalf("registrations of %d processes = %q, want %d, or all from 17 on", i+1, entries, i+1)
		}
	}
	first.update(t.Context(), t, 1, "two")
	for _, result := range results {
		demand(t, "update", result, awaited{"two", 2, nil})
	}
}

// Another program may write to the field. That neither grows without bound nor stops
// wake-ups.
func testWakeDamagedRegistrations(t *testing.T, b Backend) {
	server := Start(t)
	p := startProcess(t, b, server)
	p.create(t)
	version := int64(1)
	for _, damage := range []string{"", "x", "*", "\x00", strings.Repeat("x", 20), strings.Repeat("%", 320), strings.Repeat("a", 100_000)} {
		server.Do("HSET", recordKey, "waiting", damage)
		result := p.waitAsync(t.Context(), t, server, version)
		if entries := registered(t, server, recordKey); len(entries) > 320 {
			t.Errorf("length of the registrations after %.20q = %d, want at most 320", damage, len(entries))
		}
		server.Do("CONFIG", "RESETSTAT")
		p.update(t.Context(), t, version, "value")
		version++
		demand(t, "update", result, awaited{"value", version, nil})
		if n := server.Calls()["publish"]; len(n) > 2 || n > "16" && len(n) == 2 {
			t.Errorf("messages after %.20q = %s, want at most 16", damage, n)
		}
	}
	// Damage after the registration: a field of another length wakes all processes.
	result := p.waitAsync(t.Context(), t, server, version)
	server.Do("HSET", recordKey, "waiting", strings.Repeat("y", 100_000))
	p.update(t.Context(), t, version, "value")
	demand(t, "update", result, awaited{"value", version + 1, nil})
}

// Two calls of one process wait at different versions when the subscription breaks. The
// process must be registered afterwards for the one that goes on waiting.
func testWakeSeveralVersions(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	p, other := startProcess(t, b, server), startProcess(t, b, server)
	p.create(t)
	old := p.waitAsync(t.Context(), t, server, 1)
	quiet := state.Quietly(t.Context())
	other.update(quiet, t, 1, "two")
	current := p.waitAsync(t.Context(), t, server, 2)
	// The process has missed all messages, and its registration is gone.
	server.Do("HDEL", recordKey, "waiting")
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	demand(t, "after the connection", old, awaited{"two", 2, nil})
	if !Within(Patience, func() bool { return registered(t, server, recordKey) != "" }) {
		t.Fatal("the process has not registered again")
	}
	other.update(t.Context(), t, 2, "three")
	demand(t, "update", current, awaited{"three", 3, nil})
}

// An update that no call waits for sends no message. The next one does.
func testQuietUpdates(t *testing.T, b Backend) {
	server := Start(t)
	p, other := startProcess(t, b, server), startProcess(t, b, server)
	p.create(t)
	result := p.waitAsync(t.Context(), t, server, 1)
	server.Do("CONFIG", "RESETSTAT")
	for version := range int64(3) {
		other.update(state.Quietly(t.Context()), t, version+1, "quiet")
	}
	if n := server.Calls()["publish"]; n != "" {
		t.Errorf("messages of quiet updates = %s, want none", n)
	}
	select {
	case got := <-result:
		t.Errorf("Wait after quiet updates = %+v, want it to go on", got)
	default:
	}
	if _, version, err := other.Wait(t.Context(), "k", 1); version != 4 || err != nil {
		t.Errorf("Wait that begins after a quiet update = version %d, %v, want 4 at once", version, err)
	}
	other.update(t.Context(), t, 4, "loud")
	demand(t, "update", result, awaited{"loud", 5, nil})
	if n := server.Calls()["publish"]; n != "1" {
		t.Errorf("messages of the update = %q, want 1", n)
	}
}
