package session

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

// Late is a context that holds a session, which scs decodes when a handler asks for it.
// [Manager.Open] and [Manager.Hold] fill it in. The session is the one that the store had
// at that time.
type Late struct {
	context.Context
	manager *Manager
	token   string
	record  []byte // as the store returned it to Open
	opened  bool   // by Open
	saved   bool   // by a Writer

	ended   atomic.Bool // the store did not have the session any more, see NoteEnded
	decoded atomic.Bool // data is there, and does not change any more
	mu      sync.Mutex
	data    any // scs's own
}

// Open reads the session of the token into l, whose parent is ctx, which must not hold
// another one. It returns the string that the session has at key. If the store has no such
// session, Open returns false, and l holds none.
//
// It checks the whole record first, so decoding it later does not fail. A record that only
// decoding can check is decoded at once. A damaged one is an error that matches
// [scscodec.ErrDamaged]. m must be [Manager.Lazy].
func (m *Manager) Open(ctx context.Context, l *Late, token, key string) (text string, found bool, err error) {
	record, found, err := m.find(ctx, token)
	if err != nil || !found {
		return "", false, err
	}
	l.Context, l.manager, l.token, l.record, l.opened = ctx, m, token, record, true
	if value, ok := (scscodec.Codec{}).Peek(record, key); ok {
		return string(value), true, nil
	}
	if l.data, err = m.decode(ctx, token, record); err != nil {
		return "", false, err
	}
	l.decoded.Store(true)
	return m.GetString(l, key), true, nil //nolint:contextcheck // l is a context, and its parent is ctx
}

// Hold makes l hold the session that is in ctx, which is its parent.
func (m *Manager) Hold(l *Late, ctx context.Context) { //nolint:revive // l receives the context
	l.Context, l.manager, l.token, l.data = ctx, m, m.Token(ctx), ctx.Value(m.key)
	l.decoded.Store(true)
}

// Within reports whether l holds the session that another handler has loaded into ctx.
func (l *Late) Within(ctx context.Context) bool { return !l.opened && l.Context == ctx }

// Value implements [context.Context].
func (l *Late) Value(key any) any {
	if key == (lateKey{}) && l.saved {
		return l
	}
	if key != l.manager.key {
		return l.Context.Value(key)
	}
	if l.asked() {
		return l.data
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asked() {
		data, err := l.manager.decode(l.Context, l.token, l.record)
		if err != nil {
			// Not reached, because Open has checked the record. Without the session's
			// data scs would panic.
			data = l.manager.decodeBlank(l.Context, l.token)
		}
		l.data = data
		l.decoded.Store(true)
	}
	return l.data
}

// asked reports whether a handler has asked for the session. It has not changed otherwise.
func (l *Late) asked() bool { return l.decoded.Load() }

// decode returns what scs keeps in a context for the session of the token.
func (m *Manager) decode(ctx context.Context, token string, record []byte) (any, error) {
	return load(ctx, m.read, token, record, m.key)
}

// decodeBlank is decode for a session without values.
func (m *Manager) decodeBlank(ctx context.Context, token string) any {
	blank := *m.read
	blank.Codec = blankCodec{m.Codec}
	data, err := load(ctx, &blank, token, nil, m.key)
	if err != nil {
		return nil // blankCodec returns no error, and readStore neither
	}
	return data
}

// load has scs load a record that was read before, by a manager with a readStore.
func load(ctx context.Context, manager *scs.SessionManager, token string, record []byte, key any) (any, error) {
	loaded, err := manager.Load(&reading{withoutValues{ctx}, record}, token)
	if err != nil {
		return nil, err
	}
	return loaded.Value(key), nil
}

// reading is a context that brings a record to readStore, through scs.
type reading struct {
	withoutValues
	record []byte
}

// readStore is a store that returns the record of the context and ignores the token. scs
// then loads a session without a second look-up.
type readStore struct{ scs.Store }

// FindCtx is called by scs, as that of an [scs.CtxStore].
func (s readStore) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	if r, ok := ctx.(*reading); ok {
		return r.record, true, nil
	}
	return s.Find(token)
}
