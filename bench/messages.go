package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

const (
	published  = 2000 // messages, one at a time
	ignored    = 20_000
	changedKey = "{scangate}:changed" // where a RedisStore tells of changes
	patience   = 10 * time.Second     // for messages to arrive
)

// measureMessages says what the messages cost by which processes tell each other
// of changes: each goes to all of them.
func measureMessages(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 5. Messages between processes\n\n"+
		"Each change of a login is one message to every process. Most are for nobody there.\n\n")
	server, err := startRedis(ctx, out)
	if errors.Is(err, redisserver.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Stop()
	count, many := published, ignored
	if e.slice == 0 {
		count, many = 10, 10
	}
	t := table{{"a message", "CPU, µs"}}
	before := 0.0
	for _, subscribers := range []int{0, 10, 50} {
		cpu, err := fanOut(ctx, server, subscribers, count)
		if err != nil {
			return err
		}
		t = append(t, []string{fmt.Sprintf("Redis, to %d processes", subscribers), number(cpu)})
		if subscribers == 50 {
			t = append(t, []string{"Redis, for each process more", number((cpu - before) / 40)})
		}
		before = cpu
	}
	cpu, err := w.ignoring(ctx, server, many)
	if err != nil {
		return err
	}
	t = append(t, []string{"a process, for a message that is for nobody there", number(cpu)})
	t.print(out)
	return nil
}

// fanOut publishes messages one at a time, and returns the CPU time that Redis
// takes for each, in microseconds.
func fanOut(ctx context.Context, server *redisserver.Server, subscribers, count int) (float64, error) {
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	var all sync.WaitGroup
	defer all.Wait()
	for range subscribers {
		conn, err := pool.DialContext(ctx)
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close() }()
		if err := (redis.PubSubConn{Conn: conn}).Subscribe(changedKey); err != nil {
			return 0, err
		}
		if _, err := conn.Receive(); err != nil {
			return 0, err
		}
		all.Go(func() {
			for err := error(nil); err == nil; {
				_, err = redis.ReceiveWithTimeout(conn, patience)
			}
		})
	}
	publisher := pool.Get()
	defer func() { _ = publisher.Close() }()
	before, err := server.Stats(ctx)
	if err != nil {
		return 0, err
	}
	for range count {
		if _, err := publisher.Do("PUBLISH", changedKey, "{scangate}:state:0123456789ab:login:ABCDEFGHIJKLMNOPQRSTUVWXYZ"); err != nil {
			return 0, err
		}
	}
	after, err := server.Stats(ctx)
	return float64(after.Since(before).CPU) / 1e3 / float64(count), err
}

// ignoring publishes messages in one command, while one browser waits here for
// another login, and returns the CPU time that this process takes for each.
func (w *world) ignoring(ctx context.Context, server *redisserver.Server, count int) (float64, error) {
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	gate, err := w.gate(ctx, w.memory, func(c *scangate.Config) { c.Redis = pool })
	if err != nil {
		return 0, err
	}
	desktop := desktopOf(application("/wechat/", gate, gate.RequireWeChat))
	id, err := begin(ctx, desktop)
	if err != nil {
		return 0, err
	}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer func() { _ = gate.Close() }()
	waiting.Go(func() { _, _ = desktop.get(ctx, "/wechat/login/"+id+"/state?seen=waiting") })
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	if err := listened(ctx, conn); err != nil {
		return 0, err
	}
	script := redis.NewScript(0, `for i = 1, ARGV[1] do redis.call('PUBLISH', ARGV[2], '{scangate}:state:0123456789ab:login:' .. i) end`)
	begun := cpu.now()
	if _, err := script.Do(conn, count, changedKey); err != nil {
		return 0, err
	}
	if err := idle(ctx); err != nil {
		return 0, err
	}
	return float64(cpu.now()-begun) / 1e3 / float64(count), nil
}

// listened returns when a process has subscribed.
func listened(ctx context.Context, conn redis.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		subscribers, err := redis.Int64Map(conn.Do("PUBSUB", "NUMSUB", changedKey))
		if err != nil || subscribers[changedKey] > 0 {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// idle returns when this process has had nothing to do for a moment.
func idle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for last := time.Duration(0); ; {
		if err := pause(ctx); err != nil {
			return err
		}
		now := cpu.now()
		if now-last < 2*time.Millisecond {
			return nil
		}
		last = now
	}
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
