// Command bench compares scangate with other libraries, and prints tables:
//
//	go -C bench run .
//
// Contestants take turns in one process, so that what the machine does besides
// hits all of them alike. Medians and ratios count; times are of this machine in
// this minute.
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
	flag.IntVar(&e.rounds, "rounds", 15, "how many rounds")
	flag.DurationVar(&e.slice, "slice", 20*time.Millisecond, "how long each contestant has in a round")
	only := flag.String("only", "", "the `section` to measure alone: requests, redis, logins, qr, throughput or messages")
	profiles := flag.String("profiles", "", "the `directory` to write the throughput's CPU profiles to")
	flag.Parse()
	if err := run(ctx, os.Stdout, e, *only, *profiles); err != nil {
		log.Print("bench: ", err)
		stop()
		os.Exit(1)
	}
}

// section is a part of what is measured.
type section struct {
	name    string
	measure func(context.Context, io.Writer, effort, *world) error
}

func run(ctx context.Context, out io.Writer, e effort, only, profiles string) error {
	if e.rounds < 1 || e.slice < 0 {
		return errors.New("-rounds and -slice must be positive")
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
		return fmt.Errorf("there is no section %q", only)
	}
	return nil
}
