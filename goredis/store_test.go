package goredis_test

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
)

// backend is the store on one server, as the shared suites test it.
func backend() redistest.Backend {
	return redistest.Backend{Permissions: " +hello", NoticesCuts: true, RealOnly: true, New: func(t *testing.T, o redistest.Options) *redistest.Store {
		t.Helper()
		dial := o.Dialer()
		client := redis.UniversalOptions{
			Addrs: []string{o.Addr}, Username: o.Username, Password: o.Password, PoolSize: 100,
			Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		}
		if o.NoIdle {
			client.ConnMaxIdleTime, client.MaxIdleConns = 1, 1
		}
		if o.Limit == redistest.Patience {
			client = patient(client)
		}
		store, err := goredis.NewLimited(goredis.Options{Redis: client, Prefix: o.Prefix}, o.Limit, o.Ping)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		pool := store.Single()
		return &redistest.Store{
			Keeper:    store,
			Idle:      func() bool { return pool.PoolStats().TotalConns == pool.PoolStats().IdleConns },
			IdleConns: func() int { return int(pool.PoolStats().IdleConns) },
			Fill:      func(n int) { fill(t, pool, n) },
		}
	}}
}

// patient returns the options of a client that waits as long as a test does. Other programs
// may keep this machine busy. The pool has room for all connections of a test.
func patient(o redis.UniversalOptions) redis.UniversalOptions {
	const limit = redistest.Patience
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = limit, limit, limit, limit
	o.PoolSize = 100
	return o
}

// openPatiently returns a store with those options that waits patiently for slow answers.
// It does not log.
func openPatiently(t *testing.T, o goredis.Options) *goredis.Store {
	t.Helper()
	o.Redis = patient(o.Redis)
	store, err := goredis.NewLimited(o, redistest.Patience, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// fill makes n idle connections.
func fill(t *testing.T, client *redis.Client, n int) {
	t.Helper()
	var conns []*redis.Conn
	for range n {
		conn := client.Conn()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func TestStores(t *testing.T) {
	t.Parallel()
	redistest.Stores(t, backend())
}

func TestWaits(t *testing.T) { redistest.Waits(t, backend()) }

func TestWakeUps(t *testing.T) {
	t.Parallel()
	redistest.WakeUps(t, backend())
}

func TestFailover(t *testing.T) { redistest.Failover(t, backend()) }

func TestOutages(t *testing.T) { redistest.Outages(t, backend()) }

func TestCaseE05WaitNoticesDeadConnections(t *testing.T) {
	redistest.WaitNoticesDeadConnections(t, backend())
}

func TestCaseE05DeadPoolDelaysOnce(t *testing.T) { redistest.DeadPoolDelaysOnce(t, backend()) }
