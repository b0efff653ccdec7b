// Command bench compares scangate with other libraries and prints tables in
// Markdown:
//
//	go -C bench run .
//
// Contestants take turns in one process, so that other load on the machine affects
// all of them equally. Compare ratios of medians. Absolute times depend on the
// machine and on its load.
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
	"runtime"
	"time"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var e effort
	flag.IntVar(&e.rounds, "rounds", 15, "the number of rounds")
	flag.DurationVar(&e.slice, "slice", 20*time.Millisecond, "the time for each contestant in a round")
	only := flag.String("only", "", "the only `section` to measure: requests, redis, logins, qr, throughput or messages")
	profiles := flag.String("profiles", "", "the `directory` for the CPU profiles of the section throughput")
	flag.Parse()
	if err := run(ctx, os.Stdout, e, *only, *profiles); err != nil {
		log.Print("bench: ", err)
		stop() // os.Exit skips deferred calls
		os.Exit(1)
	}
}

// section is a group of measurements with its own heading.
type section struct {
	name    string
	measure func(context.Context, io.Writer, effort, *world) error
}

// run measures one section, or all if only is empty, and prints the results. If
// profiles is not empty, it writes CPU profiles to that directory.
func run(ctx context.Context, out io.Writer, e effort, only, profiles string) error {
	if e.rounds < 1 || e.slice < 0 {
		return errors.New("-rounds must be positive, and -slice must not be negative")
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s/%s, GOMAXPROCS %d, %d rounds of %v\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), e.rounds, e.slice)
	found := false
	for _, s := range []section{
		{"requests", measureRequests},
		{"redis", measureRedis},
		{"logins", measureLogins},
		{"qr", measureQR},
		{"throughput", throughput{profiles}.measure},
		{"messages", measureMessages},
	} {
		if only != "" && only != s.name {
			continue
		}
		found = true
		if err := s.measure(ctx, out, e, w); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !found {
		return fmt.Errorf("-only: unknown section %q", only)
	}
	return nil
}
