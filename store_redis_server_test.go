package scangate_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// redisServer is a redis-server that belongs to one test.
type redisServer struct {
	t    *testing.T
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a redis-server on a free loopback port, with its data in a
// temporary directory. Without redis-server on the machine it skips the test, or fails
// it if SCANGATE_REQUIRE names redis.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "redis") {
			t.Fatal("redis-server is not installed, and SCANGATE_REQUIRE names redis")
		}
		t.Skip("redis-server is not installed")
	}
	s := &redisServer{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(s.kill)
	for range 5 { // another process may take the port first
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addr = listener.Addr().String()
		_ = listener.Close()
		if s.tryStart() {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("redis-server did not start; its log: %s", log)
	return nil
}

// tryStart starts the server and reports whether it answers.
func (s *redisServer) tryStart() bool {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"--bind", host, "--port", port, "--dir", s.dir, "--logfile", "log", "--save", ""}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	up := within(10*time.Second, func() bool {
		conn, err := redis.Dial("tcp", s.addr, redis.DialReadTimeout(time.Second))
		if err != nil {
			return s.cmd.Process.Signal(syscall.Signal(0)) != nil
		}
		defer func() { _ = conn.Close() }()
		reply, err := redis.String(conn.Do("INFO", "server"))
		return err == nil && strings.Contains(reply, "process_id:"+strconv.Itoa(s.cmd.Process.Pid))
	})
	if !up || s.cmd.Process.Signal(syscall.Signal(0)) != nil {
		s.kill()
		return false
	}
	return true
}

// start starts the server again at the same address.
func (s *redisServer) start() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatal("redis-server did not start again")
	}
}

// follow makes the server a replica, and returns when it has copied the master.
func (s *redisServer) follow(master *redisServer) {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(master.addr)
	s.do("REPLICAOF", host, port)
	if !within(10*time.Second, func() bool {
		text, _ := redis.String(s.do("INFO", "replication"), nil)
		return strings.Contains(text, "master_link_status:up")
	}) {
		s.t.Fatal("the replica has not copied the master within 10 s")
	}
}

// signal sends a signal to the server's process.
func (s *redisServer) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the server like a crash.
func (s *redisServer) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	s.cmd = nil
}

// do sends a command on a new connection.
func (s *redisServer) do(command string, args ...any) any {
	s.t.Helper()
	conn, err := redis.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	reply, err := conn.Do(command, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	return reply
}

// calls returns how often the server has run each command, also those in scripts.
func (s *redisServer) calls() map[string]string {
	s.t.Helper()
	text, _ := redis.String(s.do("INFO", "commandstats"), nil)
	counts := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			counts[name], _, _ = strings.Cut(rest, ",")
		}
	}
	return counts
}

// reads returns how often the server has read a record.
func (s *redisServer) reads() int {
	s.t.Helper()
	n, _ := strconv.Atoi(s.calls()["hmget"])
	return n
}

// listeners returns how many connections are subscribed to the changes of the store
// with the prefix "scangate".
func (s *redisServer) listeners() int {
	s.t.Helper()
	reply, _ := redis.Values(s.do("PUBSUB", "NUMSUB", "{scangate}:changed"), nil)
	n, _ := redis.Int(reply[1], nil)
	return n
}

// redisPool returns a pool with the limits that RedisStore recommends.
func redisPool(t *testing.T, addr string, options ...redis.DialOption) *redis.Pool {
	t.Helper()
	limits := []redis.DialOption{
		redis.DialConnectTimeout(2 * time.Second), redis.DialReadTimeout(2 * time.Second), redis.DialWriteTimeout(2 * time.Second),
	}
	pool := &redis.Pool{
		MaxIdle: 100,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", addr, append(limits, options...)...)
		},
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// countDials makes the pool count the connections that it makes.
func countDials(pool *redis.Pool) *atomic.Int64 {
	var dials atomic.Int64
	dial := pool.DialContext
	pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
		dials.Add(1)
		return dial(ctx)
	}
	return &dials
}

// testStore is a RedisStore whose pool the test can see.
type testStore struct {
	*scangate.RedisStore
	pool *redis.Pool
}

// idle reports whether no call of the store holds a connection.
func (s *testStore) idle() bool { return s.pool.ActiveCount() == s.pool.IdleCount() }

// newRedisStore returns a store on a pool of its own, like that of another process.
func newRedisStore(t *testing.T, addr, prefix string) *testStore {
	t.Helper()
	return newRedisStoreOn(t, redisPool(t, addr), prefix)
}

// newRedisStoreOn returns a store on the pool.
func newRedisStoreOn(t *testing.T, pool *redis.Pool, prefix string) *testStore {
	t.Helper()
	store, err := scangate.NewRedisStore(pool, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &testStore{store, pool}
}

// newLimitedStore returns a store on the pool that gives up a call after limit and sends
// PING on its listening connection at that interval.
func newLimitedStore(t *testing.T, pool *redis.Pool, limit, ping time.Duration) *testStore {
	t.Helper()
	store, err := scangate.NewRedisStoreLimited(pool, limit, ping)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &testStore{store, pool}
}

// within reports whether holds returns true within that time.
func within(limit time.Duration, holds func() bool) bool {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); !holds(); <-ticker.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
