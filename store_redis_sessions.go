package scangate

import (
	"cmp"
	"context"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
)

// redisIdle is how long a connection may lie idle without being looked at before
// it is used again.
const redisIdle = time.Second

// newRedisSessions returns scs's store of sessions in Redis, on a pool of its own:
// on that, an overload is an error at once, and no command hangs, whatever the
// application's pool is set to. Nobody closes it, for requests may need sessions
// until the last; its idle connections end by themselves.
func newRedisSessions(pool *redis.Pool, prefix string) scs.Store {
	own := &redis.Pool{
		DialContext:     func(ctx context.Context) (redis.Conn, error) { return dialLimited(ctx, pool) },
		TestOnBorrow:    pool.TestOnBorrow,
		MaxIdle:         max(pool.MaxIdle, 16),
		MaxActive:       pool.MaxActive,
		IdleTimeout:     cmp.Or(pool.IdleTimeout, 5*time.Minute),
		MaxConnLifetime: pool.MaxConnLifetime,
	}
	if own.TestOnBorrow == nil {
		own.TestOnBorrow = pingIdle
	}
	return redisstore.NewWithPrefix(own, prefix+":session:")
}

// dialLimited makes a connection on which each command has a limit.
func dialLimited(ctx context.Context, pool *redis.Pool) (redis.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	conn, err := dial(ctx, pool)
	if err != nil {
		return nil, redisFailure(ctx, "connecting", err)
	}
	return commandLimitedConn{conn}, nil
}

// pingIdle finds the connections that a restart of Redis has cut.
func pingIdle(conn redis.Conn, since time.Time) error {
	if time.Since(since) < redisIdle {
		return nil
	}
	_, err := conn.Do("PING")
	return err
}

// commandLimitedConn is a connection on which each command has a limit.
type commandLimitedConn struct{ redis.Conn }

// Do implements [redis.Conn].
func (c commandLimitedConn) Do(command string, args ...any) (any, error) {
	return redis.DoWithTimeout(c.Conn, redisLimit, command, args...)
}
