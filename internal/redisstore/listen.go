package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

// Any number of calls of Wait share one connection and a few goroutines:
//
//   - listen stays subscribed to the process's channel, where each message is a record
//     that has changed, and sends the records to their waiters;
//   - deliver reads records that have waiters, many at a time, and sends them to their
//     waiters;
//   - unregister removes the registrations at records that have no waiter any more.
//
// Messages sent while there was no subscription are lost. Therefore deliver reads all
// records that have waiters after each new subscription, and registers the process again.
//
// On a Cluster each record with a waiter has a channel of its own, which listenSharded
// subscribes to and ends with the last waiter. A message is then only a reason for deliver
// to read the record.

// listen stays subscribed until ctx ends.
func (s *Store) listen(ctx context.Context) {
	var pause redisconn.Pause
	for ctx.Err() == nil {
		channels := []string{s.wakeChannels() + s.id, s.wakeChannels() + allChannel}
		err := s.conn.Subscribe(ctx, channels, func() {
			s.subscription.Succeeded(time.Now())
			pause.Reset()
			s.waits.noteAll()
		}, s.receive)
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
		records, registration := s.waits.take()
		if len(records) == 0 {
			select {
			case <-s.waits.news:
			case <-ctx.Done():
			}
			continue
		}
		if s.deliverRecords(ctx, records, registration) {
			pause.Reset()
		} else {
			pause.Sleep(ctx)
		}
	}
}

// deliverRecords reads records in one round trip and sends them to their waiters. It
// marks those again that could not be read, and reports whether there were none.
func (s *Store) deliverRecords(ctx context.Context, records []known, registration uint32) bool {
	conn := s.conn
	if time.Now().UnixNano() < s.distrust.Load() {
		conn = s.fresh
	}
	read := s.register
	if s.sharded != nil {
		read = s.readAll
	}
	found, err := read(ctx, conn, registration, records)
	if err != nil {
		s.suspect(err)
		found = make([]record, len(records))
	}
	unread := 0
	for i, r := range found {
		if err != nil || failed(r.err) {
			s.suspect(r.err)
			s.waits.note(records[i].key)
			unread++
			continue
		}
		s.waits.deliver(records[i].key, r)
		if s.sharded == nil && r.value != nil {
			// The process was not registered. That has to follow if there still are waiters,
			// which have this version.
			s.waits.note(records[i].key)
		}
	}
	return unread == 0
}

// failed reports whether err means that a record could not be read, as opposed to a
// record that is missing or damaged.
func failed(err error) bool {
	return err != nil && !errors.Is(err, state.ErrNotFound) && !errors.Is(err, redisconn.ErrReply)
}

// readAll reads records on a Cluster, which needs no registration.
func (s *Store) readAll(ctx context.Context, conn redisconn.Transport, _ uint32, records []known) ([]record, error) {
	keys := make([]string, len(records))
	for i, r := range records {
		keys[i] = r.key
	}
	replies, err := conn.ReadHashes(ctx, keys, "version", "value")
	if err != nil {
		return nil, err
	}
	found := make([]record, len(replies))
	for i, reply := range replies {
		if err, failed := reply.(error); failed {
			found[i] = record{err: err}
		} else {
			found[i] = parseRecord(reading, reply)
		}
	}
	return found, nil
}
