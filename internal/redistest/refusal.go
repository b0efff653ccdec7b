package redistest

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// testConnectionAfterRefusal has Redis refuse a call. A replica refuses changes
// with READONLY: the store closes that connection, because the next one may lead to the
// master. It keeps the connection after every other refusal.
func testConnectionAfterRefusal(t *testing.T, b Backend) {
	for _, c := range []struct {
		refusal string
		dials   int64 // connections made for the refused call and the next one
	}{
		{"READONLY You can't write against a read only replica.", 2},
		{"OOM command not allowed when used memory > 'maxmemory'.", 1},
		{"NOREPLICAS Not enough good replicas to write.", 1},
		{"LOADING Redis is loading the dataset in memory", 1},
		{"MISCONF Redis is configured to save RDB snapshots", 1},
		{"ERR the replica is READONLY", 1},
	} {
		t.Run(c.refusal, func(t *testing.T) {
			server := miniredis.RunT(t)
			o := Options{Addr: server.Addr()}
			dials := countDials(&o)
			store := b.New(t, o)
			if _, err := store.Add(t.Context(), "k", time.Hour); err != nil {
				t.Fatalf("Add: %v, want no error", err)
			}
			server.SetError(c.refusal)
			if _, err := store.Add(t.Context(), "k", time.Hour); !IsFailure(err) {
				t.Errorf("Add that Redis refuses: %v, want a failure", err)
			}
			server.SetError("")
			if n, err := store.Add(t.Context(), "k", time.Hour); n != 2 || err != nil {
				t.Errorf("Add after the refusal: %d, %v, want 2", n, err)
			}
			if dials.Load() != c.dials {
				t.Errorf("connections made: %d, want %d", dials.Load(), c.dials)
			}
		})
	}
}
