package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/bench/internal/redisserver"
)

// countCommands counts what one login and one long poll ask of Redis.
func (w *world) countCommands(ctx context.Context, out io.Writer, server *redisserver.Server) error {
	counted := &counter{calls: make(map[string]int64)}
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	plain := pool.DialContext
	pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
		conn, err := plain(ctx)
		return countingConn{conn, counted}, err
	}
	app, err := w.redisApplication(ctx, pool)
	if err != nil {
		return err
	}
	if err := scanLogin(ctx, w, desktopOf(app)); err != nil {
		return err
	}
	things, err := w.redisThings(ctx, app)
	if err != nil {
		return err
	}
	t := table{{"Redis, for each", "sent by the process", "run by Redis, those in scripts too", "B to Redis", "B from Redis"}}
	asking := redisserver.Stats{}
	for _, c := range things {
		did, sent, err := counted.count(ctx, server, c)
		if err != nil {
			return err
		}
		if c.name == "" {
			asking = did
			continue
		}
		t = append(t, []string{c.name, sent, listed(did.Calls), number(float64(did.In - asking.In)), number(float64(did.Out - asking.Out))})
	}
	t.print(out)
	return reportMemory(out, pool)
}

// count has a thing done once, and returns what Redis did and what was sent to it.
func (c *counter) count(ctx context.Context, server *redisserver.Server, thing contestant) (redisserver.Stats, string, error) {
	before, err := server.Stats(ctx)
	if err != nil {
		return before, "", err
	}
	c.reset()
	if err := thing.do(1); err != nil {
		return before, "", err
	}
	sent := c.String()
	after, err := server.Stats(ctx)
	return after.Since(before), sent, err
}

// pollTime is how long a poll waits that is only to be counted.
const pollTime = 50 * time.Millisecond

// redisThings are what Redis is asked for; the first is nothing but the asking
// itself.
func (w *world) redisThings(ctx context.Context, app http.Handler) ([]contestant, error) {
	waiting := desktopOf(app)
	id, err := begin(ctx, waiting)
	if err != nil {
		return nil, err
	}
	if err := poll(ctx, waiting, id); err != nil { // subscribes
		return nil, err
	}
	return []contestant{
		{do: func(int) error { return nil }},
		{name: "scan login, without polls", do: func(int) error { return scanLogin(ctx, w, desktopOf(app)) }},
		{name: "login page alone", do: func(int) error { _, err := begin(ctx, desktopOf(app)); return err }},
		{name: "long poll without news", do: func(int) error { return poll(ctx, waiting, id) }},
	}, nil
}

// poll is a long poll that nothing ends but its context.
func poll(ctx context.Context, desktop *visitor, id string) error {
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	_, err := desktop.get(ctx, "/wechat/login/"+id+"/state?seen=waiting")
	return err
}

// weighed is how many keys of a kind are weighed.
const weighed = 50

// reportMemory says what keys take in Redis.
func reportMemory(out io.Writer, pool *redis.Pool) error {
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	t := table{{"in Redis's memory", "B each", "for"}}
	for _, k := range [][3]string{
		{"a login", "{scangate}:state:*:login:*", "5 to 15 minutes"},
		{"its index by browser", "{scangate}:state:*:open:*", "15 minutes"},
		{"a session", "scangate:session:*", "7 days"},
		{"a user", "{scangate}:user:*", "good"},
	} {
		keys, err := redis.Strings(conn.Do("KEYS", k[1]))
		if err != nil {
			return err
		}
		keys, total := keys[:min(weighed, len(keys))], 0
		for _, key := range keys {
			size, err := redis.Int(conn.Do("MEMORY", "USAGE", key))
			if err != nil {
				return err
			}
			total += size
		}
		t = append(t, []string{k[0], number(float64(total) / float64(max(len(keys), 1))), k[2]})
	}
	t.print(out)
	return nil
}

// counter counts commands by their names.
type counter struct {
	mu    sync.Mutex
	calls map[string]int64
}

// add counts a command. Without a name it is a pool looking for answers that are
// due, and nothing is sent.
func (c *counter) add(command string) {
	if command == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[command]++
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return listed(c.calls)
}

// listed is such as "7: 3 GET, 4 SET".
func listed(calls map[string]int64) string {
	text, total := "", int64(0)
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		text += fmt.Sprintf(", %d %s", calls[name], name)
		total += calls[name]
	}
	if total == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %s", total, text[2:])
}

// countingConn counts the commands that go through it.
type countingConn struct {
	redis.Conn
	counter *counter
}

// Do implements [redis.Conn].
func (c countingConn) Do(command string, args ...any) (any, error) {
	c.counter.add(command)
	return c.Conn.Do(command, args...)
}

// DoWithTimeout implements [redis.ConnWithTimeout].
func (c countingConn) DoWithTimeout(limit time.Duration, command string, args ...any) (any, error) {
	c.counter.add(command)
	return redis.DoWithTimeout(c.Conn, limit, command, args...)
}

// ReceiveWithTimeout implements [redis.ConnWithTimeout].
func (c countingConn) ReceiveWithTimeout(limit time.Duration) (any, error) {
	return redis.ReceiveWithTimeout(c.Conn, limit)
}
