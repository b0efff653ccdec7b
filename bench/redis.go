package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

// redisRequests is the number of requests for measuring Redis's CPU time.
const redisRequests = 5000

// startRedis starts a redis-server. The error is a skippedError if none is installed.
func startRedis(ctx context.Context) (*redisserver.Server, error) {
	server, err := redisserver.Start(ctx)
	return server, skipIfMissing(err)
}

// measureRedis compares a request of a logged-in user with the bare commands that it
// sends to Redis.
func measureRedis(ctx context.Context, s *sheet, e effort, w *world) error {
	s.note("a redis-server on loopback; the bare rows only call redigo's Do, on one connection or on one from the pool for each command")
	server, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.Stop()
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	// With UserTTL, the gate caches users and reads the session only.
	uncached, get, hgetall, err := w.redisRequest(ctx, pool, 0)
	if err != nil {
		return err
	}
	cached, cachedGet, _, err := w.redisRequest(ctx, pool, time.Hour)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		prefix      string
		contestants []contestant
	}{
		{"request: ", []contestant{uncached, pooledCommands(pool, get, hgetall), singleConnCommands(pool, get, hgetall)}},
		{"with UserTTL: ", []contestant{cached, pooledCommands(pool, cachedGet), singleConnCommands(pool, cachedGet)}},
	} {
		// Elapsed time: Redis works in another process.
		results, err := e.shorterSlices().contest(wall, c.contestants)
		if err != nil {
			return err
		}
		s.report(wall, c.prefix, results)
	}
	uncached.name, cached.name = "request that passes: GET and HGETALL", "with UserTTL: GET"
	pollContestants, err := w.pollContestants(ctx, pool)
	if err != nil {
		return err
	}
	return s.reportServer(ctx, e, server, append([]contestant{uncached, cached}, pollContestants...))
}

// pollContestants returns the requests of a browser before the QR code is scanned.
func (w *world) pollContestants(ctx context.Context, pool *redis.Pool) ([]contestant, error) {
	app, err := w.redisApplication(ctx, pool)
	if err != nil {
		return nil, err
	}
	desktop := desktopOf(app)
	id, err := openLoginPage(ctx, desktop)
	if err != nil {
		return nil, err
	}
	page := func() error { _, err := openLoginPage(ctx, desktopOf(app)); return err }
	state := func() error { _, err := desktop.get(ctx, "/wechat/login/"+id+"/state?seen=none"); return err }
	return []contestant{
		{name: "login page: 3 scripts", do: repeat(page)},
		{name: "state, answered at once: HMGET", do: repeat(state)},
	}, nil
}

// reportServer adds rows with the CPU time of this process and of Redis for each request.
// The process is also the browser.
func (s *sheet) reportServer(ctx context.Context, e effort, server *redisserver.Server, contestants []contestant) error {
	count := redisRequests
	if e.slice == 0 {
		count = 10
	}
	each := func(d time.Duration) float64 { return float64(d) / 1e3 / float64(count) }
	for _, c := range contestants {
		// The two calls of Stats cost Redis little, compared with count requests.
		before, err := server.Stats(ctx)
		if err != nil {
			return err
		}
		start := cpu.now()
		if err := c.do(count); err != nil {
			return err
		}
		took := cpu.now() - start
		after, err := server.Stats(ctx)
		if err != nil {
			return err
		}
		s.add("each "+c.name, figures{cpuColumn: each(took), redisColumn: each(after.Since(before).CPU)})
	}
	return nil
}

// redisRequest returns a request to a gate on Redis, and the commands that it sends.
// ttl is the gate's UserTTL.
func (w *world) redisRequest(ctx context.Context, pool *redis.Pool, ttl time.Duration) (c contestant, get, hgetall command, err error) {
	// A prefix for each gate: onlyKey then finds one session and one user.
	prefix := fmt.Sprintf("bench-%v", ttl)
	c, err = w.gateRequest(ctx, func(c *scangate.Config) {
		c.Redis, c.RedisPrefix, c.UserTTL = pool, prefix, ttl
	})
	if err != nil {
		return c, get, hgetall, err
	}
	session, err := onlyKey(pool, prefix+":session:*")
	if err != nil {
		return c, get, hgetall, err
	}
	user, err := onlyKey(pool, "{"+prefix+"}:user:*")
	return c, command{"GET", session}, command{"HGETALL", user}, err
}

// onlyKey returns the key that matches a pattern. It fails unless there is exactly
// one.
func onlyKey(pool *redis.Pool, pattern string) (string, error) {
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	keys, err := redis.Strings(conn.Do("KEYS", pattern))
	if err == nil && len(keys) != 1 {
		err = fmt.Errorf("keys that match %s = %d, want 1", pattern, len(keys))
	}
	if err != nil {
		return "", err
	}
	return keys[0], nil
}

// command is a command that reads one key.
type command struct{ name, key string }

// do sends the command and converts its reply, as the store does.
func (c command) do(conn redis.Conn) error {
	reply, err := conn.Do(c.name, c.key)
	if err != nil {
		return err
	}
	if c.name == "HGETALL" {
		_, err = redis.StringMap(reply, nil)
	} else {
		_, err = redis.Bytes(reply, nil)
	}
	return err
}

// names returns a name for a contestant that sends the commands.
func names(commands []command) string {
	text := "bare"
	for _, c := range commands {
		text += " " + c.name
	}
	return text
}

// pooledCommands returns a contestant that takes a connection from the pool for each
// command, as the library does.
func pooledCommands(pool *redis.Pool, commands ...command) contestant {
	return contestant{name: names(commands) + ", pool", do: func(n int) error {
		for range n {
			for _, c := range commands {
				conn := pool.Get()
				// Close returns the connection to the pool.
				err := c.do(conn)
				if err = errors.Join(err, conn.Close()); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

// singleConnCommands returns a contestant that uses one connection for all commands.
func singleConnCommands(pool *redis.Pool, commands ...command) contestant {
	return contestant{name: names(commands) + ", one connection", do: func(n int) error {
		conn := pool.Get()
		defer func() { _ = conn.Close() }()
		for range n {
			for _, c := range commands {
				if err := c.do(conn); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}
