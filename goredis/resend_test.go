package goredis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
)

// onScripts makes the server answer each script in that way, and counts the scripts.
func onScripts(mini *miniredis.Miniredis, answer func(peer *server.Peer)) *atomic.Int64 {
	var scripts atomic.Int64
	mini.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if command != "EVALSHA" && command != "EVAL" {
			return false
		}
		scripts.Add(1)
		answer(peer)
		return true
	})
	return &scripts
}

// A change whose outcome is unknown is not sent again, neither to one server nor to a
// Cluster.
func TestChangesAreSentOnce(t *testing.T) {
	hang := make(chan struct{})
	for name, answer := range map[string]func(peer *server.Peer){
		"connection closed": func(peer *server.Peer) { peer.Close() },
		"no answer":         func(*server.Peer) { <-hang },
		"server loading":    func(peer *server.Peer) { peer.WriteError("LOADING Redis is loading the dataset in memory") },
		"try again":         func(peer *server.Peer) { peer.WriteError("TRYAGAIN Multiple keys request during rehashing of slot") },
		"cluster down":      func(peer *server.Peer) { peer.WriteError("CLUSTERDOWN The cluster is down") },
		"replica":           func(peer *server.Peer) { peer.WriteError("READONLY You can't write against a read only replica.") },
	} {
		for _, isCluster := range []bool{false, true} {
			mini := miniredis.RunT(t)
			scripts := onScripts(mini, answer)
			client := redis.UniversalOptions{Addrs: []string{mini.Addr()}, IsClusterMode: isCluster}
			store, err := goredis.NewLimited(goredis.Options{Redis: client}, 300*time.Millisecond, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Add(t.Context(), "k", time.Hour); !redistest.IsFailure(err) {
				t.Errorf("%s (Cluster: %t): Add: error = %v, want a failure", name, isCluster, err)
			}
			if n := scripts.Load(); n != 1 {
				t.Errorf("%s (Cluster: %t): scripts sent = %d, want 1", name, isCluster, n)
			}
			_ = store.Close()
		}
	}
	close(hang)
}

// A server that answers MOVED or ASK has not run the script. The store follows, but not
// without end.
func TestRedirects(t *testing.T) {
	for _, kind := range []string{"MOVED", "ASK"} {
		target, wrong := miniredis.RunT(t), miniredis.RunT(t)
		scripts := onScripts(wrong, func(peer *server.Peer) { peer.WriteError(kind + " 1 " + target.Addr()) })
		var asking atomic.Int64
		target.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
			if command == "ASKING" {
				asking.Add(1)
				peer.WriteOK()
				return true
			}
			return false
		})
		store := openCluster(t, wrong.Addr(), nil)
		for want := range int64(3) {
			if n, err := store.Add(t.Context(), "k", time.Hour); err != nil || n != want+1 {
				t.Errorf("Add after %s = %d, %v, want %d", kind, n, err, want+1)
			}
		}
		if scripts.Load() != 4 { // the first call sends its script again in full
			t.Errorf("scripts answered with %s = %d, want 4", kind, scripts.Load())
		}
		if (asking.Load() > 0) != (kind == "ASK") {
			t.Errorf("ASKING after %s = %d times", kind, asking.Load())
		}
		_, port, _ := net.SplitHostPort(wrong.Addr())
		scripts = onScripts(wrong, func(peer *server.Peer) { peer.WriteError("MOVED 1 :" + port) })
		if _, err := store.Add(t.Context(), "k", time.Hour); err == nil || !strings.Contains(err.Error(), "MOVED") {
			t.Errorf("Add that is redirected without end: error = %v, want MOVED", err)
		}
		if n := scripts.Load(); n < 2 || n > 20 {
			t.Errorf("scripts redirected without end = %d, want 2 to 20", n)
		}
	}
}

// openCluster returns a store on the Cluster to which the server at addr belongs.
func openCluster(t *testing.T, addr string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *goredis.Store {
	t.Helper()
	client := redis.UniversalOptions{Addrs: []string{addr}, IsClusterMode: true, Dialer: dial}
	store, err := goredis.NewLimited(goredis.Options{Redis: client}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Connections to a Cluster are cut at random, in the middle of answers.
// A count that a call reported has happened, once.
func testClusterCutConnections(t *testing.T, cluster *redistest.Cluster) {
	redistest.WallClock(t)
	proxies := make(map[string]string)
	for _, server := range cluster.Servers {
		proxy := redistest.StartProxy(t, server.Addr)
		proxy.Limits(1_000_000, 1200) // answers are cut, so that Redis has run the script
		proxies[server.Addr] = proxy.Addr()
	}
	store := openCluster(t, cluster.Addrs()[0], func(ctx context.Context, network, addr string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, proxies[addr])
	})
	names := []string{"a", "b", "c", "d", "e", "f"}
	var work sync.WaitGroup
	won, unknown := make([]atomic.Int64, len(names)), make([]atomic.Int64, len(names))
	for i, name := range names {
		work.Go(func() {
			for end := time.Now().Add(redistest.Patience); won[i].Load() < 100; {
				if time.Now().After(end) {
					t.Errorf("counts of %s within %v = %d, want 100", name, redistest.Patience, won[i].Load())
					return
				}
				switch _, err := store.Add(t.Context(), name, time.Hour); {
				case err == nil:
					won[i].Add(1)
				case redistest.IsFailure(err) && !errors.Is(err, context.Canceled):
					unknown[i].Add(1)
				default:
					t.Errorf("Add over cut connections: error = %v, want a failure or none", err)
					return
				}
			}
		})
	}
	work.Wait()
	steady := newClusterStore(t, cluster)
	var failures int64
	for i, name := range names {
		next, err := steady.Add(t.Context(), name, time.Hour)
		if n := next - 1; err != nil || n < won[i].Load() || n > won[i].Load()+unknown[i].Load() {
			t.Errorf("count %s = %d, %v, want %d that succeeded and at most %d of unknown outcome", name, n, err, won[i].Load(), unknown[i].Load())
		}
		failures += unknown[i].Load()
	}
	if failures == 0 {
		t.Error("counts of unknown outcome = 0, want at least 1: no connection was cut")
	}
}
