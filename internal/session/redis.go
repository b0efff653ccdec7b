package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

var _ scs.CtxStore = (*Redis)(nil)

// Redis is a store of sessions in Redis. Its methods are idempotent, so a call whose
// connection breaks is repeated on another one.
type Redis struct {
	*redisstore.RedisStore
	pool   *redis.Pool
	prefix string // begins all keys

	// Outage notes whether Redis can be reached. It may be nil, and must not change after
	// the first call.
	Outage *redisconn.Outage
}

// NewRedis returns a store of sessions in Redis, whose keys begin with the prefix and
// ":session:". It makes a pool of its own, whose connections are made like those of
// pool. On its own pool an overload is an error at once and no command hangs, even if
// the application's pool is set up differently.
//
// Nothing closes that pool, because requests may need sessions until the last one. Its
// idle connections end by themselves.
func NewRedis(pool *redis.Pool, prefix, site string) *Redis {
	own := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			conn, err := redisconn.DialLimited(ctx, pool)
			if err != nil {
				return nil, dialError{err}
			}
			return conn, nil
		},
		TestOnBorrow:    pool.TestOnBorrow,
		MaxIdle:         max(pool.MaxIdle, 16),
		MaxActive:       pool.MaxActive,
		IdleTimeout:     cmp.Or(pool.IdleTimeout, 5*time.Minute),
		MaxConnLifetime: pool.MaxConnLifetime,
	}
	if own.TestOnBorrow == nil {
		own.TestOnBorrow = pingIdle
	}
	prefix += ":session:" + site + ":"
	return &Redis{RedisStore: redisstore.NewWithPrefix(own, prefix), pool: own, prefix: prefix}
}

// dialError reports that no connection could be made.
type dialError struct{ error }

// Error implements error. The application gets the error as it is, hence the prefix.
func (e dialError) Error() string { return "scangate: Redis: connecting: " + e.error.Error() }

// Unwrap is for [errors.Is] and [errors.As].
func (e dialError) Unwrap() error { return e.error }

// FindCtx implements [scs.CtxStore].
func (r *Redis) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	err = r.call(ctx, "reading a session", func() error {
		b, found, err = r.RedisStore.Find(token)
		return err
	})
	return b, found, err
}

// CommitCtx implements [scs.CtxStore], and obeys [OnlyExisting].
func (r *Redis) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	if !OnlyExisting(ctx, token) {
		return r.call(ctx, "writing a session", func() error { return r.RedisStore.Commit(token, b, expiry) })
	}
	ttl := time.Until(expiry).Milliseconds()
	if ttl <= 0 {
		return r.DeleteCtx(ctx, token) // SET refuses it
	}
	reply, err := r.do(ctx, "writing a session", "SET", r.prefix+token, b, "PX", ttl, "XX")
	if err == nil && reply == nil {
		NoteEnded(ctx, token)
	}
	return err
}

// DeleteCtx implements [scs.CtxStore].
func (r *Redis) DeleteCtx(ctx context.Context, token string) error {
	// If Redis deletes the session and the connection breaks before the reply, the second
	// DEL finds none. The session then counts as ended, because a logout would look the same.
	n, err := redis.Int(r.do(ctx, "deleting a session", "DEL", r.prefix+token))
	if err == nil && n == 0 {
		NoteEnded(ctx, token)
	}
	return err
}

// Find implements [scs.Store]; see FindCtx.
func (r *Redis) Find(token string) (b []byte, found bool, err error) {
	return r.FindCtx(context.Background(), token)
}

// Commit implements [scs.Store]; see CommitCtx.
func (r *Redis) Commit(token string, b []byte, expiry time.Time) error {
	return r.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements [scs.Store]; see DeleteCtx.
func (r *Redis) Delete(token string) error { return r.DeleteCtx(context.Background(), token) }

// conditional implements [conditionalStore].
func (r *Redis) conditional() scs.Store { return r }

// do sends a command, see call.
func (r *Redis) do(ctx context.Context, doing, command string, args ...any) (reply any, err error) {
	err = r.call(ctx, doing, func() error {
		conn := r.pool.Get()
		defer func() { _ = conn.Close() }()
		reply, err = conn.Do(command, args...)
		return err
	})
	return reply, err
}

// call calls f, again if its connection breaks, and returns its error with the action
// that failed.
func (r *Redis) call(ctx context.Context, doing string, f func() error) error {
	// After an outage all idle connections are broken: there may be as many failures
	// before the pool makes a new one.
	idle := r.pool.IdleCount()
	begun := time.Now()
	err := f()
	for ; redisconn.IsBroken(err) && !errors.As(err, new(dialError)) && idle > 0; idle-- {
		err = f()
	}
	r.Outage.Note(ctx, begun, err)
	if err == nil || errors.As(err, new(dialError)) {
		return err
	}
	return fmt.Errorf("scangate: Redis: %s: %w", doing, redisconn.Cause(ctx, err))
}

// pingIdle sends PING on connections idle for more than a second, because a restart of
// Redis may have cut them.
func pingIdle(conn redis.Conn, lastUsed time.Time) error {
	if time.Since(lastUsed) < time.Second {
		return nil
	}
	_, err := conn.Do("PING")
	return err
}
