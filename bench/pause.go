package main

import (
	"context"
	"time"
)

// messageTimeout bounds how long a message may take to arrive.
const messageTimeout = 10 * time.Second

// pause waits for 50 ms or until ctx is done.
func pause(ctx context.Context) error { return sleep(ctx, 50*time.Millisecond) }

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
