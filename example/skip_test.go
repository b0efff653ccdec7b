package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// skipWithout skips a test because a program or server is missing. It fails the test
// instead if SCANGATE_REQUIRE names the program or server.
func skipWithout(t *testing.T, name, reason string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), name) {
		t.Fatalf("SCANGATE_REQUIRE names %s, but %s", name, reason)
	}
	t.Skip(reason)
}
