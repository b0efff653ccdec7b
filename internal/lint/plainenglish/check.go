package main

import "strings"

// hit is a sentence that has a pattern.
type hit struct {
	pattern pattern
	kind    kind
	count   int // how often the sentence has it
	line    int
	text    string
}

// check returns the hits in d, in the order of the text.
func (d document) check() []hit {
	var hits []hit
	for _, b := range d.blocks {
		for _, s := range b.sentences() {
			for _, p := range patterns {
				if n := p.count(s); n > 0 {
					hits = append(hits, hit{p, b.kind, n, s.line, strings.Join(strings.Fields(s.text), " ")})
				}
			}
		}
	}
	return hits
}
