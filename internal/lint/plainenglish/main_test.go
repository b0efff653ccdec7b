package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	want, err := os.ReadFile("testdata/sample.golden")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := run(&got, []string{"testdata/sample", "testdata/sample/sample.go"}, false); err != nil {
		t.Fatalf("run on testdata/sample: %v, want no error", err)
	}
	if got.String() != string(want) {
		t.Errorf("run on testdata/sample:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestSummaryOnly(t *testing.T) {
	golden, err := os.ReadFile("testdata/sample.golden")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(golden), "\n\n")
	var got bytes.Buffer
	if err := run(&got, []string{"testdata/sample"}, true); err != nil {
		t.Fatalf("run on testdata/sample: %v, want no error", err)
	}
	if got.String() != "\n"+want {
		t.Errorf("summary of testdata/sample:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestSkippedDirectories(t *testing.T) {
	files, err := find([]string{"."})
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	for _, f := range files {
		if strings.Contains(f, "testdata") {
			t.Errorf("find returned %s, want nothing below testdata", f)
		}
	}
	if len(files) == 0 {
		t.Error("find returned no files, want those of this directory")
	}
}

func TestUnreadableInput(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"broken.go": "package\n", "good.md": "Nobody.\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "absent.go")} {
		var got bytes.Buffer
		if err := run(&got, []string{path, filepath.Join(dir, "good.md")}, false); err == nil {
			t.Errorf("run on %s: no error, want one", path)
		}
		if !strings.Contains(got.String(), "good.md:1: vague actor: Nobody.") {
			t.Errorf("run on %s printed %q, want the hit in good.md as well", path, got.String())
		}
	}
}

func TestPercentile(t *testing.T) {
	tests := []struct {
		lengths []int
		p, want int
	}{
		{nil, 50, 0},
		{[]int{7}, 50, 7},
		{[]int{1, 2, 3}, 50, 2},
		{[]int{1, 2, 3, 4}, 50, 2},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 90, 9},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 100, 10},
	}
	for _, test := range tests {
		if got := percentile(test.lengths, test.p); got != test.want {
			t.Errorf("percentile %d of %v = %d, want %d", test.p, test.lengths, got, test.want)
		}
	}
}
