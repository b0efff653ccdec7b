// Command waiting opens many browsers that wait for their phones, and says what
// that costs:
//
//	go -C bench run ./waiting
//
// It is the browsers, the phones and WeChat; the servers are processes of their
// own, and the same program. All of it is on loopback and ends by itself. Each
// browser has a connection, so the limit of open files (RLIMIT_NOFILE) is how
// many there can be; waiting raises its soft limit to the hard one.
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

// spareFiles are those that are open besides one for each browser.
const spareFiles = 500

// plan is what to measure.
type plan struct {
	numbers []int         // of browsers
	logins  int           // of them that are approved
	idle    time.Duration // to watch the servers do nothing
	pause   time.Duration // between two approvals
}

func main() {
	log.SetFlags(0)
	if handled, err := serveIfAsked(); handled {
		if err != nil {
			log.Fatal("waiting: ", err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	numbers := flag.String("n", "100,1000,9000", "how many browsers wait, in turn")
	limit := flag.Duration("limit", 10*time.Minute, "when to give up")
	var p plan
	flag.IntVar(&p.logins, "logins", 300, "how many of them are approved, at most half")
	flag.DurationVar(&p.idle, "idle", 26*time.Second, "how long to watch the servers while nothing happens; a browser asks again every 25 s")
	flag.DurationVar(&p.pause, "pause", 10*time.Millisecond, "the time between two approvals")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := measure(ctx, os.Stdout, p, *numbers); err != nil {
		log.Print("waiting: ", err)
		cancel()
		stop()
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, p plan, numbers string) error {
	var err error
	if p.numbers, err = parseNumbers(numbers); err != nil {
		return err
	}
	return run(ctx, out, p)
}

// parseNumbers reads "100,1000", and refuses more than there can be open files.
func parseNumbers(list string) ([]int, error) {
	most, err := raiseLimit()
	if err != nil {
		return nil, err
	}
	var numbers []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 2 {
			return nil, fmt.Errorf("-n: %q is no number of browsers", s)
		}
		if n > most {
			log.Printf("%d browsers are more than the limit of open files allows: %d then", n, most)
			n = most
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// raiseLimit makes the soft limit of open files the hard one, and returns how many
// browsers that is.
func raiseLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	return int(min(limit.Cur, 1<<20)) - spareFiles, nil
}

// setup is a number of processes, and what they share.
type setup struct {
	name      string
	processes int
	redis     *redisserver.Server // nil in memory
	bare      bool                // no gate at all: see bare
}

func run(ctx context.Context, out io.Writer, p plan) error {
	setups := []setup{
		{name: "one process, in memory", processes: 1},
		{name: "a bare net/http handler", processes: 1, bare: true},
	}
	redis, err := redisserver.Start(ctx)
	switch {
	case errors.Is(err, redisserver.ErrNone):
		fmt.Fprint(out, "(redis-server is not installed: one process alone.)\n\n")
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
	heading = "| waiting browsers        | browsers | RSS each, KB | heap and stacks each, KB | opened/s | told: p50, ms | p99, ms | nothing: p99, ms | idle CPU, % of a core | Redis's, % |\n" +
		"| ----------------------- | -------: | -----------: | -----------------------: | -------: | ------------: | ------: | ---------------: | --------------------: | ---------: |\n"
	explanation = `
Told: from when the phone sends its yes until the browser has read "approved"; of two processes the
phone's is the other one. Nothing: a request that does nothing, sent every 2 ms meanwhile, which is
how long this machine lets anything wait. Idle: browsers ask again every 25 s, and nothing else
happens. Bare: a handler that waits and does nothing else.
`
)

// findings are what some number of browsers cost.
type findings struct {
	rss, live     float64 // KB for each
	opened        float64 // in a second
	told, nothing []time.Duration
	cpu, redisCPU float64 // parts of a core
}

func (f findings) report(out io.Writer, name string, n int) {
	redis := ""
	if f.redisCPU > 0 {
		redis = fmt.Sprintf("%.2f", 100*f.redisCPU)
	}
	fmt.Fprintf(out, "| %-23s | %8d | %12.1f | %24.1f | %8.0f | %13s | %7s | %16s | %21.2f | %10s |\n",
		name, n, f.rss, f.live, f.opened, ms(f.told, 50), ms(f.told, 99), ms(f.nothing, 99), 100*f.cpu, redis)
}

// ms is a percentile in milliseconds.
func ms(times []time.Duration, percentile int) string {
	if len(times) == 0 {
		return ""
	}
	at := slices.Sorted(slices.Values(times))[(len(times)-1)*percentile/100]
	return fmt.Sprintf("%.2f", float64(at)/float64(time.Millisecond))
}
