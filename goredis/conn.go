package goredis

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/internal/redisconn"
)

var _ redisconn.Transport = (*conn)(nil)

// servers sends commands to the server that has a key.
type servers interface {
	// do sends one command, at most once unless a server has refused to run it.
	do(ctx context.Context, key string, args ...any) (any, error)
	// readHashes sends one command for each key, and returns a reply or an error for each.
	readHashes(ctx context.Context, keys []string, fields []string) ([]any, error)
	// reload is called when a server could not be reached or a connection has broken.
	reload(ctx context.Context)
	// idle returns how many idle connections there may be.
	idle() int
	close() error
}

// conn is a transport over go-redis.
type conn struct {
	servers
	options redis.UniversalOptions
	limit   time.Duration // of one call
	ping    time.Duration // between PINGs on a subscribed connection
	outage  *redisconn.Outage
	fresh   *conn // made by Fresh
}

// NoteIn implements [redisconn.Transport].
func (c *conn) NoteIn(outage *redisconn.Outage) { c.outage = outage }

// ReadHash implements [redisconn.Transport].
func (c *conn) ReadHash(ctx context.Context, key string, fields ...string) (any, error) {
	command, args := redisconn.HashCommand(key, fields)
	return c.read(ctx, func(ctx context.Context) (any, error) {
		return c.do(ctx, key, append([]any{command}, args...)...)
	})
}

// ReadHashes implements [redisconn.Transport].
func (c *conn) ReadHashes(ctx context.Context, keys []string, fields ...string) ([]any, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	reply, err := c.read(ctx, func(ctx context.Context) (any, error) { return c.readHashes(ctx, keys, fields) })
	if err != nil {
		return nil, err
	}
	replies, _ := reply.([]any)
	if len(replies) != len(keys) {
		return nil, redisconn.ErrReply
	}
	for i, reply := range replies {
		if err, failed := reply.(error); failed {
			replies[i] = redisconn.Cause(ctx, plainError(err))
		}
	}
	return replies, nil
}

// ReadScript implements [redisconn.Transport].
func (c *conn) ReadScript(ctx context.Context, script *redisconn.Script, keys []string, args ...any) (any, error) {
	return c.read(ctx, func(ctx context.Context) (any, error) { return c.runScript(ctx, script, keys, args) })
}

// WriteScript implements [redisconn.Transport].
func (c *conn) WriteScript(ctx context.Context, script *redisconn.Script, keys []string, args ...any) (any, error) {
	return c.once(ctx, func(ctx context.Context) (any, error) { return c.runScript(ctx, script, keys, args) })
}

// Check implements [redisconn.Transport].
func (c *conn) Check(ctx context.Context) {
	_, _ = c.read(ctx, func(ctx context.Context) (any, error) { return c.do(ctx, "", "PING") })
}

// runScript runs a script on the server that has the first key.
func (c *conn) runScript(ctx context.Context, script *redisconn.Script, keys []string, args []any) (any, error) {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "EVALSHA", script.Hash(), len(keys))
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	for _, key := range keys {
		all = append(all, key)
	}
	all = append(all, args...)
	reply, err := c.do(ctx, key, all...)
	if !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return reply, err
	}
	// The server has lost the script, or never had it. It has run nothing.
	all[0], all[1] = "EVAL", script.Source()
	return c.do(ctx, key, all...)
}

// once makes a call within the limit.
func (c *conn) once(ctx context.Context, call func(context.Context) (any, error)) (any, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	begun := time.Now()
	reply, err := call(limited)
	return reply, c.noted(ctx, begun, err)
}

// read makes a call that may be repeated. While connections turn out to be broken, or lead to
// a replica that refuses a change, read repeats the call on another one.
func (c *conn) read(ctx context.Context, call func(context.Context) (any, error)) (any, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	begun := time.Now()
	reply, err := call(limited)
	again := func() bool { return broke(err) || redis.HasErrorPrefix(err, "READONLY") }
	if again() {
		// After an outage all idle connections are broken: there may be as many failures
		// before the pool makes a new one, and one more on the connection just dropped.
		for idle := c.idle() + 1; again() && idle > 0; idle-- {
			reply, err = call(limited)
		}
	}
	return reply, c.noted(ctx, begun, err)
}

// noted returns the error of a call that began at that time as the methods return it,
// and notes it.
func (c *conn) noted(ctx context.Context, begun time.Time, err error) error {
	// A master that cannot be reached may have been replaced. go-redis would otherwise ask
	// only once a minute which server has which slots.
	var refused redis.Error
	if err != nil && (!errors.As(err, &refused) || redis.HasErrorPrefix(err, "CLUSTERDOWN")) {
		c.reload(ctx)
	}
	err = plainError(err)
	c.outage.Note(ctx, begun, err)
	return redisconn.Cause(ctx, err)
}

// plainError returns an error of go-redis's as an error of package redisconn, or one that
// any client could return.
func plainError(err error) error {
	var refused redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return redisconn.NewRefusal(refused.Error())
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return redisconn.ErrBusy
	case strings.Contains(err.Error(), "\n"):
		return oneLine{err}
	}
	return err
}

// oneLine is an error whose text is one line. go-redis joins the errors of all Sentinels
// by newlines.
type oneLine struct{ error }

// Error implements error.
func (e oneLine) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }

// Unwrap is for [errors.Is] and [errors.As].
func (e oneLine) Unwrap() error { return e.error }

// broke reports whether err means that the connection of a call broke at once. A
// connection that could not be made did not break.
func broke(err error) bool {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" || errors.Is(err, redis.ErrClosed) {
		return false
	}
	return redisconn.IsBroken(plainError(err))
}

// result returns the reply to a command. A nil reply is not an error.
func result(cmd *redis.Cmd) (any, error) {
	reply, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return reply, err
}

// sendHashes reads hashes on one connection, and returns a reply or an error for each.
func sendHashes(ctx context.Context, client *redis.Client, keys, fields []string) ([]any, error) {
	pipe := client.Pipeline()
	commands := make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		command, args := redisconn.HashCommand(key, fields)
		commands[i] = pipe.Do(ctx, append([]any{command}, args...)...)
	}
	// Exec returns the first error of all. An error of Redis's concerns one hash, any
	// other one the connection.
	var refused redis.Error
	if _, err := pipe.Exec(ctx); err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	replies := make([]any, len(keys))
	for i, command := range commands {
		reply, err := result(command)
		if err != nil {
			reply = err
		}
		replies[i] = reply
	}
	return replies, nil
}
