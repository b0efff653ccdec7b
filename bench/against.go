package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
)

// compare runs an older program and this one in turns, and prints the older one's figures,
// this one's, and the ratio of each. The ratio is taken in each turn, in which both had
// the same conditions; the table has the medians.
func compare(ctx context.Context, out io.Writer, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// A measurement that takes seconds has one round in a turn; more turns replace rounds.
	args := []string{"-json", "-rounds", strconv.Itoa(roundsInTurn), "-slice", o.effort.slice.String()}
	if o.effort.large {
		args = append(args, "-large")
	}
	args = append(append(args, "--"), o.sections...)
	var before, after [][]row
	for range o.effort.fewer() {
		older, err := runProgram(ctx, o.against, args)
		if err != nil {
			return err
		}
		newer, err := runProgram(ctx, self, args)
		if err != nil {
			return err
		}
		before, after = append(before, older), append(after, newer)
	}
	s := compareRows(before, after)
	fmt.Fprintf(out, "%s, %d turns of two programs\n\n", machine(o.effort), len(before))
	s.print(out)
	return nil
}

// roundsInTurn is the number of rounds that a program does in each turn. It is 1 for
// measurements that take seconds, see [effort.fewer].
const roundsInTurn = 5

// runProgram runs a program of this kind and returns its rows.
func runProgram(ctx context.Context, path string, args []string) ([]row, error) {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the user names the program
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", path, err)
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("reading the rows of %s: %w", path, err)
	}
	if len(rows) == 0 {
		return nil, errors.New(path + " has measured nothing")
	}
	return rows, nil
}

// compareRows returns three rows for each case of the first turn that both programs have
// in all turns: before, after, and the ratio.
func compareRows(before, after [][]row) *sheet {
	s := &sheet{}
	for _, first := range before[0] {
		older, newer := find(before, first), find(after, first)
		s.section = first.Section
		if older == nil || newer == nil {
			s.note("%q is measured by one program only", first.Case)
			continue
		}
		ratios := make(samples, len(older))
		for i := range older {
			ratios[i] = figures{}
			for c, v := range newer[i] {
				if old, ok := older[i][c]; ok && old != 0 {
					ratios[i][c] = v / old
				}
			}
		}
		s.add(first.Case+": before", older.medians())
		s.add(first.Case+": after", newer.medians())
		s.add(first.Case+": after / before", ratios.medians())
	}
	return s
}

// find returns the figures of a case in each turn, or nil if a turn lacks it.
func find(turns [][]row, wanted row) samples {
	var found samples
	for _, rows := range turns {
		i := slices.IndexFunc(rows, func(r row) bool { return r.Section == wanted.Section && r.Case == wanted.Case })
		if i < 0 {
			return nil
		}
		found = append(found, rows[i].Figures)
	}
	return found
}
