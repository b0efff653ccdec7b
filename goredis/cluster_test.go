package goredis_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/storetest"
	"github.com/scangate/scangate/wechat"
)

// newClusterStore returns a store on the Cluster, with connections of its own like those
// of another process. change changes its options.
func newClusterStore(t *testing.T, cluster *redistest.Cluster, change ...func(*goredis.Options)) *goredis.Store {
	t.Helper()
	o := goredis.Options{Redis: redis.UniversalOptions{Addrs: cluster.Addrs()}}
	for _, change := range change {
		change(&o)
	}
	return openPatiently(t, o)
}

// anyPrefix gives a store keys of its own.
func anyPrefix(o *goredis.Options) { o.Prefix = rand.Text() }

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, "--appendonly", "yes", "--appendfsync", "always")
	t.Run("state", func(t *testing.T) {
		storetest.State(t, func(t *testing.T) scangate.StateStore { return newClusterStore(t, cluster, anyPrefix) })
	})
	t.Run("sessions", func(t *testing.T) {
		redistest.Sessions(t, func(t *testing.T) scs.Store { return newClusterStore(t, cluster, anyPrefix).Sessions("site") })
	})
	t.Run("spread", func(t *testing.T) { testClusterSpread(t, cluster) })
	t.Run("users", func(t *testing.T) { testClusterUsers(t, cluster) })
	t.Run("waits", func(t *testing.T) { testClusterWaits(t, cluster) })
	// Before slots move: with many ranges, the list of slots is longer than a connection of
	// this test lives.
	t.Run("cut connections", func(t *testing.T) { testClusterCutConnections(t, cluster) })
	t.Run("subscriber killed", func(t *testing.T) { testClusterSubscriberKilled(t, cluster) })
	t.Run("moved slots", func(t *testing.T) { testClusterMovedSlots(t, cluster) })
	t.Run("a record asked for", func(t *testing.T) { testClusterAsk(t, cluster) })
	t.Run("restart", func(t *testing.T) { testClusterRestart(t, cluster) })
	t.Run("permissions", func(t *testing.T) { testClusterPermissions(t, cluster) })
}

// Records, counters and sessions spread over all servers.
func testClusterSpread(t *testing.T, cluster *redistest.Cluster) {
	cluster.Do("FLUSHALL")
	store := newClusterStore(t, cluster)
	sessions := store.Sessions("site")
	for i := range 60 {
		name := strconv.Itoa(i)
		_, counted := store.Add(t.Context(), name, time.Hour)
		created := store.Create(t.Context(), name, nil, time.Hour)
		committed := sessions.Commit(name, []byte("value"), time.Now().Add(time.Hour))
		if err := errors.Join(counted, created, committed); err != nil {
			t.Fatal(err)
		}
	}
	for i, server := range cluster.Servers {
		keys, _ := server.Do("DBSIZE").(int64)
		if keys < 20 {
			t.Errorf("keys at server %d = %d of 180, want at least 20", i, keys)
		}
	}
}

func testClusterUsers(t *testing.T, cluster *redistest.Cluster) {
	store := newClusterStore(t, cluster)
	_, err := store.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "o"}})
	if err == nil || !strings.Contains(err.Error(), "SQL") {
		t.Errorf("Register on a Cluster: error = %v, want one that names SQL", err)
	}
	_, err = scangate.New(scangate.Config{
		PublicURL: "https://app.example.com", OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: strings.Repeat("0a", 16)},
		Users: store, State: store,
	})
	if err == nil || !strings.Contains(err.Error(), "Config.Users: ") || !strings.Contains(err.Error(), "SQL") {
		t.Errorf("New with users on a Cluster: error = %v, want one that names Config.Users and SQL", err)
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL: "https://app.example.com", OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: strings.Repeat("0a", 16)},
		Users: scangate.NewMemoryStore(), State: store,
	})
	if err != nil {
		t.Fatalf("New with State on a Cluster: error = %v, want none", err)
	}
	_ = gate.Close()
}

// followers wait from version to version of records, until each is "the end".
type followers struct {
	work sync.WaitGroup
	ends atomic.Int64
}

// follow waits for the record until it is "the end".
func (f *followers) follow(t *testing.T, store *goredis.Store, key string) {
	f.work.Go(func() {
		for seen := int64(1); ; {
			value, version, err := store.Wait(t.Context(), key, seen)
			switch {
			case t.Context().Err() != nil:
				return
			case err == nil && version <= seen:
				t.Errorf("Wait after version %d = version %d, want a newer one", seen, version)
				return
			case err == nil && string(value) == "the end":
				f.ends.Add(1)
				return
			case err == nil:
				seen = version
			case !redistest.IsFailure(err):
				t.Errorf("Wait: error = %v, want none", err)
				return
			}
		}
	})
}

