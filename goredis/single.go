package goredis

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// single is one server, or the master that Sentinels name.
type single struct{ client *redis.Client }

// newSingle returns the server of the options.
func newSingle(o redis.UniversalOptions) single {
	if o.MasterName != "" {
		return single{redis.NewFailoverClient(o.Failover())}
	}
	return single{redis.NewClient(o.Simple())}
}

func (s single) do(ctx context.Context, _ string, args ...any) (any, error) {
	return result(s.client.Do(ctx, args...))
}

func (s single) readHashes(ctx context.Context, keys, fields []string) ([]any, error) {
	return sendHashes(ctx, s.client, keys, fields)
}

func (s single) reload(context.Context) {}

func (s single) idle() int { return int(s.client.PoolStats().IdleConns) }

func (s single) close() error { return s.client.Close() }
