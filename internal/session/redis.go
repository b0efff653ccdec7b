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

var _ scs.Store = (*Redis)(nil)

// Redis is a store of sessions in Redis. Its methods are idempotent, so a call whose
// connection breaks is repeated on another one.
type Redis struct {
	*redisstore.RedisStore
	pool *redis.Pool

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
	return &Redis{RedisStore: redisstore.NewWithPrefix(own, prefix+":session:"+site+":"), pool: own}
}

// dialError reports that no connection could be made.
type dialError struct{ error }

// Error implements error. The application gets the error as it is, hence the prefix.
func (e dialError) Error() string { return "scangate: Redis: connecting: " + e.error.Error() }

// Unwrap is for [errors.Is] and [errors.As].
func (e dialError) Unwrap() error { return e.error }

// Find implements [scs.Store].
func (r *Redis) Find(token string) (b []byte, found bool, err error) {
	err = r.call("reading a session", func() error {
		b, found, err = r.RedisStore.Find(token)
		return err
	})
	return b, found, err
}

// Commit implements [scs.Store].
func (r *Redis) Commit(token string, b []byte, expiry time.Time) error {
	return r.call("writing a session", func() error { return r.RedisStore.Commit(token, b, expiry) })
}

// Delete implements [scs.Store].
func (r *Redis) Delete(token string) error {
	return r.call("deleting a session", func() error { return r.RedisStore.Delete(token) })
}

// call calls f, again if its connection breaks, and returns its error with the action
// that failed.
func (r *Redis) call(doing string, f func() error) error {
	// After an outage all idle connections are broken: there may be as many failures
	// before the pool makes a new one.
	idle := r.pool.IdleCount()
	begun := time.Now()
	err := f()
	for ; redisconn.IsBroken(err) && !errors.As(err, new(dialError)) && idle > 0; idle-- {
		err = f()
	}
	r.Outage.Note(context.Background(), begun, err)
	if err == nil || errors.As(err, new(dialError)) {
		return err
	}
	return fmt.Errorf("scangate: Redis: %s: %w", doing, redisconn.Clean(err))
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
