package session

import (
	"context"

	"github.com/alexedwards/scs/v2"
)

// lateKey is the key of the innermost [Late] in a context that a [Writer] saves.
type lateKey struct{}

// OnlyExisting reports whether a store must not create the session of the token: the
// request of ctx came with it, so a session that the store does not have any more has ended.
// A store that obeys looks and writes in one step, and calls [NoteEnded] if there is no such
// session. token is the one that scs gives to the store.
func OnlyExisting(ctx context.Context, token string) bool { return cameWith(ctx, token) != nil }

// NoteEnded notes that the store had no session of the token when a request wrote or deleted
// it. If the request of ctx came with that session, its [Writer] saves nothing. token is the
// one that scs gives to the store.
func NoteEnded(ctx context.Context, token string) {
	if l := cameWith(ctx, token); l != nil {
		l.ended.Store(true)
	}
}

// cameWith returns the Late of the token, or nil. Around the innermost Late there may be
// one of another gate, whose manager is another.
func cameWith(ctx context.Context, token string) *Late {
	for l := savedIn(ctx); l != nil; l = l.outer() {
		if l.token != "" && l.manager.storedToken(l.token) == token {
			return l
		}
	}
	return nil
}

// savedIn returns the innermost Late in ctx that a Writer saves, or nil.
func savedIn(ctx context.Context) *Late {
	l, _ := ctx.Value(lateKey{}).(*Late)
	return l
}

// outer returns the next Late around l that a Writer saves, or nil.
func (l *Late) outer() *Late { return savedIn(l.Context) }

// Conditional marks the store that embeds it as one that obeys [OnlyExisting].
type Conditional struct{ store scs.Store }

// NewConditional returns the mark of the store.
func NewConditional(store scs.Store) Conditional { return Conditional{store} }

// conditional implements [conditionalStore].
func (c Conditional) conditional() scs.Store { return c.store }

// conditionalStore is a store that obeys [OnlyExisting]. conditional returns the store.
type conditionalStore interface{ conditional() scs.Store }

// isConditional reports whether the store obeys [OnlyExisting].
func isConditional(store scs.Store) bool {
	c, ok := store.(conditionalStore)
	// An application's store that embeds a conditional one has its method, but perhaps
	// another CommitCtx.
	return ok && c.conditional() == store
}

// hasEnded reports whether the session with which the request came has ended since, and the
// session in ctx still is that one. A conditional store may find it out at the write.
func (l *Late) hasEnded(ctx context.Context) bool {
	switch l.manager.Token(ctx) {
	case "":
		return false // Destroy has emptied the session: the next one is a new one
	case l.token:
		if l.manager.conditional {
			return l.ended.Load()
		}
		found, err := l.manager.Has(ctx, l.token)
		return err == nil && !found
	default:
		// RenewToken keeps the values, among them the user. Its call of DeleteCtx has shown
		// whether a logout came first.
		return l.ended.Load()
	}
}
