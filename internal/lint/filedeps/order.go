package main

import (
	"fmt"
	"os"
	"strings"
)

// order maps a file's name to its place, 1 being the top.
type order map[string]int

// readOrder reads an order: one name on each line, "#" starts a comment.
func readOrder(path string) (order, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the developer names the file
	if err != nil {
		return nil, err
	}
	ranks := make(order)
	for i, line := range strings.Split(string(text), "\n") {
		name, _, _ := strings.Cut(line, "#")
		name = strings.TrimSpace(name)
		switch {
		case name == "":
		case ranks[name] > 0:
			return nil, fmt.Errorf("%s:%d: %s is named twice", path, i+1, name)
		default:
			ranks[name] = len(ranks) + 1
		}
	}
	return ranks, nil
}

// check returns an error that names the files which the order does not have.
func (o order) check(files []string) error {
	var missing []string
	for _, f := range files {
		if o[f] == 0 {
			missing = append(missing, f)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the order does not name %s", strings.Join(missing, ", "))
	}
	return nil
}

// climbs reports whether from is below to. It is false for unknown names.
func (o order) climbs(from, to string) bool {
	return o[from] > 0 && o[to] > 0 && o[from] > o[to]
}
