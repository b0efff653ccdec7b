package storetest_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

// testUsers is what go test calls TestUsers in the tests of a store. It would
// return a store of one's own, on an empty database each time.
func testUsers(t *testing.T) {
	storetest.Users(t, func(*testing.T) scangate.UserStore { return scangate.NewMemoryStore() })
}

// The contract of users: one call, and there is a subtest for each sentence of it.
func ExampleUsers() {
	_ = testUsers
}

// testState is what go test calls TestState.
func testState(t *testing.T) {
	storetest.State(t, func(*testing.T) scangate.StateStore { return scangate.NewMemoryStore() })
}

// The contract of logins under way. Some records expire: without Advance the
// suite waits for that.
func ExampleState() {
	_ = testState
}

// testSimulatedRedis has a store on a server that doesn't look at the clock.
func testSimulatedRedis(t *testing.T) {
	server := miniredis.RunT(t)
	storetest.State(t, func(t *testing.T) scangate.StateStore {
		server.FlushAll()
		pool := &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", server.Addr()) }}
		store, err := scangate.NewRedisStore(pool, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = store.Close(), pool.Close() })
		return store
	}, storetest.Advance(server.FastForward))
}

// The clock of a store that is simulated is moved, and nobody waits.
func ExampleAdvance() {
	_ = testSimulatedRedis
}
