package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// isFailure reports whether err is a failure of the store, and no answer.
func isFailure(err error) bool {
	for _, answer := range []error{
		nil, scangate.ErrNotFound, scangate.ErrExists, scangate.ErrConflict, scangate.ErrIdentityTaken,
		scangate.ErrPhoneTaken, scangate.ErrFull, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return true
}

// redisCalls calls every method of a store that holds nothing, and returns what
// each returned.
func redisCalls(ctx context.Context, store *scangate.RedisStore) map[string]error {
	const id, phone = "secret-id", "secret-phone"
	who := scangate.Identity{AppID: "secret-app", OpenID: "secret-openid", UnionID: "secret-unionid"}
	got := map[string]error{
		"Create":       store.Create(ctx, "secret-key", []byte("secret-value"), time.Hour),
		"Update":       store.Update(ctx, "secret-key", 7, []byte("secret-value"), time.Hour),
		"LinkWeChat":   store.LinkWeChat(ctx, id, who),
		"UnlinkWeChat": store.UnlinkWeChat(ctx, id, who),
		"BindPhone":    store.BindPhone(ctx, id, phone),
		"EndSessions":  store.EndSessions(ctx, id, time.Now()),
	}
	_, _, got["Load"] = store.Load(ctx, "secret-key")
	_, _, got["Wait"] = store.Wait(ctx, "secret-key", 7)
	_, got["Add"] = store.Add(ctx, "secret-key", time.Hour)
	_, got["FindByID"] = store.FindByID(ctx, id)
	_, got["FindByWeChat"] = store.FindByWeChat(ctx, who)
	_, got["FindByPhone"] = store.FindByPhone(ctx, phone)
	_, got["Register"] = store.Register(ctx, scangate.NewUser{Identity: who, Phone: phone})
	return got
}

// failures demands that every method fails, or those named, without a secret.
func failures(t *testing.T, store *scangate.RedisStore, because string, methods ...string) {
	t.Helper()
	calls := redisCalls(t.Context(), store)
	for method, err := range calls {
		if len(methods) > 0 && !strings.Contains(strings.Join(methods, " "), method) {
			continue
		}
		if !isFailure(err) || !strings.Contains(err.Error(), because) {
			t.Errorf("%s: %v, want a failure: %q", method, err, because)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s tells a secret: %v", method, err)
		}
	}
}

// well demands that every method of the empty store works.
func well(t *testing.T, store *scangate.RedisStore) {
	t.Helper()
	for method, err := range redisCalls(t.Context(), store) {
		if isFailure(err) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// writing names the methods that change something in an empty store.
var writing = []string{"Create", "Add", "Register"}

// Whatever Redis refuses is a failure, and over when Redis is well again.
func TestRedisRefusals(t *testing.T) {
	for _, c := range []struct {
		name      string
		ill, well []string
		because   string
		methods   []string
	}{
		{"out of memory", []string{"CONFIG SET maxmemory 1"}, []string{"CONFIG SET maxmemory 0"}, "OOM", writing},
		{"demoted", []string{"REPLICAOF 127.0.0.1 1"}, []string{"REPLICAOF NO ONE"}, "READONLY", writing},
		{
			"without its master",
			[]string{"CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"},
			[]string{"REPLICAOF NO ONE"},
			"MASTERDOWN", nil,
		},
		{
			"can't replicate",
			[]string{"CONFIG SET min-replicas-to-write 1"},
			[]string{"CONFIG SET min-replicas-to-write 0"},
			"NOREPLICAS", writing,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := startRedis(t)
			store := newRedisStore(t, server.addr, "")
			do := func(lines []string) {
				for _, line := range lines {
					words := strings.Fields(line)
					server.do(words[0], redis.Args{}.AddFlat(words[1:])...)
				}
			}
			do(c.ill)
			failures(t, store, c.because, c.methods...)
			do(c.well)
			well(t, store)
		})
	}
}

// No text of Redis's gets into an error where it may quote what it was sent.
func TestRedisErrorsTellNoSecrets(t *testing.T) {
	server := miniredis.RunT(t)
	store := newRedisStore(t, server.Addr(), "")
	for text, because := range map[string]string{
		"LOADING Redis is loading the dataset in memory":                                 "LOADING",
		"ERR unknown command 'EVALSHA', with args beginning with: 'x' 'secret' 'secret'": "unknown command",
		"ERR unknown command `HMGET`, with args beginning with: `secret-key`":            "unknown command",
	} {
		server.SetError(text)
		failures(t, store, because)
		server.SetError("")
		well(t, store)
		server.FlushAll()
	}
}

func TestRedisDialErrors(t *testing.T) {
	parse := &url.Error{Op: "parse", URL: "redis://app:secret@host:port", Err: errors.New("invalid port")}
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return nil, parse }}
	failures(t, newRedisStoreOn(t, pool, ""), "invalid port")
	failures(t, newRedisStore(t, "127.0.0.1:1", ""), "connection refused")
}

