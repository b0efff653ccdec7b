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

// The kinds of keys of a login. After the kind, the key of a login has its ID, and the key
// of an index entry has the place of the login to which it leads.
const (
	LoginKind = "login:"
	IndexKind = "open:"
)

// placeLength is how many characters of a login's ID are its place.
const placeLength = 2

// NewPlace returns the place for keys that belong together: two characters of A-Z2-7, made
// of a hash.
func NewPlace(hash []byte) string { return base32.StdEncoding.EncodeToString(hash[:2])[:placeLength] }

// Place returns the part of a key that decides which of several servers keeps the record. A
// login and the entry that leads to it have the same place, so that a server that is down
// stops no login that another one keeps.
func Place(key string) string {
	gate, kind, _ := strings.Cut(key, ":")
	for _, prefix := range []string{LoginKind, IndexKind} {
		if name, ok := strings.CutPrefix(kind, prefix); ok && len(name) >= placeLength {
			return gate + ":" + name[:placeLength]
		}
	}
	return key
}
