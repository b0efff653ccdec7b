package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// TestAllSections runs every operation of every section once.
func TestAllSections(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, effort{rounds: 1}, "", t.TempDir()); err != nil {
		t.Fatalf("run = %v, want nil; output:\n%s", err, out.String())
	}
	for _, part := range []string{
		"\n| scangate RequireWeChat ", "\n| WeChat in memory ", "\n| WeChat over loopback ", "\n| scangate GET qr.svg ", "\n| in memory ", "\n## 5.",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("output: got\n%s\nwant %q in it", out.String(), part)
		}
	}
}

func TestInvalidArguments(t *testing.T) {
	for name, test := range map[string]struct {
		effort effort
		only   string
		want   string
	}{
		"unknown section": {effort{rounds: 1}, "teapots", `-only: unknown section "teapots"`},
		"no rounds":       {effort{}, "", "-rounds must be positive, and -slice must not be negative"},
		"negative slice":  {effort{rounds: 1, slice: -1}, "", "-rounds must be positive, and -slice must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), io.Discard, test.effort, test.only, ""); err == nil || err.Error() != test.want {
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

func TestTable(t *testing.T) {
	var out strings.Builder
	table{{"what", "µs"}, {"log in", "1,234"}}.print(&out)
	want := "| what   |    µs |\n| ------ | ----: |\n| log in | 1,234 |\n\n"
	if out.String() != want {
		t.Errorf("table: got\n%s\nwant\n%s", out.String(), want)
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
