package scangate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/storetest"
)

// Logins and sessions are on three servers, users in a database. All processes list the
// servers in the same order.
func ExampleRedisShards() {
	var stores []*scangate.RedisStore
	var sessions []*redis.Pool
	for _, addr := range []string{"10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"} {
		pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) { // with limits, see NewRedisStore
			return redis.DialContext(ctx, "tcp", addr)
		}}
		store, err := scangate.NewRedisStore(pool, "myapp")
		if err != nil {
			log.Fatal(err)
		}
		stores, sessions = append(stores, store), append(sessions, pool)
	}
	state, err := scangate.RedisShards(stores)
	if err != nil {
		log.Fatal(err)
	}
	_ = scangate.Config{
		State:       state,
		Session:     scangate.Session{Redis: sessions},
		RedisPrefix: "myapp", // of the sessions
		// Users, PublicURL, OfficialAccount
	}
	// When the application ends, close the gate, each of the stores, and each of the pools.
}

// shardStores returns a store with a pool of its own for each address.
func shardStores(t *testing.T, prefix string, addrs []string) []*scangate.RedisStore {
	t.Helper()
	stores := make([]*scangate.RedisStore, len(addrs))
	for i, addr := range addrs {
		var err error
		if stores[i], err = scangate.NewRedisStoreLimited(redisPool(t, addr), prefix, redistest.Patience, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stores[i].Close() })
	}
	return stores
}

// shards returns the stores as one.
func shards[S scangate.StateStore](t *testing.T, stores []S) scangate.StateStore {
	t.Helper()
	state, err := scangate.RedisShards(stores)
	if err != nil {
		t.Fatalf("RedisShards of %d stores: %v", len(stores), err)
	}
	return state
}

// startServers starts three servers that keep their data over a crash. It returns them and
// their addresses.
func startServers(t *testing.T) ([]*redistest.Server, []string) {
	t.Helper()
	servers, addrs := make([]*redistest.Server, 3), make([]string, 3)
	for i := range servers {
		servers[i] = redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		addrs[i] = servers[i].Addr
	}
	return servers, addrs
}

func TestIssue17ShardsAreAStateStore(t *testing.T) {
	t.Parallel()
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		_, addrs := startServers(t)
		storetest.State(t, func(t *testing.T) scangate.StateStore {
			return shards(t, shardStores(t, rand.Text(), addrs))
		})
	})
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		addrs := make([]string, 3)
		for i := range addrs {
			server := miniredis.RunT(t)
			server.ClockTTL(true)
			addrs[i] = server.Addr()
		}
		storetest.State(t, func(t *testing.T) scangate.StateStore {
			return shards(t, shardStores(t, rand.Text(), addrs))
		})
	})
	t.Run("any stores", func(t *testing.T) {
		t.Parallel()
		storetest.State(t, func(t *testing.T) scangate.StateStore {
			return shards(t, []scangate.StateStore{scangate.NewMemoryStore(), scangate.NewMemoryStore()})
		})
	})
}

func TestIssue17RedisShardsRefuses(t *testing.T) {
	store := scangate.NewMemoryStore()
	for _, c := range []struct {
		name   string
		stores []*scangate.MemoryStore
		text   string
	}{
		{"no store", nil, "there are 0 stores"},
		{"257 stores", make([]*scangate.MemoryStore, 257), "there are 257 stores"},
		{"a nil", []*scangate.MemoryStore{store, nil}, "store 2 is nil"},
		{"one store twice", []*scangate.MemoryStore{store, scangate.NewMemoryStore(), store}, "stores 1 and 3 are the same"},
	} {
		_, err := scangate.RedisShards(c.stores)
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: RedisShards: ") || !strings.Contains(err.Error(), c.text) {
			t.Errorf("RedisShards of %s: error = %v, want one with %q", c.name, err, c.text)
		}
	}
	if _, err := scangate.RedisShards([]scangate.StateStore{store, nil}); err == nil {
		t.Error("RedisShards with a nil interface: error = nil, want one")
	}
}

// apart gives every request an address of its own, so that no counter of an address is
// hotter than in production.
func apart(c *scangate.Config) {
	c.ClientIP = func(*http.Request) netip.Addr {
		text := rand.Text()
		return netip.AddrFrom4([4]byte{10, text[0], text[1], text[2]})
	}
}

// commands returns how many commands the server has run, those of scripts included.
func commands(server *redistest.Server) int {
	total := 0
	for calls := range maps.Values(server.Calls()) {
		n, _ := strconv.Atoi(calls)
		total += n
	}
	return total
}

// onShards makes gates keep logins and sessions on the servers. Their users are in one store
// in memory.
func onShards(t *testing.T, addrs []string) func(*scangate.Config) {
	users := scangate.NewMemoryStore()
	return func(c *scangate.Config) {
		c.Users = users
		c.State = shards(t, shardStores(t, "", addrs))
		for _, addr := range addrs {
			c.Session.Redis = append(c.Session.Redis, redisPool(t, addr))
		}
	}
}

