package session

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/shard"
)

var _ scs.CtxStore = (*Shards)(nil)

// Shards is a store of sessions on several servers. A hash of the token decides which one
// keeps a session, see [shard.Pick]. The token is the one that scs gives to the store: with
// HashTokenInStore, a hash.
type Shards struct {
	// Servers are the stores on the servers, at least one. All processes need the same
	// servers in the same order.
	Servers []scs.CtxStore
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
func (s *Shards) server(token string) (int, scs.CtxStore) {
	i := shard.Pick(token, len(s.Servers))
	return i, s.Servers[i]
}

// FindCtx implements [scs.CtxStore].
func (s *Shards) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	i, server := s.server(token)
	b, found, err := server.FindCtx(ctx, token)
	return b, found, s.failure(i, err)
}

// CommitCtx implements [scs.CtxStore]. It obeys [OnlyExisting] if all servers do.
func (s *Shards) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	i, server := s.server(token)
	return s.failure(i, server.CommitCtx(ctx, token, b, expiry))
}

// DeleteCtx implements [scs.CtxStore].
func (s *Shards) DeleteCtx(ctx context.Context, token string) error {
	i, server := s.server(token)
	return s.failure(i, server.DeleteCtx(ctx, token))
}

// Find implements [scs.Store]; see FindCtx.
func (s *Shards) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements [scs.Store]; see CommitCtx.
func (s *Shards) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements [scs.Store]; see DeleteCtx.
func (s *Shards) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// conditional implements [conditionalStore].
func (s *Shards) conditional() scs.Store {
	if slices.ContainsFunc(s.Servers, func(server scs.CtxStore) bool { return !isConditional(server) }) {
		return nil
	}
	return s
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
