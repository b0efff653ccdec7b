// Package waiting measures the costs of many browsers that wait for their phones. Each
// browser has a real connection to a server process, on loopback. The calling process runs
// the browsers, the phones and WeChat, and starts its own program again for each server.
package waiting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/bench/internal/redisserver"
)

// spareFiles is the number of open files that are not connections of browsers.
const spareFiles = 500

// Plan holds the parameters of the measurements.
type Plan struct {
	Numbers []int         // numbers of browsers, one for each measurement, each 2 or more
	Logins  int           // number of logins that are approved, at most half of the browsers
	Idle    time.Duration // duration of the measurement without events; a browser polls again every 25 s
	Pause   time.Duration // between two approvals
}

// Finding holds the results of one measurement.
type Finding struct {
	Name     string
	Browsers int
	RSS      float64 // bytes for each browser, in the server process
	Live     float64 // bytes of heap and stacks for each browser

	// Notified is the time from the phone's approval until the browser has read it, for each
	// approved login in order.
	Notified []time.Duration

	CPU, RedisCPU float64 // fractions of a core, while browsers only poll again
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
	protocol  protocol
}

// Measure measures each configuration of server processes with each number of browsers.
// It measures two processes on Redis only if redis-server is installed. It reduces numbers
// above the limit of open files to that limit.
func Measure(ctx context.Context, p Plan) ([]Finding, error) {
	maximum, err := raiseLimit()
	if err != nil {
		return nil, err
	}
	setups := []setup{
		{name: "one process, in memory", processes: 1},
		{name: "a bare net/http handler", processes: 1, bare: true},
	}
	redis, err := redisserver.Start(ctx)
	switch {
	case err == nil:
		defer redis.Stop()
		setups = append(setups, setup{name: "two processes, on Redis", processes: 2, redis: redis})
	case !errors.Is(err, redisserver.ErrNotInstalled):
		return nil, err
	}
	var all []Finding
	for _, s := range setups {
		for _, n := range p.Numbers {
			f, err := s.measure(ctx, p, min(n, maximum))
			if err != nil {
				return nil, fmt.Errorf("%s, %d browsers: %w", s.name, n, err)
			}
			all = append(all, f)
		}
	}
	return all, nil
}
