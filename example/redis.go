package main

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
)

// newRedisPool returns a pool as scangate.RedisStore wants one: with limits, so
// that a Redis that is slow, far or full costs nobody more than an error. It does
// not connect.
func newRedisPool(address string) *redis.Pool {
	return &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", address,
				redis.DialConnectTimeout(2*time.Second), redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
		},
		// Connections that a restart of Redis has cut are found before they are used.
		TestOnBorrow: func(conn redis.Conn, since time.Time) error {
			if time.Since(since) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
		MaxIdle:     64,
		MaxActive:   256, // and Wait is false: more at once are an error at once
		IdleTimeout: 5 * time.Minute,
	}
}
