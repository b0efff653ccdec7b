package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// crowd is how many goroutines compete in a race. It is a multiple of ten.
const crowd = 100

// tb is what a case needs of a [testing.T]. This package's own tests have
// another, which takes down what fails.
type tb interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// probe is a case at work: where it reports, the rule that it tests, and how many
// goroutines compete in its races.
type probe struct {
	tb
	rule  string
	crowd int
}

// broken ends the case: the store breaks its rule.
func (p probe) broken(format string, args ...any) {
	p.Helper()
	p.Fatalf("storetest: broken: %s: %s", p.rule, fmt.Sprintf(format, args...))
}

// is demands that what was done ended in the outcome want.
func (p probe) is(done string, got, want error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.broken("%s returned %s, want %s", done, outcome(got), outcome(want))
	}
}

// outcome is err for a reader.
func outcome(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("the error %q", err)
}

// oneWins demands that of the calls that competed one ended well, and each of
// the others in the outcome lost. It returns which one won.
func (p probe) oneWins(outcomes []error, lost error) int {
	p.Helper()
	winner, wins := -1, 0
	for i, err := range outcomes {
		if err == nil {
			winner, wins = i, wins+1
			continue
		}
		p.is("a call that lost", err, lost)
	}
	if wins != 1 {
		p.broken("%d of %d calls won", wins, len(outcomes))
	}
	return winner
}

// allWin demands that all calls ended well.
func (p probe) allWin(outcomes []error) {
	p.Helper()
	for _, err := range outcomes {
		p.is("one of the calls", err, nil)
	}
}

// race calls f from n goroutines at once and returns what each returned.
func race(n int, f func(i int) error) []error {
	outcomes := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			outcomes[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return outcomes
}
