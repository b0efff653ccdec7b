package main

import (
	"context"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

// measureShards compares three servers, which share logins and sessions by their keys, with
// one server.
func measureShards(ctx context.Context, s *sheet, e effort, w *world) error {
	users, err := w.sharedUsers(ctx)
	if err != nil {
		return err
	}
	open := func(servers []*redisserver.Server) (storage, error) { return openShards(servers, users) }
	return s.measureSharing(ctx, e, w, sharing{single: open, name: "three servers", start: startSeveral, shared: open})
}

// openShards opens the storage of a process on one server or more.
func openShards(servers []*redisserver.Server, users scangate.UserStore) (storage, error) {
	var pools []*redis.Pool
	var stores []*scangate.RedisStore
	closeAll := func() {
		for i, pool := range pools {
			_, _ = stores[i].Close(), pool.Close()
		}
	}
	for _, server := range servers {
		pool := steadyPool(server)
		store, err := scangate.NewRedisStore(pool, "")
		if err != nil {
			closeAll()
			return storage{}, err
		}
		pools, stores = append(pools, pool), append(stores, store)
	}
	state, err := scangate.RedisShards(stores)
	return storage{
		state:     state,
		configure: func(c *scangate.Config) { c.Users, c.Session.Redis = users, pools },
		close:     closeAll,
	}, err
}
