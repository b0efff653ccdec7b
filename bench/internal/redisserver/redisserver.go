// Package redisserver runs a redis-server for the duration of a measurement, and
// returns its statistics.
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

// ErrNotInstalled is returned by [Start] if no redis-server is installed.
var ErrNotInstalled = errors.New("redis-server is not installed")

const (
	startTries = 5                // because another process may take the port first
	startTime  = 10 * time.Second // limit for the first answer
	stopTime   = 5 * time.Second  // before the server is killed
	callTime   = 3 * time.Second  // limit for a command
)

// Server is a redis-server on a loopback port. It writes no data to disk.
type Server struct {
	// Addr is the server's host:port.
	Addr string

	cmd *exec.Cmd
	dir string
	bus string // port of the Cluster's bus, or ""
}

// Start runs a redis-server with additional arguments. It returns ErrNotInstalled if none is
// installed.
func Start(ctx context.Context, args ...string) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNotInstalled
	}
	for range startTries {
		var s *Server
		if s, err = start(ctx, path, args); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// start starts the redis-server at path on a free port.
func start(ctx context.Context, path string, args []string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, fmt.Errorf("redisserver: finding a free port: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-redis-")
	if err != nil {
		return nil, fmt.Errorf("redisserver: creating a directory: %w", err)
	}
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), dir: dir}
	args = append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "no", "--maxclients", "10000",
	}, args...)
	s.cmd = exec.CommandContext(ctx, path, args...) //nolint:gosec // path is from LookPath, and the arguments are ours
	// When ctx is done, shut down as Stop does, instead of killing the process.
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = stopTime
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("redisserver: starting %s: %w", path, err)
	}
	if err := s.await(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// freePort returns a free loopback port. Another process can take it before the
// server does.
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

// await returns when the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		// Compare the process ID: another redis-server may have taken the port.
		if stats, err := s.Stats(ctx); err == nil && stats.PID == s.cmd.Process.Pid {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("redisserver: no answer from %s: %w", s.Addr, ctx.Err())
		}
	}
}

// Stop stops the server and deletes its directory.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	timer := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	timer.Stop()
	_ = os.RemoveAll(s.dir)
}

// Pool returns a pool of connections to the server at addr, with the settings that
// scangate.RedisStore requires.
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
			// A connection used within the last second is assumed to work.
			if time.Since(since) < time.Second {
				return nil
			}
			_, err := conn.Do("PING")
			return err
		},
	}
}

// Stats holds the statistics of a server since its start, or between two times.
type Stats struct {
	PID int
	// Calls counts the commands by name, including those inside of scripts.
	Calls map[string]int64
	// CPU is the CPU time of all threads.
	CPU time.Duration
	// In and Out are the bytes read and written.
	In, Out int64
	// Memory is the size of the data in bytes.
	Memory int64
}

// Stats requests the statistics of the server.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	info, err := redis.String(s.do(ctx, "INFO", "everything"))
	if err != nil {
		return Stats{}, err
	}
	return parse(info), nil
}

// parse parses the answer to INFO: lines of "name:value". Missing values are zero.
func parse(info string) Stats {
	stats := Stats{Calls: make(map[string]int64)}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		// cmdstat_get:calls=21,usec=175,...
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			stats.Calls[command] = parseInt(calls)
			continue
		}
		switch name {
		case "process_id":
			stats.PID = int(parseInt(value))
		case "used_cpu_sys", "used_cpu_user":
			seconds, _ := strconv.ParseFloat(value, 64)
			stats.CPU += time.Duration(seconds * float64(time.Second))
		case "total_net_input_bytes":
			stats.In = parseInt(value)
		case "total_net_output_bytes":
			stats.Out = parseInt(value)
		case "used_memory":
			stats.Memory = parseInt(value)
		}
	}
	return stats
}

// parseInt returns the integer in s, or 0.
func parseInt(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Since returns the statistics of the time between before and s.
func (s Stats) Since(before Stats) Stats {
	calls := make(map[string]int64)
	for name, n := range s.Calls {
		// INFO is the command that reads the statistics.
		if n -= before.Calls[name]; n > 0 && name != "info" {
			calls[name] = n
		}
	}
	return Stats{
		PID: s.PID, Calls: calls, CPU: s.CPU - before.CPU,
		In: s.In - before.In, Out: s.Out - before.Out, Memory: s.Memory - before.Memory,
	}
}
