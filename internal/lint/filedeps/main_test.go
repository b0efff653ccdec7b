package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const shop = "./testdata/shop"

func TestDependencies(t *testing.T) {
	world, err := load(".", []string{shop})
	if err != nil {
		t.Fatalf("load %s: %v", shop, err)
	}
	got := dependencies(world.roots[0])
	want := map[edge]string{ // each with its first use
		{"top.go", "bottom.go"}:    "prices",
		{"top.go", "middle.go"}:    "price",
		{"middle.go", "top.go"}:    "Shop",
		{"middle.go", "bottom.go"}: "of",
		{"bottom.go", "top.go"}:    "Shop",
		{"bottom.go", "middle.go"}: "label",
		{"reader.go", "middle.go"}: "every",
		{"reader.go", "top.go"}:    "name",
	}
	for e, name := range want {
		if got[e].name != name {
			t.Errorf("dependency %s -> %s: first use = %q, want %q", e.from, e.to, got[e].name, name)
		}
	}
	for _, e := range sorted(slices.Collect(maps.Keys(got))) {
		if want[e] == "" {
			t.Errorf("dependency %s -> %s: by %q, want none", e.from, e.to, got[e].name)
		}
	}
}

func TestReport(t *testing.T) {
	var got bytes.Buffer
	opts := options{patterns: []string{shop}, order: "testdata/order.txt", calls: "Sell", maxBack: 4, maxMutual: 3}
	if err := run(&got, ".", opts); err != nil {
		t.Fatalf("run at its limits: %v", err)
	}
	want, err := os.ReadFile("testdata/shop.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("report on %s:\n%s\nwant:\n%s", shop, got.String(), want)
	}
}

func TestRunFails(t *testing.T) {
	incomplete := filepath.Join(t.TempDir(), "incomplete.txt")
	twice := filepath.Join(t.TempDir(), "twice.txt")
	for path, text := range map[string]string{incomplete: "top.go\nmiddle.go\nreader.go\n", twice: "top.go\n\ntop.go\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const till = "github.com/scangate/scangate/internal/lint/filedeps/testdata/shop/internal/till"
	const here = "internal/lint/filedeps/testdata/shop"
	tests := map[string]struct {
		args []string
		want string // in the error; none for success
	}{
		"no limits":             {nil, ""},
		"back at the limit":     {[]string{"-order", "testdata/order.txt", "-max-back", "4"}, ""},
		"back above the limit":  {[]string{"-order", "testdata/order.txt", "-max-back", "3"}, "has 4 back-dependencies, at most 3"},
		"mutual above":          {[]string{"-max-mutual", "2"}, "has 3 mutual pairs of files, at most 2"},
		"file without a place":  {[]string{"-order", incomplete}, "the order does not name bottom.go, receiver.go"},
		"name twice":            {[]string{"-order", twice}, "twice.txt:3: top.go is named twice"},
		"no such order":         {[]string{"-order", "testdata/none.txt"}, "none.txt"},
		"unknown function":      {[]string{"-calls", "Buy"}, "no function or method is called Buy"},
		"method of a type":      {[]string{"-calls", "Shop.Sell"}, ""},
		"method of another":     {[]string{"-calls", "prices.Sell"}, "no function or method is called prices.Sell"},
		"forbidden import":      {[]string{"-forbid", here + ":net/http," + till}, "testdata/shop imports " + till},
		"other imports":         {[]string{"-forbid", here + ":net/http,fmt"}, ""},
		"import of an import":   {[]string{"-forbid", here + ":unsafe"}, ""},
		"forbid without a dir":  {[]string{"-forbid", "internal/none:fmt"}, "internal/none"},
		"package without files": {[]string{"./testdata"}, "no Go files"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts, err := parseOptions(test.args, io.Discard)
			if err != nil {
				t.Fatalf("parse %q: %v", test.args, err)
			}
			if opts.patterns[0] == "." {
				opts.patterns = []string{shop}
			}
			err = run(io.Discard, ".", opts)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("run %q: %v, want no error", test.args, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("run %q: error = %v, want one with %q", test.args, err, test.want)
			}
		})
	}
}

func TestForbidFlag(t *testing.T) {
	for _, rule := range []string{"internal/login", "internal/login:", ":net/http"} {
		if _, err := parseOptions([]string{"-forbid", rule}, io.Discard); err == nil {
			t.Errorf("parse -forbid %q: no error, want one", rule)
		}
	}
}

// TestDefaultOrder checks that the committed order can be read, and that it applies
// to the root package only.
func TestDefaultOrder(t *testing.T) {
	world, err := load("../../..", []string{".", "./wechat"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range world.roots {
		isRoot := p.ImportPath == "github.com/scangate/scangate"
		ranks, _ := orderOf(p, options{})
		if (ranks != nil) != isRoot {
			t.Errorf("order of %s has %d names; only the root package has a default order", p.ImportPath, len(ranks))
		}
		if isRoot && ranks["doc.go"] != 1 {
			t.Errorf("order of %s: place of doc.go = %d, want 1", p.ImportPath, ranks["doc.go"])
		}
	}
}
