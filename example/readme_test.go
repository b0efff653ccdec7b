package main

import (
	"go/format"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeCode compares README.md with the code that it quotes.
func TestReadmeCode(t *testing.T) {
	readme := readFile(t, "../README.md")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("there is no code")
	}
	for _, block := range blocks {
		if got, err := format.Source([]byte(block[1])); err != nil || string(got) != block[1] {
			t.Errorf("gofmt would change this, or says %v:\n%s", err, block[1])
		}
	}
	for _, tt := range []struct {
		name, file, from, to string
	}{
		{"the complete application", "../example_test.go", "\tgate, err := scangate.New", "\n}\n"},
		{"the store of an application's own", "ownusers/members.go", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := readFile(t, tt.file)
			code = code[strings.Index(code, tt.from):]
			if end := strings.Index(code, tt.to); end > 0 {
				code = code[:end]
			}
			if !strings.Contains(readme, code) {
				t.Errorf("README.md doesn't quote %s, which is\n%s", tt.file, code)
			}
		})
	}
}

// TestReadmeSettings demands a row in README.md for each field of the Config.
func TestReadmeSettings(t *testing.T) {
	readme := readFile(t, "../README.md")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[scangate.Config]()) {
		if n := strings.Count(readme, "\n| `"+field.Name+"` | "); n != 1 {
			t.Errorf("Config.%s has %d rows", field.Name, n)
		}
	}
}
