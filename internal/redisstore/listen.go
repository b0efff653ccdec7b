package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
)

// Any number of calls of Wait share one connection and two goroutines:
//
//   - listen stays subscribed to the channel, where each message is the Redis key of a
//     record that has changed;
//   - deliver reads the changed records that have waiters, many at a time, and sends
//     them to their waiters.
//
// A message is only a reason to read, so a superfluous one does no harm. Messages sent
// while there was no subscription are lost. Therefore deliver reads all records that
// have waiters after each new subscription.

// On a Cluster each record with a waiter has a channel of its own, which listenSharded
// subscribes to and ends with the last waiter.

// listen stays subscribed until ctx ends.
func (s *Store) listen(ctx context.Context) {
	var pause redisconn.Pause
	for ctx.Err() == nil {
		err := s.conn.Subscribe(ctx, s.channel(), func() {
			s.subscription.Succeeded(time.Now())
			pause.Reset()
			s.waits.noteAll()
		}, func(key string) { s.waits.note(key) })
		if ctx.Err() == nil {
			s.listenFailed(err)
		}
		pause.Sleep(ctx)
	}
}

// listenSharded stays subscribed to the channels of all records that have waiters, until
// ctx ends.
func (s *Store) listenSharded(ctx context.Context) {
	s.sharded.SubscribeShards(ctx, s.channels, redisconn.ShardEvents{
		Subscribed: func(key string) {
			s.subscription.Succeeded(time.Now())
			s.waits.note(key)
		},
		Received: func(key string) { s.waits.note(key) },
		Failed:   s.listenFailed,
	})
}

// listenFailed notes that the store could not listen.
func (s *Store) listenFailed(err error) {
	s.subscription.Failed(err)
	s.suspect(err)
	// A broken connection only delays the waiters. But if Redis works and refuses the
	// subscription, nothing would ever wake them.
	if refusedForGood(err) {
		s.waits.fail(failure("subscribing", err))
	}
}

// distrustTime is how long deliver uses no connection of the pool after one has died
// without a sign.
const distrustTime = time.Minute

// suspect makes deliver distrust the pool if err is that of a dead connection. The idle
// connections of the pool have probably died of the same cause. Each of them would delay
// the waiters by the limit of a call.
func (s *Store) suspect(err error) {
	if errors.Is(err, redisconn.ErrSlow) {
		s.distrust.Store(time.Now().Add(distrustTime).UnixNano())
	}
}

// refusedForGood reports whether err is a refusal that will not pass by itself.
func refusedForGood(err error) bool {
	var refused redisconn.Refusal
	return errors.As(err, &refused) && slices.Contains([]string{"ERR", "NOAUTH", "NOPERM", "WRONGPASS"}, refused.Code())
}

// deliver reads changed records and sends them to their waiters, until ctx ends.
func (s *Store) deliver(ctx context.Context) {
	var pause redisconn.Pause
	for ctx.Err() == nil {
		keys := s.waits.take()
		if len(keys) == 0 {
			select {
			case <-s.waits.news:
			case <-ctx.Done():
			}
			continue
		}
		if s.deliverRecords(ctx, keys) {
			pause.Reset()
		} else {
			pause.Sleep(ctx)
		}
	}
}

// deliverRecords reads records in one round trip and sends them to their waiters. It
// marks those again that could not be read, and reports whether there were none.
func (s *Store) deliverRecords(ctx context.Context, keys []string) bool {
	conn := s.conn
	if time.Now().UnixNano() < s.distrust.Load() {
		conn = s.fresh
	}
	replies, err := conn.ReadHashes(ctx, keys, "version", "value")
	if err != nil {
		s.suspect(err)
		s.waits.note(keys...)
		return false
	}
	var unread []string
	for i, key := range keys {
		if err, failed := replies[i].(error); failed {
			s.suspect(err)
			unread = append(unread, key)
			continue
		}
		s.waits.deliver(key, parseRecord("reading a changed record", replies[i]))
	}
	s.waits.note(unread...)
	return len(unread) == 0
}
