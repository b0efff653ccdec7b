package main

import (
	"context"
	"log/slog"

	goredisclient "github.com/redis/go-redis/v9"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
	"github.com/scangate/scangate/goredis"
)

const (
	sharingServers   = 3 // of a Cluster, and of shards
	sharingProcesses = 6
)

// measureCluster compares a Redis Cluster of three masters with one server. Logins and
// sessions are in Redis, users in memory: a Cluster keeps no users.
func measureCluster(ctx context.Context, s *sheet, e effort, w *world) error {
	users, err := w.sharedUsers(ctx)
	if err != nil {
		return err
	}
	//nolint:contextcheck // a store of goredis.New lives until Close, longer than any call
	open := func(servers []*redisserver.Server) (storage, error) { return openGoRedis(servers, users) }
	return s.measureSharing(ctx, e, w, sharing{
		single: open, name: "a Cluster of three masters", start: redisserver.StartCluster, shared: open,
	})
}

// openGoRedis opens the storage of a process over go-redis. Several servers are a Cluster.
func openGoRedis(servers []*redisserver.Server, users scangate.UserStore) (storage, error) {
	store, err := goredis.New(goredis.Options{
		Redis:  goredisclient.UniversalOptions{Addrs: addresses(servers)},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return storage{}, err
	}
	manager, err := store.SessionManager(appURL, "")
	return storage{
		state:     store,
		configure: func(c *scangate.Config) { c.Users, c.Session.Manager = users, manager },
		close:     func() { _ = store.Close() },
	}, err
}

// addresses returns the servers' addresses.
func addresses(servers []*redisserver.Server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr)
	}
	return all
}
