package scangate

import (
	"container/heap"
	"time"
)

// expiring is a bounded map whose entries go when their time is over. It needs
// no goroutine: whoever adds an entry clears away what has expired by then.
// It is not safe for concurrent use.
type expiring[V any] struct {
	limit   int
	entries map[string]*expiringEntry[V]
	queue   expiryQueue[V] // the same entries, the next to expire first
	gone    func(V)        // is told of each entry that expires; may be nil
}

type expiringEntry[V any] struct {
	key     string
	value   V
	expires time.Time
	index   int // in the queue
}

func newExpiring[V any](limit int, gone func(V)) *expiring[V] {
	return &expiring[V]{limit: limit, entries: make(map[string]*expiringEntry[V]), gone: gone}
}

// get returns the entry of that key unless its time is over.
func (m *expiring[V]) get(key string) (*expiringEntry[V], bool) {
	e, ok := m.entries[key]
	if !ok || !time.Now().Before(e.expires) {
		return nil, false
	}
	return e, true
}

// put adds or replaces an entry. It returns ErrFull if that would be one too
// many.
func (m *expiring[V]) put(key string, value V, expires time.Time) error {
	m.sweep()
	if e, ok := m.entries[key]; ok {
		e.value, e.expires = value, expires
		heap.Fix(&m.queue, e.index)
		return nil
	}
	if len(m.entries) >= m.limit {
		return ErrFull
	}
	e := &expiringEntry[V]{key: key, value: value, expires: expires}
	m.entries[key] = e
	heap.Push(&m.queue, e)
	return nil
}

// remove removes an entry, if it is there. That is no expiry: gone is not told.
func (m *expiring[V]) remove(key string) {
	if e, ok := m.entries[key]; ok {
		delete(m.entries, key)
		heap.Remove(&m.queue, e.index)
	}
}

// full reports whether there is room for no other entry.
func (m *expiring[V]) full() bool {
	m.sweep()
	return len(m.entries) >= m.limit
}

// evict removes the entry that would expire next.
func (m *expiring[V]) evict() { m.remove(m.queue[0].key) }

// sweep removes what has expired.
func (m *expiring[V]) sweep() {
	now := time.Now()
	for len(m.queue) > 0 && !now.Before(m.queue[0].expires) {
		e := m.queue[0]
		m.remove(e.key)
		if m.gone != nil {
			m.gone(e.value)
		}
	}
}

// expiryQueue is a heap.Interface.
type expiryQueue[V any] []*expiringEntry[V]

func (q expiryQueue[V]) Len() int           { return len(q) }
func (q expiryQueue[V]) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }
func (q expiryQueue[V]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *expiryQueue[V]) Push(x any) {
	e := x.(*expiringEntry[V])
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *expiryQueue[V]) Pop() any {
	old := *q
	last := len(old) - 1
	e := old[last]
	old[last] = nil
	*q = old[:last]
	return e
}
