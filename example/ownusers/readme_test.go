package ownusers

import (
	"os"
	"strings"
	"testing"
)

// README.md shows the file whole.
func TestReadmeShowsThis(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("members.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), strings.TrimSpace(string(code))) {
		t.Error("README.md shows another members.go")
	}
}
