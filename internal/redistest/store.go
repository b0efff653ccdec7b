package redistest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

// Stores runs the suites of storetest and tests how a store uses Redis.
func Stores(t *testing.T, b Backend) {
	run(t, b, map[string]func(*testing.T, Backend){
		"users":                   testStoreUsers,
		"state":                   testStoreState,
		"delete":                  testStoreDelete,
		"delete leaves nothing":   testDeleteLeavesNothing,
		"prefixes":                testPrefixesSeparateStores,
		"keys carry the tag":      testKeysCarryTheTag,
		"identities are distinct": testIdentitiesAreDistinct,
		"commands of each call":   testCommandsOfEachCall,
		"all keys expire":         testLeavesNothing,
		"user changed by hand":    testUserByHand,
		"damaged end of sessions": testDamagedSessionsEndedAt,
		"permissions":             testACL,
	})
}

// Servers calls test for each server that a store has to work on. addr returns
// the address of one.
func Servers(t *testing.T, b Backend, test func(t *testing.T, addr func(*testing.T) string)) {
	t.Run("miniredis", func(t *testing.T) {
		if b.RealOnly {
			t.Skip("this store is tested on redis-server only")
		}
		test(t, func(t *testing.T) string {
			server := miniredis.RunT(t) // a new one for each store: a full one is slow
			server.ClockTTL(true)
			return server.Addr()
		})
	})
	t.Run("redis-server", func(t *testing.T) {
		server := Start(t)
		test(t, func(*testing.T) string { return server.Addr })
	})
}

func testStoreUsers(t *testing.T, b Backend) {
	Servers(t, b, func(t *testing.T, addr func(*testing.T) string) {
		storetest.Users(t, func(t *testing.T) scangate.UserStore {
			return b.New(t, Options{Addr: addr(t), Prefix: rand.Text(), Limit: Patience})
		})
	})
}

func testStoreState(t *testing.T, b Backend) {
	Servers(t, b, func(t *testing.T, addr func(*testing.T) string) {
		storetest.State(t, func(t *testing.T) scangate.StateStore {
			return b.New(t, Options{Addr: addr(t), Prefix: rand.Text(), Limit: Patience})
		})
	})
}

func testPrefixesSeparateStores(t *testing.T, b Backend) {
	addr := miniredis.RunT(t).Addr()
	a, same, other := b.New(t, Options{Addr: addr}), b.New(t, Options{Addr: addr, Prefix: "scangate"}), b.New(t, Options{Addr: addr, Prefix: "b"})
	if err := a.Create(t.Context(), "k", []byte("v"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if value, _, err := same.Load(t.Context(), "k"); err != nil || string(value) != "v" {
		t.Errorf("Load with the same prefix = %q, %v, want \"v\"", value, err)
	}
	if _, _, err := other.Load(t.Context(), "k"); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Load with another prefix: error = %v, want ErrNotFound", err)
	}
}

// Any bytes in a name give one Redis key in the store's slot.
func testKeysCarryTheTag(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr, Prefix: "app"})
	odd := []string{"", "}", "{x}", "\r\nFLUSHALL\r\n", "\x00", "*", "app}:count:x", strings.Repeat("x", 10_000)}
	for _, key := range odd {
		who := scangate.NewUser{Identity: scangate.Identity{AppID: key, OpenID: "o" + key, UnionID: "u" + key}, Phone: "p" + key}
		_, registered := store.Register(t.Context(), who)
		_, counted := store.Add(t.Context(), key, time.Hour)
		if err := errors.Join(registered, counted, store.Create(t.Context(), key, nil, time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := server.Do("DBSIZE"), int64(6*len(odd)); got != want {
		t.Errorf("keys in Redis = %d, want %d", got, want)
	}
	reply, _ := redis.Values(server.Do("SCAN", 0, "COUNT", 1000), nil)
	keys, _ := redis.Strings(reply[1], nil)
	for _, key := range keys {
		if !strings.HasPrefix(key, "{app}:") {
			t.Errorf("key in Redis = %.80q, want one that begins with {app}:", key)
		}
	}
}

// Identities that are the same bytes when concatenated are different identities.
func testIdentitiesAreDistinct(t *testing.T, b Backend) {
	store := b.New(t, Options{Addr: miniredis.RunT(t).Addr()})
	for _, who := range []scangate.Identity{
		{AppID: "a", OpenID: "b:c"},
		{AppID: "a:b", OpenID: "c"},
		{AppID: "", OpenID: "a:b:c"},
		{AppID: "1:a", OpenID: "b:c"},
		{AppID: "a:", OpenID: "b:c"},
	} {
		if _, err := store.FindByWeChat(t.Context(), who); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByWeChat(%q): error = %v, want ErrNotFound", who, err)
		}
		if _, err := store.Register(t.Context(), scangate.NewUser{Identity: who}); err != nil {
			t.Errorf("Register(%q): error = %v, want none", who, err)
		}
	}
}

func testCommandsOfEachCall(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr, Ping: time.Hour}) // a check of a connection is a command too
	ctx := t.Context()
	user, err := store.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "o"}, Phone: "1"})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	all := func() {
		must(store.Create(ctx, "k", []byte("one"), time.Hour))
		must(store.Update(ctx, "k", 1, []byte("two"), time.Hour))
		_, err := store.Add(ctx, "k", time.Hour)
		must(err)
	}
	all() // the first run sends the scripts in full
	Listen(t, server, store)
	server.Do("DEL", "{scangate}:state:k")
	for _, c := range []struct {
		name string
		call func()
		want string
	}{
		{"FindByID", func() { _, err := store.FindByID(ctx, user.ID); must(err) }, "hgetall=1"},
		{"Create, Update and Add", all, "evalsha=3 exists=1 hget=2 hset=2 incr=1 pexpire=2"},
		{"Load", func() { _, _, err := store.Load(ctx, "k"); must(err) }, "hmget=1"},
		{"Wait for a changed record", func() { _, _, err := store.Wait(ctx, "k", 1); must(err) }, "evalsha=1 hget=1 hmget=1"},
	} {
		server.Do("CONFIG", "RESETSTAT")
		c.call()
		if got := commands(server); got != c.want {
			t.Errorf("%s: commands = %s, want %s", c.name, got, c.want)
		}
	}
}

