package main

import (
	"context"
	"fmt"

	"github.com/scangate/scangate/bench/internal/redisserver"
)

const (
	fleetLogins = 400 // logins of one measurement
	smallLogins = 4   // the same for a smoke test, which has no slice
)

// measureProcesses measures what a login costs Redis, by the number of processes that
// listen for changes.
func measureProcesses(ctx context.Context, s *sheet, e effort, w *world) error {
	numbers, logins := []int{1, 10, 100}, fleetLogins
	switch {
	case e.slice == 0:
		numbers, logins = []int{1, 2}, smallLogins
	case e.large:
		numbers = append(numbers, 1000)
	}
	all := make([]samples, len(numbers))
	for range e.fewer() {
		// A server for each round: its memory then has the same contents each time.
		server, err := startRedis(ctx)
		if err != nil {
			return err
		}
		for i, n := range numbers {
			cost, err := measureFleet(ctx, w, n, logins, server)
			if err != nil {
				server.Stop()
				return err
			}
			all[i] = append(all[i], cost.figures)
		}
		server.Stop()
	}
	for i, n := range numbers {
		f := all[i].medians()
		f[shareColumn] = f[redisColumn] / all[0].medians()[redisColumn]
		s.add(fmt.Sprintf("scan login with polls, P = %d", n), f)
	}
	s.note("%d logins, browser and phone at different processes; commands are counted in scripts too; what Redis does without logins is subtracted", logins)
	return nil
}

// measureFleet measures logins at n processes on one server.
func measureFleet(ctx context.Context, w *world, n, logins int, server *redisserver.Server) (loginCost, error) {
	f, err := newFleet(w, n, []*redisserver.Server{server}, onServer(server))
	if err != nil {
		return loginCost{}, err
	}
	defer f.stop()
	if err := f.warmUp(ctx); err != nil {
		return loginCost{}, err
	}
	if err := f.settle(ctx); err != nil {
		return loginCost{}, err
	}
	return f.measure(ctx, logins)
}

// samples are the figures of one case in all rounds.
type samples []figures

// medians returns the median of each figure.
func (s samples) medians() figures {
	medians := figures{}
	for c := range s[0] {
		var values []float64
		for _, f := range s {
			values = append(values, f[c])
		}
		medians[c] = quantile(values, 0.5)
	}
	return medians
}
