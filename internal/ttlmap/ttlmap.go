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
	made    time.Time
	entries map[string]*Entry[V]
	queues  [2]queue[V]     // the same entries, ordered by their expiry and by their rank
	removed func(*Entry[V]) // may be nil
}

// Entry is a value in a [Map]. Its owner may change Value in place.
type Entry[V any] struct {
	Key   string
	Value V

	times [2]time.Duration // expiry and rank, since the map was made: smaller than a time.Time
	index [2]int32         // in the queues
}

// The orders of entries.
const (
	byExpiry = iota
	byRank
)

// New returns an empty map of at most limit entries. It calls removed, unless that is
// nil, with each entry that it removes for any reason.
func New[V any](limit int, removed func(*Entry[V])) *Map[V] {
	m := &Map[V]{limit: limit, made: time.Now(), entries: make(map[string]*Entry[V]), removed: removed}
	m.queues[byRank].order = byRank
	return m
}

// Get returns the entry of that key unless it has expired.
func (m *Map[V]) Get(key string) (*Entry[V], bool) {
	return m.unexpired(m.entries[key])
}

// GetBytes is Get for a key that is not a string yet. It does not allocate.
func (m *Map[V]) GetBytes(key []byte) (*Entry[V], bool) {
	return m.unexpired(m.entries[string(key)])
}

// unexpired returns e unless it is nil or has expired.
func (m *Map[V]) unexpired(e *Entry[V]) (*Entry[V], bool) {
	if e == nil || e.times[byExpiry] <= time.Since(m.made) {
		return nil, false
	}
	return e, true
}

// Put adds or replaces an entry, whose rank is the time of its expiry. It returns
// [ErrFull] if a new entry has no room.
func (m *Map[V]) Put(key string, value V, expires time.Time) error {
	return m.PutRanked(key, value, expires, expires)
}

// PutRanked is Put with another rank. [Map.Evict] removes the entry with the earliest
// rank.
func (m *Map[V]) PutRanked(key string, value V, expires, rank time.Time) error {
	m.sweep()
	e, ok := m.entries[key]
	if !ok && len(m.entries) >= m.limit {
		return ErrFull
	}
	if !ok {
		e = &Entry[V]{Key: key}
		m.entries[key] = e
	}
	e.Value = value
	e.times = [2]time.Duration{byExpiry: expires.Sub(m.made), byRank: rank.Sub(m.made)}
	for i := range m.queues {
		if q := &m.queues[i]; ok {
			heap.Fix(q, int(e.index[i]))
		} else {
			heap.Push(q, e)
		}
	}
	return nil
}

// Remove removes an entry if it exists.
func (m *Map[V]) Remove(key string) {
	if e, ok := m.entries[key]; ok {
		m.remove(e)
	}
}

// Len returns how many entries are stored. It counts expired ones until the next Put.
func (m *Map[V]) Len() int { return len(m.entries) }

// Full reports whether the map has no room for another entry.
func (m *Map[V]) Full() bool {
	m.sweep()
	return len(m.entries) >= m.limit
}

// Evict removes the entry with the earliest rank. The map must not be empty.
func (m *Map[V]) Evict() { m.remove(m.queues[byRank].entries[0]) }

// Keys returns the keys of all entries, expired ones that are still stored included.
func (m *Map[V]) Keys() iter.Seq[string] { return maps.Keys(m.entries) }

// sweep removes the entries that have expired.
func (m *Map[V]) sweep() {
	now := time.Since(m.made)
	for q := &m.queues[byExpiry]; len(q.entries) > 0 && q.entries[0].times[byExpiry] <= now; {
		m.remove(q.entries[0])
	}
}

func (m *Map[V]) remove(e *Entry[V]) {
	delete(m.entries, e.Key)
	for i := range m.queues {
		heap.Remove(&m.queues[i], int(e.index[i]))
	}
	if m.removed != nil {
		m.removed(e)
	}
}

// queue is a heap.Interface of entries. The first one has the earliest time.
type queue[V any] struct {
	entries []*Entry[V]
	order   int // byExpiry or byRank
}

func (q *queue[V]) Len() int { return len(q.entries) }
func (q *queue[V]) Less(i, j int) bool {
	return q.entries[i].times[q.order] < q.entries[j].times[q.order]
}

func (q *queue[V]) Swap(i, j int) {
	q.entries[i], q.entries[j] = q.entries[j], q.entries[i]
	q.entries[i].index[q.order], q.entries[j].index[q.order] = int32(i), int32(j)
}

func (q *queue[V]) Push(x any) {
	e := x.(*Entry[V])
	e.index[q.order] = int32(len(q.entries))
	q.entries = append(q.entries, e)
}

func (q *queue[V]) Pop() any {
	last := len(q.entries) - 1
	e := q.entries[last]
	q.entries[last] = nil // or the array would keep the entry alive
	q.entries = q.entries[:last]
	return e
}
