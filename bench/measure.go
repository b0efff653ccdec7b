package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// contestant is one way to do a thing.
type contestant struct {
	name string
	// do does it n times.
	do func(n int) error
	// prepare makes ready for doing it n times; it isn't measured. Nil does
	// nothing.
	prepare func(n int) error
	// size is how large what it makes is, in bytes; 0 if that is no matter.
	size int
}

// repeat does a thing again and again, until it fails.
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

// sample is what a contestant took in one round, for each time.
type sample struct{ ns, bytes, allocs float64 }

// clock is one of the system's.
type clock int32

const (
	// cpu is the time that all threads of this process have worked, those that
	// collect garbage too. It stands still while other processes have the cores.
	cpu clock = unix.CLOCK_PROCESS_CPUTIME_ID
	// wall is the time that passes.
	wall clock = unix.CLOCK_MONOTONIC
)

func (c clock) now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(c), &t); err != nil {
		panic(err) // Linux has both
	}
	return time.Duration(t.Nano())
}

func (c clock) String() string {
	if c == cpu {
		return "ns of CPU"
	}
	return "ns"
}

// result is what a contestant took in all rounds.
type result struct {
	contestant
	samples []sample
}

// effort says how long to measure.
type effort struct {
	rounds int
	slice  time.Duration // for each contestant in a round; 0 does it once
}

// finer is as much effort in shorter slices, most of which nobody interrupts.
func (e effort) finer() effort { return effort{4 * e.rounds, e.slice / 4} }

// maxTimes bounds how often a contestant does its thing in one slice: the
// simulated WeChat remembers so many codes.
const maxTimes = 5000

// contest lets the contestants do their thing in turn, for some rounds: what the
// machine does besides then hits all of them alike.
func (e effort) contest(by clock, contestants []contestant) ([]result, error) {
	times := make([]int, len(contestants))
	results := make([]result, len(contestants))
	for i, c := range contestants {
		results[i].contestant = c
		var err error
		if times[i], err = e.times(by, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for range e.rounds {
		for i, c := range contestants {
			s, _, err := c.run(by, times[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			results[i].samples = append(results[i].samples, s)
		}
	}
	return results, nil
}

// times is how often a contestant does its thing in a slice.
func (e effort) times(by clock, c contestant) (int, error) {
	for n := 1; ; n *= 2 {
		_, took, err := c.run(by, n)
		if err != nil || e.slice == 0 {
			return 1, err
		}
		if took >= e.slice/2 || 2*n > maxTimes {
			fits := float64(n) * float64(e.slice) / float64(max(took, 1))
			return min(max(int(fits), 1), maxTimes), nil
		}
	}
}

// run does the thing n times. Each begins with an empty heap, so that nobody
// clears away what another one has left.
func (c contestant) run(by clock, n int) (sample, time.Duration, error) {
	if c.prepare != nil {
		if err := c.prepare(n); err != nil {
			return sample{}, 0, err
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := by.now()
	err := c.do(n)
	took := by.now() - begun
	runtime.ReadMemStats(&after)
	each := func(total float64) float64 { return total / float64(n) }
	return sample{
		ns:     each(float64(took)),
		bytes:  each(float64(after.TotalAlloc - before.TotalAlloc)),
		allocs: each(float64(after.Mallocs - before.Mallocs)),
	}, took, err
}

// medianOf is the median of what f says of the samples.
func (r result) medianOf(f func(sample) float64) float64 {
	return quantile(r.each(f), 0.5)
}

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

// ratios are r's time as a part of other's, round by round.
func (r result) ratios(other result) []float64 {
	values := make([]float64, len(r.samples))
	for i := range r.samples {
		values[i] = r.samples[i].ns / other.samples[i].ns
	}
	return values
}

// quantile sorts values and returns the one at q, which is 0 to 1.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}

// report prints results as a table, with the first one's time as a part of each
// other's: the median, and the quartiles of the rounds.
func report(out io.Writer, by clock, heading string, results []result) {
	t := table{{heading, by.String(), "B", "allocs", "first / this (quartiles)"}}
	sized := slices.ContainsFunc(results, func(r result) bool { return r.size > 0 })
	if sized {
		t[0] = append(t[0], "result, bytes")
	}
	for i, r := range results {
		ratio := ""
		if i > 0 {
			ratios := results[0].ratios(r)
			ratio = fmt.Sprintf("%.2f (%.2f to %.2f)", quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
		}
		row := []string{r.name, number(r.medianOf(nsOf)), number(r.medianOf(bytesOf)), number(r.medianOf(allocsOf)), ratio}
		if sized {
			row = append(row, number(float64(r.size)))
		}
		t = append(t, row)
	}
	t.print(out)
}

// table is rows of cells, the heading first.
type table [][]string

// print writes the table as Markdown that can be read as it is.
func (t table) print(out io.Writer) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for i, row := range t {
		t.line(out, row, widths)
		if i > 0 {
			continue
		}
		rule := make([]string, len(row))
		for j := range rule {
			rule[j] = strings.Repeat("-", widths[j]-1) + ":"
		}
		rule[0] = strings.Repeat("-", widths[0])
		t.line(out, rule, widths)
	}
	fmt.Fprintln(out)
}

func (table) line(out io.Writer, row []string, widths []int) {
	var line strings.Builder
	for i, cell := range row {
		pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
		if i == 0 {
			line.WriteString("| " + cell + pad + " |")
		} else {
			line.WriteString(" " + pad + cell + " |")
		}
	}
	fmt.Fprintln(out, line.String())
}

// number writes a number with three digits that count, and commas.
func number(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
