package main

import (
	"log"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if handled, err := serveIfAsked(); handled {
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
	if !strings.Contains(out.String(), "one process, in memory  |        8 |") {
		t.Error(out.String())
	}
}

func TestNumbers(t *testing.T) {
	for _, list := range []string{"", "1", "-5", "many", "10,,20"} {
		if numbers, err := parseNumbers(list); err == nil {
			t.Errorf("%q is %v", list, numbers)
		}
	}
}
