package main

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
