package main

import (
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

// storage is what one process of a fleet keeps its state in.
type storage struct {
	state     scangate.StateStore
	configure func(*scangate.Config) // sets everything except State
	close     func()                 // called after the gate's Close
}

// onServer returns a function that opens the storage of a process on one server.
func onServer(server *redisserver.Server) func() (storage, error) {
	return func() (storage, error) {
		pool := steadyPool(server)
		store, err := scangate.NewRedisStore(pool, "")
		if err != nil {
			return storage{}, err
		}
		return storage{
			state:     store,
			configure: func(c *scangate.Config) { c.Redis = pool },
			close:     func() { _, _ = store.Close(), pool.Close() },
		}, nil
	}
}

// steadyPool returns a pool that does not test idle connections. In a process with steady
// traffic none is idle for long.
func steadyPool(server *redisserver.Server) *redis.Pool {
	pool := redisserver.Pool(server.Addr)
	pool.TestOnBorrow, pool.IdleTimeout = nil, 0
	return pool
}
