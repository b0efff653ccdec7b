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

// fleetSize returns the number of logins of one measurement.
func (e effort) fleetLogins() int {
	if e.slice == 0 {
		return smallLogins
	}
	return fleetLogins
}

// measureProcesses measures the cost of a login at Redis, by the number of processes that
// listen for changes.
func measureProcesses(ctx context.Context, s *sheet, e effort, w *world) error {
	numbers := []int{1, 10, 100}
	switch {
	case e.slice == 0:
		numbers = []int{1, 2}
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
			cost, err := measureFleet(ctx, w, n, e.fleetLogins(), []*redisserver.Server{server}, onServer(server))
			if err != nil {
				server.Stop()
				return err
			}
			all[i] = append(all[i], cost.total())
		}
		server.Stop()
	}
	for i, n := range numbers {
		s.addShare(fmt.Sprintf("scan login with polls, P = %d", n), all[i], all[0])
	}
	s.noteFleet(e)
	return nil
}

// noteFleet adds the note that all sections with fleets share.
func (s *sheet) noteFleet(e effort) {
	s.note("%d logins, browser and phone at different processes; commands are counted in scripts too; what Redis does without logins is subtracted", e.fleetLogins())
}

// addShare adds a row with the medians of the rounds. Its share is that of the work of
// Redis's CPU, as part of the first case's: the median of the rounds.
func (s *sheet) addShare(name string, rounds, first samples) {
	f := rounds.medians()
	var shares []float64
	for i, r := range rounds {
		if first[i][redisColumn] > 0 {
			shares = append(shares, r[redisColumn]/first[i][redisColumn])
		}
	}
	if len(shares) > 0 {
		f[shareColumn] = quantile(shares, 0.5)
	}
	s.add(name, f)
}

// measureFleet measures logins at n processes, whose storage is on the servers.
func measureFleet(ctx context.Context, w *world, n, logins int, servers []*redisserver.Server, open func() (storage, error)) (loginCost, error) {
	f, err := newFleet(ctx, w, n, servers, open)
	if err != nil {
		return nil, err
	}
	defer f.stop()
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
			if v, ok := f[c]; ok {
				values = append(values, v)
			}
		}
		medians[c] = quantile(values, 0.5)
	}
	return medians
}
