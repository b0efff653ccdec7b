package redisconn

import (
	"context"
	"sync"
	"time"
)

// limited is a context that ends at a deadline, as one of [context.WithDeadline]. It makes a
// timer only when Done is called. A call on an idle connection of a pool does not call it.
type limited struct {
	context.Context // the caller's
	deadline        time.Time

	mu    sync.Mutex
	timed context.Context // nil until Done is called
	stops context.CancelFunc
}

// newLimited returns a context that ends with ctx, or after the limit. The caller stops it.
func newLimited(ctx context.Context, limit time.Duration) *limited {
	l := &limited{Context: ctx, deadline: time.Now().Add(limit)}
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(l.deadline) {
		l.deadline = earlier
	}
	return l
}

// Deadline implements [context.Context].
func (l *limited) Deadline() (time.Time, bool) { return l.deadline, true }

// Done implements [context.Context].
func (l *limited) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timed == nil {
		l.timed, l.stops = context.WithDeadline(l.Context, l.deadline)
	}
	return l.timed.Done()
}

// Err implements [context.Context].
func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timed != nil {
		return l.timed.Err()
	}
	if err := l.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(l.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// stop releases the timer, if there is one.
func (l *limited) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stops != nil {
		l.stops()
	}
}
