package goredis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/redisstore"
)

var (
	_ scangate.UserStore  = (*Store)(nil)
	_ scangate.StateStore = (*Store)(nil)
)

var (
	errUsersOnCluster = errors.New("scangate: goredis: a Redis Cluster cannot keep users: registering one changes keys " +
		"in several slots, which is not one step there; keep them in SQL, for example with sqlstore")
	errOneServer = errors.New("a Cluster has no channel for all records")
)

// Store keeps users, the state of logins and sessions in Redis, for any number of
// processes that share it. See [New].
//
// Each method gives up after 3 seconds, or earlier if its context ends. A read is
// repeated on another connection if its own breaks. A change is sent once: after an
// error it is unknown whether Redis has made it.
type Store struct {
	store *redisstore.Store
	conn  *conn
	// cluster reports whether Redis is a Cluster, which keeps no users.
	cluster bool
	prefix  string
}

// New returns a Store with a client of its own. It does not wait for Redis: a Redis that
// cannot be reached is an entry in the log, and an error of each call. New returns an
// error if Options cannot be used.
//
// On a Cluster all methods of [scangate.UserStore] return an error, and
// [scangate.New] refuses the store as Config.Users.
func New(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := newStore(o, callLimit, pingInterval)
	if err != nil {
		return nil, err
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	s.store.LogTo(logger)
	return s, nil
}

// newStore is New with other time limits, and without a log.
func newStore(o Options, limit, ping time.Duration) (*Store, error) {
	prefix := cmp.Or(o.Prefix, "scangate")
	if !redisstore.ValidPrefix(prefix) {
		return nil, fmt.Errorf("scangate: goredis.New: Options.Prefix: %q has more than letters, digits and \"-_:\"", prefix)
	}
	s := &Store{cluster: o.isCluster(), prefix: prefix}
	c := conn{options: clientOptions(o.Redis), limit: limit, ping: ping}
	if s.cluster {
		sharded := &shardedConn{conn: c}
		sharded.cluster = newCluster(sharded.options)
		sharded.servers = sharded.cluster
		s.conn = &sharded.conn
		s.store = redisstore.NewSharded(sharded, prefix)
	} else {
		s.conn = &c
		s.conn.servers = newSingle(c.options)
		s.store = redisstore.New(s.conn, prefix)
	}
	return s, nil
}

// Fresh implements [redisconn.Transport]. The returned transport makes a new connection
// for each call that comes 50 ms or more after the one before.
func (c *conn) Fresh() redisconn.Transport {
	o := c.options
	o.ConnMaxIdleTime = time.Nanosecond // an idle connection is closed instead of used
	o.MinIdleConns, o.MaxIdleConns = 0, 1
	fresh := &conn{options: o, limit: c.limit, ping: c.ping, outage: c.outage}
	if _, ok := c.servers.(*cluster); ok {
		fresh.servers = newCluster(o)
	} else {
		fresh.servers = newSingle(o)
	}
	c.fresh = fresh
	return fresh
}

// Close ends, with an error, all calls of [Store.Wait], and closes the connections. Call
// it after the last request: later calls, also of the sessions, return an error. It
// returns when the store's goroutines have ended, which takes no longer than their last
// call to Redis. Closing again does nothing.
func (s *Store) Close() error {
	s.store.Close()
	err := s.conn.close()
	if fresh := s.conn.fresh.close(); err == nil {
		err = fresh
	}
	if err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("scangate: Redis: closing: %w", err)
	}
	return nil
}

// CheckUsers returns nil if the store can keep users, and otherwise, on a Cluster, an
// error that explains why it cannot. [scangate.New] calls it.
func (s *Store) CheckUsers() error {
	if s.cluster {
		return errUsersOnCluster
	}
	return nil
}

// Create implements [scangate.StateStore].
func (s *Store) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.store.Create(ctx, key, value, ttl)
}

// Load implements [scangate.StateStore]. It is one command, sent to a master.
func (s *Store) Load(ctx context.Context, key string) (value []byte, version int64, err error) {
	return s.store.Load(ctx, key)
}

// Update implements [scangate.StateStore]. It is one script: if two processes update the
// same version, one of them gets ErrConflict.
func (s *Store) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return s.store.Update(ctx, key, version, value, ttl)
}

// Wait implements [scangate.StateStore]. A waiting call holds no connection. If Redis is
// unavailable, Wait keeps waiting, and returns any change made meanwhile within two
// seconds of Redis being back. The listening connection may die without a sign, as in an
// outage of the network. Wait then returns a change at most 9 seconds late. While a slot
// of a Cluster moves to another server, Wait may return a change of a record that has
// moved already only when the whole slot has. Wait notices only when ctx ends that a
// record has expired.
func (s *Store) Wait(ctx context.Context, key string, version int64) (value []byte, newer int64, err error) {
	return s.store.Wait(ctx, key, version)
}

// Add implements [scangate.StateStore]. The counter is a key of its own, which expires
// with its window.
func (s *Store) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	return s.store.Add(ctx, key, window)
}
