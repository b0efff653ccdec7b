package main

import (
	"context"
	"time"

	"github.com/scangate/scangate/bench/internal/waiting"
)

// measureWaiting measures browsers that wait for their phones, and how soon they read the
// approval.
func measureWaiting(ctx context.Context, s *sheet, e effort, _ *world) error {
	p := waiting.Plan{Numbers: []int{100, 1000}, Logins: 300, Idle: 26 * time.Second, Pause: 10 * time.Millisecond}
	switch {
	case e.slice == 0:
		p = waiting.Plan{Numbers: []int{4}, Logins: 2, Idle: time.Millisecond}
	case e.large:
		p.Numbers = append(p.Numbers, 9000)
	}
	findings, err := waiting.Measure(ctx, p)
	if err != nil {
		return err
	}
	for _, f := range findings {
		row := figures{memoryColumn: f.Live / 1024, coreColumn: 100 * f.CPU}
		if f.RedisCPU > 0 {
			row[redisCoreColumn] = 100 * f.RedisCPU
		}
		if len(f.Notified) > 0 {
			row[p50Column], row[p99Column] = percentile(f.Notified, 0.5), percentile(f.Notified, 0.99)
		}
		s.add(f.Name+", "+number(float64(f.Browsers))+" browsers", row)
	}
	s.note("memory is heap and stacks of the server process for each browser; p50 and p99 are the time from the phone's approval until the browser has read it, " +
		"with two processes at different ones; the cores are those used while browsers only poll again")
	return nil
}

// measureH2C measures the memory of a waiting browser by the protocol of its connection.
func measureH2C(ctx context.Context, s *sheet, e effort, _ *world) error {
	n := 1000
	switch {
	case e.slice == 0:
		n = 4
	case e.large:
		n = 5000
	}
	findings, err := waiting.MeasureProtocols(ctx, n)
	if err != nil {
		return err
	}
	for _, f := range findings {
		s.add(f.Name, figures{memoryColumn: f.Live / 1024, shareColumn: f.Live / findings[0].Live})
	}
	s.note("%d browsers wait at one process in memory; memory is its heap and stacks for each", n)
	return nil
}

// percentile returns a quantile of sorted times in milliseconds.
func percentile(sorted []time.Duration, q float64) float64 {
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Millisecond)
}
