package goredis

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// callLimit bounds one call, including the time to get a connection.
const callLimit = 3 * time.Second

// pingInterval is the time between PINGs on a subscribed connection.
const pingInterval = 5 * time.Second

// Options are the options of [New].
type Options struct {
	// Redis describes how to reach Redis, as for [redis.NewUniversalClient]. One address
	// is a server. With a MasterName, the addresses are those of Sentinels. Several
	// addresses without a MasterName, or IsClusterMode, are a Cluster. At least one address
	// is required.
	//
	// New works on a copy, in which it sets what the store relies on: no retries and no
	// redirects by go-redis, deadlines of contexts are obeyed, one attempt to dial, RESP2,
	// reads from masters only, no client-side cache. Zero timeouts mean 2 seconds, and a
	// zero PoolTimeout 1 second. All others have go-redis's defaults. PoolSize, which is
	// for each server of a Cluster, is 10 times GOMAXPROCS, or 5 times on a Cluster.
	Redis redis.UniversalOptions

	// Prefix begins all keys. It consists of letters, digits and "-_:"; empty means
	// "scangate". Stores of one prefix on one Redis are the same store.
	Prefix string

	// Logger receives when Redis or the subscription goes away and when it is back. Nil
	// means [slog.Default].
	Logger *slog.Logger
}

// isCluster reports whether the options are those of a Cluster.
func (o *Options) isCluster() bool {
	return o.Redis.MasterName == "" && (o.Redis.IsClusterMode || len(o.Redis.Addrs) > 1)
}

// check returns an error if the options cannot be used.
func (o *Options) check() error {
	switch {
	case len(o.Redis.Addrs) == 0 || slices.Contains(o.Redis.Addrs, ""):
		return errors.New("scangate: goredis.New: Options.Redis.Addrs needs addresses, such as 10.0.0.1:6379")
	case o.isCluster() && o.Redis.DB != 0:
		return errors.New("scangate: goredis.New: Options.Redis.DB: a Cluster has only the database 0")
	}
	return nil
}

// clientOptions returns a copy of the options in which the store can trust that a call
// is sent once and ends in time.
func clientOptions(given redis.UniversalOptions) redis.UniversalOptions {
	o := given
	o.Addrs = slices.Clone(given.Addrs)
	// A compare-and-set or a counter that is sent again counts twice, or reports a
	// conflict with itself.
	o.MaxRetries, o.MaxRedirects = -1, -1
	o.ContextTimeoutEnabled = true
	// A dial that is refused fails at once: five attempts would delay the error by half
	// a second. Zero means five.
	o.DialerRetries = 1
	// Replies of RESP3 have other forms, and it mixes messages with replies.
	o.Protocol = 2
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// CLIENT SETINFO would need a permission of its own.
	o.DisableIdentity = true
	o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false
	o.ClientSideCacheConfig, o.ClientSideCache = nil, nil
	o.PipelinePoolSize = -1 // a pipeline takes a connection of the one pool
	setDefault(&o.DialTimeout, 2*time.Second)
	setDefault(&o.ReadTimeout, 2*time.Second)
	setDefault(&o.WriteTimeout, 2*time.Second)
	// Less than callLimit, so that a busy pool is not taken for an outage of Redis.
	setDefault(&o.PoolTimeout, time.Second)
	return o
}

// setDefault sets a duration that is zero.
func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}
