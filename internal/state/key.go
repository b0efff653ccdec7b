package state

import "strings"

// The kinds of keys whose records must last. A gate's keys begin with the gate's name
// and a colon, see [WithPrefix]. A kind follows.
const (
	quotaKind = "codes:"
	lockKind  = "lock:"
)

// QuotaKey returns the key of the quota of that name.
func QuotaKey(name string) string { return quotaKind + name }

// LockKey returns the key of the lock of that name.
func LockKey(name string) string { return lockKind + name }

// MustLast reports whether a record of that key must last for the whole of its time, even
// in a store that drops other records to make room. Such a record is a quota or a lock.
// If an attacker could make the store drop it, they could send more codes, or unlink two
// identities at once.
func MustLast(key string) bool {
	_, kind, _ := strings.Cut(key, ":")
	return strings.HasPrefix(kind, quotaKind) || strings.HasPrefix(kind, lockKind)
}
