package redisconn

import "context"

// Transport sends calls to Redis. [Client] is one over redigo. The module goredis has
// another, over go-redis.
//
// A reply is nil, an int64, a string or []byte, or a []any of replies. A call takes at
// most 3 seconds, including the time to get a connection. An error is one of the
// context's if and only if the caller's context has ended; it is a [Refusal] if Redis
// returned it, and [ErrSlow] if a limit was reached. No error contains a password or an
// argument that Redis quoted.
type Transport interface {
	// NoteIn makes the transport note in outage whether Redis can be reached. It is
	// called once, before the first call.
	NoteIn(outage *Outage)

	// ReadHash returns the values of the fields of the hash at key, nil for each that is
	// missing. Without fields it returns all names and values in turn. It is one command.
	ReadHash(ctx context.Context, key string, fields ...string) (any, error)

	// ReadHashes does the same as ReadHash for many hashes, in one round trip to each
	// server. It returns one reply per key, which is an error if that hash could not be
	// read.
	ReadHashes(ctx context.Context, keys []string, fields ...string) ([]any, error)

	// ReadScript runs a script that may run twice. If the connection breaks, or leads to
	// a replica that refuses a change, it runs the script again on another one.
	ReadScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error)

	// WriteScript runs a script at most once. If the connection breaks, it is unknown
	// whether Redis ran the script.
	WriteScript(ctx context.Context, script *Script, keys []string, args ...any) (any, error)

	// Check notes in the outage whether Redis can be reached. It returns when that is
	// known or ctx has ended.
	Check(ctx context.Context)

	// Subscribe listens to the channels on a connection of its own, which does not count
	// against a pool's limits. It calls subscribed once Redis has confirmed all of them,
	// and then received with each message, one call at a time. It returns an error when
	// the connection ends or ctx does. Messages sent between two subscriptions are lost.
	Subscribe(ctx context.Context, channels []string, subscribed func(), received func(message string)) error

	// Fresh returns a transport to the same Redis that does not reuse the connections of
	// this one.
	Fresh() Transport
}

// Sharded is a [Transport] to a Redis Cluster, where each channel belongs to a slot.
type Sharded interface {
	Transport

	// SubscribeShards stays subscribed to the channels in the set, with SSUBSCRIBE, until
	// ctx ends. After each failure it tries again.
	SubscribeShards(ctx context.Context, channels *ChannelSet, events ShardEvents)
}

// ShardEvents are the functions that a [Sharded] calls while it listens, from any
// goroutine.
type ShardEvents struct {
	// Subscribed is called whenever Redis has confirmed the subscription to a channel.
	// Messages sent before that are lost.
	Subscribed func(channel string)
	// Received is called with the channel of each message.
	Received func(channel string)
	// Failed is called with each failure to listen. The listening goes on.
	Failed func(err error)
}
