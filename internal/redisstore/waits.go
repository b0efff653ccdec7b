package redisstore

import (
	"bytes"
	"sync"
)

// batch bounds the records that are read in one round trip.
const batch = 256

// waits is the registry of the calls of Wait in this process and of the records that
// have changed under them. It does not talk to Redis. A waiter costs a channel and an
// entry in a map, and no goroutine.
type waits struct {
	start func() // starts listening; called once
	// watch is called for a record that gets its first waiter, and unwatch by dropLeft when
	// it has none any more. Both are nil unless each record has a channel of its own.
	watch, unwatch func(key string)
	news           chan struct{} // holds a token when take may return records
	left           chan struct{} // holds a token when records have lost their last waiter

	mu            sync.Mutex
	round         int64  // counts the calls of take
	registrations uint32 // counts the registrations at Redis; may wrap around
	started       bool
	closed        bool
	records       map[string]*watched // the records that have waiters, by Redis key
	changed       map[string]struct{} // keys of records to read
	leaving       map[string]uint32   // records whose last waiter has left, and their last registration
	subscribed    map[string]struct{} // the records whose channels Redis has confirmed, if they have channels
}

// watched is a record that has waiters.
type watched struct {
	waiters map[*waiter]struct{}
	// version is the one that the process has registered for, or is registering for; 0 if
	// the process has to register first. A waiter with this version joins the others.
	version      int64
	began        int64  // the round in which that registration began
	registration uint32 // its number
	// confirmed is closed when Redis has confirmed the record's channel, so that a read
	// misses no change. It is nil if nothing has to be awaited.
	confirmed chan struct{}
}

// waiter waits until a record has another version.
type waiter struct {
	key          string
	version      int64
	reads        bool            // it reads and registers itself, because it has joined no other waiter
	began        int64           // the round in which that registration began
	registration uint32          // that it makes if it reads
	confirmed    <-chan struct{} // the record's, when the waiter entered
	result       chan record     // has room for the only result
}

// init prepares the zero value. The first waiter calls start.
func (ws *waits) init(start func()) {
	ws.start = start
	ws.news, ws.left = make(chan struct{}, 1), make(chan struct{}, 1)
	ws.records = make(map[string]*watched)
	ws.changed = make(map[string]struct{})
	ws.leaving = make(map[string]uint32)
	ws.subscribed = make(map[string]struct{})
}

// enter adds a waiter. After close, the waiter gets an error at once.
func (ws *waits) enter(key string, version int64) *waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := &waiter{key: key, version: version, result: make(chan record, 1)}
	if ws.closed {
		w.reads = true
		w.result <- record{err: errClosed}
		return w
	}
	if !ws.started {
		ws.started = true
		ws.start()
	}
	record := ws.records[key]
	if record == nil {
		record = &watched{waiters: make(map[*waiter]struct{}, 1)}
		ws.records[key] = record
		delete(ws.leaving, key)
		if _, subscribed := ws.subscribed[key]; ws.watch != nil && !subscribed {
			record.confirmed = make(chan struct{})
			ws.watch(key)
		}
	}
	w.confirmed = record.confirmed
	record.waiters[w] = struct{}{}
	if record.version == 0 || record.version != version {
		ws.registrations++
		w.reads, w.registration = true, ws.registrations
		record.version, record.began, record.registration = version, ws.round, w.registration
	}
	w.began = record.began
	return w
}

// settle notes what a waiter that reads has read, for those that have joined it.
func (ws *waits) settle(w *waiter, r record) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	record := ws.records[w.key]
	if record == nil || r.err == nil && r.version == w.version {
		return
	}
	if record.version == w.version {
		record.version = 0
	}
	if failed(r.err) {
		ws.changed[w.key] = struct{}{} // read again, for the others
		ws.signal()
		return
	}
	ws.send(w.key, r, func(other *waiter) bool { return other != w && !other.reads && other.version == w.version })
}

// unlessClosed calls f under the lock, but not after close.
func (ws *waits) unlessClosed(f func()) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !ws.closed {
		f()
	}
}

// leave removes a waiter. It does nothing if the waiter has got a result.
func (ws *waits) leave(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	record := ws.records[w.key]
	if record == nil {
		return
	}
	if _, waits := record.waiters[w]; !waits {
		return
	}
	ws.remove(w)
	if len(record.waiters) == 0 {
		// No message has ended the registration, if there was one.
		ws.keep(w.key, record.registration)
	}
}

// keep keeps the registration or the subscription to a record without waiters until
// takeLeft or dropLeft. The caller holds the lock.
func (ws *waits) keep(key string, registration uint32) {
	ws.leaving[key] = registration
	token(ws.left)
}

// remove removes a waiter, and its record with the last one. The caller holds the lock.
func (ws *waits) remove(w *waiter) {
	record := ws.records[w.key]
	delete(record.waiters, w)
	if len(record.waiters) == 0 {
		ws.forget(w.key)
	}
}

