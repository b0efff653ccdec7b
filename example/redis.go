package main

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// newRedisPool returns a connection pool for scangate.RedisStore. It does not
// connect. The pool has limits: if Redis is slow, unreachable or overloaded, a
// request fails within seconds instead of blocking.
func newRedisPool(address string) *redis.Pool {
	return &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", address,
				redis.DialConnectTimeout(2*time.Second), redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
		},
		// A restart of Redis breaks the idle connections. PING finds those before
		// a request uses them.
		TestOnBorrow: func(conn redis.Conn, since time.Time) error {
			// A connection used within the last second is almost certainly
			// alive, so a busy pool sends no PINGs.
			if time.Since(since) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
		MaxIdle: 64,
		// Wait is false: if all 256 connections are in use, the next request gets
		// an error at once.
		MaxActive:   256,
		IdleTimeout: 5 * time.Minute,
	}
}

// openUsers returns the store of users: in Redis with -redis, otherwise in memory.
func openUsers(o options) (users scangate.UserStore, closeUsers func(), err error) {
	if o.redis == nil {
		return scangate.NewMemoryStore(), func() {}, nil
	}
	// If Config.Users is nil, the gate creates this store itself. The example creates it
	// because startSimulator registers users in it.
	store, err := scangate.NewRedisStore(o.redis, "")
	if err != nil {
		return nil, nil, err
	}
	return store, func() { _, _ = store.Close(), o.redis.Close() }, nil
}
