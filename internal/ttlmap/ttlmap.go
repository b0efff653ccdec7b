// Package ttlmap provides a bounded map whose entries expire.
package ttlmap

import (
	"container/heap"
	"errors"
	"iter"
	"maps"
	"time"
)

// ErrFull reports that a map has reached its bound. The root package exports it.
var ErrFull = errors.New("scangate: the store is full")

// Map is a bounded map whose entries expire. It needs no goroutine: Put removes
// the entries that have expired by then. It is not safe for concurrent use, except
// that Get may run beside Get.
type Map[V any] struct {
	limit   int
	entries map[string]*Entry[V]
	queue   expiryQueue[V] // the same entries; the first expires first
	expired func(V)        // called for each entry that expires; may be nil
}

// Entry is a value in a [Map]. Its owner may change Value in place.
type Entry[V any] struct {
	Value   V
	key     string
	expires time.Time
	index   int // in the queue
}

// New returns an empty map of at most limit entries. It calls expired, unless that
// is nil, with the value of each entry that it removes because its time is over.
func New[V any](limit int, expired func(V)) *Map[V] {
	return &Map[V]{limit: limit, entries: make(map[string]*Entry[V]), expired: expired}
}

// Get returns the entry of that key unless it has expired.
func (m *Map[V]) Get(key string) (*Entry[V], bool) {
	e, ok := m.entries[key]
	if !ok || !time.Now().Before(e.expires) {
		return nil, false
	}
	return e, true
}

// Put adds or replaces an entry. It returns [ErrFull] if a new entry has no room.
func (m *Map[V]) Put(key string, value V, expires time.Time) error {
	m.sweep()
	if e, ok := m.entries[key]; ok {
		e.Value, e.expires = value, expires
		heap.Fix(&m.queue, e.index)
		return nil
	}
	if len(m.entries) >= m.limit {
		return ErrFull
	}
	e := &Entry[V]{key: key, Value: value, expires: expires}
	m.entries[key] = e
	heap.Push(&m.queue, e)
	return nil
}

// Remove removes an entry if it exists. It does not call expired.
func (m *Map[V]) Remove(key string) {
	if e, ok := m.entries[key]; ok {
		delete(m.entries, key)
		heap.Remove(&m.queue, e.index)
	}
}

// Full reports whether the map has no room for another entry.
func (m *Map[V]) Full() bool {
	m.sweep()
	return len(m.entries) >= m.limit
}

// Evict removes the entry that would expire first. The map must not be empty.
func (m *Map[V]) Evict() { m.Remove(m.queue[0].key) }

// Keys returns the keys of all entries, expired ones that are still stored included.
func (m *Map[V]) Keys() iter.Seq[string] { return maps.Keys(m.entries) }

func (m *Map[V]) sweep() {
	now := time.Now()
	for len(m.queue) > 0 && !now.Before(m.queue[0].expires) {
		e := heap.Pop(&m.queue).(*Entry[V]) // not Remove, which could leave the loop where it is
		delete(m.entries, e.key)
		if m.expired != nil {
			m.expired(e.Value)
		}
	}
}

// expiryQueue is a heap.Interface ordered by the time of expiry.
type expiryQueue[V any] []*Entry[V]

func (q expiryQueue[V]) Len() int           { return len(q) }
func (q expiryQueue[V]) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }
func (q expiryQueue[V]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *expiryQueue[V]) Push(x any) {
	e := x.(*Entry[V])
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *expiryQueue[V]) Pop() any {
	old := *q
	last := len(old) - 1
	e := old[last]
	old[last] = nil // or the array would keep the entry alive
	*q = old[:last]
	return e
}