// commands lists the commands that the server has run, except those that a subscriber
// and the test itself send.
func commands(server *Server) string {
	var list []string
	calls := server.Calls()
	for _, name := range []string{"eval", "evalsha", "exists", "get", "set", "hget", "hmget", "hgetall", "hset", "incr", "pexpire", "publish"} {
		if n, ok := calls[name]; ok {
			list = append(list, name+"="+n)
		}
	}
	return strings.Join(list, " ")
}

// All counters and records expire.
func testLeavesNothing(t *testing.T, b Backend) {
	WallClock(t)
	server := Start(t, "--hz", "100")
	store := b.New(t, Options{Addr: server.Addr})
	const workers = 20
	each := Crowd(25, 500)
	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d/%d", w, i)
				_, counted := store.Add(t.Context(), key, time.Second)
				created := store.Create(t.Context(), key, []byte("one"), time.Hour)
				updated := store.Update(t.Context(), key, 1, []byte("two"), time.Second)
				if err := errors.Join(counted, created, updated); err != nil {
					t.Errorf("counting, creating and updating: error = %v, want none", err)
					return
				}
			}
		})
	}
	work.Wait()
	if !Within(Patience, func() bool { return server.Do("DBSIZE") == int64(0) }) {
		t.Errorf("keys left after their time = %d, want 0", server.Do("DBSIZE"))
	}
}

// An operator may set disabled in a user's hash, and delete a user with the hash.
func testUserByHand(t *testing.T, b Backend) {
	Servers(t, b, func(t *testing.T, server func(*testing.T) string) {
		addr := server(t)
		store := b.New(t, Options{Addr: addr})
		ctx := t.Context()
		ann := scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "o", UnionID: "u"}, Phone: "+8613800138000"}
		first, err := store.Register(ctx, ann)
		if err != nil {
			t.Fatal(err)
		}
		for value, want := range map[string]bool{"1": true, "0": false, "": false} {
			if _, err := sendTo(addr, "HSET", "{scangate}:user:"+first.ID, "disabled", value); err != nil {
				t.Fatal(err)
			}
			if user, err := store.FindByWeChat(ctx, ann.Identity); err != nil || user.Disabled != want {
				t.Errorf("disabled set to %q: Disabled = %t, %v, want %t", value, user.Disabled, err, want)
			}
		}
		if _, err := sendTo(addr, "DEL", "{scangate}:user:"+first.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := store.FindByWeChat(ctx, ann.Identity); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByWeChat after deleting the hash: error = %v, want ErrNotFound", err)
		}
		if again, err := store.Register(ctx, ann); err != nil || again.ID == first.ID {
			t.Errorf("registering again: ID = %q, %v, want another than %q", again.ID, err, first.ID)
		}
	})
}

// The restricted Redis user of the documentation suffices for a store.
func testACL(t *testing.T, b Backend) {
	server := Start(t)
	rules := "on >pw ~{scangate}:* &{scangate}:wake:* +ping +eval +evalsha +exists +get +set +del +incr +pexpire " +
		"+hget +hset +hdel +hmget +hgetall +publish +subscribe" + b.Permissions
	server.Do("ACL", redis.Args{"SETUSER", "app"}.AddFlat(strings.Fields(rules))...)
	newStore := func(t *testing.T) *Store {
		server.Do("FLUSHALL")
		return b.New(t, Options{Addr: server.Addr, Username: "app", Password: "pw", Limit: Patience})
	}
	t.Run("users", func(t *testing.T) {
		storetest.Users(t, func(t *testing.T) scangate.UserStore { return newStore(t) })
	})
	t.Run("wait", func(t *testing.T) {
		store := newStore(t)
		w := StartWaiters(t, server, store, 10)
		w.Approve(store)
		w.Wake()
	})
	t.Run("without subscribe", func(t *testing.T) {
		server.Do("ACL", "SETUSER", "app", "-subscribe")
		store := newStore(t)
		if err := store.Create(t.Context(), "k", nil, time.Hour); err != nil {
			t.Fatal(err)
		}
		_, _, err := store.Wait(t.Context(), "k", 1)
		if err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("Wait of a Redis user that may not subscribe: error = %v, want NOPERM", err)
		}
	})
}
