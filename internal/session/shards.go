package session

import (
	"log/slog"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/shard"
)

var _ scs.Store = (*Shards)(nil)

// Shards is a store of sessions on several servers. A hash of the token decides which one
// keeps a session, see [shard.Pick]. The token is the one that scs gives to the store: with
// HashTokenInStore, a hash.
type Shards struct {
	// Servers are the stores on the servers, at least one. All processes need the same
	// servers in the same order.
	Servers []scs.Store
}

// NewShards returns a store of sessions on the servers of the pools, see [NewRedis]. It logs
// when one of them goes away and when it is back.
func NewShards(pools []*redis.Pool, prefix, site string, logger *slog.Logger) *Shards {
	s := &Shards{}
	for i, pool := range pools {
		store := NewRedis(pool, prefix, site)
		store.Outage = redisconn.NewOutage(redisconn.OutageTexts{
			Never: "scangate: started without Redis for sessions",
			Began: "scangate: Redis for sessions went away",
			Ended: "scangate: Redis for sessions is back",
		})
		store.Outage.LogTo(logger.With("server", shard.Name(i+1, len(pools))))
		s.Servers = append(s.Servers, store)
	}
	return s
}

// server returns the number and the store of the server that keeps the session.
func (s *Shards) server(token string) (int, scs.Store) {
	i := shard.Pick(token, len(s.Servers))
	return i, s.Servers[i]
}

// Find implements [scs.Store].
func (s *Shards) Find(token string) ([]byte, bool, error) {
	i, server := s.server(token)
	b, found, err := server.Find(token)
	return b, found, s.failure(i, err)
}

// Commit implements [scs.Store].
func (s *Shards) Commit(token string, b []byte, expiry time.Time) error {
	i, server := s.server(token)
	return s.failure(i, server.Commit(token, b, expiry))
}

// Delete implements [scs.Store].
func (s *Shards) Delete(token string) error {
	i, server := s.server(token)
	return s.failure(i, server.Delete(token))
}

// FindOn is Find on the server of that number, counted from 0.
func (s *Shards) FindOn(i int, token string) (found bool, err error) {
	_, found, err = s.Servers[i].Find(token)
	return found, s.failure(i, err)
}

// failure returns an error of server i with the server's number.
func (s *Shards) failure(i int, err error) error {
	if err == nil {
		return nil
	}
	return &shard.Error{Err: err, Number: i + 1, Of: len(s.Servers)}
}
