package main

import (
	"strings"
	"testing"
)

// TestCompareRows compares three turns of two programs. Both have the case "tea".
func TestCompareRows(t *testing.T) {
	turn := func(name string, cpu float64) []row {
		return []row{{Section: "brewing", Case: name, Figures: figures{cpuColumn: cpu}}}
	}
	older := [][]row{append(turn("tea", 10), turn("coffee", 1)...), turn("tea", 40), turn("tea", 20)}
	newer := [][]row{turn("tea", 5), turn("tea", 10), turn("tea", 8)}
	var out strings.Builder
	compareRows(older, newer).print(&out)
	want := `| section | case                | CPU, µs |
| ------- | ------------------- | ------: |
| brewing | tea: before         |      20 |
| brewing | tea: after          |       8 |
| brewing | tea: after / before |     0.4 |

- brewing: "coffee" is measured by one program only
`
	if out.String() != want {
		t.Errorf("comparison: got\n%s\nwant\n%s", out.String(), want)
	}
}
