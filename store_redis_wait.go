package scangate

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Waiting, for any number of waiters, takes one connection and three goroutines:
//
//   - listen keeps a connection subscribed to the channel, where each message is
//     the key of a record that has changed, and keepAlive proves that it lives;
//   - deliver reads the changed records that somebody waits for, many at a time,
//     and hands them over.
//
// A message is only a reason to read, so one too many does no harm. One too few
// would: what was told while there was no subscription is made up for after each
// new one, when all records that are waited for are read again.

// redisWaits knows who waits for what, and which of that has changed. It talks to
// nobody: a waiter costs a channel and an entry in a map, and no goroutine.
type redisWaits struct {
	start func()        // begins the listening
	news  chan struct{} // holds one when there may be something to take

	mu      sync.Mutex
	round   int64 // counts the calls of take
	started bool
	closed  bool
	waiters map[string]map[*redisWaiter]struct{} // by the record's Redis key
	changed map[string]struct{}                  // keys of records to read
}

// redisWaiter waits for a record to have another version.
type redisWaiter struct {
	key     string
	version int64
	entered int64            // in which round
	result  chan redisRecord // gets one at most, and has room for it
}

// init makes the zero value ready. It is given what the first waiter starts.
func (ws *redisWaits) init(start func()) {
	ws.start = start
	ws.news = make(chan struct{}, 1)
	ws.waiters = make(map[string]map[*redisWaiter]struct{})
	ws.changed = make(map[string]struct{})
}

// enter adds a waiter. The first one starts the listening.
func (ws *redisWaits) enter(key string, version int64) *redisWaiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := &redisWaiter{key: key, version: version, entered: ws.round, result: make(chan redisRecord, 1)}
	if ws.closed {
		w.result <- redisRecord{err: errRedisClosed}
		return w
	}
	if !ws.started {
		ws.started = true
		ws.start()
	}
	if ws.waiters[key] == nil {
		ws.waiters[key] = make(map[*redisWaiter]struct{}, 1)
	}
	ws.waiters[key][w] = struct{}{}
	return w
}

// leave removes a waiter who waits no longer; one who has a result is gone
// already.
func (ws *redisWaits) leave(w *redisWaiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.drop(w)
}

// drop is leave under the lock.
func (ws *redisWaits) drop(w *redisWaiter) {
	delete(ws.waiters[w.key], w)
	if len(ws.waiters[w.key]) == 0 {
		delete(ws.waiters, w.key)
	}
}

// note marks records as changed. Those that nobody waits for are ignored, which
// is what becomes of most messages, since each process gets all of them.
func (ws *redisWaits) note(keys ...string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, key := range keys {
		if ws.waiters[key] != nil {
			ws.changed[key] = struct{}{}
		}
	}
	ws.tell()
}

// noteAll marks all records that somebody waits for, as after a time in which no
// messages came.
func (ws *redisWaits) noteAll() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key := range ws.waiters {
		ws.changed[key] = struct{}{}
	}
	ws.tell()
}

// tell wakes who takes, if there is something to take. One token is enough: who
// takes goes on until there is nothing left.
func (ws *redisWaits) tell() {
	if len(ws.changed) == 0 {
		return
	}
	select {
	case ws.news <- struct{}{}:
	default:
	}
}

// take returns some marked keys, which are unmarked by that; none if nobody
// waits for any. It begins a round, which deliver ends.
func (ws *redisWaits) take() []string {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.round++
	var keys []string
	for key := range ws.changed {
		delete(ws.changed, key)
		if ws.waiters[key] == nil {
			continue
		}
		if keys = append(keys, key); len(keys) == redisBatch {
			break
		}
	}
	return keys
}

// deliver hands a record, read in this round, to those who wait for it, but for
// those who know this version. Those who entered in this round may know a newer
// one: they have read for themselves since.
func (ws *redisWaits) deliver(key string, record redisRecord) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.waiters[key] {
		if w.entered == ws.round || record.err == nil && record.version == w.version {
			continue
		}
		own := record
		own.value = bytes.Clone(record.value)
		w.result <- own
		ws.drop(w)
	}
}

