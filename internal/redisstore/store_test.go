package redisstore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/redisstore"
)

// newStore returns a store on the server.
func newStore(t *testing.T, mini *miniredis.Miniredis) *redisstore.Store {
	t.Helper()
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", mini.Addr()) }}
	t.Cleanup(func() { _ = pool.Close() })
	store := redisstore.New(&redisconn.Client{Pool: pool}, "test")
	t.Cleanup(store.Close)
	return store
}

// awaitRegistration returns when a process waits for the record "k".
func awaitRegistration(mini *miniredis.Miniredis, store *redisstore.Store) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for mini.HGet(store.StateKey("k"), "waiting") == "" {
		<-ticker.C
	}
}

// After a subscription the store reads the records that have waiters. If Redis refuses
// that, it reads again.
func TestWaitSurvivesRefusedReads(t *testing.T) {
	mini := miniredis.RunT(t)
	store := newStore(t, mini)
	if err := store.Create(t.Context(), "k", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	// The first read is Wait's own. Its script is new to the server, which gets it twice.
	var reads atomic.Int64
	mini.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if command == "SUBSCRIBE" {
			awaitRegistration(mini, store)
		}
		if command != "EVALSHA" {
			return false
		}
		switch reads.Add(1) {
		case 2:
			// The store has missed the message of this change.
			mini.HSet(store.StateKey("k"), "version", "2", "value", "two")
		case 3, 4:
		default:
			return false
		}
		peer.WriteError("LOADING Redis is loading the dataset in memory")
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	value, version, err := store.Wait(ctx, "k", 1)
	if err != nil || string(value) != "two" || version != 2 {
		t.Errorf("Wait after three refused reads = %q at version %d, %v, want \"two\" at version 2", value, version, err)
	}
	if n := reads.Load(); n != 5 {
		t.Errorf("reads = %d, want 5", n)
	}
}
