// Command bench measures what scangate costs, compares it with other libraries, and
// prints one table in Markdown:
//
//	go -C bench run . [flags] [section...]
//
// Without arguments it measures all sections; -h lists them. Sections that need a program
// which is not installed are skipped, with the reason below the table.
//
// Contestants take turns in one process, so that other load on the machine affects
// all of them equally. Compare ratios of medians. Times depend on the machine and on its
// load; allocations, commands and bytes do not.
//
// -against compares two versions of this program, which take turns too. Build the older
// one in a checkout of its own:
//
//	go -C ../older/bench build -o /tmp/older . && go -C bench run . -against /tmp/older
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/scangate/scangate/bench/internal/waiting"
)

func main() {
	log.SetFlags(0)
	// The sections waiting and h2c start this program again, as servers.
	if served, err := waiting.RunAsServer(); served {
		if err != nil {
			log.Fatal("bench: ", err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.IntVar(&o.effort.rounds, "rounds", 15, "the number of rounds")
	flag.DurationVar(&o.effort.slice, "slice", 20*time.Millisecond, "the time for each contestant in a round")
	flag.BoolVar(&o.effort.large, "large", false, "measure the largest sizes too, such as 1,000 processes")
	flag.StringVar(&o.profiles, "profiles", "", "the `directory` for the CPU profiles of the section throughput")
	flag.StringVar(&o.against, "against", "", "an older `program` of this kind to compare with")
	flag.BoolVar(&o.json, "json", false, "print rows as JSON, for -against")
	flag.Usage = printUsage
	flag.Parse()
	o.sections = flag.Args()
	if err := run(ctx, os.Stdout, o); err != nil {
		log.Print("bench: ", err)
		stop() // os.Exit skips deferred calls
		os.Exit(1)
	}
}

// printUsage prints the flags and the sections.
func printUsage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, "usage: go -C bench run . [flags] [section...]")
	flag.PrintDefaults()
	fmt.Fprintln(out, "sections:")
	for _, s := range sections("") {
		fmt.Fprintf(out, "  %-12s%s\n", s.name, s.about)
	}
}

// machine returns the machine and the effort, as the first line of the report.
func machine(e effort) string {
	return fmt.Sprintf("%s, %s/%s, GOMAXPROCS %d, %d rounds of %v",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), e.rounds, e.slice)
}
