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
	// watch is called for a record that gets its first waiter, unwatch when it has none
	// any more. Both are nil unless each record has a channel of its own.
	watch, unwatch func(key string)
	news           chan struct{} // holds a token when take may return keys

	mu      sync.Mutex
	round   int64 // counts the calls of take
	started bool
	closed  bool
	waiters map[string]map[*waiter]struct{} // by the record's Redis key
	changed map[string]struct{}             // keys of records to read
}

// waiter waits until a record has another version.
type waiter struct {
	key     string
	version int64
	entered int64       // the round at that time
	result  chan record // has room for the only result
}

// init prepares the zero value. The first waiter calls start.
func (ws *waits) init(start func()) {
	ws.start = start
	ws.news = make(chan struct{}, 1)
	ws.waiters = make(map[string]map[*waiter]struct{})
	ws.changed = make(map[string]struct{})
}

// enter adds a waiter. After close, the waiter gets an error at once.
func (ws *waits) enter(key string, version int64) *waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := &waiter{key: key, version: version, entered: ws.round, result: make(chan record, 1)}
	if ws.closed {
		w.result <- record{err: errClosed}
		return w
	}
	if !ws.started {
		ws.started = true
		ws.start()
	}
	if ws.waiters[key] == nil {
		ws.waiters[key] = make(map[*waiter]struct{}, 1)
		if ws.watch != nil {
			ws.watch(key)
		}
	}
	ws.waiters[key][w] = struct{}{}
	return w
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
	ws.remove(w)
}

// remove is leave for callers that hold the lock.
func (ws *waits) remove(w *waiter) {
	waiters, ok := ws.waiters[w.key]
	delete(waiters, w)
	if ok && len(waiters) == 0 {
		ws.forget(w.key)
	}
}

// forget removes a record with its waiters. The caller holds the lock.
func (ws *waits) forget(key string) {
	delete(ws.waiters, key)
	if ws.unwatch != nil {
		ws.unwatch(key)
	}
}

// note marks records as changed, except those without a waiter. Most messages concern
// other processes, because each process gets all of them.
func (ws *waits) note(keys ...string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, key := range keys {
		if ws.waiters[key] != nil {
			ws.changed[key] = struct{}{}
		}
	}
	ws.signal()
}

// noteAll marks all records that have waiters.
func (ws *waits) noteAll() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key := range ws.waiters {
		ws.changed[key] = struct{}{}
	}
	ws.signal()
}

// signal wakes the receiver of news if there are changed records.
func (ws *waits) signal() {
	if len(ws.changed) == 0 {
		return
	}
	select {
	case ws.news <- struct{}{}:
	default: // one token is enough: the receiver calls take until it is empty
	}
}

// take removes the marks of some records that have waiters, and returns their keys. It
// begins a round, to which the following calls of deliver belong.
func (ws *waits) take() []string {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.round++
	var keys []string
	for key := range ws.changed {
		delete(ws.changed, key)
		if ws.waiters[key] == nil {
			continue
		}
		if keys = append(keys, key); len(keys) == batch {
			break
		}
	}
	return keys
}

// deliver sends a record that was read in this round to its waiters, except those that
// have this version already.
func (ws *waits) deliver(key string, r record) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.waiters[key] {
		// A waiter that entered in this round may have a newer version: it reads the
		// record itself after entering.
		if w.entered == ws.round || r.err == nil && r.version == w.version {
			continue
		}
		own := r
		own.value = bytes.Clone(r.value)
		w.result <- own
		ws.remove(w)
	}
}

// fail ends all waiting with an error. New waiters may enter afterwards.
func (ws *waits) fail(err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for key, waiters := range ws.waiters {
		for w := range waiters {
			w.result <- record{err: err}
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
