package scangate

import (
	"context"
	"sync"
	"time"
)

// maxBackground bounds the calls that run beside requests at the same time.
const maxBackground = 256

// background runs calls that no answer waits for, or not to their end. Its zero value is
// ready to use.
type background struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	cancels map[*context.CancelFunc]struct{}
}

// run calls f in a goroutine, with a context that ends after the time limit, or when b is
// closed. It reports false if b is closed, or runs too many calls.
func (b *background) run(parent context.Context, limit time.Duration, f func(context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.cancels) >= maxBackground {
		return false
	}
	if b.cancels == nil {
		b.cancels = make(map[*context.CancelFunc]struct{})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), limit)
	b.cancels[&cancel] = struct{}{}
	b.running.Go(func() {
		defer func() {
			cancel()
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.cancels, &cancel)
		}()
		f(ctx)
	})
	return true
}

// close ends the contexts of all calls, and returns when they have returned.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	for cancel := range b.cancels {
		(*cancel)()
	}
	b.mu.Unlock()
	b.running.Wait()
}
