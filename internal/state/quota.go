package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Quota allows Max uses in a window of time, which begins with the first use.
// Uses can be refunded, which [Store.Add]'s counters do not offer.
type Quota struct {
	Key    string // of the counter in the store
	Max    int
	Window time.Duration
}

// QuotaError reports that a quota is used up, and after how long it is not.
type QuotaError struct{ After time.Duration }

func (e *QuotaError) Error() string {
	return fmt.Sprintf("the quota is used up for another %v", e.After.Round(time.Second))
}

// Reserve takes one use from every quota. If that fails it takes none, and returns a
// [QuotaError] or the store's error.
func Reserve(ctx context.Context, store Store, quotas ...Quota) error {
	for i, q := range quotas {
		err := reserveOne(ctx, store, q)
		if err == nil {
			continue
		}
		if undo := Refund(ctx, store, quotas[:i]...); undo != nil {
			return fmt.Errorf("%w; %w", err, undo)
		}
		return err
	}
	return nil
}

// Refund gives one use back to every quota. A quota without uses has no record in the store.
// Refund tries all of them, even if one fails.
func Refund(ctx context.Context, store Store, quotas ...Quota) error {
	var failed error
	for _, q := range quotas {
		err := changeCounter(ctx, store, q, func(c *counter) error {
			c.uses = max(c.uses-1, 0)
			return nil
		})
		if failed == nil {
			failed = err
		}
	}
	return failed
}

func reserveOne(ctx context.Context, store Store, q Quota) error {
	return changeCounter(ctx, store, q, func(c *counter) error {
		if c.uses >= int64(q.Max) {
			return &QuotaError{After: time.Until(c.until)}
		}
		c.uses++
		return nil
	})
}

// changeCounter changes a quota's counter.
func changeCounter(ctx context.Context, store Store, q Quota, change func(*counter) error) error {
	return changeRecord(ctx, store, q.Key, func(stored []byte) ([]byte, time.Duration, error) {
		c, ok := decodeCounter(stored)
		if !ok {
			// New, or of another version of this package: the window begins now.
			c = counter{until: time.Now().Add(q.Window)}
		}
		if err := change(&c); err != nil {
			return nil, 0, err
		}
		left := time.Until(c.until)
		switch {
		case left <= 0:
			return nil, 0, nil // the window ended meanwhile, and the counter with it
		case c.uses == 0 && len(stored) == 0:
			return nil, 0, nil
		case c.uses == 0:
			left = time.Nanosecond // a Store cannot delete a record; it can let one expire
		}
		return c.encode(), left, nil
	})
}

// changeRecord changes a record by compare-and-set. change gets the stored value, nil for no
// record, and returns the new one and its time. Nil leaves the record as it is.
func changeRecord(ctx context.Context, store Store, key string, change func([]byte) ([]byte, time.Duration, error)) error {
	for range MaxTries {
		stored, version, err := store.Load(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		value, ttl, err := change(stored)
		if err != nil || value == nil {
			return err
		}
		if version == 0 {
			err = store.Create(ctx, key, value, ttl)
		} else {
			err = store.Update(ctx, key, version, value, ttl)
		}
		if !LostRace(err) {
			return err
		}
	}
	return ErrConflict
}

// counter counts the uses of a quota in the window that ends at until.
type counter struct {
	uses  int64
	until time.Time
}

// counterFormat is the version of a counter's stored form, and its first byte.
const counterFormat = 1

func (c counter) encode() []byte {
	b := binary.AppendVarint([]byte{counterFormat}, c.uses)
	return binary.AppendVarint(b, c.until.UnixNano())
}

// decodeCounter reverses encode. It reports false for anything encode does not write.
func decodeCounter(b []byte) (counter, bool) {
	if len(b) == 0 || b[0] != counterFormat {
		return counter{}, false
	}
	uses, n := binary.Varint(b[1:])
	if n <= 0 || uses < 0 {
		return counter{}, false
	}
	until, m := binary.Varint(b[1+n:])
	if m <= 0 || 1+n+m != len(b) {
		return counter{}, false
	}
	return counter{uses, time.Unix(0, until)}, true
}
