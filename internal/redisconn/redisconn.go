// Package redisconn sends calls to Redis: with time limits, retries of reads, errors
// without secrets, and a subscription.
//
// [Transport] is what the stores need of a client of Redis. [Client] implements it over
// redigo, and the module goredis over go-redis.
package redisconn

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	defaultLimit = 3 * time.Second
	defaultPing  = 5 * time.Second
)

var _ Transport = (*Client)(nil)

// Client is a [Transport] over a pool of redigo connections. Its fields must not change
// after its first use.
type Client struct {
	// Pool makes the connections. Close it after the last call.
	Pool *redis.Pool
	// Limit bounds one call, including the time to get a connection; zero means 3
	// seconds.
	Limit time.Duration
	// Ping is the interval between PINGs on a subscribed connection; zero means 5
	// seconds.
	Ping time.Duration

	outage *Outage // may be nil
}

// NoteIn implements [Transport].
func (c *Client) NoteIn(outage *Outage) { c.outage = outage }

// Fresh implements [Transport]. The returned client makes a new connection for each
// call, in the same way as the pool but outside of it.
func (c *Client) Fresh() Transport {
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { return dial(ctx, c.Pool) }}
	return &Client{Pool: pool, Limit: c.Limit, Ping: c.Ping, outage: c.outage}
}

// Script is a Lua script, which Redis runs as one step.
type Script struct {
	source string
	hash   string
}

// Source returns the script's text, for EVAL.
func (s *Script) Source() string { return s.source }

// Hash returns the script's name at Redis, for EVALSHA.
func (s *Script) Hash() string { return s.hash }

// NewScript returns the script of that source.
func NewScript(source string) *Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // Redis names scripts by their SHA-1
	return &Script{source: source, hash: hex.EncodeToString(sum[:])}
}

// ReadHash implements [Transport].
func (c *Client) ReadHash(ctx context.Context, key string, fields ...string) (any, error) {
	return c.read(ctx, func(conn redis.Conn, deadline time.Time) (any, error) {
		command, args := HashCommand(key, fields)
		return redis.DoWithTimeout(conn, until(deadline), command, args...)
	})
}

// ReadHashes implements [Transport].
func (c *Client) ReadHashes(ctx context.Context, keys []string, fields ...string) ([]any, error) {
	reply, err := c.read(ctx, func(conn redis.Conn, deadline time.Time) (any, error) {
		for _, key := range keys {
			command, args := HashCommand(key, fields)
			if err := conn.Send(command, args...); err != nil {
				return nil, err
			}
		}
		return redis.DoWithTimeout(conn, until(deadline), "")
	})
	if err != nil {
		return nil, err
	}
	replies, _ := reply.([]any)
	if len(replies) != len(keys) {
		return nil, ErrReply
	}
	for i, reply := range replies {
		if refused, ok := reply.(redis.Error); ok {
			replies[i] = NewRefusal(string(refused))
		}
	}
	return replies, nil
}

// ReadScript implements [Transport].
func (c *Client) ReadScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error) {
	return c.read(ctx, script.call(keys, args))
}

// WriteScript implements [Transport].
func (c *Client) WriteScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error) {
	limited := newLimited(ctx, c.limit())
	defer limited.stop()
	begun := time.Now()
	reply, _, err := c.try(limited, script.call(keys, args))
	c.outage.Note(ctx, begun, err)
	return reply, Cause(ctx, err)
}

// Check implements [Transport].
func (c *Client) Check(ctx context.Context) {
	_, _ = c.read(ctx, func(conn redis.Conn, deadline time.Time) (any, error) {
		return redis.DoWithTimeout(conn, until(deadline), "PING")
	})
}

// call sends commands on a connection. It leaves no reply unread.
type call func(conn redis.Conn, deadline time.Time) (any, error)

// call returns the call that runs the script.
func (s *Script) call(keys []string, args []any) call {
	all := make([]any, 0, 2+len(keys)+len(args))
	all = append(all, s.hash, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	all = append(all, args...)
	return func(conn redis.Conn, deadline time.Time) (any, error) {
		all[0] = s.hash
		reply, err := redis.DoWithTimeout(conn, until(deadline), "EVALSHA", all...)
		if !refusedWith(err, "NOSCRIPT") {
			return reply, err
		}
		// The server has lost the script, or never had it. It has run nothing.
		all[0] = s.source
		return redis.DoWithTimeout(conn, until(deadline), "EVAL", all...)
	}
}

// HashCommand returns the command that reads fields of a hash, or all of it.
func HashCommand(key string, fields []string) (string, []any) {
	if len(fields) == 0 {
		return "HGETALL", []any{key}
	}
	args := make([]any, 1, 1+len(fields))
	args[0] = key
	for _, field := range fields {
		args = append(args, field)
	}
	return "HMGET", args
}

// read makes a call that may be repeated. While connections turn out to be broken, or lead to
// a replica that refuses a change, read repeats the call on another one.
func (c *Client) read(ctx context.Context, call call) (any, error) {
	limited := newLimited(ctx, c.limit())
	defer limited.stop()
	// After an outage all idle connections are broken: there may be as many failures
	// before the pool makes a new one.
	idle := c.Pool.IdleCount()
	begun := time.Now()
	reply, broken, err := c.try(limited, call)
	for ; broken && idle > 0; idle-- {
		reply, broken, err = c.try(limited, call)
	}
	c.outage.Note(ctx, begun, err)
	return reply, Cause(ctx, err)
}

// try makes a call on one connection of the pool, and reports whether that
// connection turned out to be broken or to lead to a replica.
func (c *Client) try(ctx context.Context, call call) (reply any, broken bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	conn, err := c.Pool.GetContext(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = conn.Close() }()
	// The call gets the deadline and not ctx: redigo closes the connection when a
	// context ends, but a browser that went away must not cost a connection.
	deadline, _ := ctx.Deadline()
	reply, err = call(conn, deadline)
	if refusedWith(err, "READONLY") {
		// The connection leads to a server that is no longer the master. The pool
		// drops a connection on which a read has failed.
		_, _ = redis.ReceiveWithTimeout(conn, time.Nanosecond)
		return nil, true, err
	}
	return reply, conn.Err() != nil, err
}

// refusedWith reports whether err is an error of Redis's with that code.
func refusedWith(err error, code string) bool {
	if err == nil {
		return false // without the allocation of errors.As
	}
	var refused redis.Error
	return errors.As(err, &refused) && strings.HasPrefix(string(refused), code)
}

// until returns the time left until the deadline. It is positive, because redigo
// takes zero for no limit.
func until(deadline time.Time) time.Duration { return max(time.Until(deadline), time.Nanosecond) }

func (c *Client) limit() time.Duration {
	if c.Limit == 0 {
		return defaultLimit
	}
	return c.Limit
}

func (c *Client) ping() time.Duration {
	if c.Ping == 0 {
		return defaultPing
	}
	return c.Ping
}
