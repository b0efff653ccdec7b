package goredis

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// NewLimited returns a Store that gives up a call after limit and sends PING on the
// listening connections at that interval; zero means the default. It does not log, so
// that no connection is made before the first call.
func NewLimited(o Options, limit, ping time.Duration) (*Store, error) {
	if limit == 0 {
		limit = callLimit
	}
	if ping == 0 {
		ping = pingInterval
	}
	return newStore(o, limit, ping)
}

// Single returns the store's client of one server.
func (s *Store) Single() *redis.Client { return s.conn.servers.(single).client }

// StateKey returns the Redis key of a record.
func (s *Store) StateKey(key string) string { return s.store.StateKey(key) }
