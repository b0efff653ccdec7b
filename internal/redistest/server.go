package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Server is a redis-server that belongs to one test.
type Server struct {
	t    *testing.T
	Addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// Start starts a redis-server on a free loopback port, with its data in a
// temporary directory. Without redis-server on the machine it skips the test, or fails
// it if SCANGATE_REQUIRE names redis.
func Start(t *testing.T, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "redis") {
			t.Fatal("redis-server is not installed, and SCANGATE_REQUIRE names redis")
		}
		t.Skip("redis-server is not installed")
	}
	s := &Server{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	for range 5 { // another process may take the port first
		listener := listenLoopback(t)
		s.Addr = listener.Addr().String()
		_ = listener.Close()
		if s.tryStart() {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("redis-server did not start; its log: %s", log)
	return nil
}

// listenLoopback listens on a free loopback port.
func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// tryStart starts the server and reports whether it answers.
func (s *Server) tryStart() bool {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	args := []string{"--bind", host, "--port", port, "--dir", s.dir, "--logfile", "log", "--save", ""}
	if len(s.args) > 0 && !strings.HasPrefix(s.args[0], "-") {
		args = slices.Concat(s.args[:1], args, s.args[1:]) // a configuration file comes first
	} else {
		args = append(args, s.args...)
	}
	// The server outlives the test's context, because stores are closed after its end.
	ctx := context.WithoutCancel(s.t.Context())
	s.cmd = exec.CommandContext(ctx, "redis-server", args...) //nolint:gosec // the arguments are the test's
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	up := Within(10*time.Second, func() bool {
		conn, err := redis.Dial("tcp", s.Addr, redis.DialReadTimeout(time.Second))
		if err != nil {
			return s.cmd.Process.Signal(syscall.Signal(0)) != nil
		}
		defer func() { _ = conn.Close() }()
		reply, err := redis.String(conn.Do("INFO", "server"))
		return err == nil && strings.Contains(reply, "process_id:"+strconv.Itoa(s.cmd.Process.Pid))
	})
	if !up || s.cmd.Process.Signal(syscall.Signal(0)) != nil {
		s.Kill()
		return false
	}
	return true
}

// Restart starts the server again at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatal("redis-server did not start again")
	}
}

// Follow makes the server a replica, and returns when it has copied the master.
func (s *Server) Follow(master *Server) {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	s.Do("REPLICAOF", host, port)
	if !Within(10*time.Second, s.copied) {
		s.t.Fatal("the replica has not copied the master within 10 s")
	}
}

// copied reports whether the server is a replica that has copied its master.
func (s *Server) copied() bool {
	text, _ := redis.String(s.Do("INFO", "replication"), nil)
	return strings.Contains(text, "master_link_status:up")
}

// Signal sends a signal to the server's process.
func (s *Server) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server like a crash.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	s.cmd = nil
}

// Do sends a command on a new connection.
func (s *Server) Do(command string, args ...any) any {
	s.t.Helper()
	reply, err := sendTo(s.Addr, command, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	return reply
}

// Calls returns how often the server has run each command, also those in scripts.
func (s *Server) Calls() map[string]string {
	s.t.Helper()
	text, _ := redis.String(s.Do("INFO", "commandstats"), nil)
	counts := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			counts[name], _, _ = strings.Cut(rest, ",")
		}
	}
	return counts
}

// Reads returns how often the server has read a record.
func (s *Server) Reads() int {
	s.t.Helper()
	n, _ := strconv.Atoi(s.Calls()["hmget"])
	return n
}

// Listeners returns how many processes with the prefix "scangate" listen for wake-ups.
func (s *Server) Listeners() int {
	s.t.Helper()
	reply, _ := redis.Values(s.Do("PUBSUB", "NUMSUB", "{scangate}:wake:all"), nil)
	n, _ := redis.Int(reply[1], nil)
	return n
}

// Within reports whether holds returns true within that time.
func Within(limit time.Duration, holds func() bool) bool {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); !holds(); <-ticker.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// sendTo sends a command to the server at addr, on a new connection.
func sendTo(addr, command string, args ...any) (any, error) {
	conn, err := redis.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.Do(command, args...)
}
