package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/bench/internal/waiting"
)

// TestMain runs a server if a section started this program again: in a test, that is the
// test binary.
func TestMain(m *testing.M) {
	if served, err := waiting.RunAsServer(); served {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// smoke is the effort of a test: every operation runs once, at the smallest size.
func smoke() effort { return effort{rounds: 1} }

// TestSections runs every section with tiny sizes.
func TestSections(t *testing.T) {
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range sections(t.TempDir()) {
		t.Run(one.name, func(t *testing.T) {
			s := &sheet{}
			if err := s.measure(t.Context(), one, smoke(), w); err != nil {
				t.Fatalf("measure = %v, want nil", err)
			}
			if s.skipped != "" {
				requireOrSkip(t, s.skipped)
			}
			if len(s.rows) == 0 {
				t.Error("rows = 0, want some")
			}
			for _, r := range s.rows {
				if r.Section != one.name || r.Case == "" || len(r.Figures) == 0 {
					t.Errorf("row = %+v, want the section, a case and figures", r)
				}
				for c, v := range r.Figures {
					if math.IsNaN(v) || math.IsInf(v, 0) || !slices.Contains(columns(), c) {
						t.Errorf("%s: %s = %v, want a number in a column of the table", r.Case, c, v)
					}
				}
			}
		})
	}
}

// requireOrSkip skips the test because a program is missing, or fails it if
// SCANGATE_REQUIRE names redis.
func requireOrSkip(t *testing.T, reason string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "redis") {
		t.Fatalf("skipped, because %s; SCANGATE_REQUIRE names redis", reason)
	}
	t.Skip(reason)
}

func TestSkippedSection(t *testing.T) {
	s := &sheet{}
	one := section{name: "teapots", measure: func(context.Context, *sheet, effort, *world) error {
		return fmt.Errorf("heating: %w", skippedError("there is no water"))
	}}
	if err := s.measure(t.Context(), one, smoke(), nil); err != nil {
		t.Fatalf("measure = %v, want nil", err)
	}
	var out strings.Builder
	s.print(&out)
	if want := "- teapots: skipped, because there is no water\n"; out.String() != want {
		t.Errorf("output = %q, want %q", out.String(), want)
	}
}

func TestInvalidArguments(t *testing.T) {
	for name, test := range map[string]struct {
		options options
		want    string
	}{
		"unknown section": {options{effort: smoke(), sections: []string{"teapots"}}, `unknown section "teapots"; -h lists them`},
		"no rounds":       {options{}, "-rounds must be positive, and -slice must not be negative"},
		"negative slice":  {options{effort: effort{rounds: 1, slice: -1}}, "-rounds must be positive, and -slice must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), io.Discard, test.options); err == nil || err.Error() != test.want {
				t.Errorf("run = %v, want %q", err, test.want)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 3, 2, 4}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile(%v, %v) = %v, want %v", values, q, got, want)
		}
	}
	if values[0] != 5 {
		t.Errorf("values after quantile = %v, want them unchanged", values)
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("quantile(nil, 0.5) = %v, want NaN", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.234: "1.23", 27: "27", 99.96: "100", 100: "100", 999.6: "1,000", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestSheetPrint(t *testing.T) {
	s := &sheet{section: "brewing"}
	s.add("tea", figures{cpuColumn: 1234, ratioColumn: 0.5})
	s.rows[0].Spread = "(0.40 to 0.60)"
	s.add("coffee", figures{cpuColumn: 7})
	s.note("with %d cups", 2)
	var out strings.Builder
	s.print(&out)
	want := `| section | case   | CPU, µs |        first / this |
| ------- | ------ | ------: | ------------------: |
| brewing | tea    |   1,234 | 0.50 (0.40 to 0.60) |
| brewing | coffee |       7 |                     |

- brewing: with 2 cups
`
	if out.String() != want {
		t.Errorf("sheet: got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestVisitorCookies(t *testing.T) {
	desktop := &visitor{}
	for _, line := range []string{"a=1; Path=/", "b=2", "a=3; HttpOnly", "b=; Max-Age=0", "c=4; Max-Age=0"} {
		desktop.storeCookie(line)
	}
	if got := desktop.cookieHeader(); got != "a=3" {
		t.Errorf("Cookie header = %q, want %q", got, "a=3")
	}
}

func TestContest(t *testing.T) {
	var order []string
	c := func(name string) contestant {
		return contestant{name: name, do: func(n int) error {
			order = append(order, strings.Repeat(name, n))
			return nil
		}}
	}
	results, err := effort{rounds: 2}.contest(wall, []contestant{c("a"), c("b")})
	if err != nil {
		t.Fatal(err)
	}
	// Each contestant runs once for calibration, and then once in each round.
	if got, want := strings.Join(order, " "), "a b a b a b"; got != want {
		t.Errorf("order of the runs = %q, want %q", got, want)
	}
	if len(results) != 2 || len(results[1].samples) != 2 {
		t.Errorf("results = %v, want 2 with 2 samples each", results)
	}
	want := effort{rounds: 12, slice: 2 * time.Millisecond}
	if got := (effort{rounds: 3, slice: 8 * time.Millisecond}).shorterSlices(); got != want {
		t.Errorf("shorterSlices = %v, want %v", got, want)
	}
}
