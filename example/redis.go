package main

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
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