func TestRedisPoolExhausted(t *testing.T) {
	pool := redisPool(t, miniredis.RunT(t).Addr())
	pool.MaxActive = 1
	store := newRedisStoreOn(t, pool, "")
	conn := pool.Get()
	failures(t, store, redis.ErrPoolExhausted.Error())
	_ = conn.Close()
	well(t, store)
}

// A Redis that can't be reached takes a call its time limit, and that is not the
// caller's deadline.
func TestRedisUnreachable(t *testing.T) {
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	store := newRedisStoreOn(t, pool, "")
	store.SetTimes(20*time.Millisecond, time.Second)
	failures(t, store, "no answer in time")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, _, err := store.Load(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load by a deadline: %v", err)
	}
}

func TestRedisPaused(t *testing.T) {
	server := startRedis(t)
	pool := redisPool(t, server.addr)
	store := newRedisStoreOn(t, pool, "")
	well(t, store)
	server.do("CLIENT", "PAUSE", 200)
	begin := time.Now()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := store.Load(short, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load by a deadline: %v", err)
	}
	if took := time.Since(begin); took > 150*time.Millisecond {
		t.Errorf("a deadline of 20 ms took %v", took)
	}

	// A browser that goes away meanwhile costs no connection.
	active := pool.ActiveCount()
	gone, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, _, err := store.Load(gone, "k"); err == nil || isFailure(err) {
		t.Errorf("Load by a browser that went: %v", err)
	}
	if now := pool.ActiveCount(); now < active {
		t.Errorf("%d connections, and %d before", now, active)
	}
	well(t, store)
}

// A Redis that hangs takes a call its time limit.
func TestRedisHangs(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	store.SetTimes(50*time.Millisecond, time.Second)
	server.signal(syscall.SIGSTOP)
	failures(t, store, "no answer in time")
	server.signal(syscall.SIGCONT)
	server.do("PING")
	well(t, store)
}

func TestRedisScriptFlush(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	for range 2 {
		well(t, store)
		server.do("SCRIPT", "FLUSH")
		server.do("FLUSHALL")
	}
}

// After a restart the pool is full of connections that are broken, and a read
// finds its way through them.
func TestRedisReadsAfterRestart(t *testing.T) {
	server := startRedis(t)
	pool := redisPool(t, server.addr)
	store := newRedisStoreOn(t, pool, "")
	var conns []redis.Conn
	for range 50 {
		conns = append(conns, pool.Get())
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	server.kill()
	server.start()
	if _, _, err := store.Load(t.Context(), "k"); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Load with %d broken connections: %v", len(conns), err)
	}
	well(t, store)
}

// While others have all the pool's connections, those who wait are not told; it
// is made up for.
func TestRedisWaitPoolExhausted(t *testing.T) {
	server := startRedis(t)
	pool := redisPool(t, server.addr)
	here, there := newRedisStoreOn(t, pool, ""), newRedisStore(t, server.addr, "")
	w := startWaiters(t, server, here, 10)
	if !within(2*time.Second, func() bool { return pool.ActiveCount() == pool.IdleCount() }) {
		t.Fatal("those who wait hold connections")
	}
	var conns []redis.Conn
	for pool.IdleCount() > 0 {
		conns = append(conns, pool.Get())
	}
	pool.MaxActive = len(conns)
	w.approve(there)
	pass(200 * time.Millisecond)
	if _, _, err := here.Load(t.Context(), w.keys[0]); !errors.Is(err, redis.ErrPoolExhausted) {
		t.Errorf("Load: %v", err)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	w.wake(2 * time.Second)
}

// The master changes: the old one is made a replica, and the pool dials the new
// one. Sentinel cuts off the old one's clients.
func TestRedisFailover(t *testing.T) {
	for name, cutOff := range map[string][]string{"cut off": {"normal", "pubsub"}, "left alone": nil} {
		t.Run(name, func(t *testing.T) {
			fast := []string{"--repl-diskless-sync-delay", "0"}
			first, second := startRedis(t, fast...), startRedis(t, fast...)
			var master atomic.Pointer[string]
			master.Store(&first.addr)
			newStore := func() *scangate.RedisStore {
				pool := redisPool(t, "")
				pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
					return redis.DialContext(ctx, "tcp", *master.Load())
				}
				return newRedisStoreOn(t, pool, "")
			}
			here, there := newStore(), newStore()
			w := startWaiters(t, first, here, 100)
			if _, err := there.Add(t.Context(), "k", time.Hour); err != nil {
				t.Fatal(err)
			}
			second.follow(first)
			second.do("REPLICAOF", "NO", "ONE")
			master.Store(&second.addr)
			first.follow(second)
			for _, kind := range cutOff {
				first.do("CLIENT", "KILL", "TYPE", kind)
			}
			// A connection to the old one finds out by an error, once.
			if _, err := there.Add(t.Context(), "k", time.Hour); !isFailure(err) {
				t.Errorf("Add at what is no master: %v", err)
			}
			if n, err := there.Add(t.Context(), "k", time.Hour); err != nil || n != 2 {
				t.Errorf("Add at the new master: %d, %v", n, err)
			}
			w.approve(there)
			w.wake(2 * time.Second)
		})
	}
}

