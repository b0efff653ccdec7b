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
	publishedCount = 2000                 // messages, each in a command of its own
	ignoredCount   = 20_000               // messages, all in one command
	changedKey     = "{scangate}:changed" // the channel on which a RedisStore publishes changes
	messageTimeout = 10 * time.Second     // limit for messages to arrive
)

// measureMessages measures the cost of the messages that processes exchange about
// changes. Redis sends each message to all processes.
func measureMessages(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 5. Messages between processes\n\n"+
		"Each change of a login sends one message to every process. Most messages concern a login for which no browser waits there.\n\n")
	server, err := startRedis(ctx, out)
	if errors.Is(err, redisserver.ErrNotInstalled) {
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Stop()
	// A smoke test (no slice) sends a few messages only.
	count, many := publishedCount, ignoredCount
	if e.slice == 0 {
		count, many = 10, 10
	}
	t := table{{"a message", "CPU, µs"}}
	before := 0.0 // the cost with the previous number of processes
	for _, subscribers := range []int{0, 10, 50} {
		cpu, err := publishCost(ctx, server, subscribers, count)
		if err != nil {
			return err
		}
		t = append(t, []string{fmt.Sprintf("Redis, with %d processes", subscribers), number(cpu)})
		if subscribers == 50 {
			t = append(t, []string{"Redis, for each additional process", number((cpu - before) / 40)})
		}
		before = cpu
	}
	cpu, err := w.ignoreCost(ctx, server, many)
	if err != nil {
		return err
	}
	t = append(t, []string{"a process, for a message without a waiting browser", number(cpu)})
	t.print(out)
	return nil
}

// publishCost publishes messages and returns Redis's CPU time for each, in
// microseconds.
func publishCost(ctx context.Context, server *redisserver.Server, subscribers, count int) (float64, error) {
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	// Deferred calls run in reverse order: Wait after all connections are closed.
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
		// Wait for the confirmation, so that all subscribe before the first message.
		if _, err := conn.Receive(); err != nil {
			return 0, err
		}
		// Each goroutine ends when its connection is closed, or without a message for
		// messageTimeout.
		all.Go(func() {
			for err := error(nil); err == nil; {
				_, err = redis.ReceiveWithTimeout(conn, messageTimeout)
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

// ignoreCost returns this process's CPU time, in microseconds, for a message about a
// login for which no browser waits.
func (w *world) ignoreCost(ctx context.Context, server *redisserver.Server, count int) (float64, error) {
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	gate, err := w.gate(ctx, w.memory, func(c *scangate.Config) { c.Redis = pool })
	if err != nil {
		return 0, err
	}
	desktop := desktopOf(application("/wechat/", gate, gate.RequireWeChat))
	id, err := openLoginPage(ctx, desktop)
	if err != nil {
		return 0, err
	}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer func() { _ = gate.Close() }() // ends the wait
	// The wait makes this process subscribe. It is for another login than those of the
	// messages.
	waiting.Go(func() { _, _ = desktop.get(ctx, "/wechat/login/"+id+"/state?seen=waiting") })
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	if err := awaitSubscriber(ctx, conn); err != nil {
		return 0, err
	}
	// One command for all messages, so that publishing costs this process nothing.
	script := redis.NewScript(0, `for i = 1, ARGV[1] do redis.call('PUBLISH', ARGV[2], '{scangate}:state:0123456789ab:login:' .. i) end`)
	start := cpu.now()
	if _, err := script.Do(conn, count, changedKey); err != nil {
		return 0, err
	}
	// The messages may arrive after the script's reply.
	if err := awaitIdle(ctx); err != nil {
		return 0, err
	}
	return float64(cpu.now()-start) / 1e3 / float64(count), nil
}

// awaitSubscriber returns when a process has subscribed to changes.
func awaitSubscriber(ctx context.Context, conn redis.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
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

// awaitIdle returns when this process has used almost no CPU between two checks.
func awaitIdle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	for last := time.Duration(0); ; {
		if err := pause(ctx); err != nil {
			return err
		}
		now := cpu.now()
		if now-last < 2*time.Millisecond { // of CPU, in the 50 ms of pause
			return nil
		}
		last = now
	}
}

// pause waits for 50 ms or until ctx is done.
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
