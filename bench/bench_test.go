package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// Every contestant does its thing once, so that none can rot.
func TestOnce(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, effort{rounds: 1}, "", t.TempDir()); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	for _, part := range []string{
		"\n| scangate RequireWeChat ", "\n| WeChat in memory ", "\n| WeChat over loopback ", "\n| scangate GET qr.svg ", "\n| in memory ", "\n## 5.",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
}

func TestUnknownSection(t *testing.T) {
	if err := run(t.Context(), io.Discard, effort{rounds: 1}, "teapots", ""); err == nil {
		t.Error("there are teapots")
	}
	if err := run(t.Context(), io.Discard, effort{}, "", ""); err == nil {
		t.Error("no rounds are enough")
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 3, 2, 4}
	for q, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("%v at %v, want %v", got, q, want)
		}
	}
	if values[0] != 5 {
		t.Error("quantile sorts what it is given")
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.234: "1.23", 27: "27", 99.96: "100", 100: "100", 999.6: "1,000", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	table{{"was", "µs"}, {"log in", "1,234"}}.print(&out)
	want := "| was    |    µs |\n| ------ | ----: |\n| log in | 1,234 |\n\n"
	if out.String() != want {
		t.Errorf("\n%s\nwant\n%s", out.String(), want)
	}
}

func TestVisitorKeepsCookies(t *testing.T) {
	v := &visitor{}
	for _, line := range []string{"a=1; Path=/", "b=2", "a=3; HttpOnly", "b=; Max-Age=0", "c=4; Max-Age=0"} {
		v.keep(line)
	}
	if got := v.cookieHeader(); got != "a=3" {
		t.Errorf("%q", got)
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
	if got := strings.Join(order, " "); got != "a b a b a b" { // once to find out how often, then twice in turn
		t.Error(got)
	}
	if len(results) != 2 || len(results[1].samples) != 2 {
		t.Errorf("%v", results)
	}
	if got := (effort{rounds: 3, slice: 8 * time.Millisecond}).finer(); got.rounds != 12 || got.slice != 2*time.Millisecond {
		t.Errorf("%v", got)
	}
}
