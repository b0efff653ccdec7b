package redisconn

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// quietTime is how long no further outage is logged after the beginning of one. An
// outage that is still there then is logged.
const quietTime = 10 * time.Second

// Outage logs once when calls begin to fail, and once when they succeed again. A nil
// Outage does nothing.
type Outage struct {
	texts  OutageTexts
	logger atomic.Pointer[slog.Logger]
	now    atomic.Bool // whether there is an outage
	worked atomic.Bool // whether a call has ever succeeded

	mu     sync.Mutex
	since  time.Time // the beginning of the outage
	logged bool      // its beginning is in the log
	last   time.Time // when a beginning was logged last
}

// OutageTexts are the messages of an [Outage].
type OutageTexts struct {
	Never string // no call has succeeded yet
	Began string
	Ended string
}

// NewOutage returns an Outage that logs nothing before [Outage.LogTo].
func NewOutage(texts OutageTexts) *Outage { return &Outage{texts: texts} }

// LogTo makes the first logger given the one that the Outage logs to, and reports
// whether this is the one.
func (o *Outage) LogTo(logger *slog.Logger) bool { return o.logger.CompareAndSwap(nil, logger) }

// Failed notes a call that failed.
func (o *Outage) Failed(err error) {
	if o == nil {
		return
	}
	if text := o.fail(time.Now()); text != "" {
		o.log(slog.LevelError, text, "error", err)
	}
}

// fail begins an outage, or goes on with one. It returns the message to log, or "".
func (o *Outage) fail(now time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.now.Swap(true) {
		o.since, o.logged = now, false
	}
	if o.logged || !o.last.IsZero() && now.Sub(o.last) < quietTime {
		return ""
	}
	o.logged, o.last = true, now
	if o.worked.Load() {
		return o.texts.Began
	}
	return o.texts.Never
}

// Succeeded notes that a call succeeded which began at that time.
func (o *Outage) Succeeded(begun time.Time) {
	if o == nil {
		return
	}
	if took := o.succeed(begun); took > 0 {
		o.log(slog.LevelInfo, o.texts.Ended, "after", took.Round(time.Millisecond))
	}
}

// succeed ends an outage. It returns how long the outage took if its beginning was
// logged.
func (o *Outage) succeed(begun time.Time) time.Duration {
	if o.worked.Load() && !o.now.Load() {
		return 0 // the usual case, without a lock
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.worked.Store(true)
	// A call that began before the outage proves nothing.
	if !o.now.Load() || begun.Before(o.since) {
		return 0
	}
	o.now.Store(false)
	if !o.logged {
		return 0
	}
	return max(time.Since(o.since), 1)
}

func (o *Outage) log(level slog.Level, text string, attrs ...any) {
	if logger := o.logger.Load(); logger != nil {
		logger.Log(context.Background(), level, text, attrs...)
	}
}

// Note notes the outcome of a call to Redis that began at that time and returned err
// to a caller with that context.
func (o *Outage) Note(ctx context.Context, begun time.Time, err error) {
	if err == nil {
		o.Succeeded(begun)
		return
	}
	refusal, refused := asRefusal(err)
	switch {
	case refused && !slices.Contains([]string{"LOADING", "MASTERDOWN", "CLUSTERDOWN"}, refusal.Code()):
		o.Succeeded(begun) // Redis refused the call, so it is there
	case ended(ctx) != nil, isBusy(err):
		// The caller has gone, or there are too many callers. Redis may be well.
	default:
		o.Failed(Cause(ctx, err))
	}
}
