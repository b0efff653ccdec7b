package session

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// NewRedis returns a store of sessions in Redis, whose keys begin with the prefix and
// ":session:". It makes a pool of its own, whose connections are made like those of
// pool. On its own pool an overload is an error at once and no command hangs, even if
// the application's pool is set up differently.
//
// Nothing closes that pool, because requests may need sessions until the last one. Its
// idle connections end by themselves.
func NewRedis(pool *redis.Pool, prefix, site string) scs.Store {
	own := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			conn, err := redisconn.DialLimited(ctx, pool)
			if err != nil {
				return nil, fmt.Errorf("scangate: Redis: connecting: %w", err)
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
	return redisstore.NewWithPrefix(own, prefix+":session:"+site+":")
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
