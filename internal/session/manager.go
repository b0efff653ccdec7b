// Package session holds the gate's parts of session management with scs: managers,
// stores of sessions, and the response writer that saves a session before the answer
// begins.
package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

// lifetime is how long a session of [NewManager] lasts.
const lifetime = 7 * 24 * time.Hour

// NewManager returns a manager whose sessions last 7 days and are kept in the store. A nil
// store means memory. If secure is set, the cookie is for https only and its name has the
// prefix __Host-, with which no other host can set it.
func NewManager(secure bool, store scs.Store) *scs.SessionManager {
	// Not scs.New: it starts a goroutine that cannot be stopped cleanly.
	m := &scs.SessionManager{
		Lifetime:         lifetime,
		Store:            store,
		Codec:            scscodec.Codec{},
		HashTokenInStore: true,
	}
	if store == nil {
		m.Store, m.HashTokenInStore = NewMemoryStore(), false // MemoryStore hashes the tokens itself
	}
	m.Cookie.Name = "session"
	if secure {
		m.Cookie.Name = "__Host-session"
	}
	m.Cookie.Path = "/"
	m.Cookie.HttpOnly = true
	m.Cookie.Secure = secure
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Persist = true
	return m
}

// Manager is a copy of a session manager. If its codec cannot decode a session, Load
// returns an error that matches [scscodec.ErrDamaged]. The copy shares the original's
// store and its key in contexts, so each finds the session that the other has loaded.
type Manager struct {
	*scs.SessionManager
	blank *scs.SessionManager // a second copy, for LoadBlank
	read  *scs.SessionManager // a third one, for records that were read before
	key   any                 // under which all of them keep a session in a context
	lazy  bool

	conditional bool // the store obeys OnlyExisting
}

// Copy returns a copy of m as it is now. It does not change m.
func Copy(m *scs.SessionManager) *Manager {
	marking, blank, read := *m, *m, *m
	marking.Codec = markingCodec{m.Codec}
	blank.Codec = blankCodec{m.Codec}
	read.Codec, read.Store, read.HashTokenInStore = marking.Codec, readStore{m.Store}, false
	_, compact := m.Codec.(scscodec.Codec)
	return &Manager{
		SessionManager: &marking, blank: &blank, read: &read, key: contextKey(&marking),
		// With an IdleTimeout, scs saves each session that it has loaded.
		lazy:        compact && m.IdleTimeout <= 0,
		conditional: isConditional(m.Store),
	}
}

// Lazy reports whether [Manager.Open] may be called: whether sessions can be checked
// without decoding, and need no saving unless a handler changes them.
func (m *Manager) Lazy() bool { return m.lazy }

// Holds reports whether a session has been loaded into ctx.
func (m *Manager) Holds(ctx context.Context) bool { return ctx.Value(m.key) != nil }

// LoadBlank is Load without decoding: the session has the token of the stored record, but
// no values. It is for damaged sessions. As with any other session, Destroy and RenewToken
// delete the stored record.
func (m *Manager) LoadBlank(ctx context.Context, token string) (context.Context, error) {
	return m.blank.Load(ctx, token)
}

// CommitAs saves the session in ctx under a token that the caller has chosen, which scs's
// Commit cannot. It returns when the session expires. The session in ctx keeps its own
// token and must not be saved again.
func (m *Manager) CommitAs(ctx context.Context, token string) (time.Time, error) {
	deadline, values := m.Deadline(ctx), make(map[string]any)
	for _, key := range m.Keys(ctx) {
		values[key] = m.Get(ctx, key)
	}
	b, err := m.Codec.Encode(deadline, values)
	if err != nil {
		return time.Time{}, err
	}
	expiry := deadline
	if idle := time.Now().Add(m.IdleTimeout).UTC(); m.IdleTimeout > 0 && idle.Before(expiry) {
		expiry = idle
	}
	token = m.storedToken(token)
	if store, ok := m.Store.(scs.CtxStore); ok {
		return expiry, store.CommitCtx(ctx, token, b, expiry)
	}
	return expiry, m.Store.Commit(token, b, expiry)
}

// Has reports whether the store has a record of the token. It does not decode it.
func (m *Manager) Has(ctx context.Context, token string) (bool, error) {
	_, found, err := m.find(ctx, token)
	return found, err
}

// find returns the store's record of the token.
func (m *Manager) find(ctx context.Context, token string) (record []byte, found bool, err error) {
	token = m.storedToken(token)
	if store, ok := m.Store.(scs.CtxStore); ok {
		return store.FindCtx(ctx, token)
	}
	return m.Store.Find(token)
}

// storedToken returns the token as the store has it. It hashes as scs does.
func (m *Manager) storedToken(token string) string {
	if !m.HashTokenInStore {
		return token
	}
	sum := hashToken(token)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// WriteCookie sets the session's cookie, or removes it if expiry is the zero time. Unlike
// scs's WriteSessionCookie, it leaves Cache-Control as the caller has set it.
func (m *Manager) WriteCookie(ctx context.Context, w http.ResponseWriter, token string, expiry time.Time) {
	caching := w.Header().Values("Cache-Control")
	m.WriteSessionCookie(ctx, w, token, expiry)
	w.Header()["Cache-Control"] = caching
}

// markingCodec is a codec whose decoding errors match scscodec.ErrDamaged.
type markingCodec struct{ scs.Codec }

// Decode implements [scs.Codec].
func (c markingCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	deadline, values, err := c.Codec.Decode(b)
	if err != nil && !errors.Is(err, scscodec.ErrDamaged) {
		err = fmt.Errorf("%w: %w", scscodec.ErrDamaged, err)
	}
	return deadline, values, err
}

// blankCodec decodes every record as a session without values whose deadline is long
// past. RenewToken sets a new deadline.
type blankCodec struct{ scs.Codec }

// Decode implements [scs.Codec].
func (blankCodec) Decode([]byte) (time.Time, map[string]any, error) {
	return time.Time{}, make(map[string]any), nil
}
