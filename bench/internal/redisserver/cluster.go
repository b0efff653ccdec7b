package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// ErrNoCluster is returned by [StartCluster] if the installed redis-server is too old for
// shard channels, which the store needs on a Cluster.
var ErrNoCluster = errors.New("a Cluster needs redis-server 7 or later")

const slots = 16384 // of every Cluster

// StartCluster starts a Redis Cluster of n masters, and returns when it works. It returns
// [ErrNotInstalled] or [ErrNoCluster] if that is not possible on this machine.
func StartCluster(ctx context.Context, n int) ([]*Server, error) {
	var servers []*Server
	for range n {
		s, err := startMaster(ctx)
		if err != nil {
			StopAll(servers)
			return nil, err
		}
		servers = append(servers, s)
	}
	if err := join(ctx, servers); err != nil {
		StopAll(servers)
		return nil, err
	}
	return servers, nil
}

// startMaster starts a server that can become part of a Cluster.
func startMaster(ctx context.Context) (*Server, error) {
	// Not the default, which is the port plus 10000 and may be above 65535.
	bus, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s, err := Start(ctx, "--cluster-enabled", "yes", "--cluster-config-file", "nodes", "--cluster-port", bus)
	if errors.Is(err, ErrNotInstalled) {
		return nil, err
	}
	if err != nil {
		// Servers before version 7 exit, because they do not have cluster-port.
		return nil, fmt.Errorf("%w: %w", ErrNoCluster, err)
	}
	s.bus = bus
	return s, nil
}

// join makes a Cluster of the servers.
func join(ctx context.Context, servers []*Server) error {
	for i, s := range servers {
		host, port, _ := net.SplitHostPort(s.Addr)
		for _, step := range []struct {
			to   *Server
			args []any
		}{
			{s, []any{"ADDSLOTSRANGE", i * slots / len(servers), (i+1)*slots/len(servers) - 1}},
			{s, []any{"SET-CONFIG-EPOCH", i + 1}},
			{servers[0], []any{"MEET", host, port, s.bus}},
		} {
			if _, err := step.to.do(ctx, "CLUSTER", step.args...); err != nil {
				return fmt.Errorf("redisserver: CLUSTER %v: %w", step.args[0], err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !working(ctx, servers) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("redisserver: the Cluster does not work after %v: %w", startTime, ctx.Err())
		}
	}
	return nil
}

// working reports whether each server has learned of all others and their slots.
func working(ctx context.Context, servers []*Server) bool {
	for _, s := range servers {
		info, err := redis.String(s.do(ctx, "CLUSTER", "INFO"))
		if err != nil || !strings.Contains(info, "cluster_state:ok") ||
			!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(servers))) {
			return false
		}
		ranges, err := redis.Values(s.do(ctx, "CLUSTER", "SLOTS"))
		if err != nil || len(ranges) < len(servers) {
			return false
		}
	}
	return true
}

// do sends a command on a new connection.
func (s *Server) do(ctx context.Context, command string, args ...any) (any, error) {
	conn, err := redis.DialContext(ctx, "tcp", s.Addr, redis.DialReadTimeout(callTime), redis.DialWriteTimeout(callTime))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.Do(command, args...)
}

// StopAll stops all servers.
func StopAll(servers []*Server) {
	for _, s := range servers {
		s.Stop()
	}
}
