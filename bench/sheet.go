package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is a kind of figure. Its value is the column's heading.
type column string

const (
	cpuColumn       column = "CPU, µs"
	wallColumn      column = "time, µs"
	allocsColumn    column = "allocs"
	bytesColumn     column = "B allocated"
	sizeColumn      column = "size, B"
	redisColumn     column = "Redis's CPU, µs"
	commandsColumn  column = "commands"
	inColumn        column = "B to Redis"
	outColumn       column = "B from Redis"
	memoryColumn    column = "memory, KB"
	rateColumn      column = "a second"
	p50Column       column = "p50, ms"
	p99Column       column = "p99, ms"
	percentColumn   column = "%"
	coreColumn      column = "% of a core"
	redisCoreColumn column = "% of Redis's"
	ratioColumn     column = "first / this"
	shareColumn     column = "this / first"
)

// columns returns all columns in the order of the table.
func columns() []column {
	return []column{
		cpuColumn, wallColumn, allocsColumn, bytesColumn, sizeColumn, redisColumn, commandsColumn, inColumn, outColumn,
		memoryColumn, rateColumn, p50Column, p99Column, percentColumn, coreColumn, redisCoreColumn, ratioColumn, shareColumn,
	}
}

// figures are the figures of a row.
type figures map[column]float64

// row is a row of the table.
type row struct {
	Section string  `json:"section"`
	Case    string  `json:"case"`
	Figures figures `json:"figures"`
	// Spread is shown behind the ratio, such as "(0.22 to 0.24)".
	Spread string `json:"spread,omitempty"`
}

// sheet collects the rows of all sections, which make one table.
type sheet struct {
	section string // that is being measured
	rows    []row
	notes   []string
	skipped string // why the last section was skipped, or ""
}

// add adds a row to the section.
func (s *sheet) add(name string, f figures) {
	s.rows = append(s.rows, row{Section: s.section, Case: name, Figures: f})
}

// report adds rows with the results of contestants that took turns. The ratio is the first
// one's time divided by the row's: the median and the quartiles of the rounds.
func (s *sheet) report(by clock, prefix string, results []result) {
	timeColumn := wallColumn
	if by == cpu {
		timeColumn = cpuColumn
	}
	for i, r := range results {
		f := figures{timeColumn: r.medianOf(nsOf) / 1e3, bytesColumn: r.medianOf(bytesOf), allocsColumn: r.medianOf(allocsOf)}
		if r.size > 0 {
			f[sizeColumn] = float64(r.size)
		}
		s.add(prefix+r.name, f)
		if i == 0 {
			continue
		}
		// Within each round, in which both had the same conditions.
		ratios := results[0].ratios(r)
		f[ratioColumn] = quantile(ratios, 0.5)
		s.rows[len(s.rows)-1].Spread = fmt.Sprintf("(%.2f to %.2f)", quantile(ratios, 0.25), quantile(ratios, 0.75))
	}
}

// note adds a sentence about the section below the table.
func (s *sheet) note(format string, args ...any) {
	s.notes = append(s.notes, s.section+": "+fmt.Sprintf(format, args...))
}

// skippedError is the reason for which a section is not measured on this machine.
type skippedError string

// Error implements [error].
func (e skippedError) Error() string { return string(e) }

// measure measures a section. It notes the reason if the section is skipped.
func (s *sheet) measure(ctx context.Context, one section, e effort, w *world) error {
	s.section, s.skipped = one.name, ""
	err := one.measure(ctx, s, e, w)
	var skipped skippedError
	if errors.As(err, &skipped) {
		s.skipped = string(skipped)
		s.note("skipped, because %s", s.skipped)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", one.name, err)
	}
	return nil
}

// print writes the table as Markdown, with the columns that have figures, and the notes.
func (s *sheet) print(out io.Writer) {
	used := slices.DeleteFunc(columns(), func(c column) bool {
		return !slices.ContainsFunc(s.rows, func(r row) bool { _, ok := r.Figures[c]; return ok })
	})
	heading := []string{"section", "case"}
	for _, c := range used {
		heading = append(heading, string(c))
	}
	t := table{heading}
	for _, r := range s.rows {
		cells := []string{r.Section, r.Case}
		for _, c := range used {
			cells = append(cells, r.cell(c))
		}
		t = append(t, cells)
	}
	if len(s.rows) > 0 {
		t.print(out)
	}
	for _, n := range s.notes {
		fmt.Fprintf(out, "- %s\n", n)
	}
}

// cell returns the text of one figure, or "" if the row has none.
func (r row) cell(c column) string {
	v, ok := r.Figures[c]
	if !ok {
		return ""
	}
	text := number(v)
	if c == ratioColumn || c == shareColumn {
		text = strings.TrimSpace(fmt.Sprintf("%.2f %s", v, r.Spread))
	}
	return text
}

// table holds rows of cells. The first row is the heading.
type table [][]string

// leftColumns is the number of columns that are aligned to the left: section and case.
const leftColumns = 2

// print writes the table as Markdown with aligned columns.
func (t table) print(out io.Writer) {
	widths := make([]int, len(t[0]))
	for _, cells := range t {
		for i, cell := range cells {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	rule := make([]string, len(t[0]))
	for i := range rule {
		rule[i] = strings.Repeat("-", widths[i])
		if i >= leftColumns {
			rule[i] = strings.Repeat("-", widths[i]-1) + ":"
		}
	}
	for _, cells := range slices.Concat(table{t[0], rule}, t[1:]) {
		fmt.Fprintln(out, line(cells, widths))
	}
	fmt.Fprintln(out)
}

// line returns one row of the table.
func line(cells []string, widths []int) string {
	var b strings.Builder
	b.WriteString("|")
	for i, text := range cells {
		pad := strings.Repeat(" ", widths[i]-len([]rune(text)))
		before, after := pad, ""
		if i < leftColumns {
			before, after = "", pad
		}
		b.WriteString(" " + before + text + after + " |")
	}
	return b.String()
}
