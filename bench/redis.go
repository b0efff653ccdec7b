package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

// requestsOnRedis are those by which Redis's own share is measured.
const requestsOnRedis = 5000

// startRedis runs a redis-server, or says in the report that there is none.
func startRedis(ctx context.Context, out io.Writer) (*redisserver.Server, error) {
	server, err := redisserver.Start(ctx)
	if errors.Is(err, redisserver.ErrNone) {
		fmt.Fprint(out, "(redis-server is not installed: nothing is measured on Redis.)\n\n")
	}
	return server, err
}

// measureRedis compares a request of somebody who is logged in, on Redis, with the
// bare commands that it needs.
func measureRedis(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 1b. The same on Redis\n\n"+
		"A redis-server on loopback. Bare are redigo's Do and nothing else: on one connection for all, or on one from a pool each time.\n\n")
	server, err := startRedis(ctx, out)
	if errors.Is(err, redisserver.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Stop()
	pool := redisserver.Pool(server.Addr)
	defer func() { _ = pool.Close() }()
	always, get, hgetall, err := w.redisRequest(ctx, pool, 0)
	if err != nil {
		return err
	}
	cached, cachedGet, _, err := w.redisRequest(ctx, pool, time.Hour)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		heading     string
		contestants []contestant
	}{
		{"request on Redis", []contestant{always, pooled(pool, get, hgetall), kept(pool, get, hgetall)}},
		{"request on Redis, with UserTTL", []contestant{cached, pooled(pool, cachedGet), kept(pool, cachedGet)}},
	} {
		results, err := e.finer().contest(wall, c.contestants)
		if err != nil {
			return err
		}
		report(out, wall, c.heading, results)
	}
	always.name, cached.name = "request that passes: GET and HGETALL", "with UserTTL: GET"
	polled, err := w.polled(ctx, pool)
	if err != nil {
		return err
	}
	return reportServer(ctx, out, e, server, append([]contestant{always, cached}, polled...))
}

// polled are what a browser asks for before anybody has scanned, on Redis.
func (w *world) polled(ctx context.Context, pool *redis.Pool) ([]contestant, error) {
	app, err := w.redisApplication(ctx, pool)
	if err != nil {
		return nil, err
	}
	desktop := desktopOf(app)
	id, err := begin(ctx, desktop)
	if err != nil {
		return nil, err
	}
	page := func() error { _, err := begin(ctx, desktopOf(app)); return err }
	state := func() error { _, err := desktop.get(ctx, "/wechat/login/"+id+"/state?seen=none"); return err }
	return []contestant{
		{name: "login page: 3 scripts", do: repeat(page)},
		{name: "state, answered at once: HMGET", do: repeat(state)},
	}, nil
}

// reportServer prints what requests take of this process, which is the browsers
// too, and of Redis itself.
func reportServer(ctx context.Context, out io.Writer, e effort, server *redisserver.Server, contestants []contestant) error {
	count := requestsOnRedis
	if e.slice == 0 {
		count = 10
	}
	each := func(d time.Duration) string { return number(float64(d) / 1e3 / float64(count)) }
	t := table{{"each request on Redis", "CPU, µs", "Redis's CPU, µs"}}
	for _, c := range contestants {
		before, err := server.Stats(ctx)
		if err != nil {
			return err
		}
		begun := cpu.now()
		if err := c.do(count); err != nil {
			return err
		}
		took := cpu.now() - begun
		after, err := server.Stats(ctx)
		if err != nil {
			return err
		}
		t = append(t, []string{c.name, each(took), each(after.Since(before).CPU)})
	}
	t.print(out)
	return nil
}

// redisRequest is ours on Redis, and the commands that it needs.
func (w *world) redisRequest(ctx context.Context, pool *redis.Pool, ttl time.Duration) (c contestant, get, hgetall command, err error) {
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

// onlyKey is the one key that fits the pattern.
func onlyKey(pool *redis.Pool, pattern string) (string, error) {
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	keys, err := redis.Strings(conn.Do("KEYS", pattern))
	if err == nil && len(keys) != 1 {
		err = fmt.Errorf("%d keys fit %s", len(keys), pattern)
	}
	if err != nil {
		return "", err
	}
	return keys[0], nil
}

// command reads one key.
type command struct{ name, key string }

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

func names(commands []command) string {
	text := "bare"
	for _, c := range commands {
		text += " " + c.name
	}
	return text
}

// pooled takes a connection for each command, as the library does.
func pooled(pool *redis.Pool, commands ...command) contestant {
	return contestant{name: names(commands) + ", pool", do: func(n int) error {
		for range n {
			for _, c := range commands {
				conn := pool.Get()
				err := c.do(conn)
				if err = errors.Join(err, conn.Close()); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

// kept keeps one connection.
func kept(pool *redis.Pool, commands ...command) contestant {
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
