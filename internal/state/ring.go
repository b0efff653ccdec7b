package state

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/codec"
)

// The bounds of a ring.
const (
	ringLength = 64
	ringTTL    = 24 * time.Hour // since the last entry; a ring that is gone counts as lost
)

// Ring is one record in a store that holds the last 64 entries, in their order. The
// processes that share the store announce changes to each other with it. Its methods may
// be called by many goroutines.
type Ring struct {
	store Store
	key   string
	mu    sync.Mutex // for Add: the goroutines of one process need not compete in the store
}

// NewRing returns the ring of that key.
func NewRing(store Store, key string) *Ring { return &Ring{store: store, key: key} }

// Entries is the content of a ring at one time, the oldest entry first. A ring that does
// not exist has none.
type Entries []entry

// entry is a text with a random tag. The tag recognizes the entry even if a failover of
// the store has lost entries and others have taken their places.
type entry struct{ tag, text string }

// Add appends an entry. The outcome of a failed Add is unknown.
func (r *Ring) Add(ctx context.Context, text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range MaxTries {
		e, version, err := r.load(ctx)
		if err != nil {
			return err
		}
		e = append(e, entry{rand.Text(), text})
		e = e[max(len(e)-ringLength, 0):]
		if version == 0 {
			err = r.store.Create(ctx, r.key, e.encode(), ringTTL)
		} else {
			err = r.store.Update(ctx, r.key, version, e.encode(), ringTTL)
		}
		if !LostRace(err) {
			return err
		}
	}
	return ErrConflict
}

// Load returns the entries.
func (r *Ring) Load(ctx context.Context) (Entries, error) {
	e, _, err := r.load(ctx)
	return e, err
}

// load also returns the record's version, 0 if there is none.
func (r *Ring) load(ctx context.Context) (Entries, int64, error) {
	value, version, err := r.store.Load(ctx, r.key)
	if errors.Is(err, ErrNotFound) {
		return nil, 0, nil
	}
	return decodeEntries(value), version, err
}

// Last returns the tag of the last entry, which is the place up to which e was read.
func (e Entries) Last() string {
	if len(e) == 0 {
		return ""
	}
	return e[len(e)-1].tag
}

// Since returns the texts of the entries after the one with that tag. It reports false
// if that one is gone: more than 64 were added since, or the record was lost.
func (e Entries) Since(last string) ([]string, bool) {
	if last == e.Last() {
		return nil, true
	}
	at := slices.IndexFunc(e, func(added entry) bool { return added.tag == last })
	if at < 0 {
		return nil, false
	}
	var texts []string
	for _, added := range e[at+1:] {
		texts = append(texts, added.text)
	}
	return texts, true
}

// entriesFormat is the version of a ring's stored form, and its first byte.
const entriesFormat = 1

func (e Entries) encode() []byte {
	b := []byte{entriesFormat}
	for _, added := range e {
		b = codec.AppendText(codec.AppendText(b, added.tag), added.text)
	}
	return b
}

// decodeEntries reverses encode. A damaged record, or one of another version, has no
// entries and so counts as lost.
func decodeEntries(b []byte) Entries {
	if len(b) == 0 || b[0] != entriesFormat {
		return nil
	}
	d := codec.NewDecoder(b[1:])
	var e Entries
	for len(d.Rest) > 0 && !d.Failed {
		e = append(e, entry{d.Text(), d.Text()})
	}
	if d.Failed {
		return nil
	}
	return e
}
