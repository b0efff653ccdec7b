package main

import (
	"log"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain runs a server if startProcess started this program: in a test, that is the
// test binary.
func TestMain(m *testing.M) {
	if handled, err := runAsServer(); handled {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestWaiting(t *testing.T) {
	var out strings.Builder
	p := plan{logins: 4, idle: 10 * time.Millisecond}
	if err := measure(t.Context(), &out, p, "8"); err != nil {
		t.Fatal(err)
	}
	if want := "one process, in memory  |        8 |"; !strings.Contains(out.String(), want) {
		t.Errorf("output: got\n%s\nwant %q in it", out.String(), want)
	}
}

func TestParseNumbersInvalid(t *testing.T) {
	for _, list := range []string{"", "1", "-5", "many", "10,,20"} {
		if numbers, err := parseNumbers(list); err == nil {
			t.Errorf("parseNumbers(%q) = %v, want an error", list, numbers)
		}
	}
}