// Of three servers, the busiest does at most half the work that one server would do alone.
func TestIssue17BusiestServerDoesHalfTheWork(t *testing.T) {
	const n = 200
	measure := func(servers []*redistest.Server) (work []int) {
		addrs := make([]string, len(servers))
		for i, server := range servers {
			addrs[i] = server.Addr
		}
		w := newWorld(t, apart, onShards(t, addrs))
		for _, server := range servers {
			server.Do("CONFIG", "RESETSTAT")
		}
		for i := range n {
			w.scanLogin(w.desktop(), w.phone([]string{"lin", "wang"}[i%2]))
		}
		for _, server := range servers {
			work = append(work, commands(server))
		}
		return work
	}
	servers, _ := startServers(t)
	alone, shared := measure([]*redistest.Server{redistest.Start(t)}), measure(servers)
	t.Logf("commands for %d logins: one server %d, three servers %v", n, alone[0], shared)
	if busiest := slices.Max(shared); busiest > alone[0]/2 {
		t.Errorf("commands at the busiest of three servers = %d, want at most half of the %d at one server", busiest, alone[0])
	}
}

// All desktops learn of their approval, wherever the login is, and from another process.
func TestIssue17TwoProcessesOnThreeServers(t *testing.T) {
	servers, addrs := startServers(t)
	scanLogins(t, sharedProcesses(t, apart, onShards(t, addrs)), crowd(30, 200))
	for i, server := range servers {
		if got := server.Listeners(); got != 2 {
			t.Errorf("server %d: processes that listen = %d, want 2", i+1, got)
		}
	}
}

// Counters go on at another server while theirs is down, and come back to it.
func TestIssue17CountersMoveWhileTheirServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := make([]*failingState, 3)
		for i := range servers {
			servers[i] = &failingState{StateStore: scangate.NewMemoryStore()}
		}
		state := shards(t, servers)
		add := func(want int64) {
			t.Helper()
			if n, err := state.Add(t.Context(), "limit", time.Hour); n != want || err != nil {
				t.Errorf("Add = %d, %v, want %d and no error", n, err, want)
			}
		}
		add(1)
		own := slices.IndexFunc(servers, func(s *failingState) bool {
			n, _ := s.Add(t.Context(), "limit", time.Hour)
			return n == 2
		})
		away := errors.New("connection refused")
		servers[own].err.Store(&away)
		add(2) // the search has counted once at the other servers
		servers[own].err.Store(nil)
		add(3)
		pass(5 * time.Second)
		add(3) // its own count was 2
		for _, server := range servers {
			server.err.Store(&away)
		}
		if _, err := state.Add(t.Context(), "limit", time.Hour); !errors.Is(err, away) {
			t.Errorf("Add while all servers are down: error = %v, want %v", err, away)
		}
		for _, server := range servers {
			server.err.Store(nil)
		}
		add(4)
	})
}

// A fourth server takes a quarter of the records. All others are found as before.
func TestIssue17AddingAServer(t *testing.T) {
	var servers []*scangate.MemoryStore
	for range 4 {
		servers = append(servers, scangate.NewMemoryStore())
	}
	three, four := shards(t, servers[:3]), shards(t, servers)
	const n = 2000
	for i := range n {
		if err := three.Create(t.Context(), strconv.Itoa(i), nil, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	lost := 0
	for i := range n {
		if _, _, err := four.Load(t.Context(), strconv.Itoa(i)); errors.Is(err, scangate.ErrNotFound) {
			lost++
		}
	}
	if lost < n/5 || lost > n*3/10 {
		t.Errorf("records that are not found with a fourth server = %d of %d, want about a quarter", lost, n)
	}
}

func TestIssue17SessionRedisFaults(t *testing.T) {
	good := redisPool(t, "127.0.0.1:1")
	for name, c := range map[string]struct {
		change func(*scangate.Session)
		want   string
	}{
		"a nil":          {func(s *scangate.Session) { s.Redis = []*redis.Pool{good, nil} }, "pool 2 is nil"},
		"no dial":        {func(s *scangate.Session) { s.Redis = []*redis.Pool{{}} }, "pool 1 has neither DialContext nor Dial"},
		"one pool twice": {func(s *scangate.Session) { s.Redis = []*redis.Pool{good, good} }, "pool 2 is in the list twice"},
		"257 pools":      {func(s *scangate.Session) { s.Redis = make([]*redis.Pool, 257) }, "there are 257 pools"},
		"a manager": {func(s *scangate.Session) {
			s.Redis = []*redis.Pool{good}
			s.Manager, _ = plainSessions()
		}, "Session.Manager has a store of its own"},
	} {
		err := refusal(t, func(config *scangate.Config) { c.change(&config.Session) })
		if !strings.Contains(err.Error(), "Config.Session.Redis: "+c.want) {
			t.Errorf("New with %s: error = %v, want one with %q", name, err, "Config.Session.Redis: "+c.want)
		}
	}
}
