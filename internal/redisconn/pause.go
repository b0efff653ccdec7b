package redisconn

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// Pause is the time to wait before a failed call is tried again. It doubles with each
// failure, from 50 ms to 1 s. The zero value is ready for use.
type Pause struct{ last time.Duration }

// Reset makes the next pause a short one.
func (p *Pause) Reset() { p.last = 0 }

// Next returns how long the next pause is.
func (p *Pause) Next() time.Duration {
	p.last = min(max(2*p.last, minPause), maxPause)
	// A random half keeps many processes from coming back at the same moment.
	return p.last/2 + rand.N(p.last/2) //nolint:gosec // not a secret
}

// Sleep returns when the pause is over or ctx has ended.
func (p *Pause) Sleep(ctx context.Context) {
	timer := time.NewTimer(p.Next())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
