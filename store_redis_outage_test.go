package scangate_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// isFailure reports whether err is a failure of the store, and not an answer or an error
// of a context.
func isFailure(err error) bool {
	for _, answer := range []error{
		nil, scangate.ErrNotFound, scangate.ErrExists, scangate.ErrConflict, scangate.ErrIdentityTaken,
		scangate.ErrPhoneTaken, scangate.ErrFull, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return true
}

// callAll calls every method of an empty store, with arguments that contain "secret",
// and returns the errors by method.
func callAll(ctx context.Context, store *testStore) map[string]error {
	const id, phone = "secret-id", "secret-phone"
	who := scangate.Identity{AppID: "secret-app", OpenID: "secret-openid", UnionID: "secret-unionid"}
	got := map[string]error{
		"Create":       store.Create(ctx, "secret-key", []byte("secret-value"), time.Hour),
		"Update":       store.Update(ctx, "secret-key", 7, []byte("secret-value"), time.Hour),
		"LinkWeChat":   store.LinkWeChat(ctx, id, who),
		"UnlinkWeChat": store.UnlinkWeChat(ctx, id, who),
		"BindPhone":    store.BindPhone(ctx, id, phone),
		"EndSessions":  store.EndSessions(ctx, id, time.Now()),
	}
	_, _, got["Load"] = store.Load(ctx, "secret-key")
	_, _, got["Wait"] = store.Wait(ctx, "secret-key", 7)
	_, got["Add"] = store.Add(ctx, "secret-key", time.Hour)
	_, got["FindByID"] = store.FindByID(ctx, id)
	_, got["FindByWeChat"] = store.FindByWeChat(ctx, who)
	_, got["FindByPhone"] = store.FindByPhone(ctx, phone)
	_, got["Register"] = store.Register(ctx, scangate.NewUser{Identity: who, Phone: phone})
	return got
}

// demandFailures fails the test unless the methods, or all if none is named, fail with
// that cause and without a secret.
func demandFailures(t *testing.T, store *testStore, cause string, methods ...string) {
	t.Helper()
	for method, err := range callAll(t.Context(), store) {
		if len(methods) > 0 && !strings.Contains(strings.Join(methods, " "), method) {
			continue
		}
		if !isFailure(err) || !strings.HasPrefix(err.Error(), "scangate: Redis: ") || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: error = %v, want a failure with the text %q", method, err, cause)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %q, want neither a secret nor a newline", method, err)
		}
	}
}

// demandHealth fails the test if any method of the empty store fails.
func demandHealth(t *testing.T, store *testStore) {
	t.Helper()
	for method, err := range callAll(t.Context(), store) {
		if isFailure(err) {
			t.Errorf("%s: error = %v, want no failure", method, err)
		}
	}
}

// writing names the methods that change something in an empty store.
var writing = []string{"Create", "Add", "Register"}

// A refusal of Redis is a failure, which ends when Redis works again.
func TestRedisRefusals(t *testing.T) {
	for _, c := range []struct {
		name      string
		ill, heal []string
		cause     string
		methods   []string
	}{
		{"out of memory", []string{"CONFIG SET maxmemory 1"}, []string{"CONFIG SET maxmemory 0"}, "OOM", writing},
		{"demoted", []string{"REPLICAOF 127.0.0.1 1"}, []string{"REPLICAOF NO ONE"}, "READONLY", writing},
		{
			"replica without its master",
			[]string{"CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"},
			[]string{"REPLICAOF NO ONE"},
			"MASTERDOWN", nil,
		},
		{
			"master without replicas",
			[]string{"CONFIG SET min-replicas-to-write 1"},
			[]string{"CONFIG SET min-replicas-to-write 0"},
			"NOREPLICAS", writing,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := startRedis(t)
			store := newRedisStore(t, server.addr, "")
			do := func(lines []string) {
				for _, line := range lines {
					words := strings.Fields(line)
					server.do(words[0], redis.Args{}.AddFlat(words[1:])...)
				}
			}
			do(c.ill)
			demandFailures(t, store, c.cause, c.methods...)
			do(c.heal)
			demandHealth(t, store)
		})
	}
}

