package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// sentinels are a master with a replica, which one Sentinel watches.
type sentinels struct {
	master, replica, sentinel *Server
}

// startSentinel starts the three servers and waits until the Sentinel has found the replica.
func startSentinel(t *testing.T) sentinels {
	t.Helper()
	s := sentinels{master: Start(t), replica: Start(t, "--repl-diskless-sync-delay", "0")}
	s.replica.Follow(s.master)
	host, port, _ := net.SplitHostPort(s.master.Addr)
	// A quorum of one Sentinel. After a second without an answer the master is down.
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	settings := fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\n", host, port)
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sentinel = Start(t, config, "--sentinel")
	known := func() bool {
		return strings.Contains(fmt.Sprintf("%s", s.sentinel.Do("SENTINEL", "replicas", "main")), s.replica.Addr)
	}
	if !Within(Patience, known) {
		t.Fatal("the Sentinel does not know the replica")
	}
	return s
}

// Sentinel stops the master during a call of Wait. After the failover, the store changes
// the record at the new master, and Wait returns that. newStore returns a store whose
// master the Sentinel at addr names "main".
func Sentinel(t *testing.T, newStore func(t *testing.T, addr string) Keeper) {
	WallClock(t)
	s := startSentinel(t)
	here, there := newStore(t, s.sentinel.Addr), newStore(t, s.sentinel.Addr)
	if err := here.Create(t.Context(), "kept", []byte("value"), time.Hour); err != nil {
		t.Fatal(err)
	}
	waited := make(chan string, 1)
	go func() {
		value, _, err := here.Wait(t.Context(), "kept", 1)
		waited <- fmt.Sprint(string(value), " ", err)
	}()
	copied := func() bool {
		value, _ := redis.String(s.replica.Do("HGET", "{scangate}:state:kept", "value"), nil)
		return value == "value"
	}
	if !Within(Patience, copied) || !Within(Patience, func() bool { return s.master.Listeners() == 1 }) {
		t.Fatal("the replica has no copy, or no store listens")
	}
	s.master.Kill()
	updated := func() bool {
		err := there.Update(t.Context(), "kept", 1, []byte("changed"), time.Hour)
		// A conflict means that an earlier write succeeded and only its answer was lost.
		return err == nil || errors.Is(err, scangate.ErrConflict)
	}
	if !Within(2*Patience, updated) {
		t.Fatalf("the store has not written to the new master within %v", 2*Patience)
	}
	if got, _ := redis.String(s.replica.Do("HGET", "{scangate}:state:kept", "value"), nil); got != "changed" {
		t.Errorf("value at the new master = %q, want %q", got, "changed")
	}
	select {
	case got := <-waited:
		if got != "changed <nil>" {
			t.Errorf("Wait = %q, want %q", got, "changed <nil>")
		}
	case <-time.After(Patience):
		t.Errorf("Wait has not returned within %v", Patience)
	}
}
