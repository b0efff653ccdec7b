package main

import (
	"strings"
	"testing"
)

// TestPatterns names, for each sentence, the letters of the patterns in it. A letter
// stands as often as the pattern is found.
func TestPatterns(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", maxWords))
	tests := []struct {
		text string
		want string
	}{
		// a: subjects.
		{"Who waits holds no connection.", "a"},
		{"What can't be an id does not count.", "a"},
		{"The first that is found counts, so what imitates others comes later.", "a"},
		{"It needs no goroutine: whoever adds an entry clears away what has expired by then.", "aa"},
		{"A program gets 204, and who sent a form is redirected.", "a"},
		{"Logger gets what goes wrong.", "a"},
		{"Those who wait hold none.", "a"},
		// a: other relatives and questions.
		{"What is the key?", ""},
		{"The user who is logged in may pass.", ""},
		{"It returns the user, who is read again.", ""},
		{"This is what the gate stores.", ""},
		{"It stores what the caller passed.", ""},
		// b.
		{"Everybody on the way can take over what it sends, but nobody and no people can read it.", "bbb"},
		{"Anyone on the network path can hijack sessions.", ""},
		{"It returns http.NoBody or NoBody.", ""},
		// c.
		{"noteFailure tells the log.", "c"},
		{"The store could not say so.", "c"},
		{"A new record is told to the waiting calls.", "c"},
		{"The one place that knows their order.", "c"},
		{"Users say yes on their phones, and the person may also say no.", ""},
		{"The prefix tells the two apart.", ""},
		// d.
		{"It comes first, for it wraps an error.", "d"},
		{"The next step is done again, for the person may have seen one answer only.", "d"},
		{"mac binds text to the browser, for one purpose.", ""},
		{"This page is shown to clients, for an error that is a failure.", ""},
		{"It waits for the store.", ""},
		// e.
		{"It is Redis if that is set, else a map.", "e"},
		{"Nothing else works.", ""},
		// f.
		{"A malformed request is no guess.", "f"},
		{"There is no user.", ""},
		{"The entry is no longer valid.", ""},
		// g.
		{long + ".", ""},
		{long + " more.", "g"},
	}
	for _, test := range tests {
		got := ""
		for _, h := range (document{blocks: []block{{comment, []line{{1, test.text}}}}}).check() {
			got += strings.Repeat(h.pattern.letter, h.count)
		}
		if got != test.want {
			t.Errorf("patterns in %q = %q, want %q", test.text, got, test.want)
		}
	}
}

func TestMessageForm(t *testing.T) {
	tests := []struct {
		kind kind
		text string
		want int
	}{
		{message, "scangate: counting codes", 0},
		{message, "scangate: counting codes: scangate: the record has changed", 1},
		{message, "first\nsecond", 1},
		{message, "scangate: a: scangate: b\n", 2},
		{comment, "scangate: a: scangate: b", 0},
	}
	for _, test := range tests {
		b := block{test.kind, []line{{1, test.text}}}
		if got := messageForm(b.sentences()[0]); got != test.want {
			t.Errorf("faults of form in %q, kind %d = %d, want %d", test.text, test.kind, got, test.want)
		}
	}
}

func TestSentences(t *testing.T) {
	b := block{comment, []line{
		{3, " The first, e.g. this one, goes"},
		{4, " on. The second one (it is short.) And"},
		{5, " the third calls http.Error. \"Four.\" Five"},
	}}
	want := []sentence{
		{line: 3, text: "The first, e.g. this one, goes on."},
		{line: 4, text: "The second one (it is short.)"},
		{line: 4, text: "And the third calls http.Error."},
		{line: 5, text: `"Four."`},
		{line: 5, text: "Five"},
	}
	got := b.sentences()
	if len(got) != len(want) {
		t.Fatalf("number of sentences = %d, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i].line != want[i].line || got[i].text != want[i].text {
			t.Errorf("sentence %d = line %d, %q, want line %d, %q", i, got[i].line, got[i].text, want[i].line, want[i].text)
		}
	}
}
