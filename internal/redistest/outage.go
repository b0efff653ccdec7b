package redistest

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// IsFailure reports whether err is a failure of the store, and not an answer or an error
// of a context.
func IsFailure(err error) bool {
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
func callAll(ctx context.Context, store *Store) map[string]error {
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

// DemandFailures fails the test unless the methods, or all if none is named, fail with
// that cause and without a secret.
func DemandFailures(t *testing.T, store *Store, cause string, methods ...string) {
	t.Helper()
	for method, err := range callAll(t.Context(), store) {
		if len(methods) > 0 && !strings.Contains(strings.Join(methods, " "), method) {
			continue
		}
		if !IsFailure(err) || !strings.HasPrefix(err.Error(), "scangate: Redis: ") || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: error = %v, want a failure with the text %q", method, err, cause)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %q, want neither a secret nor a newline", method, err)
		}
	}
}

// DemandHealth fails the test if any method of the empty store fails.
func DemandHealth(t *testing.T, store *Store) {
	t.Helper()
	for method, err := range callAll(t.Context(), store) {
		if IsFailure(err) {
			t.Errorf("%s: error = %v, want no failure", method, err)
		}
	}
}

// writing names the methods that change something in an empty store.
var writing = []string{"Create", "Add", "Register"}

// Outages tests the errors of a Redis that refuses calls or cannot be reached.
func Outages(t *testing.T, b Backend) {
	run(t, b, map[string]func(*testing.T, Backend){
		"refusals":                   testRefusals,
		"errors contain no secrets":  testErrorsContainNoSecrets,
		"dial errors":                testDialErrors,
		"unreachable":                testUnreachable,
		"stopped":                    testStopped,
		"caller goes away":           testCallerGoesAway,
		"scripts flushed":            testScriptFlush,
		"reads after a restart":      testReadsAfterRestart,
		"connection after a refusal": testConnectionAfterRefusal,
	})
}

// A refusal of Redis is a failure, which ends when Redis works again.
func testRefusals(t *testing.T, b Backend) {
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
			server := Start(t)
			store := b.New(t, Options{Addr: server.Addr})
			do := func(lines []string) {
				for _, line := range lines {
					words := strings.Fields(line)
					server.Do(words[0], redis.Args{}.AddFlat(words[1:])...)
				}
			}
			do(c.ill)
			DemandFailures(t, store, c.cause, c.methods...)
			do(c.heal)
			DemandHealth(t, store)
		})
	}
}

// An error contains no part of Redis's text that may quote an argument.
func testErrorsContainNoSecrets(t *testing.T, b Backend) {
	server := miniredis.RunT(t)
	store := b.New(t, Options{Addr: server.Addr()})
	for text, cause := range map[string]string{
		"LOADING Redis is loading the dataset in memory":                                 "LOADING",
		"ERR unknown command 'EVALSHA', with args beginning with: 'x' 'secret' 'secret'": "unknown command",
		"ERR unknown command `HMGET`, with args beginning with: `secret-key`":            "unknown command",
	} {
		server.SetError(text)
		DemandFailures(t, store, cause)
		server.SetError("")
		DemandHealth(t, store)
		server.FlushAll()
	}
}

func testDialErrors(t *testing.T, b Backend) {
	DemandFailures(t, b.New(t, Options{Addr: "127.0.0.1:1"}), "connection refused")
}

// A call to a Redis that cannot be reached takes the store's limit, which is not the
// caller's deadline.
func testUnreachable(t *testing.T, b Backend) {
	store := b.New(t, Options{Limit: 20 * time.Millisecond, Ping: time.Second, Dial: func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	DemandFailures(t, store, "no answer in time")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, _, err := store.Load(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load with a deadline of 5 ms: error = %v, want DeadlineExceeded", err)
	}
}

// A Redis that hangs takes a call the store's limit, or less if the caller's deadline is
// earlier.
func testStopped(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t)
	patient := b.New(t, Options{Addr: server.Addr})
	limited := b.New(t, Options{Addr: server.Addr, Limit: 50 * time.Millisecond, Ping: time.Second})
	server.Signal(syscall.SIGSTOP)
	DemandFailures(t, limited, "no answer in time")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err := patient.Load(ctx, "k")
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
		t.Errorf("Load with a deadline of 20 ms: %v after %v, want DeadlineExceeded before the store's limit of 3 s", err, took)
	}
	server.Signal(syscall.SIGCONT)
	server.Do("PING")
	DemandHealth(t, patient)
}

// A browser that goes away during a call costs no connection.
func testCallerGoesAway(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	DemandHealth(t, store)
	if !Within(Patience, store.Idle) {
		t.Fatal("the store holds a connection without a call")
	}
	before := store.IdleConns()
	server.Signal(syscall.SIGSTOP)
	gone, cancel := context.WithCancel(t.Context())
	resumed := make(chan struct{})
	context.AfterFunc(gone, func() {
		defer close(resumed)
		_ = server.cmd.Process.Signal(syscall.SIGCONT)
	})
	time.AfterFunc(20*time.Millisecond, cancel)
	// The call ends with the answer, which comes after the cancellation.
	if _, _, err := store.Load(gone, "k"); err == nil || IsFailure(err) {
		t.Errorf("Load canceled during the call: error = %v, want ErrNotFound or Canceled", err)
	}
	<-resumed
	if after := store.IdleConns(); after != before {
		t.Errorf("idle connections after the call = %d, want %d as before", after, before)
	}
	DemandHealth(t, store)
}

func testScriptFlush(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	for range 2 {
		DemandHealth(t, store)
		server.Do("SCRIPT", "FLUSH")
		server.Do("FLUSHALL")
	}
}

// After a restart the pool is full of broken connections. A read gets past them.
func testReadsAfterRestart(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	const conns = 50
	store.Fill(conns)
	server.Kill()
	server.Restart()
	if _, _, err := store.Load(t.Context(), "k"); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Load with %d broken connections: error = %v, want ErrNotFound", conns, err)
	}
	DemandHealth(t, store)
}