// fail ends all waiting with an error. Others may come.
func (ws *redisWaits) fail(err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, waiters := range ws.waiters {
		for w := range waiters {
			w.result <- redisRecord{err: err}
		}
	}
	clear(ws.waiters)
	clear(ws.changed)
}

// close ends all waiting for good.
func (ws *redisWaits) close() {
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	ws.fail(errRedisClosed)
}

// listen keeps one connection subscribed until ctx ends. Those who wait don't
// notice that it breaks, but by a pause.
func (r *RedisStore) listen(ctx context.Context) {
	var pause redisPause
	for ctx.Err() == nil {
		err := r.subscribe(ctx, func() {
			pause.reset()
			r.waits.noteAll()
		})
		if refusedForGood(err) && ctx.Err() == nil {
			r.waits.fail(redisFailure(ctx, "subscribing", err))
		}
		pause.sleep(ctx)
	}
}

// refusedForGood reports whether Redis is well and won't let us listen, so that
// nobody would ever be woken.
func refusedForGood(err error) bool {
	var refused redis.Error
	if !errors.As(err, &refused) {
		return false
	}
	code, _, _ := strings.Cut(string(refused), " ")
	return slices.Contains([]string{"ERR", "NOAUTH", "NOPERM", "WRONGPASS"}, code)
}

// subscribe listens on a new connection until that ends, or ctx. It calls
// subscribed when it has begun.
func (r *RedisStore) subscribe(ctx context.Context, subscribed func()) error {
	dialing, dialed := context.WithTimeout(ctx, r.limit)
	conn, err := dial(dialing, r.pool)
	dialed()
	if err != nil {
		return err
	}
	channel := redis.PubSubConn{Conn: conn}
	if err := channel.Subscribe(r.channel()); err != nil {
		_ = conn.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var life sync.WaitGroup
	life.Go(func() { r.keepAlive(ctx, channel) })
	defer life.Wait()
	defer cancel()
	limit := r.limit
	for {
		switch got := channel.ReceiveWithTimeout(limit).(type) {
		case error:
			return got
		case redis.Subscription:
			subscribed()
			limit += r.ping
		case redis.Message:
			r.waits.note(string(got.Data))
		}
	}
}

// keepAlive sends PING now and then, so that a connection on which nothing
// arrives is a dead one, and closes it when ctx ends, which ends the receiving.
func (r *RedisStore) keepAlive(ctx context.Context, channel redis.PubSubConn) {
	defer func() { _ = channel.Close() }()
	ticker := time.NewTicker(r.ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if channel.Ping("") != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// deliver reads what has changed, and hands it over, until ctx ends.
func (r *RedisStore) deliver(ctx context.Context) {
	var pause redisPause
	for ctx.Err() == nil {
		keys := r.waits.take()
		if len(keys) == 0 {
			select {
			case <-r.waits.news:
			case <-ctx.Done():
			}
			continue
		}
		if r.deliverRecords(ctx, keys) {
			pause.reset()
		} else {
			pause.sleep(ctx)
		}
	}
}

// deliverRecords reads the records in one go, and hands them over. What can't be
// read stays marked; deliverRecords reports whether there is nothing of that.
func (r *RedisStore) deliverRecords(ctx context.Context, keys []string) bool {
	const doing = "reading what has changed"
	reply, err := r.read(ctx, doing, redisRecords(keys))
	replies, isList := reply.([]any)
	if err != nil || !isList || len(replies) != len(keys) {
		r.waits.note(keys...)
		return false
	}
	var unread []string
	for i, key := range keys {
		if _, refused := replies[i].(redis.Error); refused {
			unread = append(unread, key)
			continue
		}
		r.waits.deliver(key, asRedisRecord(ctx, doing, replies[i]))
	}
	r.waits.note(unread...)
	return len(unread) == 0
}

// redisRecords reads many records in one go: all questions, then all answers.
// Each answer is a record's or an error of its own.
func redisRecords(keys []string) redisCall {
	return func(conn redis.Conn) (any, error) {
		for _, key := range keys {
			if err := conn.Send("HMGET", key, "version", "value"); err != nil {
				return nil, err
			}
		}
		return conn.Do("")
	}
}
