package session_test

import (
	"crypto/rand"
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
