// Command mutate breaks the library's code in many small ways, runs the tests after each,
// and lists the faults that no test noticed.
//
//	go run ./internal/mutate [-n 150] [-seed 1] [-only text] [-list] [package...]
//
// The packages are directories; by default the root, internal/login and wechat. A fault is
// an inverted condition, a swapped comparison, a swapped && or ||, or a dropped call. The
// seed chooses the n faults, spread evenly over the code. No file of the repository is
// changed: each run of the tests gets the broken file by the go command's flag -overlay.
//
// A fault that does not compile counts for nothing, and another one takes its place. A
// fault that the package's own tests miss gets a second run, with the tests of the root,
// which use all packages. The exit status is 1 if a fault was not noticed.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

func main() {
	n := flag.Int("n", 150, "number of faults")
	seed := flag.Uint64("seed", 1, "chooses the faults")
	only := flag.String("only", "", "only faults whose line in the list contains this text")
	list := flag.Bool("list", false, "list the faults, and run nothing")
	limit := flag.Duration("timeout", 3*time.Minute, "how long the tests may take; a fault that makes them hang counts as noticed")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{".", "internal/login", "wechat"}
	}
	faults, err := find(packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	faults = choose(faults, *seed, *only)
	if *list {
		for _, f := range faults {
			fmt.Println(f)
		}
		return
	}
	os.Exit(run(context.Background(), faults, *n, *limit))
}

// choose returns the faults in a random order that the seed decides, without those whose
// line does not contain only.
func choose(faults []fault, seed uint64, only string) []fault {
	var chosen []fault
	for _, f := range faults {
		if strings.Contains(f.String(), only) {
			chosen = append(chosen, f)
		}
	}
	//nolint:gosec // A choice of faults is not a secret.
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen
}

// run tries n of the faults that compile, and prints a table. It returns the exit status.
func run(ctx context.Context, faults []fault, n int, limit time.Duration) int {
	tried, missed := 0, []fault(nil)
	for _, f := range faults {
		if tried == n {
			break
		}
		started := time.Now()
		result, err := try(ctx, f, limit)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			return 2
		}
		if result == invalid {
			continue
		}
		tried++
		fmt.Printf("%3d/%d %-8s %4.0f s  %s\n", tried, n, result, time.Since(started).Seconds(), f)
		if result == unnoticed {
			missed = append(missed, f)
		}
	}
	fmt.Printf("\n%d faults, %d noticed, %d not:\n", tried, tried-len(missed), len(missed))
	for _, f := range missed {
		fmt.Println("  " + f.String())
	}
	if len(missed) > 0 {
		return 1
	}
	return 0
}
