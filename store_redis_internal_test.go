package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

func TestRedisTTL(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		-time.Second:                       1,
		0:                                  1,
		1:                                  1,
		time.Millisecond:                   1,
		time.Millisecond + 1:               2,
		1999 * time.Microsecond:            2,
		time.Hour:                          3_600_000,
		time.Duration(1<<63 - 1):           9_223_372_036_855,
		5*time.Minute + time.Millisecond/2: 300_001,
	} {
		if got := redisTTL(ttl); got != want {
			t.Errorf("%v: %d ms, want %d", ttl, got, want)
		}
	}
}

func TestRedisFailure(t *testing.T) {
	ctx := t.Context()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancel()
	parse := &url.Error{Op: "parse", URL: "redis://app:password@host:port", Err: errors.New("invalid port")}
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{ctx, redis.Error("READONLY You can't write against a read only replica."), "READONLY You can't write against a read only replica."},
		{ctx, redis.Error("OOM command not allowed when used memory > 'maxmemory'."), "OOM command not allowed when used memory >"},
		{ctx, redis.Error("ERR unknown command `EVALSHA`, with args beginning with: `key`"), "ERR unknown command"},
		{ctx, redis.Error("ERR unknown command, with args beginning with: key"), "ERR unknown command"},
		{ctx, fmt.Errorf("dialing: %w", redis.Error(`WRONGPASS "x"`)), "WRONGPASS"},
		{ctx, context.DeadlineExceeded, "no answer in time"},
		{ctx, parse, "invalid port"},
		{ctx, errors.New("EOF"), "EOF"},
		{gone, redis.Error("ERR no"), "context canceled"},
		{late, errors.New("EOF"), "context deadline exceeded"},
	} {
		err := redisFailure(c.ctx, "testing", c.err)
		if got := err.Error(); got != "scangate: Redis: testing: "+c.want {
			t.Errorf("%q became %q", c.err, got)
		}
		if !errors.Is(err, c.ctx.Err()) && c.ctx.Err() != nil {
			t.Errorf("%q is not %q", err, c.ctx.Err())
		}
		if c.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			t.Errorf("%q is a context's error", err)
		}
	}
	if err := redisFailure(ctx, "testing", nil); err != nil {
		t.Errorf("no error became %q", err)
	}
}

func TestRedisPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // each pause ends at once
	var p redisPause
	var got []time.Duration
	for range 7 {
		p.sleep(ctx)
		got = append(got, p.last/time.Millisecond)
	}
	p.reset()
	p.sleep(ctx)
	if want := "[50ns 100ns 200ns 400ns 800ns 1µs 1µs]"; fmt.Sprint(got) != want || p.last != redisMinPause {
		t.Errorf("pauses %v, then %v", got, p.last)
	}
}

func newTestWaits() *redisWaits {
	h := &redisWaits{}
	h.init(func() {})
	return h
}

// got returns what the waiter was handed, and whether it was.
func (w *redisWaiter) got() (redisRecord, bool) {
	select {
	case record := <-w.result:
		return record, true
	default:
		return redisRecord{}, false
	}
}

func TestRedisWaitsDeliver(t *testing.T) {
	h := newTestWaits()
	first, same, knows, other := h.enter("k", 1), h.enter("k", 1), h.enter("k", 2), h.enter("other", 1)
	h.note("k", "nobody's")
	if keys := h.take(); len(keys) != 1 || keys[0] != "k" {
		t.Fatalf("took %q", keys)
	}
	h.deliver("k", redisRecord{value: []byte("two"), version: 2})
	a, okA := first.got()
	b, okB := same.got()
	if !okA || !okB || string(a.value) != "two" || b.version != 2 {
		t.Errorf("handed over %v and %v", a, b)
	}
	a.value[0] = 'x'
	if string(b.value) != "two" {
		t.Error("two waiters share one value")
	}
	for _, w := range []*redisWaiter{knows, other} {
		if record, ok := w.got(); ok {
			t.Errorf("who waits for %q at version %d got %v", w.key, w.version, record)
		}
	}
	h.leave(knows)
	h.leave(knows)
	h.leave(other)
	if len(h.waiters) != 0 {
		t.Errorf("waiters are left: %v", h.waiters)
	}
}

// Who enters while a record is being read may know more than was read.
func TestRedisWaitsDeliverNothingStale(t *testing.T) {
	h := newTestWaits()
	early := h.enter("k", 1)
	h.note("k")
	h.take()
	late := h.enter("k", 3)
	h.deliver("k", redisRecord{version: 2})
	if _, ok := early.got(); !ok {
		t.Error("who waited got nothing")
	}
	if record, ok := late.got(); ok {
		t.Errorf("who came knowing version 3 got %d", record.version)
	}
	h.note("k")
	h.take()
	h.deliver("k", redisRecord{version: 4})
	if _, ok := late.got(); !ok {
		t.Error("who came late got nothing the next time")
	}
}

func TestRedisWaitsTakeInParts(t *testing.T) {
	h := newTestWaits()
	const all = 2*redisBatch + 10
	for i := range all {
		h.enter(fmt.Sprint(i), 1)
	}
	h.noteAll()
	seen := make(map[string]bool)
	for _, want := range []int{redisBatch, redisBatch, 10, 0} {
		keys := h.take()
		if len(keys) != want {
			t.Errorf("took %d, want %d", len(keys), want)
		}
		for _, key := range keys {
			seen[key] = true
		}
	}
	if len(seen) != all {
		t.Errorf("took %d different keys, want %d", len(seen), all)
	}
}

// What a waiter costs the store, from coming to going.
func BenchmarkRedisWaits(b *testing.B) {
	h := newTestWaits()
	for i := range 10_000 {
		h.enter(fmt.Sprint("login:", i), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := h.enter("login:mine", 1)
		h.note("login:mine")
		h.take()
		h.deliver("login:mine", redisRecord{version: 2})
		<-w.result
		h.leave(w)
	}
}
