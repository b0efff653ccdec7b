package goredis_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// Many slots move to another master while records in all slots change. Each change that a
// call reported has happened, once, and no waiting call misses the end.
func TestClusterReshard(t *testing.T) {
	redistest.WallClock(t)
	cluster := redistest.StartCluster(t)
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, redistest.Crowd(400, 800))
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	won, unknown := make([]atomic.Int64, len(keys)), make([]atomic.Int64, len(keys))
	const writers = 12
	for w := range writers {
		load.Go(func() {
			for i := w; ; i = (i + writers) % len(keys) {
				select {
				case <-stop:
					return
				default:
					increment(t, there, keys[i], &won[i], &unknown[i])
				}
			}
		})
	}
	moved := redistest.Crowd(200, 2000)
	cluster.Reshard(0, moved)
	close(stop)
	load.Wait()
	inMoved := 0
	for i, key := range keys {
		if cluster.Slot(there.StateKey(key)) < moved {
			inMoved++
		}
		value, version, err := there.Load(t.Context(), key)
		if err != nil || string(value) != strconv.FormatInt(version-1, 10) {
			t.Errorf("record %d = %q at version %d, %v, want one less than the version", i, value, version, err)
		}
		if changes := version - 1; changes != won[i].Load() || unknown[i].Load() != 0 {
			t.Errorf("changes of record %d = %d, %d of unknown outcome, want %d and 0", i, changes, unknown[i].Load(), won[i].Load())
		}
	}
	end(t, there, keys)
	f.demandEnd(t, len(keys))
	t.Logf("%d slots moved, with %d of %d records", moved, inMoved, len(keys))
}

// A master is killed, and its replica takes over. No record that the replica has copied is
// lost, and no waiting call misses the end.
func TestClusterFailover(t *testing.T) {
	redistest.WallClock(t)
	cluster := redistest.StartReplicatedCluster(t, "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0")
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 30)
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	if !redistest.Within(redistest.Patience, func() bool { return channels(cluster) == len(keys) }) {
		t.Fatalf("channels = %d, want %d", channels(cluster), len(keys))
	}
	copied := func() bool { return cluster.Servers[1].Do("DBSIZE") == cluster.Replicas[1].Do("DBSIZE") }
	if !redistest.Within(redistest.Patience, copied) {
		t.Fatal("the replica has not copied the records")
	}
	var own []string
	for _, key := range keys {
		if cluster.Owner(cluster.Slot(there.StateKey(key))) == 1 {
			own = append(own, key)
		}
	}
	if len(own) == 0 {
		t.Fatal("records of the master to be killed = 0, want some")
	}
	cluster.Servers[1].Kill()
	killed := time.Now()
	up := func() bool { // also at the other masters, which stop while slots have no master
		for _, key := range keys {
			if _, _, err := there.Load(t.Context(), key); err != nil {
				return false
			}
		}
		return true
	}
	if !redistest.Within(2*redistest.Patience, up) {
		t.Fatalf("the replica has not taken over within %v", 2*redistest.Patience)
	}
	t.Logf("the replica took over within %v", time.Since(killed))
	end(t, there, keys)
	f.demandEnd(t, len(keys))
	if err := there.Create(t.Context(), own[0], nil, time.Hour); err == nil {
		t.Error("Create of a record that the replica has: error = nil, want ErrExists")
	}
}

// The busiest of three masters does less than half of what one server does for the same
// logins.
func TestClusterSharesTheWork(t *testing.T) {
	redistest.WallClock(t)
	logins := redistest.Crowd(60, 600)
	server, cluster := redistest.Start(t), redistest.StartCluster(t)
	var single, sharded []scangate.StateStore
	for range 2 {
		single = append(single, open(t, server.Addr, ""))
		sharded = append(sharded, newClusterStore(t, cluster))
	}
	run := func(name string, stores []scangate.StateStore) {
		redistest.RunLogins(t, stores, name, logins, func(string) {
			polled := time.Now()
			redistest.Within(redistest.Patience, func() bool { return time.Since(polled) > 1500*time.Millisecond })
		})
	}
	run("warm up", single)
	run("warm up", sharded)
	least := 10.0
	for try := range redistest.Crowd(1, 3) {
		name := "login " + strconv.Itoa(try)
		one := server.Spent()
		run(name, single)
		alone := server.Spent().CPU - one.CPU
		var before []redistest.Cost
		for _, s := range cluster.Servers {
			before = append(before, s.Spent())
		}
		run(name, sharded)
		busiest := time.Duration(0)
		for i, s := range cluster.Servers {
			busiest = max(busiest, s.Spent().CPU-before[i].CPU)
		}
		share := float64(busiest) / float64(alone)
		t.Logf("for each login: %v at one server, %v at the busiest of three masters: %.2f",
			alone/time.Duration(logins), busiest/time.Duration(logins), share)
		least = min(least, share)
	}
	if limit := 0.5; redistest.LargeCrowd() && least >= limit {
		t.Errorf("share of the busiest master = %.2f, want less than %.2f", least, limit)
	}
}