// An error contains no part of Redis's text that may quote an argument.
func TestRedisErrorsContainNoSecrets(t *testing.T) {
	server := miniredis.RunT(t)
	store := newRedisStore(t, server.Addr(), "")
	for text, cause := range map[string]string{
		"LOADING Redis is loading the dataset in memory":                                 "LOADING",
		"ERR unknown command 'EVALSHA', with args beginning with: 'x' 'secret' 'secret'": "unknown command",
		"ERR unknown command `HMGET`, with args beginning with: `secret-key`":            "unknown command",
	} {
		server.SetError(text)
		demandFailures(t, store, cause)
		server.SetError("")
		demandHealth(t, store)
		server.FlushAll()
	}
}

func TestRedisDialErrors(t *testing.T) {
	parse := &url.Error{Op: "parse", URL: "redis://app:secret@host:port", Err: errors.New("not a valid URL")}
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return nil, parse }}
	demandFailures(t, newRedisStoreOn(t, pool, ""), "not a valid URL")
	demandFailures(t, newRedisStore(t, "127.0.0.1:1", ""), "connection refused")
}

func TestRedisPoolExhausted(t *testing.T) {
	pool := redisPool(t, miniredis.RunT(t).Addr())
	pool.MaxActive = 1
	store := newRedisStoreOn(t, pool, "")
	conn := pool.Get()
	demandFailures(t, store, redis.ErrPoolExhausted.Error())
	_ = conn.Close()
	demandHealth(t, store)
}

// A call to a Redis that cannot be reached takes the store's limit, which is not the
// caller's deadline.
func TestRedisUnreachable(t *testing.T) {
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	store := newLimitedStore(t, pool, 20*time.Millisecond, time.Second)
	demandFailures(t, store, "no answer in time")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, _, err := store.Load(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load with a deadline of 5 ms: error = %v, want DeadlineExceeded", err)
	}
}

// A Redis that hangs takes a call the store's limit, or less if the caller's deadline is
// earlier.
func TestRedisStopped(t *testing.T) {
	wallClock(t)
	server := startRedis(t)
	patient := newRedisStore(t, server.addr, "")
	limited := newLimitedStore(t, redisPool(t, server.addr), 50*time.Millisecond, time.Second)
	server.signal(syscall.SIGSTOP)
	demandFailures(t, limited, "no answer in time")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err := patient.Load(ctx, "k")
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
		t.Errorf("Load with a deadline of 20 ms: %v after %v, want DeadlineExceeded before the store's limit of 3 s", err, took)
	}
	server.signal(syscall.SIGCONT)
	server.do("PING")
	demandHealth(t, patient)
}

// A browser that goes away during a call costs no connection.
func TestRedisCallerGoesAway(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	demandHealth(t, store)
	if !within(patience, store.idle) {
		t.Fatal("the store holds a connection without a call")
	}
	before := store.pool.IdleCount()
	server.signal(syscall.SIGSTOP)
	gone, cancel := context.WithCancel(t.Context())
	resumed := make(chan struct{})
	context.AfterFunc(gone, func() {
		defer close(resumed)
		_ = server.cmd.Process.Signal(syscall.SIGCONT)
	})
	time.AfterFunc(20*time.Millisecond, cancel)
	// The call ends with the answer, which comes after the cancellation.
	if _, _, err := store.Load(gone, "k"); err == nil || isFailure(err) {
		t.Errorf("Load canceled during the call: error = %v, want ErrNotFound or Canceled", err)
	}
	<-resumed
	if after := store.pool.IdleCount(); after != before {
		t.Errorf("idle connections after the call = %d, want %d as before", after, before)
	}
	demandHealth(t, store)
}

func TestRedisScriptFlush(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	for range 2 {
		demandHealth(t, store)
		server.do("SCRIPT", "FLUSH")
		server.do("FLUSHALL")
	}
}

// After a restart the pool is full of broken connections. A read gets past them.
func TestRedisReadsAfterRestart(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	var conns []redis.Conn
	for range 50 {
		conns = append(conns, store.pool.Get())
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	server.kill()
	server.start()
	if _, _, err := store.Load(t.Context(), "k"); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Load with %d broken connections: error = %v, want ErrNotFound", len(conns), err)
	}
	demandHealth(t, store)
}
