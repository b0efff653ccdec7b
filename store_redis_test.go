package scangate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

func ExampleNewRedisStore() {
	pool := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", "127.0.0.1:6379",
				redis.DialConnectTimeout(2*time.Second),
				redis.DialReadTimeout(2*time.Second),
				redis.DialWriteTimeout(2*time.Second))
		},
		MaxIdle:     50,
		MaxActive:   200,
		IdleTimeout: 4 * time.Minute, // less than the server's timeout, if it has one
		TestOnBorrow: func(conn redis.Conn, lastUsed time.Time) error {
			if time.Since(lastUsed) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
	}
	store, err := scangate.NewRedisStore(pool, "myapp")
	if err != nil {
		log.Fatal(err)
	}
	// Set Config.State to the store, and Config.Users to keep the users there as well.
	// When the application ends:
	if err := errors.Join(store.Close(), pool.Close()); err != nil {
		log.Fatal(err)
	}
}

// redisServers calls test for each server that RedisStore has to work on. addr returns
// the address of one.
func redisServers(t *testing.T, test func(t *testing.T, addr func(*testing.T) string)) {
	t.Run("miniredis", func(t *testing.T) {
		test(t, func(t *testing.T) string {
			server := miniredis.RunT(t) // a new one for each store: a full one is slow
			server.ClockTTL(true)
			return server.Addr()
		})
	})
	t.Run("redis-server", func(t *testing.T) {
		server := startRedis(t)
		test(t, func(*testing.T) string { return server.addr })
	})
}

func TestRedisStoreUsers(t *testing.T) {
	redisServers(t, func(t *testing.T, addr func(*testing.T) string) {
		storetest.Users(t, func(t *testing.T) scangate.UserStore { return newRedisStore(t, addr(t), rand.Text()) })
	})
}

func TestRedisStoreDelete(t *testing.T) {
	redisServers(t, func(t *testing.T, addr func(*testing.T) string) {
		storetest.Delete(t, func(t *testing.T) storetest.UserDeleter { return newRedisStore(t, addr(t), rand.Text()) })
	})
}

// TestRedisDeleteLeavesNothing deletes a user with two identities, a UnionID and a number.
// An AppID with a colon must not confuse the names of the keys.
func TestRedisDeleteLeavesNothing(t *testing.T) {
	redisServers(t, func(t *testing.T, addr func(*testing.T) string) {
		server := addr(t)
		store := newRedisStore(t, server, rand.Text())
		ctx := t.Context()
		user, err := store.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "a:b", OpenID: "c", UnionID: "u"}, Phone: mobile})
		if err != nil {
			t.Fatalf("Register: %v, want no error", err)
		}
		if err := store.LinkWeChat(ctx, user.ID, scangate.Identity{AppID: "a", OpenID: "b:c", UnionID: "u"}); err != nil {
			t.Fatalf("LinkWeChat: %v, want no error", err)
		}
		if err := store.Delete(ctx, user.ID); err != nil {
			t.Errorf("Delete: %v, want no error", err)
		}
		conn := redisPool(t, server).Get()
		defer func() { _ = conn.Close() }()
		if keys, err := redis.Strings(conn.Do("KEYS", "*")); err != nil || len(keys) != 0 {
			t.Errorf("keys after Delete = %q, %v, want none", keys, err)
		}
	})
}

func TestRedisStoreState(t *testing.T) {
	redisServers(t, func(t *testing.T, addr func(*testing.T) string) {
		storetest.State(t, func(t *testing.T) scangate.StateStore { return newRedisStore(t, addr(t), rand.Text()) })
	})
}

func TestNewRedisStoreErrors(t *testing.T) {
	if _, err := scangate.NewRedisStore(nil, ""); err == nil {
		t.Error("NewRedisStore without a pool: error = nil, want one")
	}
	if _, err := scangate.NewRedisStore(&redis.Pool{}, ""); err == nil || !strings.Contains(err.Error(), "Dial") {
		t.Errorf("NewRedisStore on a pool without Dial: error = %v, want one that names Dial", err)
	}
	pool := redisPool(t, "127.0.0.1:1")
	for _, bad := range []string{"a}b", "{a", "a b", "a*", "a\x00", "é", "a\r\n"} {
		if _, err := scangate.NewRedisStore(pool, bad); err == nil || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("NewRedisStore with the prefix %q: error = %v, want one that quotes the prefix", bad, err)
		}
	}
	for _, good := range []string{"", "scangate", "a-B_9:c"} {
		newRedisStoreOn(t, pool, good)
	}
}

