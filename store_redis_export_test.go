package scangate

import (
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// NewRedisStoreLimited returns a RedisStore that gives up a call after limit and sends
// PING on the listening connection at that interval.
func NewRedisStoreLimited(pool *redis.Pool, prefix string, limit, ping time.Duration) (*RedisStore, error) {
	return newRedisStore(&redisconn.Client{Pool: pool, Limit: limit, Ping: ping}, prefix)
}
