package session_test

import (
	"crypto/rand"
	"log/slog"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/internal/session"
)

func TestRedisSessionSuite(t *testing.T) {
	server := redistest.Start(t)
	redistest.Sessions(t, func(t *testing.T) scs.Store {
		pool := &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", server.Addr) }}
		return session.NewRedis(pool, "app", rand.Text())
	})
}

func TestMemorySessionSuite(t *testing.T) {
	redistest.Sessions(t, func(*testing.T) scs.Store { return session.NewMemoryStore() })
}

func TestShardsSessionSuite(t *testing.T) {
	var pools []*redis.Pool
	for range 2 {
		addr := redistest.Start(t).Addr
		pools = append(pools, &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }})
	}
	redistest.Sessions(t, func(*testing.T) scs.Store {
		return session.NewShards(pools, "app", rand.Text(), slog.New(slog.DiscardHandler))
	})
}
