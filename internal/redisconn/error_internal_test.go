package redisconn

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

func TestCause(t *testing.T) {
	ctx := t.Context()
	canceled, cancel := context.WithCancel(ctx)
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
		{ctx, context.Canceled, "no answer in time"},
		{ctx, parse, "the address is not a valid URL"},
		{ctx, errors.New("EOF"), "EOF"},
		{canceled, redis.Error("ERR no"), "context canceled"},
		{late, errors.New("EOF"), "context deadline exceeded"},
	} {
		err := Cause(c.ctx, c.err)
		if got := err.Error(); got != c.want {
			t.Errorf("cause of %q = %q, want %q", c.err, got, c.want)
		}
		if !errors.Is(err, c.ctx.Err()) && c.ctx.Err() != nil {
			t.Errorf("cause of %q = %q, want %q", c.err, err, c.ctx.Err())
		}
		if c.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			t.Errorf("cause of %q = %q, want no context's error while the context lasts", c.err, err)
		}
	}
	if err := Cause(canceled, nil); err != nil {
		t.Errorf("cause of no error = %q, want none", err)
	}
}

func TestRefusalCode(t *testing.T) {
	for refusal, want := range map[Refusal]string{
		"NOPERM this user has no permissions": "NOPERM",
		"NOAUTH":                              "NOAUTH",
		"":                                    "",
	} {
		if got := refusal.Code(); got != want {
			t.Errorf("code of %q = %q, want %q", refusal, got, want)
		}
	}
}

func TestPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // each pause ends at once
	var p Pause
	var got []time.Duration
	for range 7 {
		p.Sleep(ctx)
		got = append(got, p.last)
	}
	if want := "[50ms 100ms 200ms 400ms 800ms 1s 1s]"; fmt.Sprint(got) != want {
		t.Errorf("pauses = %v, want %v", got, want)
	}
	p.Reset()
	p.Sleep(ctx)
	if p.last != minPause {
		t.Errorf("pause after Reset = %v, want %v", p.last, minPause)
	}
}
