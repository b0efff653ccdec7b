package main

import (
	"context"
	"errors"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

// sharing compares several servers that share the work with one server that does it alone.
type sharing struct {
	single func([]*redisserver.Server) (storage, error) // opens the storage on one server
	name   string                                       // of the servers that share
	start  func(ctx context.Context, n int) ([]*redisserver.Server, error)
	shared func([]*redisserver.Server) (storage, error)
}

// measureSharing adds rows for one server, for the sum of several, and for the busiest of
// them.
func (s *sheet) measureSharing(ctx context.Context, e effort, w *world, by sharing) error {
	processes := sharingProcesses
	if e.slice == 0 {
		processes = 2
	}
	var alone, all, busiest samples
	for range e.fewer() {
		single, err := by.round(ctx, w, processes, e.fleetLogins(), 1, startSeveral, by.single)
		if err != nil {
			return err
		}
		shared, err := by.round(ctx, w, processes, e.fleetLogins(), sharingServers, by.start, by.shared)
		if err != nil {
			return err
		}
		alone, all, busiest = append(alone, single.total()), append(all, shared.total()), append(busiest, shared.busiest())
	}
	s.addShare("scan login with polls, one server", alone, alone)
	s.addShare(by.name+", all together", all, alone)
	s.addShare(by.name+", the busiest", busiest, alone)
	s.noteFleet(e)
	s.note("%d processes; logins and sessions are in Redis, users in memory", processes)
	return nil
}

// round measures logins on n new servers.
func (sharing) round(
	ctx context.Context, w *world, processes, logins, n int,
	start func(context.Context, int) ([]*redisserver.Server, error), open func([]*redisserver.Server) (storage, error),
) (loginCost, error) {
	servers, err := start(ctx, n)
	if err != nil {
		return nil, skipIfMissing(err)
	}
	defer redisserver.StopAll(servers)
	return measureFleet(ctx, w, processes, logins, servers, func() (storage, error) { return open(servers) })
}

// startSeveral starts n servers, each on its own.
func startSeveral(ctx context.Context, n int) ([]*redisserver.Server, error) {
	var servers []*redisserver.Server
	for range n {
		server, err := redisserver.Start(ctx)
		if err != nil {
			redisserver.StopAll(servers)
			return nil, err
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// skipIfMissing returns a skippedError if err is about a missing or old redis-server, and
// otherwise err.
func skipIfMissing(err error) error {
	for _, missing := range []error{redisserver.ErrNotInstalled, redisserver.ErrNoCluster} {
		if errors.Is(err, missing) {
			return skippedError(missing.Error())
		}
	}
	return err
}

// sharedUsers returns a store in memory that all processes of a fleet share. Its user is
// registered, and registering the user again returns the same one.
func (w *world) sharedUsers(ctx context.Context) (scangate.UserStore, error) {
	store := scangate.NewMemoryStore()
	user, err := w.register(ctx, store)
	return usersOf{store, user}, err
}
