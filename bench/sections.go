package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// section is a group of measurements.
type section struct {
	name    string
	about   string
	measure func(context.Context, *sheet, effort, *world) error
}

// sections returns all sections in the order of the table. profiles is the directory for
// CPU profiles, or "".
func sections(profiles string) []section {
	return []section{
		{"requests", "a request of a logged-in user, compared with other libraries", measureRequests},
		{"redis", "the same on Redis", measureRedis},
		{"logins", "a login inside WeChat, compared with other libraries", measureLogins},
		{"qr", "QR codes, compared with other libraries", measureQR},
		{"throughput", "whole scan logins: CPU, allocations, commands, memory in Redis", throughput{profiles}.measure},
		{"processes", "Redis's work for a login with its polls, for 1, 10 and 100 processes", measureProcesses},
		{"shards", "Redis's work on three servers, compared with one", measureShards},
		{"cluster", "Redis's work on a Cluster of three masters, compared with one server", measureCluster},
		{"waiting", "browsers that wait for their phones: memory, delay, idle CPU", measureWaiting},
		{"h2c", "memory of a waiting browser, by the protocol of its connection", measureH2C},
	}
}

// options are the options of the command.
type options struct {
	sections []string // to measure; none means all
	effort   effort
	profiles string // directory for CPU profiles, or ""
	against  string // program to compare with, or ""
	json     bool
}

// run measures the sections and prints the results.
func run(ctx context.Context, out io.Writer, o options) error {
	if o.effort.rounds < 1 || o.effort.slice < 0 {
		return errors.New("-rounds must be positive, and -slice must not be negative")
	}
	chosen, err := choose(sections(o.profiles), o.sections)
	if err != nil {
		return err
	}
	if o.against != "" {
		return compare(ctx, out, o)
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	s := &sheet{}
	for _, one := range chosen {
		if err = s.measure(ctx, one, o.effort, w); err != nil {
			break // the results so far are printed all the same
		}
	}
	if o.json {
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(s.rows)
	}
	fmt.Fprintf(out, "%s\n\n", machine(o.effort))
	s.print(out)
	return err
}

// choose returns the sections with the given names, or all if there are no names.
func choose(all []section, names []string) ([]section, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []section
	for _, name := range names {
		i := slices.IndexFunc(all, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown section %q; -h lists them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
