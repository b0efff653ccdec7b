package session_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/session"
)

func TestRedisSessions(t *testing.T) {
	server := miniredis.RunT(t)
	store := session.NewRedis(&redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", server.Addr()) }}, "app", "app.example.com/wechat")
	if err := store.Commit("token", []byte("value"), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if value, found, err := store.Find("token"); err != nil || !found || string(value) != "value" {
		t.Errorf("Find = %q, %t, %v, want \"value\"", value, found, err)
	}
	if keys := server.Keys(); len(keys) != 1 || keys[0] != "app:session:app.example.com/wechat:token" {
		t.Errorf("keys in Redis = %q, want only \"app:session:app.example.com/wechat:token\"", keys)
	}
	server.FastForward(time.Minute + time.Second)
	if _, found, err := store.Find("token"); err != nil || found {
		t.Errorf("Find after the session's end = %t, %v, want nothing", found, err)
	}
}

// The store uses a pool of its own, which checks idle connections like the application's
// pool.
func TestRedisSessionsPool(t *testing.T) {
	server := miniredis.RunT(t)
	dials := 0
	checks := 0
	pool := &redis.Pool{
		Dial: func() (redis.Conn, error) { dials++; return redis.Dial("tcp", server.Addr()) },
		TestOnBorrow: func(redis.Conn, time.Time) error {
			checks++
			return errors.New("broken")
		},
	}
	store := session.NewRedis(pool, "app", "app.example.com/wechat")
	for range 2 {
		if _, _, err := store.Find("token"); err != nil {
			t.Errorf("Find: error = %v, want none", err)
		}
	}
	if dials != 2 || checks != 1 {
		t.Errorf("dials = %d, calls of the pool's TestOnBorrow = %d, want 2 and 1", dials, checks)
	}
	if n := pool.ActiveCount(); n != 0 {
		t.Errorf("connections taken from the application's pool = %d, want 0", n)
	}
}

func TestRedisSessionsErrorsContainNoPassword(t *testing.T) {
	parse := &url.Error{Op: "parse", URL: "redis://app:secret@host:port", Err: errors.New("invalid port")}
	store := session.NewRedis(&redis.Pool{Dial: func() (redis.Conn, error) { return nil, parse }}, "app", "app.example.com/wechat")
	_, _, err := store.Find("token")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "scangate: Redis: connecting: ") {
		t.Errorf("Find without a connection: error = %v, want one without the password", err)
	}
}