func TestRedisPrefixesSeparateStores(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	a, same, other := newRedisStore(t, addr, ""), newRedisStore(t, addr, "scangate"), newRedisStore(t, addr, "b")
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
func TestRedisKeysCarryTheTag(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "app")
	odd := []string{"", "}", "{x}", "\r\nFLUSHALL\r\n", "\x00", "*", "app}:count:x", strings.Repeat("x", 10_000)}
	for _, key := range odd {
		who := scangate.NewUser{Identity: scangate.Identity{AppID: key, OpenID: "o" + key, UnionID: "u" + key}, Phone: "p" + key}
		_, registered := store.Register(t.Context(), who)
		_, counted := store.Add(t.Context(), key, time.Hour)
		if err := errors.Join(registered, counted, store.Create(t.Context(), key, nil, time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := server.do("DBSIZE"), int64(6*len(odd)); got != want {
		t.Errorf("keys in Redis = %d, want %d", got, want)
	}
	reply, _ := redis.Values(server.do("SCAN", 0, "COUNT", 1000), nil)
	keys, _ := redis.Strings(reply[1], nil)
	for _, key := range keys {
		if !strings.HasPrefix(key, "{app}:") {
			t.Errorf("key in Redis = %.80q, want one that begins with {app}:", key)
		}
	}
}

// Identities that are the same bytes when concatenated are different identities.
func TestRedisIdentitiesAreDistinct(t *testing.T) {
	store := newRedisStore(t, miniredis.RunT(t).Addr(), "")
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

func TestRedisCommandsOfEachCall(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
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
	listen(t, server, store)
	server.do("DEL", "{scangate}:state:k")
	for _, c := range []struct {
		name string
		call func()
		want string
	}{
		{"FindByID", func() { _, err := store.FindByID(ctx, user.ID); must(err) }, "hgetall=1"},
		{"Create, Update and Add", all, "evalsha=3 exists=1 hget=1 hset=2 incr=1 pexpire=2 publish=1"},
		{"Load", func() { _, _, err := store.Load(ctx, "k"); must(err) }, "hmget=1"},
		{"Wait for a changed record", func() { _, _, err := store.Wait(ctx, "k", 1); must(err) }, "hmget=1"},
	} {
		server.do("CONFIG", "RESETSTAT")
		c.call()
		if got := commands(server); got != c.want {
			t.Errorf("%s: commands = %s, want %s", c.name, got, c.want)
		}
	}
}

// commands lists the commands that the server has run, except those that a subscriber
// and the test itself send.
func commands(server *redisServer) string {
	var list []string
	calls := server.calls()
	for _, name := range []string{"eval", "evalsha", "exists", "get", "set", "hget", "hmget", "hgetall", "hset", "incr", "pexpire", "publish"} {
		if n, ok := calls[name]; ok {
			list = append(list, name+"="+n)
		}
	}
	return strings.Join(list, " ")
}

// All counters and records expire.
func TestRedisLeavesNothing(t *testing.T) {
	wallClock(t)
	server := startRedis(t, "--hz", "100")
	store := newRedisStore(t, server.addr, "")
	const workers = 20
	each := crowd(25, 500)
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
	if !within(patience, func() bool { return server.do("DBSIZE") == int64(0) }) {
		t.Errorf("keys left after their time = %d, want 0", server.do("DBSIZE"))
	}
}

// An operator may set disabled in a user's hash, and delete a user with the hash.
func TestRedisUserByHand(t *testing.T) {
	redisServers(t, func(t *testing.T, server func(*testing.T) string) {
		addr := server(t)
		store := newRedisStore(t, addr, "")
		ctx := t.Context()
		ann := scangate.NewUser{Identity: scangate.Identity{AppID: "a", OpenID: "o", UnionID: "u"}, Phone: "+8613800138000"}
		first, err := store.Register(ctx, ann)
		if err != nil {
			t.Fatal(err)
		}
		conn := redisPool(t, addr).Get()
		defer func() { _ = conn.Close() }()
		for value, want := range map[string]bool{"1": true, "0": false, "": false} {
			if _, err := conn.Do("HSET", "{scangate}:user:"+first.ID, "disabled", value); err != nil {
				t.Fatal(err)
			}
			if user, err := store.FindByWeChat(ctx, ann.Identity); err != nil || user.Disabled != want {
				t.Errorf("disabled set to %q: Disabled = %t, %v, want %t", value, user.Disabled, err, want)
			}
		}
		if _, err := conn.Do("DEL", "{scangate}:user:"+first.ID); err != nil {
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
func TestRedisACL(t *testing.T) {
	server := startRedis(t)
	rules := "on >pw ~{scangate}:* &{scangate}:changed +ping +eval +evalsha +exists +get +set +del +incr +pexpire " +
		"+hget +hset +hdel +hmget +hgetall +publish +subscribe"
	server.do("ACL", redis.Args{"SETUSER", "app"}.AddFlat(strings.Fields(rules))...)
	login := []redis.DialOption{redis.DialUsername("app"), redis.DialPassword("pw")}
	newStore := func(t *testing.T) *testStore {
		server.do("FLUSHALL")
		return newRedisStoreOn(t, redisPool(t, server.addr, login...), "")
	}
	t.Run("users", func(t *testing.T) {
		storetest.Users(t, func(t *testing.T) scangate.UserStore { return newStore(t) })
		storetest.Delete(t, func(t *testing.T) storetest.UserDeleter { return newStore(t) })
	})
	t.Run("wait", func(t *testing.T) {
		store := newStore(t)
		w := startWaiters(t, server, store, 10)
		w.approve(store)
		w.wake()
	})
	t.Run("without subscribe", func(t *testing.T) {
		server.do("ACL", "SETUSER", "app", "-subscribe")
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
