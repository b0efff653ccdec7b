package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kind is the origin of a block of text.
type kind int

const (
	comment kind = iota
	message      // an error or a log message
	prose        // in Markdown
)

// line is a line of text and its number in the file.
type line struct {
	number int
	text   string
}

// block is text that is read as a whole, such as a paragraph.
type block struct {
	kind  kind
	lines []line
}

// document is a file's text and measures.
type document struct {
	path     string
	blocks   []block
	measures measures
}

// measures are a file's figures in the summary besides its hits.
type measures struct {
	lines        int   // lines in total
	commentLines int   // in Go, lines with a comment; in Markdown, lines of prose
	inBodies     int   // comments inside of functions
	lengths      []int // of the functions, in lines
}

// hit is a sentence that has a pattern.
type hit struct {
	pattern pattern
	kind    kind
	count   int // how often the sentence has it
	line    int
	text    string
}

// read reads the document at path.
func read(path string) (document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return document{}, err
	}
	if filepath.Ext(path) == ".md" {
		return markdown(path, string(text)), nil
	}
	d, err := golang(path, text)
	if err != nil {
		return document{}, fmt.Errorf("parsing: %w", err)
	}
	return d, nil
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
