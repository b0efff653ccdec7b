package storetest_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

// testUsers would be TestUsers in the tests of a store. It would return that store, on
// an empty database each time.
func testUsers(t *testing.T) {
	storetest.Users(t, func(*testing.T) scangate.UserStore { return scangate.NewMemoryStore() })
}

// Users runs a subtest for each sentence of the contract.
func ExampleUsers() {
	_ = testUsers
}

// testDelete would be TestDelete in the tests of a store that has the method.
func testDelete(t *testing.T) {
	storetest.Delete(t, func(*testing.T) storetest.UserDeleter { return scangate.NewMemoryStore() })
}

// Delete is for stores that can delete users.
func ExampleDelete() {
	_ = testDelete
}

// testState would be TestState in the tests of a store.
func testState(t *testing.T) {
	storetest.State(t, func(*testing.T) scangate.StateStore { return scangate.NewMemoryStore() })
}

// State has subtests in which records expire. Without Advance it waits for that.
func ExampleState() {
	_ = testState
}

// testSimulatedRedis tests a store on miniredis, whose clock stands still until the test
// advances it.
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

// Advance replaces waiting by moving the store's simulated clock.
func ExampleAdvance() {
	_ = testSimulatedRedis
}
