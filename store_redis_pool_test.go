package scangate_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// The message that wakes a waiting call contains the record. The call therefore returns
// even while other calls hold all connections of the pool.
func TestRedisWaitPoolExhausted(t *testing.T) {
	wallClock(t)
	server := redistest.Start(t)
	here, there := newRedisStore(t, server.Addr, ""), newRedisStore(t, server.Addr, "")
	w := redistest.StartWaiters(t, server, here.tested(), 10)
	if !within(patience, here.idle) {
		t.Fatal("waiting calls hold connections, want none")
	}
	var conns []redis.Conn
	for here.pool.IdleCount() > 0 {
		conns = append(conns, here.pool.Get())
	}
	here.pool.MaxActive = len(conns)
	w.Approve(there)
	w.Wake()
	if _, _, err := here.Load(t.Context(), w.Keys[0]); !errors.Is(err, redis.ErrPoolExhausted) {
		t.Errorf("Load on the exhausted pool: error = %v, want ErrPoolExhausted", err)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// A pool without a free connection is an error at once, and Redis is not taken for away.
func TestRedisPoolExhausted(t *testing.T) {
	pool := redisPool(t, miniredis.RunT(t).Addr())
	pool.MaxActive = 1
	store := newRedisStoreOn(t, pool, "").tested()
	conn := pool.Get()
	redistest.DemandFailures(t, store, redis.ErrPoolExhausted.Error())
	_ = conn.Close()
	redistest.DemandHealth(t, store)
}

func TestRedisAddressIsNoURL(t *testing.T) {
	parse := &url.Error{Op: "parse", URL: "redis://app:secret@host:port", Err: errors.New("not a valid URL")}
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return nil, parse }}
	redistest.DemandFailures(t, newRedisStoreOn(t, pool, "").tested(), "not a valid URL")
}

// redisPool returns a pool with the limits that RedisStore recommends.
func redisPool(t *testing.T, addr string, options ...redis.DialOption) *redis.Pool {
	t.Helper()
	limits := []redis.DialOption{
		redis.DialConnectTimeout(2 * time.Second), redis.DialReadTimeout(2 * time.Second), redis.DialWriteTimeout(2 * time.Second),
	}
	pool := &redis.Pool{
		MaxIdle: 100,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", addr, append(limits, options...)...)
		},
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// testStore is a RedisStore whose pool the test can see.
type testStore struct {
	*scangate.RedisStore
	pool *redis.Pool
}

// idle reports whether no call of the store holds a connection.
func (s *testStore) idle() bool { return s.pool.ActiveCount() == s.pool.IdleCount() }

// newRedisStore returns a store on a pool of its own, like that of another process.
func newRedisStore(t *testing.T, addr, prefix string) *testStore {
	t.Helper()
	return newRedisStoreOn(t, redisPool(t, addr), prefix)
}

// newRedisStoreOn returns a store on the pool.
func newRedisStoreOn(t *testing.T, pool *redis.Pool, prefix string) *testStore {
	t.Helper()
	store, err := scangate.NewRedisStore(pool, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &testStore{store, pool}
}

// tested returns the store as the shared suites test it.
func (s *testStore) tested() *redistest.Store {
	return &redistest.Store{
		Keeper: s.RedisStore, Idle: s.idle, IdleConns: s.pool.IdleCount,
		Fill: func(n int) {
			var conns []redis.Conn
			for range n {
				conns = append(conns, s.pool.Get())
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
		},
	}
}