// A time limit for who waits is no reason to make new connections.
func TestRedisWaitsKeepConnections(t *testing.T) {
	server := startRedis(t)
	store := newRedisStore(t, server.addr, "")
	if err := store.Create(t.Context(), "k", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	connections := func() string {
		text, _ := redis.String(server.do("INFO", "stats"), nil)
		_, after, _ := strings.Cut(text, "total_connections_received:")
		count, _, _ := strings.Cut(after, "\r\n")
		return count
	}
	wait := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := store.Wait(ctx, "k", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	listen(t, server, store)
	wait()
	before, _ := strconv.Atoi(connections())
	for range 20 {
		wait()
	}
	// One is that which asks; a few may have been cut off in the middle of their
	// read, where the machine is slow.
	if after, _ := strconv.Atoi(connections()); after > before+1+5 {
		t.Errorf("%d connections were made", after-before-1)
	}
}

// A connection on which nothing arrives any more, though nobody has closed it,
// is found out.
func TestRedisWaitDeafConnection(t *testing.T) {
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	pool := redisPool(t, proxy.addr())
	pool.MaxIdle = 0
	here, there := newRedisStoreOn(t, pool, ""), newRedisStore(t, server.addr, "")
	here.SetTimes(200*time.Millisecond, 300*time.Millisecond)
	w := startWaiters(t, server, here, 10)
	pass(900 * time.Millisecond) // by signs of life alone the connection lasts
	if n := server.calls()["subscribe"]; n != "" {
		t.Errorf("it subscribed %s times again", n)
	}
	proxy.each(func(l *link) { l.deaf.Store(true) })
	w.approve(there)
	w.wake(3 * time.Second)
}

// Connections are cut anywhere, in the middle of commands and of answers. What a
// call says happened did, each change wins once, and who waits sees all of it.
func TestRedisCutConnections(t *testing.T) {
	server := startRedis(t)
	proxy := startProxy(t, server.addr)
	steady := newRedisStore(t, server.addr, "")
	if err := steady.Create(t.Context(), "k", []byte("0"), time.Hour); err != nil {
		t.Fatal(err)
	}
	proxy.limits(2000, 2000)
	const writers, enough = 8, 400
	var work, following sync.WaitGroup
	var won, unknown atomic.Int64
	for range writers {
		store := newRedisStore(t, proxy.addr(), "")
		work.Go(func() {
			for won.Load() < enough {
				increment(t, store, &won, &unknown)
			}
		})
	}
	follower := newRedisStore(t, proxy.addr(), "")
	following.Go(func() { follow(t, follower) })
	work.Wait()

	value, version, err := steady.Load(t.Context(), "k")
	if err != nil || string(value) != fmt.Sprint(version-1) {
		t.Errorf("%q at version %d, %v", value, version, err)
	}
	if changes := version - 1; changes < won.Load() || changes > won.Load()+unknown.Load() {
		t.Errorf("%d changes, of which %d won, and %d don't know", changes, won.Load(), unknown.Load())
	}
	if unknown.Load() == 0 {
		t.Error("no connection was cut")
	}
	t.Logf("%d changes won, %d don't know", won.Load(), unknown.Load())
	if err := steady.Update(t.Context(), "k", version, []byte("the end"), time.Hour); err != nil {
		t.Error(err)
	}
	following.Wait()
}

// increment adds one to the number that the record "k" is.
func increment(t *testing.T, store *scangate.RedisStore, won, unknown *atomic.Int64) {
	value, version, err := store.Load(t.Context(), "k")
	if err != nil {
		if !isFailure(err) {
			t.Errorf("Load: %v", err)
		}
		return
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n != version-1 {
		t.Errorf("Load: %q at version %d", value, version)
	}
	err = store.Update(t.Context(), "k", version, []byte(strconv.FormatInt(n+1, 10)), time.Hour)
	switch {
	case err == nil:
		won.Add(1)
	case isFailure(err):
		unknown.Add(1)
	case !errors.Is(err, scangate.ErrConflict):
		t.Errorf("Update: %v", err)
	}
}

// follow waits from version to version until the end.
func follow(t *testing.T, store *scangate.RedisStore) {
	for seen := int64(1); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		value, version, err := store.Wait(ctx, "k", seen)
		cancel()
		switch {
		case err == nil && version > seen && string(value) == "the end":
			return
		case err == nil && version > seen && string(value) == fmt.Sprint(version-1):
			seen = version
		case err == nil || !isFailure(err):
			t.Errorf("after version %d: %q at version %d, %v", seen, value, version, err)
			return
		}
	}
}
