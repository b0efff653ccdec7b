package wechattest

import "time"

// Lifetimes of codes and tokens, as WeChat documents them.
const (
	codeTTL    = 5 * time.Minute
	accessTTL  = 2 * time.Hour
	refreshTTL = 30 * 24 * time.Hour
	sceneTTL   = 30 * 24 * time.Hour // the longest of a temporary QR code
)

// ledgerSize is the maximum number of entries in a ledger. Tests and the example
// application use far fewer at a time.
const ledgerSize = 10_000

// ledger stores issued codes or tokens by name. When it is full, put drops the
// oldest entry. Expired entries stay until then, so that get can distinguish an expired
// name from an unknown one. A ledger is not safe for concurrent use.
type ledger[V any] struct {
	ttl     time.Duration
	entries map[string]*ledgerEntry[V]
	order   []string // names, oldest first
}

// ledgerEntry is a value and its time of expiry.
type ledgerEntry[V any] struct {
	value   V
	expires time.Time
}

// newLedger returns an empty ledger whose entries expire after ttl.
func newLedger[V any](ttl time.Duration) *ledger[V] {
	return &ledger[V]{ttl: ttl, entries: make(map[string]*ledgerEntry[V])}
}

// put stores a value under a new name. The name must not have been used before.
func (l *ledger[V]) put(name string, value V, now time.Time) {
	l.putUntil(name, value, now.Add(l.ttl))
}

// putUntil is put for a value that expires at a time of its own.
func (l *ledger[V]) putUntil(name string, value V, expires time.Time) {
	if len(l.order) >= ledgerSize {
		delete(l.entries, l.order[0])
		l.order = l.order[1:]
	}
	l.entries[name] = &ledgerEntry[V]{value: value, expires: expires}
	l.order = append(l.order, name)
}

// get returns the value stored under a name. known is false if there is none, and
// live is false if it has expired.
func (l *ledger[V]) get(name string, now time.Time) (value V, live, known bool) {
	entry, known := l.entries[name]
	if !known {
		return value, false, false
	}
	return entry.value, now.Before(entry.expires), true
}

// prolong gives a name a new lifetime. It returns false if the name is unknown or has
// expired.
func (l *ledger[V]) prolong(name string, now time.Time) bool {
	entry, known := l.entries[name]
	if !known || !now.Before(entry.expires) {
		return false
	}
	entry.expires = now.Add(l.ttl)
	return true
}
