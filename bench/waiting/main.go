// Command waiting measures the costs of many browsers that wait for their phones:
//
//	go -C bench run ./waiting
//
// This process runs the browsers, the phones and WeChat. It starts the same program
// again for each server process. All connections are on loopback, and the command
// ends by itself. Each browser has one connection, so the limit of open files
// (RLIMIT_NOFILE) limits their number. The command raises its soft limit to the hard
// limit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/bench/internal/redisserver"
)

// spareFiles is the number of open files that are not connections of browsers.
const spareFiles = 500

// plan holds the parameters of the measurements.
type plan struct {
	numbers []int         // numbers of browsers, one for each measurement
	logins  int           // number of logins that are approved
	idle    time.Duration // duration of the measurement without events
	pause   time.Duration // between two approvals
}

func main() {
	log.SetFlags(0)
	if handled, err := runAsServer(); handled {
		if err != nil {
			log.Fatal("waiting: ", err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	numbers := flag.String("n", "100,1000,9000", "the numbers of browsers that wait, one for each measurement")
	limit := flag.Duration("limit", 10*time.Minute, "the time after which to give up")
	var p plan
	flag.IntVar(&p.logins, "logins", 300, "the number of logins that are approved, at most half of the browsers")
	flag.DurationVar(&p.idle, "idle", 26*time.Second, "the duration of the measurement without events; a browser polls again every 25 s")
	flag.DurationVar(&p.pause, "pause", 10*time.Millisecond, "the time between two approvals")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := measure(ctx, os.Stdout, p, *numbers); err != nil {
		log.Print("waiting: ", err)
		// os.Exit skips deferred calls.
		cancel()
		stop()
		os.Exit(1)
	}
}

// measure parses the numbers and runs all measurements.
func measure(ctx context.Context, out io.Writer, p plan, numbers string) error {
	var err error
	if p.numbers, err = parseNumbers(numbers); err != nil {
		return err
	}
	return run(ctx, out, p)
}

// parseNumbers parses a list such as "100,1000". It reduces numbers above the limit of
// open files to that limit.
func parseNumbers(list string) ([]int, error) {
	maximum, err := raiseLimit()
	if err != nil {
		return nil, err
	}
	var numbers []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 2 { // half of the browsers are approved
			return nil, fmt.Errorf("-n: %q is not a number of browsers, want 2 or more", s)
		}
		if n > maximum {
			log.Printf("-n: the limit of open files allows %d browsers, not %d; measuring %d", maximum, n, maximum)
			n = maximum
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// raiseLimit raises the soft limit of open files to the hard limit, and returns the
// number of browsers that it allows.
func raiseLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	// The hard limit can be infinite, which does not fit into an int.
	return int(min(limit.Cur, 1<<20)) - spareFiles, nil
}

// setup is a configuration of server processes.
type setup struct {
	name      string
	processes int
	redis     *redisserver.Server // nil in memory
	bare      bool                // the handler bare in place of the gate
}

// run measures each setup with each number of browsers, and prints a table.
func run(ctx context.Context, out io.Writer, p plan) error {
	setups := []setup{
		{name: "one process, in memory", processes: 1},
		{name: "a bare net/http handler", processes: 1, bare: true},
	}
	redis, err := redisserver.Start(ctx)
	switch {
	case errors.Is(err, redisserver.ErrNotInstalled):
		fmt.Fprint(out, "(redis-server is not installed, so only one process is measured.)\n\n")
	case err != nil:
		return err
	default:
		defer redis.Stop()
		setups = append(setups, setup{name: "two processes, on Redis", processes: 2, redis: redis})
	}
	fmt.Fprint(out, heading)
	for _, s := range setups {
		for _, n := range p.numbers {
			f, err := s.measure(ctx, p, n)
			if err != nil {
				return fmt.Errorf("%s, %d browsers: %w", s.name, n, err)
			}
			f.report(out, s.name, n)
		}
	}
	fmt.Fprint(out, explanation)
	return nil
}

const (
	heading = "| waiting browsers        | browsers | RSS each, KB | heap and stacks each, KB | opened/s | notified: p50, ms | p99, ms | baseline: p99, ms | idle CPU, % of a core | Redis's, % |\n" +
		"| ----------------------- | -------: | -----------: | -----------------------: | -------: | ----------------: | ------: | ----------------: | --------------------: | ---------: |\n"
	explanation = `
Notified: the time from the phone's approval until the browser has read "approved". With two processes,
phone and browser use different ones. Baseline: the time of a request that does nothing, sent every 2 ms
during the approvals; it shows how long this machine delays any request. Idle: browsers poll again every
25 s, and nothing else happens. Bare: a handler that only waits.
`
)

// findings holds the results of one measurement.
type findings struct {
	rss, live          float64 // KB for each browser
	opened             float64 // browsers per second
	notified, baseline []time.Duration
	cpu, redisCPU      float64 // fractions of a core
}

// report prints the findings as a row of the table.
func (f findings) report(out io.Writer, name string, n int) {
	redis := ""
	if f.redisCPU > 0 {
		redis = fmt.Sprintf("%.2f", 100*f.redisCPU)
	}
	fmt.Fprintf(out, "| %-23s | %8d | %12.1f | %24.1f | %8.0f | %17s | %7s | %17s | %21.2f | %10s |\n",
		name, n, f.rss, f.live, f.opened, ms(f.notified, 50), ms(f.notified, 99), ms(f.baseline, 99), 100*f.cpu, redis)
}

// ms returns a percentile of times in milliseconds, or "" if there are none.
func ms(times []time.Duration, percentile int) string {
	if len(times) == 0 {
		return ""
	}
	at := slices.Sorted(slices.Values(times))[(len(times)-1)*percentile/100]
	return fmt.Sprintf("%.2f", float64(at)/float64(time.Millisecond))
}
