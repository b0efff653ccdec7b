package state

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/scangate/scangate/internal/codec"
)

// ReserveNamed takes one use from the quota for the name, unless the name has one already.
// So a caller may repeat the call after a failure of the store. It returns a [QuotaError] if
// the quota is used up by other names. Do not use [Reserve] for the same quota: its record
// has another form.
func ReserveNamed(ctx context.Context, store Store, q Quota, name string) error {
	return changeNames(ctx, store, q, func(n *names) error {
		switch {
		case slices.Contains(n.list, name):
			return nil
		case len(n.list) >= q.Max:
			return &QuotaError{After: time.Until(n.until)}
		}
		n.list = append(n.list, name)
		return nil
	})
}

// RefundNamed gives the use of that name back to the quota, if it has one.
func RefundNamed(ctx context.Context, store Store, q Quota, name string) error {
	return changeNames(ctx, store, q, func(n *names) error {
		n.list = slices.DeleteFunc(n.list, func(has string) bool { return has == name })
		return nil
	})
}

// changeNames changes the names that have a use of the quota.
func changeNames(ctx context.Context, store Store, q Quota, change func(*names) error) error {
	return changeRecord(ctx, store, q.Key, func(stored []byte) ([]byte, time.Duration, error) {
		n, ok := decodeNames(stored)
		if !ok {
			n = names{until: time.Now().Add(q.Window)}
		}
		before := len(n.list)
		if err := change(&n); err != nil || len(n.list) == before {
			return nil, 0, err
		}
		left := time.Until(n.until)
		if left <= 0 {
			return nil, 0, nil // the window ended meanwhile
		}
		if len(n.list) == 0 {
			left = time.Nanosecond // a Store cannot delete a record; it can let one expire
		}
		return n.encode(), left, nil
	})
}

// names are the names that have a use of a quota, in the window that ends at until.
type names struct {
	list  []string
	until time.Time
}

// namesFormat is the version of their stored form, and its first byte. It differs from
// counterFormat.
const namesFormat = 'n'

func (n names) encode() []byte {
	b := binary.AppendVarint([]byte{namesFormat}, n.until.UnixNano())
	for _, name := range n.list {
		b = codec.AppendText(b, name)
	}
	return b
}

// decodeNames reverses encode. It reports false for anything encode does not write.
func decodeNames(b []byte) (names, bool) {
	if len(b) == 0 || b[0] != namesFormat {
		return names{}, false
	}
	d := codec.NewDecoder(b[1:])
	n := names{until: time.Unix(0, d.Varint())}
	for len(d.Rest) > 0 && !d.Failed {
		n.list = append(n.list, d.Text())
	}
	return n, !d.Failed
}
