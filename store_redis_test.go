package scangate_test

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

func ExampleNewRedisStore() {
	pool := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", "127.0.0.1:6379",
				redis.DialConnectTimeout(2*time.Second),
				redis.DialReadTimeout(2*time.Second),
				redis.DialWriteTimeout(2*time.Second))
		},
		MaxIdle:     50,
		MaxActive:   200,
		IdleTimeout: 4 * time.Minute, // less than the server's timeout, if it has one
		TestOnBorrow: func(conn redis.Conn, lastUsed time.Time) error {
			if time.Since(lastUsed) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
	}
	store, err := scangate.NewRedisStore(pool, "myapp")
	if err != nil {
		log.Fatal(err)
	}
	// Set Config.State to the store, and Config.Users to keep the users there as well.
	// When the application ends:
	if err := errors.Join(store.Close(), pool.Close()); err != nil {
		log.Fatal(err)
	}
}

// redigo is RedisStore as the shared suites test it.
func redigo() redistest.Backend {
	return redistest.Backend{
		New: func(t *testing.T, o redistest.Options) *redistest.Store {
			t.Helper()
			dial := o.Dialer()
			var login []redis.DialOption
			if o.Username != "" {
				login = append(login, redis.DialUsername(o.Username), redis.DialPassword(o.Password))
			}
			pool := redisPool(t, o.Addr, append(login, redis.DialContextFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dial(ctx)
			}))...)
			if o.NoIdle {
				pool.MaxIdle = 0
			}
			store, err := scangate.NewRedisStoreLimited(pool, o.Prefix, o.Limit, o.Ping)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			return (&testStore{store, pool}).tested()
		},
		StaysOpen: true,
	}
}

func TestRedisStores(t *testing.T) {
	t.Parallel()
	redistest.Stores(t, redigo())
}

func TestRedisWaits(t *testing.T) { redistest.Waits(t, redigo()) }

func TestRedisWakeUps(t *testing.T) {
	t.Parallel()
	redistest.WakeUps(t, redigo())
}

func TestRedisFailover(t *testing.T) { redistest.Failover(t, redigo()) }

func TestRedisOutages(t *testing.T) { redistest.Outages(t, redigo()) }

func TestCaseE05WaitNoticesDeadConnections(t *testing.T) {
	redistest.WaitNoticesDeadConnections(t, redigo())
}

func TestCaseE05DeadPoolDelaysOnce(t *testing.T) { redistest.DeadPoolDelaysOnce(t, redigo()) }

func TestNewRedisStoreErrors(t *testing.T) {
	if _, err := scangate.NewRedisStore(nil, ""); err == nil {
		t.Error("NewRedisStore without a pool: error = nil, want one")
	}
	if _, err := scangate.NewRedisStore(&redis.Pool{}, ""); err == nil || !strings.Contains(err.Error(), "Dial") {
		t.Errorf("NewRedisStore on a pool without Dial: error = %v, want one that names Dial", err)
	}
	pool := redisPool(t, "127.0.0.1:1")
	for _, bad := range []string{"a}b", "{a", "a b", "a*", "a\x00", "é", "a\r\n"} {
		if _, err := scangate.NewRedisStore(pool, bad); err == nil || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("NewRedisStore with the prefix %q: error = %v, want one that quotes the prefix", bad, err)
		}
	}
	for _, good := range []string{"", "scangate", "a-B_9:c"} {
		newRedisStoreOn(t, pool, good)
	}
}

// TestGateOnDamagedSessionsEndedAt opens pages as a user whose record is damaged. The
// gate answers 503 and keeps the session.
func TestGateOnDamagedSessionsEndedAt(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	w := newWorld(t, onRedis(t, addr))
	phone := w.phone("lin")
	phone.open("/account")
	id := phone.user()
	redistest.DamageSessionsEndedAt(t, addr, id, "yesterday")
	a := phone.get("/account")
	if a.StatusCode != http.StatusServiceUnavailable || sessionCookie(a) != nil {
		t.Errorf("GET /account: status = %d, session cookie %v, want %d and none", a.StatusCode, sessionCookie(a), http.StatusServiceUnavailable)
	}
	second := w.phone("lin")
	if a := second.open("/account"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("login: status = %d, want %d", a.StatusCode, http.StatusServiceUnavailable)
	}
	redistest.DamageSessionsEndedAt(t, addr, id, "0")
	if got := phone.user(); got != id {
		t.Errorf("GET /account after the repair: user %q, want %q", got, id)
	}
}
