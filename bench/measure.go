package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// contestant is one of several implementations of an operation.
type contestant struct {
	name string
	// do runs the operation n times.
	do func(n int) error
	// prepare prepares n runs, if it is not nil. It is not measured.
	prepare func(n int) error
	// size is the size of the operation's result in bytes, or 0 if it has none.
	size int
}

// repeat returns a function that calls do n times, or until it fails.
func repeat(do func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

// sample holds the costs of one operation, averaged over a round.
type sample struct{ ns, bytes, allocs float64 }

// clock is the ID of a clock of the system.
type clock int32

const (
	// cpu measures the CPU time of all threads of this process, including the
	// garbage collector. It does not advance while other processes use the cores.
	cpu clock = unix.CLOCK_PROCESS_CPUTIME_ID
	// wall measures elapsed time.
	wall clock = unix.CLOCK_MONOTONIC
)

// now returns the clock's time.
func (c clock) now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(c), &t); err != nil {
		panic(err) // Linux has both clocks
	}
	return time.Duration(t.Nano())
}

// String returns the unit for a table's heading.
func (c clock) String() string {
	if c == cpu {
		return "ns of CPU"
	}
	return "ns"
}

// result holds the samples of a contestant, one for each round.
type result struct {
	contestant
	samples []sample
}

// effort determines how long a measurement takes.
type effort struct {
	rounds int
	slice  time.Duration // for each contestant in a round; 0 runs the operation once
	large  bool          // the largest sizes too
}

// fewer returns the number of rounds for a measurement that takes seconds.
func (e effort) fewer() int { return (e.rounds + 4) / 5 }

// shorterSlices returns the same total effort in shorter slices. Other processes
// then interrupt fewer of the slices.
func (e effort) shorterSlices() effort { return effort{4 * e.rounds, e.slice / 4, e.large} }

// maxRepeats limits the number of operations in one slice. The simulator keeps
// 10,000 codes, and a round may need one for each operation.
const maxRepeats = 5000

// contest measures the contestants and returns a result for each. The contestants
// take turns, so that other load on the machine affects all of them equally.
func (e effort) contest(by clock, contestants []contestant) ([]result, error) {
	repeats := make([]int, len(contestants)) // for each contestant in a slice
	results := make([]result, len(contestants))
	// Calibration also warms up caches, pools and scripts.
	for i, c := range contestants {
		results[i].contestant = c
		var err error
		if repeats[i], err = e.calibrate(by, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for range e.rounds {
		for i, c := range contestants {
			s, _, err := c.run(by, repeats[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			results[i].samples = append(results[i].samples, s)
		}
	}
	return results, nil
}

// calibrate returns how many operations of a contestant fit into a slice.
func (e effort) calibrate(by clock, c contestant) (int, error) {
	for n := 1; ; n *= 2 {
		_, took, err := c.run(by, n)
		if err != nil || e.slice == 0 {
			return 1, err
		}
		// Half a slice is long enough to extrapolate from.
		if took >= e.slice/2 || 2*n > maxRepeats {
			fits := float64(n) * float64(e.slice) / float64(max(took, 1))
			return min(max(int(fits), 1), maxRepeats), nil
		}
	}
}

// run runs the operation n times. It returns the average costs and the total time.
func (c contestant) run(by clock, n int) (sample, time.Duration, error) {
	if c.prepare != nil {
		if err := c.prepare(n); err != nil {
			return sample{}, 0, err
		}
	}
	var before, after runtime.MemStats
	// Collect first, so that a contestant does not pay for another one's garbage.
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := by.now()
	err := c.do(n)
	took := by.now() - start
	runtime.ReadMemStats(&after)
	each := func(total float64) float64 { return total / float64(n) }
	return sample{
		ns:     each(float64(took)),
		bytes:  each(float64(after.TotalAlloc - before.TotalAlloc)),
		allocs: each(float64(after.Mallocs - before.Mallocs)),
	}, took, err
}

// medianOf returns the median of f over the samples.
func (r result) medianOf(f func(sample) float64) float64 {
	return quantile(r.each(f), 0.5)
}

// each returns the values of f for all samples.
func (r result) each(f func(sample) float64) []float64 {
	values := make([]float64, len(r.samples))
	for i, s := range r.samples {
		values[i] = f(s)
	}
	return values
}

func nsOf(s sample) float64     { return s.ns }
func bytesOf(s sample) float64  { return s.bytes }
func allocsOf(s sample) float64 { return s.allocs }

// ratios returns r's time divided by other's, for each round.
func (r result) ratios(other result) []float64 {
	values := make([]float64, len(r.samples))
	for i := range r.samples {
		values[i] = r.samples[i].ns / other.samples[i].ns
	}
	return values
}

// quantile returns the q-quantile of values, where q is between 0 and 1. It returns
// NaN if there are no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	// A copy: callers keep the order of the rounds.
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// number formats v: below 100 with three significant digits, above as an integer
// with commas.
func number(v float64) string {
	// Rounding to three digits turns 99.96 into 100.
	if v < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
