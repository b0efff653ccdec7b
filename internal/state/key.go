package state

import (
	"encoding/base32"
	"strings"
)

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

// The kinds of keys of a login. After the kind, a login has its ID, which begins with its
// place, and an index entry has the place of the login to which it leads.
const (
	LoginKind = "login:"
	IndexKind = "open:"
)

// PlaceLength is the length of a place.
const PlaceLength = 2

// NewPlace returns the place of keys that belong together: two characters of A-Z2-7, which
// are the first 10 bits of a hash.
func NewPlace(hash []byte) string { return base32.StdEncoding.EncodeToString(hash[:2])[:PlaceLength] }

// Place returns the part of a key that decides which of several servers keeps its record. A
// browser's logins and the entries that lead to them have the same one. Otherwise a server
// that is down would also stop logins that another server keeps.
func Place(key string) string {
	gate, kind, _ := strings.Cut(key, ":")
	for _, prefix := range []string{LoginKind, IndexKind} {
		if name, ok := strings.CutPrefix(kind, prefix); ok && len(name) >= PlaceLength {
			return gate + ":" + name[:PlaceLength]
		}
	}
	return key
}
