package scangate_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"
)

// TestOnlyREADONLYDropsTheConnection has Redis refuse a command. Only a READONLY answer
// comes from a demoted master: the next connection may lead to the new master. After any
// other refusal, the connection stays usable.
func TestOnlyREADONLYDropsTheConnection(t *testing.T) {
	for refusal, want := range map[string]int{
		"READONLY You can't write against a read only replica.":  2,
		"LOADING Redis is loading the dataset in memory":         1,
		"OOM command not allowed when used memory > 'maxmemory'": 1,
		"MASTERDOWN Link with MASTER is down":                    1,
		"NOREPLICAS Not enough good replicas to write.":          1,
		"ERR READONLY is not the first word":                     1,
	} {
		t.Run(refusal, func(t *testing.T) {
			server := miniredis.RunT(t)
			pool := redisPool(t, server.Addr())
			dial, dialed := pool.DialContext, 0
			pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
				dialed++
				return dial(ctx)
			}
			store := newRedisStoreOn(t, pool, "")
			if err := store.Create(t.Context(), "before", []byte("v"), time.Hour); err != nil || dialed != 1 {
				t.Fatalf("Create: error = %v, %d connections, want nil and 1", err, dialed)
			}
			server.SetError(refusal)
			if err := store.Create(t.Context(), "refused", []byte("v"), time.Hour); !isFailure(err) {
				t.Errorf("Create while Redis answers %q: error = %v, want a failure", refusal, err)
			}
			server.SetError("")
			if err := store.Create(t.Context(), "after", []byte("v"), time.Hour); err != nil || dialed != want {
				t.Errorf("Create after %q: error = %v, %d connections, want nil and %d", refusal, err, dialed, want)
			}
		})
	}
}
