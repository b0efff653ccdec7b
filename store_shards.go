package scangate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scangate/scangate/internal/shard"
	"github.com/scangate/scangate/internal/state"
)

var _ StateStore = (*shardedState)(nil)

// RedisShards returns a store for [Config.State] on several Redis servers, so that each does
// a part of the work. Each of the stores is on a server of its own. Stores of module goredis
// can be given as well. The caller closes them, after the gate. [Session.Redis] does the same
// for sessions. Users are not shared among servers: keep them in SQL, or on one server.
//
// A hash of a record's key decides which server keeps it, by rendezvous hashing with the
// server's place in the list. All logins of a browser are on one server. All processes need
// the same servers in the same order: a process with another list does not find the logins
// of the others.
//
// # One server is down
//
// Its share of the logins gets 503 with Retry-After, and the error in the log has the
// server's number, counted from 1. All other logins go on, because [StateStore.Add] counts
// at another server meanwhile. The limits that are counted there begin anew, and once more
// when the server is back. A login by a message also needs the server that has the record
// of the person's chat. Give each server a replica, with Sentinel.
//
// With [Config.UserTTL], the announcements of ended sessions are one record. While its
// server is down, every request reads the user, and [Gate.EndSessions] returns an error.
//
// # Another server
//
// Put a new server at the end of the list. It takes an equal share of all keys, and no other
// key moves. The logins under way in that share end, and their browsers begin again. A quota
// of codes in that share begins anew, once. Start all processes with the new list within a
// short time: until then, a login in that share works only if all its requests reach
// processes with the same list. To replace a server, put the new one in its place. Only the
// last server of the list can be removed without moving keys of the others.
//
// RedisShards returns an error if there is no store, if one of them is nil or twice in the
// list, or if there are more than 256.
func RedisShards[S StateStore](stores []S) (StateStore, error) {
	if len(stores) == 0 || len(stores) > shard.Max {
		return nil, fmt.Errorf("scangate: RedisShards: there are %d stores, want 1 to %d", len(stores), shard.Max)
	}
	s := &shardedState{servers: make([]stateShard, len(stores))}
	for i, store := range stores {
		s.servers[i].StateStore = store
		if StateStore(store) == nil || holdsNil(store) {
			return nil, fmt.Errorf("scangate: RedisShards: store %d is nil", i+1)
		}
		for earlier := range i {
			if s.servers[earlier].StateStore == s.servers[i].StateStore {
				return nil, fmt.Errorf("scangate: RedisShards: stores %d and %d are the same", earlier+1, i+1)
			}
		}
	}
	return s, nil
}

// shardedState is a StateStore on several servers.
type shardedState struct{ servers []stateShard }

// stateShard is the store on one server.
type stateShard struct {
	StateStore
	down atomic.Int64 // until when Add avoids the server, in nanoseconds since 1970
}

// downTime is how long Add avoids a server that failed, or that a call of Add tries again.
// It is longer than one call of a RedisStore takes.
const downTime = 5 * time.Second

// pick returns the number and the store of the server that keeps the record.
func (s *shardedState) pick(key string) (int, StateStore) {
	i := shard.Pick(state.Place(key), len(s.servers))
	return i, s.servers[i].StateStore
}

// Create implements [StateStore].
func (s *shardedState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	i, store := s.pick(key)
	return s.failure(ctx, i, store.Create(ctx, key, value, ttl))
}

// Load implements [StateStore].
func (s *shardedState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	i, store := s.pick(key)
	value, version, err := store.Load(ctx, key)
	return value, version, s.failure(ctx, i, err)
}

// Update implements [StateStore].
func (s *shardedState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	i, store := s.pick(key)
	return s.failure(ctx, i, store.Update(ctx, key, version, value, ttl))
}

// Wait implements [StateStore]. Each server's store waits for the records on it.
func (s *shardedState) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	i, store := s.pick(key)
	value, newer, err := store.Wait(ctx, key, version)
	return value, newer, s.failure(ctx, i, err)
}

// Add implements [StateStore]. It counts at another server while the counter's own fails. It
// tries each server once at most: when the last of several hanging servers has failed, the
// first one is not avoided any more.
func (s *shardedState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	tried := make([]bool, len(s.servers))
	avoids := func(i int) bool { return tried[i] || time.Now().UnixNano() < s.servers[i].down.Load() }
	i := shard.PickExcept(key, len(s.servers), avoids)
	if i < 0 {
		i = shard.Pick(key, len(s.servers))
	}
	for {
		tried[i] = true
		n, err := s.servers[i].add(ctx, key, window)
		if err == nil || ctx.Err() != nil {
			return n, err
		}
		next := shard.PickExcept(key, len(s.servers), avoids)
		if next < 0 {
			return 0, s.failure(ctx, i, err)
		}
		i = next
	}
}

// add counts at the server, and notes whether it is down.
func (s *stateShard) add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if s.down.Load() != 0 {
		s.avoid() // or all calls would wait for a server that does not answer
	}
	n, err := s.Add(ctx, key, window)
	switch {
	case err == nil && s.down.Load() != 0:
		s.down.Store(0)
	case err != nil && ctx.Err() == nil:
		s.avoid()
	}
	return n, err
}

// avoid makes calls of Add avoid the server for a while.
func (s *stateShard) avoid() { s.down.Store(time.Now().Add(downTime).UnixNano()) }

// failure returns err as the store of server i returned it, with the server's number if it
// is a failure.
func (s *shardedState) failure(ctx context.Context, i int, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrConflict) {
		return err
	}
	return &shard.Error{Err: err, Number: i + 1, Of: len(s.servers)}
}

// ping asks each server once for a record that does not exist. It returns ErrNotFound if all
// of them answer so.
func (s *shardedState) ping(ctx context.Context, key string) error {
	return pingAll(len(s.servers), func(i int) error {
		_, _, err := s.servers[i].Load(ctx, key)
		return s.failure(ctx, i, err)
	})
}

// pingAll calls ping for the numbers 0 to n-1 at the same time. It returns the errors that
// are not ErrNotFound, or ErrNotFound if there are none.
func pingAll(n int, ping func(i int) error) error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() { errs[i] = ping(i) })
	}
	calls.Wait()
	var failed error
	for _, err := range slices.Backward(errs) {
		if err == nil {
			err = errInvented
		}
		if !errors.Is(err, ErrNotFound) {
			failed = both(err, failed)
		}
	}
	if failed == nil {
		return ErrNotFound
	}
	return failed
}

// logTo makes the stores in Redis log changes of their connections, with their number.
func (s *shardedState) logTo(logger *slog.Logger) {
	for i := range s.servers {
		if r, ok := s.servers[i].StateStore.(*RedisStore); ok {
			r.logTo(logger.With("server", shard.Name(i+1, len(s.servers))))
		}
	}
}
