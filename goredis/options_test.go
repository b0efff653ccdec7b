package goredis_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
)

func TestNewErrors(t *testing.T) {
	one, two := []string{"10.0.0.1:6379"}, []string{"10.0.0.1:6379", "10.0.0.2:6379"}
	for name, c := range map[string]struct {
		options goredis.Options
		want    string
	}{
		"no address":           {goredis.Options{}, "Options.Redis.Addrs"},
		"an empty address":     {goredis.Options{Redis: redis.UniversalOptions{Addrs: []string{""}}}, "Options.Redis.Addrs"},
		"database of Cluster":  {goredis.Options{Redis: redis.UniversalOptions{Addrs: two, DB: 1}}, "Options.Redis.DB"},
		"database of one node": {goredis.Options{Redis: redis.UniversalOptions{Addrs: one, IsClusterMode: true, DB: 1}}, "Options.Redis.DB"},
		"prefix":               {goredis.Options{Redis: redis.UniversalOptions{Addrs: one}, Prefix: "a}b"}, "Options.Prefix: " + strconv.Quote("a}b")},
	} {
		_, err := goredis.New(c.options)
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: goredis.New: "+c.want) {
			t.Errorf("New with %s: error = %v, want one about %s", name, err, c.want)
		}
	}
}

// The kind of Redis follows from the options.
func TestKindOfRedis(t *testing.T) {
	one, two := []string{"127.0.0.1:1"}, []string{"127.0.0.1:1", "127.0.0.1:2"}
	for name, c := range map[string]struct {
		options redis.UniversalOptions
		cluster bool
	}{
		"one address":             {redis.UniversalOptions{Addrs: one}, false},
		"Sentinels":               {redis.UniversalOptions{Addrs: two, MasterName: "main"}, false},
		"Sentinels, routed":       {redis.UniversalOptions{Addrs: two, MasterName: "main", RouteRandomly: true}, false},
		"two addresses":           {redis.UniversalOptions{Addrs: two}, true},
		"one address, a Cluster":  {redis.UniversalOptions{Addrs: one, IsClusterMode: true}, true},
		"retries and other RESPs": {redis.UniversalOptions{Addrs: one, MaxRetries: 5, Protocol: 3}, false},
	} {
		store, err := goredis.NewLimited(goredis.Options{Redis: c.options}, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := store.CheckUsers() != nil; got != c.cluster {
			t.Errorf("%s: a Cluster = %t, want %t", name, got, c.cluster)
		}
		if _, _, err := store.Load(t.Context(), "k"); !redistest.IsFailure(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Load without Redis: error = %v, want a failure in one line", name, err)
		}
		if err := errors.Join(store.Close(), store.Close()); err != nil {
			t.Errorf("%s: Close, twice: error = %v, want none", name, err)
		}
		if _, err := store.Add(t.Context(), "k", time.Hour); !redistest.IsFailure(err) {
			t.Errorf("%s: Add after Close: error = %v, want a failure", name, err)
		}
	}
}

// lockedBuffer is a buffer for many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Redis goes away and comes back, and the log shows each once.
func TestCaseE07OutageInTheLog(t *testing.T) {
	server := miniredis.RunT(t)
	var log lockedBuffer
	store, err := goredis.New(goredis.Options{
		Redis: redis.UniversalOptions{Addrs: []string{server.Addr()}}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	sessions := store.Sessions("site")
	find := func() error { _, _, err := sessions.Find("token"); return err }
	if err := find(); err != nil {
		t.Fatalf("Find: error = %v, want none", err)
	}
	server.Close()
	for range 20 {
		if err := find(); err == nil {
			t.Error("Find while Redis is away: error = nil, want one")
		}
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	back := func() bool { return find() == nil && strings.Contains(log.String(), "scangate: Redis is back") }
	if !redistest.Within(redistest.Patience, back) {
		t.Errorf("log = %s, want that Redis is back", log.String())
	}
	if n := strings.Count(log.String(), "scangate: Redis went away"); n != 1 {
		t.Errorf("lines that Redis went away = %d, want 1: %s", n, log.String())
	}
}

// A pool without a free connection is an error within a second, which does not count as
// an outage.
func TestBusyPool(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.UniversalOptions{Addrs: []string{server.Addr()}, PoolSize: 1, PoolTimeout: 20 * time.Millisecond}
	store, err := goredis.NewLimited(goredis.Options{Redis: client}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	held := store.Single().Conn()
	if err := held.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Add(t.Context(), "k", time.Hour); err == nil || !strings.Contains(err.Error(), "all connections are in use") {
		t.Errorf("Add without a free connection: error = %v, want that all are in use", err)
	}
	_ = held.Close()
	if n, err := store.Add(t.Context(), "k", time.Hour); err != nil || n != 1 {
		t.Errorf("Add with a free connection = %d, %v, want 1", n, err)
	}
}
