package scangate_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// redisServer is a redis-server of the test's own.
type redisServer struct {
	t    *testing.T
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a redis-server on a free loopback port, with its data in a
// temporary directory. Where there is none the test is skipped, unless
// SCANGATE_REQUIRE says that there has to be one.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "redis") {
			t.Fatal("there is no redis-server, and SCANGATE_REQUIRE names redis")
		}
		t.Skip("there is no redis-server")
	}
	s := &redisServer{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(s.kill)
	for range 5 { // another process may be faster at the port
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
	t.Fatalf("redis-server does not start: %s", log)
	return nil
}

// tryStart reports whether the server came up.
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

// start starts the server again where it was.
func (s *redisServer) start() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatal("redis-server does not start again")
	}
}

// follow makes the server a replica, and returns when it has what the master has.
func (s *redisServer) follow(master *redisServer) {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(master.addr)
	s.do("REPLICAOF", host, port)
	if !within(10*time.Second, func() bool {
		text, _ := redis.String(s.do("INFO", "replication"), nil)
		return strings.Contains(text, "master_link_status:up")
	}) {
		s.t.Fatal("the replica has not caught up")
	}
}

func (s *redisServer) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the server as a crash does.
func (s *redisServer) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	s.cmd = nil
}

// do sends a command on a connection of its own.
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

// calls returns how often the server has executed each command; those called by
// scripts count too.
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

// listeners returns how many connections are subscribed to the changes of the
// store with the prefix "scangate".
func (s *redisServer) listeners() int {
	s.t.Helper()
	reply, _ := redis.Values(s.do("PUBSUB", "NUMSUB", "{scangate}:changed"), nil)
	n, _ := redis.Int(reply[1], nil)
	return n
}

// redisPool is a pool as the documentation recommends it.
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

// newRedisStore makes a store on a pool of its own, as another process has.
func newRedisStore(t *testing.T, addr, prefix string) *scangate.RedisStore {
	t.Helper()
	return newRedisStoreOn(t, redisPool(t, addr), prefix)
}

func newRedisStoreOn(t *testing.T, pool *redis.Pool, prefix string) *scangate.RedisStore {
	t.Helper()
	store, err := scangate.NewRedisStore(pool, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// within reports whether what is asked comes true in that time.
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

// proxy stands between a store and a server, and spoils their connections.
type proxy struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	links map[*link]struct{}
	limit func() (up, down int64) // bytes after which a new connection is cut
}

// link is a connection through a proxy.
type link struct {
	client, server net.Conn
	deaf           atomic.Bool // swallows what comes
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, listener: listener, links: make(map[*link]struct{})}
	p.limits(math.MaxInt64, math.MaxInt64)
	p.work.Go(p.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		p.each((*link).close)
		p.work.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// limits cuts each connection to come after less than so many bytes to the
// server, or from it.
func (p *proxy) limits(up, down int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = func() (int64, int64) { return rand.N(up), rand.N(down) }
}

// each does something to all connections that there are.
func (p *proxy) each(f func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		f(l)
	}
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		p.links[l] = struct{}{}
		up, down := p.limit()
		p.mu.Unlock()
		p.work.Go(func() { p.copy(l, server, client, up) })
		p.work.Go(func() { p.copy(l, client, server, down) })
	}
}

// copy passes on so many bytes, or what comes until an end closes.
func (p *proxy) copy(l *link, to, from net.Conn, limit int64) {
	defer func() {
		l.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	}()
	buffer := make([]byte, 4096)
	for limit > 0 {
		n, err := from.Read(buffer[:min(limit, 4096)])
		limit -= int64(n)
		if err != nil {
			return
		}
		if l.deaf.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
