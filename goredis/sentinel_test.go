package goredis_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
)

// With a MasterName the addresses are those of Sentinels, of which the first is down.
func TestSentinel(t *testing.T) {
	t.Parallel()
	redistest.Sentinel(t, func(t *testing.T, addr string) redistest.Keeper {
		store, err := goredis.New(goredis.Options{Redis: redis.UniversalOptions{Addrs: []string{"127.0.0.1:1", addr}, MasterName: "main"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	})
}
