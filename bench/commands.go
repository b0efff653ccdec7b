package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/bench/internal/redisserver"
)

// countCommands counts the commands that one login and one long poll send to Redis,
// and adds rows for them.
func (w *world) countCommands(ctx context.Context, s *sheet, server *redisserver.Server) error {
	counted := &commandCounter{calls: make(map[string]int64)}
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	// Wrap each connection, so that it counts the commands sent by this process.
	// Redis counts those inside of scripts as well.
	plain := pool.DialContext
	pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
		conn, err := plain(ctx)
		return countingConn{conn, counted}, err
	}
	app, err := w.redisApplication(ctx, pool)
	if err != nil {
		return err
	}
	// Warm up: the first login also registers the user and loads the scripts.
	if err := scanLogin(ctx, w, desktopOf(app)); err != nil {
		return err
	}
	operations, err := w.redisOperations(ctx, app)
	if err != nil {
		return err
	}
	overhead := redisserver.Stats{}
	for _, c := range operations {
		did, sent, err := counted.count(ctx, server, c)
		if err != nil {
			return err
		}
		if c.name == "" { // the first one: the bytes of INFO itself
			overhead = did
			continue
		}
		s.add("Redis, for a "+c.name, figures{
			commandsColumn: float64(sum(sent)),
			inColumn:       float64(did.In - overhead.In), outColumn: float64(did.Out - overhead.Out),
		})
		s.note("a %s sends %s; Redis runs %s, those in scripts included", c.name, formatCalls(sent), formatCalls(did.Calls))
	}
	return s.reportMemory(pool)
}

// count runs an operation once. It returns Redis's statistics for it and the
// commands that this process sent.
func (c *commandCounter) count(ctx context.Context, server *redisserver.Server, operation contestant) (redisserver.Stats, map[string]int64, error) {
	before, err := server.Stats(ctx)
	if err != nil {
		return before, nil, err
	}
	c.reset()
	if err := operation.do(1); err != nil {
		return before, nil, err
	}
	sent := c.copy() // before Stats, which sends INFO
	after, err := server.Stats(ctx)
	return after.Since(before), sent, err
}

// pollDuration is how long a poll waits whose commands are counted.
const pollDuration = 500 * time.Millisecond

// redisOperations returns the operations to count. The first one does nothing: it
// measures the overhead of reading the statistics.
func (w *world) redisOperations(ctx context.Context, app http.Handler) ([]contestant, error) {
	waiting := desktopOf(app)
	id, err := openLoginPage(ctx, waiting)
	if err != nil {
		return nil, err
	}
	// The first poll also subscribes to messages.
	if err := poll(ctx, waiting, id); err != nil {
		return nil, err
	}
	return []contestant{
		{do: func(int) error { return nil }},
		{name: "scan login, without polls", do: func(int) error { return scanLogin(ctx, w, desktopOf(app)) }},
		{name: "login page only", do: func(int) error { _, err := openLoginPage(ctx, desktopOf(app)); return err }},
		{name: "long poll without a change", do: func(int) error { return poll(ctx, waiting, id) }},
	}, nil
}

// poll sends a long poll and cancels it after pollDuration.
func poll(ctx context.Context, desktop *visitor, id string) error {
	// Nothing changes the login, so only the context ends the poll.
	ctx, cancel := context.WithTimeout(ctx, pollDuration)
	defer cancel()
	_, err := desktop.get(ctx, "/wechat/login/"+id+"/state?seen=waiting")
	return err
}

// memorySamples is the maximum number of keys of one kind to measure.
const memorySamples = 50

// reportMemory adds rows with the memory that keys take in Redis.
func (s *sheet) reportMemory(pool *redis.Pool) error {
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	for _, k := range [][3]string{
		{"a login", "{scangate}:state:*:login:*", "5 to 15 minutes"},
		{"its index by browser", "{scangate}:state:*:open:*", "15 minutes"},
		{"a session", "scangate:session:*", "7 days"},
		{"a user", "{scangate}:user:*", "good"},
	} {
		// KEYS blocks Redis, which does not matter to a server of our own.
		keys, err := redis.Strings(conn.Do("KEYS", k[1]))
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			continue // such as the index, which the first login of a browser does not need
		}
		keys, total := keys[:min(memorySamples, len(keys))], 0
		for _, key := range keys {
			size, err := redis.Int(conn.Do("MEMORY", "USAGE", key))
			if err != nil {
				return err
			}
			total += size
		}
		s.add(k[0]+" in Redis, for "+k[2], figures{sizeColumn: float64(total) / float64(len(keys))})
	}
	return nil
}

// commandCounter counts commands by name.
type commandCounter struct {
	mu    sync.Mutex
	calls map[string]int64
}

// add counts a command.
func (c *commandCounter) add(command string) {
	// The pool calls Do without a name to receive pending answers. That sends
	// nothing.
	if command == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[command]++
}

// reset sets all counts to zero.
func (c *commandCounter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

// copy returns a copy of the counts.
func (c *commandCounter) copy() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

// sum returns the total of the counts.
func sum(calls map[string]int64) int64 {
	total := int64(0)
	for _, n := range calls {
		total += n
	}
	return total
}

// formatCalls returns the counts by name, such as "3 GET, 4 SET".
func formatCalls(calls map[string]int64) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		text += fmt.Sprintf(", %d %s", calls[name], name)
	}
	if text == "" {
		return "nothing"
	}
	return text[2:]
}

// countingConn is a connection that counts its commands. It implements the optional
// interfaces of redigo that the store uses.
type countingConn struct {
	redis.Conn
	counter *commandCounter
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
