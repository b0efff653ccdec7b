// Package redisconn sends calls to Redis over a pool of redigo connections. It adds
// time limits, retries of reads, errors without secrets, and a subscription.
//
// [Client] has few methods, and none of them mentions redigo, so that a client of
// another library can stand in for it.
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

// Client sends calls to Redis. Its fields must not change after its first use.
//
// A reply is nil, an int64, a string or []byte, or a []any of replies. [Client.ReadHashes]
// also returns errors as replies. An error is one of the context's if and only if the
// caller's context has ended. No error contains a password or an argument that Redis
// quoted.
type Client struct {
	// Pool makes the connections. Close it after the last call.
	Pool *redis.Pool
	// Limit bounds one call, including the time to get a connection; zero means 3
	// seconds.
	Limit time.Duration
	// Ping is the interval between PINGs on a subscribed connection; zero means 5
	// seconds.
	Ping time.Duration
	// Outage notes whether Redis can be reached. It may be nil.
	Outage *Outage
}

// Fresh returns a client that makes a new connection for each call, in the same way as
// the pool but outside of it.
func (c *Client) Fresh() *Client {
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { return dial(ctx, c.Pool) }}
	return &Client{Pool: pool, Limit: c.Limit, Ping: c.Ping, Outage: c.Outage}
}

// Script is a Lua script, which Redis runs as one step.
type Script struct {
	source string
	hash   string
}

// NewScript returns the script of that source.
func NewScript(source string) *Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // Redis names scripts by their SHA-1
	return &Script{source: source, hash: hex.EncodeToString(sum[:])}
}

// ReadHash returns the values of the fields of the hash at key, nil for each that is
// missing. Without fields it returns all names and values in turn. It is one command.
func (c *Client) ReadHash(ctx context.Context, key string, fields ...string) (any, error) {
	return c.read(ctx, func(conn redis.Conn, deadline time.Time) (any, error) {
		command, args := hashCommand(key, fields)
		return redis.DoWithTimeout(conn, until(deadline), command, args...)
	})
}

// ReadHashes does the same as [Client.ReadHash] for many hashes in one round trip. It
// returns one reply per key: if Redis refused to read that hash, a [Refusal].
func (c *Client) ReadHashes(ctx context.Context, keys []string, fields ...string) ([]any, error) {
	reply, err := c.read(ctx, func(conn redis.Conn, deadline time.Time) (any, error) {
		for _, key := range keys {
			command, args := hashCommand(key, fields)
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
			replies[i] = newRefusal(refused)
		}
	}
	return replies, nil
}

// ReadScript runs a script that changes nothing.
func (c *Client) ReadScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error) {
	return c.read(ctx, script.call(keys, args))
}

// WriteScript runs a script at most once. If the connection breaks, it is unknown
// whether Redis ran the script.
func (c *Client) WriteScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	begun := time.Now()
	reply, _, err := c.try(limited, script.call(keys, args))
	c.Outage.Note(ctx, begun, err)
	return reply, cause(ctx, err)
}

// Check notes in Outage whether Redis can be reached. It returns when that is known or
// ctx has ended.
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

// hashCommand returns the command that reads fields of a hash, or all of it.
func hashCommand(key string, fields []string) (string, []any) {
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

// read makes a call that changes nothing. If the connection breaks, read repeats the
// call on another one.
func (c *Client) read(ctx context.Context, call call) (any, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	// After an outage all idle connections are broken: there may be as many failures
	// before the pool makes a new one.
	idle := c.Pool.IdleCount()
	begun := time.Now()
	reply, broken, err := c.try(limited, call)
	for ; broken && idle > 0; idle-- {
		reply, broken, err = c.try(limited, call)
	}
	c.Outage.Note(ctx, begun, err)
	return reply, cause(ctx, err)
}

// try makes a call on one connection of the pool, and reports whether that
// connection turned out to be broken.
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
		return nil, false, err
	}
	return reply, conn.Err() != nil, err
}

// refusedWith reports whether err is an error of Redis's with that code.
func refusedWith(err error, code string) bool {
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
