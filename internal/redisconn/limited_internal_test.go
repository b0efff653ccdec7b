package redisconn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimitedEndsAtItsDeadline(t *testing.T) {
	for _, awaited := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx := newLimited(t.Context(), time.Second)
			defer ctx.stop()
			if awaited {
				ctx.Done()
			}
			<-time.After(time.Second - time.Nanosecond)
			if err := ctx.Err(); err != nil {
				t.Errorf("before the deadline, awaited: %t: error = %v, want none", awaited, err)
			}
			<-time.After(time.Nanosecond)
			synctest.Wait()
			if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("at the deadline, awaited: %t: error = %v, want %v", awaited, err, context.DeadlineExceeded)
			}
			<-ctx.Done()
		})
	}
}

func TestLimitedEndsWithItsParent(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	child := newLimited(parent, time.Hour)
	defer child.stop()
	derived, stop := context.WithCancel(child) // as a dialer makes one
	defer stop()
	cancel()
	<-derived.Done()
	<-child.Done()
	if err := child.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the parent has ended: error = %v, want %v", err, context.Canceled)
	}
	if err := newLimited(parent, time.Hour).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("made after the parent has ended: error = %v, want %v", err, context.Canceled)
	}
}

func TestLimitedKeepsAnEarlierDeadline(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	if got, ok := newLimited(parent, time.Hour).Deadline(); !ok || !got.Equal(want) {
		t.Errorf("deadline = %v, want the parent's, %v", got, want)
	}
}
