package main

import (
	"slices"
	"testing"
)

func TestMessages(t *testing.T) {
	tests := map[string]string{
		`errors.New("one")`:                                 "one",
		`fmt.Errorf("one %d", 1)`:                           "one %d",
		"errors.New(`one` + \" two\")":                      "one two",
		`g.config.Logger.WarnContext(ctx, "one", "k", "v")`: "one",
		`logger.Error("one")`:                               "one",
		`slog.Default().Info("one")`:                        "one",
		`slog.LogAttrs(ctx, slog.LevelWarn, "one")`:         "one",
		`log.Printf("one")`:                                 "one",
		`t.Error("one")`:                                    "",
		`http.Error(w, "one", 500)`:                         "",
		`fmt.Sprintf("one")`:                                "",
		`errors.New(text)`:                                  "",
	}
	for call, want := range tests {
		d, err := golang("p.go", []byte("package p\nfunc f() {\n\t_ = "+call+"\n}\n"))
		if err != nil {
			t.Errorf("parse %s: %v", call, err)
			continue
		}
		got := ""
		for _, b := range d.blocks {
			got += b.lines[0].text
		}
		if got != want {
			t.Errorf("message of %s = %q, want %q", call, got, want)
		}
	}
}

func TestGoMeasures(t *testing.T) {
	const text = `package p

// f has three comments
// and four lines of them.
func f() { // one
	// two

	/* three */ g()
}

func (t T) g() {}
`
	d, err := golang("p.go", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := measures{lines: 11, commentLines: 5, inBodies: 3, lengths: []int{5, 1}}
	if got := d.measures; got.lines != want.lines || got.commentLines != want.commentLines ||
		got.inBodies != want.inBodies || !slices.Equal(got.lengths, want.lengths) {
		t.Errorf("measures = %+v, want %+v", got, want)
	}
}
