package session

import (
	"context"

	"github.com/alexedwards/scs/v2"
)

// LoadApart is Load for a session besides the one that ctx holds. The returned context
// has the deadline and the other values of ctx. An empty token loads a new session.
func (m *Manager) LoadApart(ctx context.Context, token string) (context.Context, error) {
	loaded, err := m.Load(withoutValues{ctx}, token)
	if err != nil {
		return nil, err
	}
	return withSession{Context: ctx, loaded: loaded}, nil
}

// Replace gives the session in to the values of the session in from, and no others.
func (m *Manager) Replace(to, from context.Context) error {
	if err := m.Clear(to); err != nil {
		return err
	}
	m.CopyValues(to, from)
	return nil
}

// CopyValues adds the values of the session in from to the session in to.
func (m *Manager) CopyValues(to, from context.Context) {
	for _, key := range m.Keys(from) {
		m.Put(to, key, m.Get(from, key))
	}
}

// withoutValues is a context without values. Load finds no session in it, and the key
// under which scs keeps one is not exported.
type withoutValues struct{ context.Context }

// Value implements [context.Context].
func (withoutValues) Value(any) any { return nil }

// withSession is a context whose session is that of another context.
type withSession struct {
	context.Context
	loaded context.Context
}

// Value implements [context.Context].
func (c withSession) Value(key any) any {
	if v := c.loaded.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// Hide returns ctx without its session, and with all its other values.
func (m *Manager) Hide(ctx context.Context) context.Context { return hidden{ctx, m.key} }

// contextKey returns the key under which m keeps a session in a context. scs does not
// export it.
func contextKey(m *scs.SessionManager) any {
	probe := &keyProbe{Context: context.Background()}
	if _, err := m.Load(probe, ""); err != nil {
		return nil // not reached: an empty token needs no store
	}
	return probe.key
}

// keyProbe is a context without values that notes the first key that it is asked for.
type keyProbe struct {
	context.Context
	key any
}

// Value implements [context.Context].
func (p *keyProbe) Value(key any) any {
	if p.key == nil {
		p.key = key
	}
	return nil
}

// hidden is a context without the value of one key.
type hidden struct {
	context.Context
	key any
}

// Value implements [context.Context].
func (h hidden) Value(key any) any {
	if key == h.key {
		return nil
	}
	return h.Context.Value(key)
}
