package ownusers

import (
	"os"
	"strings"
	"testing"
)

// README.md shows the file whole, in both languages, and once.
func TestReadmeShowsThis(t *testing.T) {
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
			t.Errorf("%s shows members.go %d times", name, n)
		}
	}
}
