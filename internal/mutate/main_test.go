package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const sample = `package sample

func Small(n int, ok bool) int {
	if n < 10 && ok {
		note(n)
		return 1
	}
	switch {
	case n == 11:
		return 2
	}
	return 0
}

func note(int) {}
`

// TestFaults lists the faults of a small file.
func TestFaults(t *testing.T) {
	faults, err := findIn("sample.go", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.String())
		changed := string(f.apply([]byte(sample)))
		if changed == sample || !strings.Contains(changed, f.text) {
			t.Errorf("%s: the file did not change", f)
		}
	}
	want := []string{
		"sample.go:4: inverted condition: n < 10 && ok -> !(n < 10 && ok)",
		"sample.go:4: swapped &&: n < 10 && ok -> n < 10 || ok",
		"sample.go:4: swapped <: n < 10 -> n <= 10",
		"sample.go:5: dropped call: note(n) -> _ = n",
		"sample.go:9: inverted case: n == 11 -> !(n == 11)",
		"sample.go:9: swapped ==: n == 11 -> n != 11",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults:\ngot  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// TestChoose checks that the seed alone decides the order.
func TestChoose(t *testing.T) {
	faults, err := findIn("sample.go", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	once, again := choose(faults, 1, ""), choose(faults, 1, "")
	if !slices.Equal(once, again) || len(once) != len(faults) {
		t.Errorf("choose with one seed: got %v and %v", once, again)
	}
	if only := choose(faults, 1, "dropped"); len(only) != 1 {
		t.Errorf("choose only dropped calls: got %v", only)
	}
}

// TestTry breaks a small module: one fault is noticed, another is not, and a third does
// not compile.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":    "module sample\n\ngo 1.25\n",
		"sample.go": sample,
		"sample_test.go": `package sample

import "testing"

func TestSmall(t *testing.T) {
	if got := Small(5, true); got != 1 {
		t.Error(got)
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	faults, err := find([]string{"."})
	if err != nil {
		t.Fatal(err)
	}
	broken := faults[0]
	broken.text = "nonsense("
	for _, c := range []struct {
		fault fault
		want  result
	}{
		{faults[0], noticed},   // the inverted condition
		{faults[2], unnoticed}, // n <= 10
		{broken, invalid},
	} {
		if got, err := try(t.Context(), c.fault, time.Minute); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.fault, got, err, c.want)
		}
	}
}