// forget removes a record with its waiters. The caller holds the lock.
func (ws *waits) forget(key string) {
	ws.records[key].confirm()
	delete(ws.records, key)
	if ws.unwatch != nil {
		ws.keep(key, 0)
	}
}

// confirm ends the awaiting of the record's channel. It reports whether there was any.
func (r *watched) confirm() bool {
	if r.confirmed == nil {
		return false
	}
	close(r.confirmed)
	r.confirmed = nil
	return true
}

// confirm notes that Redis has confirmed the record's channel. Its waiters read the record
// now, or it is marked as changed if they have read it before.
func (ws *waits) confirm(key string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	record := ws.records[key]
	if _, leaves := ws.leaving[key]; record == nil && !leaves {
		return // dropLeft has ended the subscription meanwhile
	}
	ws.subscribed[key] = struct{}{}
	if record != nil && !record.confirm() {
		ws.changed[key] = struct{}{}
		ws.signal()
	}
}

// hurry makes the waiters of these records, or of all if none is given, read before
// Redis has confirmed the channels.
func (ws *waits) hurry(keys ...string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, key := range keys {
		if record := ws.records[key]; record != nil {
			record.confirm()
		}
	}
	if len(keys) == 0 {
		for _, record := range ws.records {
			record.confirm()
		}
	}
}

// dropLeft ends the subscriptions to records that have no waiter.
func (ws *waits) dropLeft() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key := range ws.leaving {
		delete(ws.leaving, key)
		delete(ws.subscribed, key)
		ws.unwatch(key)
	}
}

// takeLeft returns records whose last waiter has left and that have no waiter now, with
// their last registrations. It forgets them.
func (ws *waits) takeLeft() (keys []string, registrations []uint32) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, registration := range ws.leaving {
		delete(ws.leaving, key)
		keys, registrations = append(keys, key), append(registrations, registration)
		if len(keys) == batch {
			break
		}
	}
	return keys, registrations
}

// note marks records as changed, except those without a waiter.
func (ws *waits) note(keys ...string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, key := range keys {
		if ws.records[key] != nil {
			ws.changed[key] = struct{}{}
		}
	}
	ws.signal()
}

// noteAll marks all records that have waiters.
func (ws *waits) noteAll() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key := range ws.records {
		ws.changed[key] = struct{}{}
	}
	ws.signal()
}

// signal wakes the receiver of news if there are changed records.
func (ws *waits) signal() {
	if len(ws.changed) > 0 {
		token(ws.news)
	}
}

// token puts a token in the channel unless it holds one. One is enough: the receiver
// takes all that there is.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take removes the marks of some records that have waiters. It returns these records and
// the number of a registration for them. The known version of a record is 0, which no
// record has, if its waiters have different ones. take begins a round, to which the
// following calls of deliver belong.
func (ws *waits) take() ([]known, uint32) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.round++
	ws.registrations++
	var records []known
	for key := range ws.changed {
		delete(ws.changed, key)
		record := ws.records[key]
		if record == nil {
			continue
		}
		// Those that join have a version that a waiter had before the read.
		record.version, record.began, record.registration = record.common(), ws.round-1, ws.registrations
		if records = append(records, known{key, record.version}); len(records) == batch {
			break
		}
	}
	return records, ws.registrations
}

// common returns the version that all waiters have, or 0.
func (r *watched) common() int64 {
	version, first := int64(0), true
	for w := range r.waiters {
		if !first && w.version != version {
			return 0
		}
		version, first = w.version, false
	}
	return version
}

// deliver sends a record that was read in this round to its waiters, except those that
// have this version already.
func (ws *waits) deliver(key string, r record) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.send(key, r, func(w *waiter) bool {
		// A waiter that has begun to read in this round may have a newer version.
		return w.began != ws.round && (r.err != nil || r.version != w.version)
	})
}

// deliverNewer sends a record from a message to the waiters that have an older version.
// A message may be older than what its receiver has read.
func (ws *waits) deliverNewer(key string, r record) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.send(key, r, func(w *waiter) bool { return r.version > w.version })
}

// send sends a record to those of its waiters that want it. The caller holds the lock.
func (ws *waits) send(key string, r record, wants func(*waiter) bool) {
	watched := ws.records[key]
	if watched == nil {
		return
	}
	for w := range watched.waiters {
		if wants(w) {
			own := r
			own.value = bytes.Clone(r.value)
			w.result <- own
			ws.remove(w)
		}
	}
}

// fail ends all waiting with an error. New waiters may enter afterwards.
func (ws *waits) fail(err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	failed := record{err: err}
	for key, record := range ws.records {
		for w := range record.waiters {
			w.result <- failed
		}
		ws.forget(key)
	}
	clear(ws.changed)
}

// close ends all waiting for good.
func (ws *waits) close() {
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	ws.fail(errClosed)
}
