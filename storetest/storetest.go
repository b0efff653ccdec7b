package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// racers is the number of goroutines that compete in a race. It is a multiple of ten.
const racers = 100

// tb is the part of [testing.T] that the cases use. The tests of this package replace
// it to record failures.
type tb interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// probe is a running case: its test, its rule and the number of goroutines in its races.
type probe struct {
	tb
	rule   string
	racers int
}

// broken ends the case and reports that the store breaks the rule.
func (p probe) broken(format string, args ...any) {
	p.Helper()
	p.Fatalf("storetest: broken: %s: %s", p.rule, fmt.Sprintf(format, args...))
}

// wantError ends the case unless the error of call is want, alone or wrapped. If want is
// nil, there must be no error.
func (p probe) wantError(call string, got, want error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.broken("%s returned %s, want %s", call, describe(got), describe(want))
	}
}

// describe returns a description of err for a report.
func describe(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("the error %q", err)
}

// wantOneSuccess ends the case unless exactly one of the competing calls succeeded and
// each of the others returned the error lost. It returns the index of the successful one.
func (p probe) wantOneSuccess(errs []error, lost error) int {
	p.Helper()
	winner, successes := -1, 0
	for i, err := range errs {
		if err == nil {
			winner, successes = i, successes+1
			continue
		}
		p.wantError("an unsuccessful call", err, lost)
	}
	if successes != 1 {
		p.broken("%d of %d calls succeeded, want 1", successes, len(errs))
	}
	return winner
}

// wantAllSucceed ends the case unless every call succeeded.
func (p probe) wantAllSucceed(errs []error) {
	p.Helper()
	for _, err := range errs {
		p.wantError("one of the concurrent calls", err, nil)
	}
}

// race calls f(0) to f(n-1) concurrently and returns their errors.
func race(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			// Starting together makes the calls overlap more often.
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}
