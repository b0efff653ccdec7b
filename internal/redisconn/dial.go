package redisconn

import (
	"context"

	"github.com/gomodule/redigo/redis"
)

// dial makes a connection in the same way as the pool, but outside of it. A
// connection that is kept for good would occupy a place in the pool, and the pool's
// limit could prevent it.
func dial(ctx context.Context, pool *redis.Pool) (redis.Conn, error) {
	if pool.DialContext != nil {
		return pool.DialContext(ctx)
	}
	return pool.Dial()
}

// DialLimited makes a connection in the same way as the pool, on which every command
// is limited to 3 seconds, as is the dialing.
func DialLimited(ctx context.Context, pool *redis.Pool) (redis.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, defaultLimit)
	defer cancel()
	conn, err := dial(limited, pool)
	if err != nil {
		return nil, Cause(ctx, err)
	}
	return limitedConn{conn}, nil
}

// limitedConn is a connection whose commands are limited in time.
type limitedConn struct{ redis.Conn }

// Do implements [redis.Conn].
func (c limitedConn) Do(command string, args ...any) (any, error) {
	return redis.DoWithTimeout(c.Conn, defaultLimit, command, args...)
}
