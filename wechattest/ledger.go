package wechattest

import "time"

// How long WeChat's things live.
const (
	codeTTL    = 5 * time.Minute
	accessTTL  = 2 * time.Hour
	refreshTTL = 30 * 24 * time.Hour
)

// ledgerSize bounds a ledger. It is far beyond what is in use at once.
const ledgerSize = 10_000

// ledger keeps what was issued, by its name, and forgets the oldest when full.
// What is expired stays known as such until then. It isn't safe for concurrent
// use.
type ledger[V any] struct {
	ttl     time.Duration
	entries map[string]*issued[V]
	order   []string
}

// issued is one thing that was issued, and when it ends.
type issued[V any] struct {
	value   V
	expires time.Time
}

// newLedger returns an empty ledger of things that live for ttl.
func newLedger[V any](ttl time.Duration) *ledger[V] {
	return &ledger[V]{ttl: ttl, entries: make(map[string]*issued[V])}
}

// put keeps a value under a name that was never used before, from now on.
func (l *ledger[V]) put(name string, value V, now time.Time) {
	if len(l.order) >= ledgerSize {
		delete(l.entries, l.order[0])
		l.order = l.order[1:]
	}
	l.entries[name] = &issued[V]{value: value, expires: now.Add(l.ttl)}
	l.order = append(l.order, name)
}

// get returns what was issued under a name, if it is remembered, and whether it
// still holds.
func (l *ledger[V]) get(name string, now time.Time) (value V, live, known bool) {
	entry, known := l.entries[name]
	if !known {
		return value, false, false
	}
	return entry.value, now.Before(entry.expires), true
}