// demandEnd fails the test unless all n have seen the end.
func (f *followers) demandEnd(t *testing.T, n int) {
	t.Helper()
	if !redistest.Within(redistest.Patience, func() bool { return f.ends.Load() == int64(n) }) {
		t.Errorf("calls of Wait that saw the end = %d, want %d", f.ends.Load(), n)
	}
}

// createRecords creates n records with the value "0".
func createRecords(t *testing.T, store *goredis.Store, n int) []string {
	t.Helper()
	var keys []string
	for range n {
		key := rand.Text()
		if err := store.Create(t.Context(), key, []byte("0"), time.Hour); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// end updates all records to "the end".
func end(t *testing.T, store *goredis.Store, keys []string) {
	t.Helper()
	for _, key := range keys {
		_, version, err := store.Load(t.Context(), key)
		if err == nil {
			err = store.Update(t.Context(), key, version, []byte("the end"), time.Hour)
		}
		if err != nil {
			t.Errorf("the last Update of %s: error = %v, want none", key, err)
		}
	}
}

// A process has at most one listening connection to each server, whose subscriptions end
// with the calls of Wait.
func testClusterWaits(t *testing.T, cluster *redistest.Cluster) {
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 100)
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	if !redistest.Within(redistest.Patience, func() bool { return channels(cluster) == len(keys) }) {
		t.Fatalf("channels = %d, want %d", channels(cluster), len(keys))
	}
	for _, key := range keys {
		if err := there.Update(t.Context(), key, 1, []byte("1"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	end(t, there, keys)
	f.demandEnd(t, len(keys))
	if !redistest.Within(redistest.Patience, func() bool { return channels(cluster) == 0 }) {
		t.Errorf("channels after all calls of Wait = %d, want 0", channels(cluster))
	}
	if _, _, err := here.Wait(t.Context(), "no such record", 1); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Wait for a missing record: error = %v, want ErrNotFound", err)
	}
}

// channels returns how many channels have subscribers.
func channels(cluster *redistest.Cluster) int {
	n := 0
	for _, server := range cluster.Servers {
		list, _ := server.Do("PUBSUB", "SHARDCHANNELS").([]any)
		n += len(list)
	}
	return n
}

// The listening connections are killed again and again while all records change.
func testClusterSubscriberKilled(t *testing.T, cluster *redistest.Cluster) {
	redistest.WallClock(t)
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 50)
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	for i := range 10 {
		for _, key := range keys {
			if err := there.Update(t.Context(), key, int64(i+1), []byte(strconv.Itoa(i)), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		cluster.Servers[i%3].Do("CLIENT", "KILL", "TYPE", "pubsub")
	}
	end(t, there, keys)
	f.demandEnd(t, len(keys))
}

// Slots move to other servers and back while records in them change. Each change that a
// call reported has happened, once, and no waiting call misses the end.
func testClusterMovedSlots(t *testing.T, cluster *redistest.Cluster) {
	redistest.WallClock(t)
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 12)
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	won, unknown := make([]atomic.Int64, len(keys)), make([]atomic.Int64, len(keys))
	for i, key := range keys {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					increment(t, there, key, &won[i], &unknown[i])
				}
			}
		})
	}
	var slots []int
	for _, key := range keys[:6] {
		slots = append(slots, cluster.Slot(there.StateKey(key)))
	}
	slices.Sort(slots)
	for range 2 {
		for _, slot := range slices.Compact(slots) {
			cluster.Move(slot, (cluster.Owner(slot)+1)%3, nil)
		}
	}
	close(stop)
	load.Wait()
	for i, key := range keys {
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
}

