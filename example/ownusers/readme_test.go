package ownusers

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeQuotesMembers compares members.go with both READMEs, which quote the whole
// file once.
func TestReadmeQuotesMembers(t *testing.T) {
	code, err := os.ReadFile("members.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		readme, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(readme), "```go\n"+string(code)+"```\n"); n != 1 {
			t.Errorf("%s quotes members.go %d times, want once", name, n)
		}
	}
}
