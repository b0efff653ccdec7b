// Package state holds what the gate keeps for minutes to a day, besides users and sessions:
// the contract of the store, keys with a prefix, quotas, and the ring that announces ended
// sessions. It also declares the errors of user stores, because internal/redisstore returns
// them and cannot import the root.
package state

import (
	"context"
	"errors"
	"time"
)

// Errors that a store of logins or of users returns, alone or wrapped. The root
// package exports them under the same names, hence their prefix.
var (
	// ErrNotFound reports that there is no such record or user.
	ErrNotFound = errors.New("scangate: not found")
	// ErrExists reports that a record of that key exists.
	ErrExists = errors.New("scangate: the record exists")
	// ErrConflict reports that a record has changed since the version given.
	ErrConflict = errors.New("scangate: the record has changed")
	// ErrIdentityTaken reports that a WeChat identity belongs to another user, or that
	// the user has another one at the same account.
	ErrIdentityTaken = errors.New("scangate: this WeChat identity is taken")
	// ErrPhoneTaken reports that a phone number belongs to another user.
	ErrPhoneTaken = errors.New("scangate: this phone number is taken")
)

// MaxTries bounds how often a lost compare-and-set is tried again.
const MaxTries = 100

// Store is the contract of the root package's StateStore, which documents it.
type Store interface {
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Load(ctx context.Context, key string) (value []byte, version int64, err error)
	Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error
	Wait(ctx context.Context, key string, version int64) (value []byte, newer int64, err error)
	Add(ctx context.Context, key string, window time.Duration) (int64, error)
}

// LostRace reports whether another process created, changed or dropped the record
// between the caller's read and its write.
func LostRace(err error) bool {
	return errors.Is(err, ErrExists) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
}
