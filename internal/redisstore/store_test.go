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

// A store that is refused the read of a changed record reads it again.
func TestWaitSurvivesRefusedReads(t *testing.T) {
	mini := miniredis.RunT(t)
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", mini.Addr()) }}
	t.Cleanup(func() { _ = pool.Close() })
	store := redisstore.New(&redisconn.Client{Pool: pool}, "test")
	t.Cleanup(store.Close)
	if err := store.Create(t.Context(), "k", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}

	// Before the update there are two reads: Wait's own, and one after the subscription.
	// The update causes one more, which is refused, and so are two further tries.
	var reads atomic.Int64
	waiting := make(chan struct{})
	mini.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if command != "HMGET" {
			return false
		}
		switch reads.Add(1) {
		case 2:
			close(waiting)
		case 3, 4, 5:
			peer.WriteError("LOADING Redis is loading the dataset in memory")
			return true
		}
		return false
	})
	updated := make(chan error, 1)
	go func() {
		<-waiting
		updated <- store.Update(t.Context(), "k", 1, []byte("two"), time.Hour)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	value, version, err := store.Wait(ctx, "k", 1)
	if err != nil || string(value) != "two" || version != 2 {
		t.Errorf("Wait after three refused reads = %q at version %d, %v, want \"two\" at version 2", value, version, err)
	}
	if err := <-updated; err != nil {
		t.Errorf("Update: error = %v, want none", err)
	}
}
