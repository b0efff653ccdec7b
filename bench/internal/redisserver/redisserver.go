// Package redisserver runs a redis-server of its own for as long as a measurement
// takes, and says what it did meanwhile.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// ErrNone says that there is no redis-server to run.
var ErrNone = errors.New("redisserver: redis-server is not installed")

const (
	startTries = 5                // ports that somebody else takes first
	startTime  = 10 * time.Second // for answering the first PING
	stopTime   = 5 * time.Second  // before it is killed
	callTime   = 3 * time.Second
)

// Server is a redis-server on a loopback port, which keeps nothing on disk.
type Server struct {
	// Addr is its host:port.
	Addr string

	cmd *exec.Cmd
	dir string
}

// Start runs a redis-server. It returns ErrNone if none is installed.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNone
	}
	for range startTries {
		var s *Server
		if s, err = start(ctx, path); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func start(ctx context.Context, path string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, fmt.Errorf("redisserver: looking for a port: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-redis-")
	if err != nil {
		return nil, fmt.Errorf("redisserver: %w", err)
	}
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), dir: dir}
	s.cmd = exec.CommandContext(ctx, path, "--bind", "127.0.0.1", "--port", port, //nolint:gosec // redis-server, on a port of our own
		"--dir", dir, "--save", "", "--appendonly", "no", "--maxclients", "10000")
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = stopTime
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("redisserver: %w", err)
	}
	if err := s.await(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func freePort(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// await returns when the server that answers on the port is this one: another
// process may have been faster.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if stats, err := s.Stats(ctx); err == nil && stats.PID == s.cmd.Process.Pid {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("redisserver: no answer at %s: %w", s.Addr, ctx.Err())
		}
	}
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	timer := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	timer.Stop()
	_ = os.RemoveAll(s.dir)
}

// Pool returns a pool of connections to the server at addr, set up as
// scangate.RedisStore asks for.
func Pool(addr string) *redis.Pool {
	return &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", addr,
				redis.DialConnectTimeout(callTime), redis.DialReadTimeout(callTime), redis.DialWriteTimeout(callTime))
		},
		MaxIdle:     64,
		MaxActive:   256,
		IdleTimeout: time.Minute,
		TestOnBorrow: func(conn redis.Conn, since time.Time) error {
			if time.Since(since) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
	}
}

// Stats is what a server has done, or has done between two times.
type Stats struct {
	PID int
	// Calls are the commands by their names, those inside of scripts too.
	Calls map[string]int64
	// CPU is the time of its threads.
	CPU time.Duration
	// In and Out are the bytes it has read and written.
	In, Out int64
	// Memory is what its data takes, in bytes.
	Memory int64
}

// Stats asks the server.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	conn, err := redis.DialContext(ctx, "tcp", s.Addr, redis.DialReadTimeout(callTime), redis.DialWriteTimeout(callTime))
	if err != nil {
		return Stats{}, err
	}
	defer func() { _ = conn.Close() }()
	info, err := redis.String(conn.Do("INFO", "everything"))
	if err != nil {
		return Stats{}, err
	}
	return parse(info), nil
}

// parse reads lines of "name:value". What isn't there is zero.
func parse(info string) Stats {
	stats := Stats{Calls: make(map[string]int64)}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			stats.Calls[command] = whole(calls)
			continue
		}
		switch name {
		case "process_id":
			stats.PID = int(whole(value))
		case "used_cpu_sys", "used_cpu_user":
			seconds, _ := strconv.ParseFloat(value, 64)
			stats.CPU += time.Duration(seconds * float64(time.Second))
		case "total_net_input_bytes":
			stats.In = whole(value)
		case "total_net_output_bytes":
			stats.Out = whole(value)
		case "used_memory":
			stats.Memory = whole(value)
		}
	}
	return stats
}

func whole(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Since is what was done after before.
func (s Stats) Since(before Stats) Stats {
	calls := make(map[string]int64)
	for name, n := range s.Calls {
		if n -= before.Calls[name]; n > 0 && name != "info" {
			calls[name] = n
		}
	}
	return Stats{
		PID: s.PID, Calls: calls, CPU: s.CPU - before.CPU,
		In: s.In - before.In, Out: s.Out - before.Out, Memory: s.Memory - before.Memory,
	}
}