// increment adds one to the number in the record, and counts the successful changes and
// those of unknown outcome.
func increment(t *testing.T, store *goredis.Store, key string, won, unknown *atomic.Int64) {
	value, version, err := store.Load(t.Context(), key)
	if err != nil {
		if !redistest.IsFailure(err) {
			t.Errorf("Load: error = %v, want a failure or none", err)
		}
		return
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n != version-1 {
		t.Errorf("Load = %q at version %d, want one less than the version", value, version)
		return
	}
	err = store.Update(t.Context(), key, version, []byte(strconv.FormatInt(n+1, 10)), time.Hour)
	switch {
	case err == nil:
		won.Add(1)
	case redistest.IsFailure(err):
		unknown.Add(1)
		t.Logf("Update: %v", err)
	case !errors.Is(err, scangate.ErrConflict):
		t.Errorf("Update: error = %v, want ErrConflict, a failure or none", err)
	}
}

// While a slot moves, the old server answers ASK for the records that have moved.
func testClusterAsk(t *testing.T, cluster *redistest.Cluster) {
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 1)
	var f followers
	f.follow(t, here, keys[0])
	slot := cluster.Slot(there.StateKey(keys[0]))
	cluster.Move(slot, (cluster.Owner(slot)+1)%3, func() {
		cluster.Do("SCRIPT", "FLUSH")
		if err := there.Update(t.Context(), keys[0], 1, []byte("1"), time.Hour); err != nil {
			t.Errorf("Update of a record that has moved: error = %v, want none", err)
		}
		if value, version, err := here.Load(t.Context(), keys[0]); err != nil || string(value) != "1" || version != 2 {
			t.Errorf("Load of a record that has moved = %q at version %d, %v, want \"1\" at version 2", value, version, err)
		}
		if err := there.Create(t.Context(), keys[0], nil, time.Hour); !errors.Is(err, scangate.ErrExists) {
			t.Errorf("Create of a record that has moved: error = %v, want ErrExists", err)
		}
	})
	end(t, there, keys)
	f.demandEnd(t, 1)
}

// The restricted Redis user of the documentation suffices.
func testClusterPermissions(t *testing.T, cluster *redistest.Cluster) {
	rules := "ACL SETUSER app on >pw ~{scangate:* ~scangate:session:* &{scangate:* +ping " +
		"+eval +evalsha +exists +get +set +del +incr +pexpire +hget +hset +hmget " +
		"+spublish +ssubscribe +sunsubscribe +hello +cluster|slots +asking"
	words := strings.Fields(rules)
	args := make([]any, len(words)-1)
	for i, word := range words[1:] {
		args[i] = word
	}
	cluster.Do(words[0], args...)
	store := newClusterStore(t, cluster, func(o *goredis.Options) { o.Redis.Username, o.Redis.Password = "app", "pw" })
	keys := createRecords(t, store, 5)
	var f followers
	for _, key := range keys {
		f.follow(t, store, key)
	}
	if !redistest.Within(redistest.Patience, func() bool { return channels(cluster) == len(keys) }) {
		t.Errorf("channels = %d, want %d", channels(cluster), len(keys))
	}
	end(t, store, keys)
	f.demandEnd(t, len(keys))
	sessions := store.Sessions("site")
	if err := sessions.Commit("token", []byte("value"), time.Now().Add(time.Hour)); err != nil {
		t.Errorf("Commit of a session: error = %v, want none", err)
	}
	if err := sessions.Delete("token"); err != nil {
		t.Errorf("Delete of a session: error = %v, want none", err)
	}
	cluster.Do("ACL", "SETUSER", "app", "-ssubscribe")
	other := newClusterStore(t, cluster, func(o *goredis.Options) { o.Redis.Username, o.Redis.Password = "app", "pw" })
	more := createRecords(t, other, 1)
	if _, _, err := other.Wait(t.Context(), more[0], 1); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("Wait of a Redis user that may not subscribe: error = %v, want NOPERM", err)
	}
}

// A master crashes and comes back with its records while calls wait. The
// records of the others are not affected, and its own are woken when it is back.
func testClusterRestart(t *testing.T, cluster *redistest.Cluster) {
	redistest.WallClock(t)
	here, there := newClusterStore(t, cluster), newClusterStore(t, cluster)
	keys := createRecords(t, there, 30)
	var f followers
	for _, key := range keys {
		f.follow(t, here, key)
	}
	if !redistest.Within(redistest.Patience, func() bool { return channels(cluster) == len(keys) }) {
		t.Fatalf("channels = %d, want %d", channels(cluster), len(keys))
	}
	cluster.Servers[1].Kill()
	var own, others []string
	for _, key := range keys {
		if _, _, err := there.Load(t.Context(), key); err != nil {
			own = append(own, key)
		} else {
			others = append(others, key)
		}
	}
	end(t, there, others)
	f.demandEnd(t, len(others))
	cluster.Servers[1].Restart()
	up := func() bool { _, _, err := there.Load(t.Context(), own[0]); return err == nil }
	if len(own) == 0 || !redistest.Within(redistest.Patience, up) {
		t.Fatalf("records of the server that is back: none of %d can be read", len(own))
	}
	end(t, there, own)
	f.demandEnd(t, len(keys))
}
