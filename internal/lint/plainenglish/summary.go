package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is a line of the summary: the files of one kind in a directory.
type row struct {
	measures
	hits     map[string]int // by the pattern's letter
	messages int            // hits in messages
}

// group names a row.
type group struct {
	kind string // "code", "tests" or "Markdown"
	dir  string
}

// summary is the rows by their groups.
type summary map[group]*row

// kinds are the tables of the summary, in order.
var kinds = [...]string{"code", "tests", "Markdown"}

// add counts d and its hits. Hits in messages count apart, because the rates are those
// of comments.
func (s summary) add(d document, hits []hit) {
	g := group{"code", filepath.ToSlash(filepath.Dir(d.path))}
	switch {
	case filepath.Ext(d.path) == ".md":
		g.kind = "Markdown"
	case strings.HasSuffix(d.path, "_test.go"):
		g.kind = "tests"
	}
	r := s[g]
	if r == nil {
		r = &row{hits: make(map[string]int)}
		s[g] = r
	}
	r.lines += d.measures.lines
	r.commentLines += d.measures.commentLines
	r.inBodies += d.measures.inBodies
	r.lengths = append(r.lengths, d.measures.lengths...)
	for _, h := range hits {
		if h.kind == message {
			r.messages += h.count
			continue
		}
		r.hits[h.pattern.letter] += h.count
	}
}

// print prints a table for each kind of file.
func (s summary) print(w io.Writer) error {
	for _, k := range kinds {
		groups := slices.SortedFunc(maps.Keys(s), func(a, b group) int { return strings.Compare(a.dir, b.dir) })
		groups = slices.DeleteFunc(groups, func(g group) bool { return g.kind != k })
		if len(groups) == 0 {
			continue
		}
		tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tab, header(k))
		for _, g := range groups {
			fmt.Fprintln(tab, s[g].format(g))
		}
		if err := tab.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// header returns the first line of the table for kind. The columns of the patterns are
// hits, and after the slash hits per 1,000 lines.
func header(kind string) string {
	columns := []string{"\n" + kind}
	if kind == "Markdown" {
		columns = append(columns, "prose lines")
	} else {
		columns = append(columns, "comment lines")
	}
	for _, p := range patterns[:len(patterns)-1] {
		columns = append(columns, p.letter)
	}
	if kind != "Markdown" {
		columns = append(columns, "in messages", "in bodies per 100 functions", "comments", "functions: median/90%/longest")
	}
	return strings.Join(columns, "\t")
}

// format returns the row's line in the table.
func (r *row) format(g group) string {
	columns := []string{g.dir, fmt.Sprint(r.commentLines)}
	for _, p := range patterns[:len(patterns)-1] { // the last one concerns messages only
		columns = append(columns, fmt.Sprintf("%d/%.0f", r.hits[p.letter], 1000*share(r.hits[p.letter], r.commentLines)))
	}
	if g.kind != "Markdown" {
		slices.Sort(r.lengths)
		columns = append(columns, fmt.Sprint(r.messages), fmt.Sprintf("%.0f", 100*share(r.inBodies, len(r.lengths))),
			fmt.Sprintf("%.0f%%", 100*share(r.commentLines, r.lines)),
			fmt.Sprintf("%d/%d/%d", percentile(r.lengths, 50), percentile(r.lengths, 90), percentile(r.lengths, 100)))
	}
	return strings.Join(columns, "\t")
}

// share returns n of total, or 0 if there is nothing.
func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}

// percentile returns the smallest of the sorted lengths that p percent do not exceed.
func percentile(lengths []int, p int) int {
	if len(lengths) == 0 {
		return 0
	}
	return lengths[(len(lengths)*p+99)/100-1]
}
