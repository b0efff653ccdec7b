package main

import (
	"regexp"
	"strings"
	"unicode"
)

// sentence is a sentence of a block, or the whole of a message.
type sentence struct {
	kind  kind
	line  int
	text  string
	words []word
}

// word is a word in lower case, with the text between it and the word before.
type word struct {
	text string
	gap  string
	name bool // has a capital letter behind the first, as identifiers have
}

var (
	// sentenceEnd matches the end of a sentence and the blanks after it.
	sentenceEnd = regexp.MustCompile(`[.?!]["')\]]*\s+`)
	// abbreviation matches text that ends in a full stop which ends no sentence.
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|etc|vs|cf|No|[A-Z])\.$`)
	// wordPattern matches a word. Names such as http.Error count as one.
	wordPattern = regexp.MustCompile(`[\pL\pN_]+(?:['’.\-][\pL\pN_]+)*`)
	// codeSpan matches code within a line of Markdown.
	codeSpan = regexp.MustCompile("`[^`]*`")
)

// sentences splits b. A message is one sentence, even if it contains a newline.
func (b block) sentences() []sentence {
	var text strings.Builder
	var starts []int // of the lines, in text
	for _, l := range b.lines {
		starts = append(starts, text.Len())
		text.WriteString(strings.TrimSpace(l.text) + " ")
	}
	all := text.String()
	if b.kind == message {
		return []sentence{newSentence(message, b.lines[0].number, b.lines[0].text)}
	}
	var out []sentence
	emit := func(from, to int) {
		part := strings.TrimRightFunc(all[from:to], unicode.IsSpace)
		trimmed := strings.TrimLeftFunc(part, unicode.IsSpace)
		from += len(part) - len(trimmed)
		if trimmed == "" {
			return
		}
		n := len(starts) - 1
		for starts[n] > from {
			n--
		}
		out = append(out, newSentence(b.kind, b.lines[n].number, trimmed))
	}
	from := 0
	for _, end := range sentenceEnd.FindAllStringIndex(all, -1) {
		if !abbreviation.MatchString(all[from : end[0]+1]) {
			emit(from, end[1])
			from = end[1]
		}
	}
	emit(from, len(all))
	return out
}

// newSentence splits text into words. A span of code counts as one word.
func newSentence(k kind, number int, text string) sentence {
	s := sentence{kind: k, line: number, text: text}
	plain := text
	if k == prose {
		plain = codeSpan.ReplaceAllString(text, "code")
	}
	last := 0
	for _, at := range wordPattern.FindAllStringIndex(plain, -1) {
		w := strings.ReplaceAll(plain[at[0]:at[1]], "’", "'")
		lower := strings.ToLower(w)
		s.words = append(s.words, word{lower, plain[last:at[0]], strings.ContainsFunc(w[1:], unicode.IsUpper)})
		last = at[1]
	}
	return s
}

// at returns the text of the word with the index i, or "" outside of the sentence.
func (s sentence) at(i int) string {
	if i < 0 || i >= len(s.words) {
		return ""
	}
	return s.words[i].text
}

// after reports whether the word with the index i comes after one of marks.
func (s sentence) after(i int, marks string) bool {
	return strings.ContainsAny(s.words[i].gap, marks)
}
