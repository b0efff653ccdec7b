package state

import "context"

// quietKey is the key of a context's value that [Quietly] sets.
type quietKey struct{}

// Quietly returns a context in which an Update changes nothing that a call of Wait waits
// for. The store may leave the waiting calls asleep. They then return the record after
// the next update that is not quiet. A store that does not look at the context wakes
// calls that have nothing to do, which does no harm.
func Quietly(ctx context.Context) context.Context { return context.WithValue(ctx, quietKey{}, true) }

// IsQuiet reports whether the context comes from [Quietly].
func IsQuiet(ctx context.Context) bool { return ctx.Value(quietKey{}) != nil }
