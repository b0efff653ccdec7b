package main

import (
	"regexp"
	"strings"
)

var (
	fence = regexp.MustCompile("^\\s*(```|~~~)")
	// listItem matches the start of a list item, a heading or a quotation.
	listItem = regexp.MustCompile(`^\s*([-*+]|\d+[.)]|#+|>)\s+`)
	// separator matches the line below a table's head, and rules.
	separator = regexp.MustCompile(`^[\s|:\-*_=]*$`)
	// htmlTag and linkTarget match markup that is not text.
	htmlTag    = regexp.MustCompile(`<[^>]*>`)
	linkTarget = regexp.MustCompile(`\]\([^)]*\)`)
)

// markdown splits a text into paragraphs, list items, headings and table cells. It
// leaves out fenced code.
func markdown(path, text string) document {
	d := document{path: path}
	var current block
	end := func() {
		if len(current.lines) > 0 {
			d.blocks = append(d.blocks, current)
		}
		current = block{kind: prose}
	}
	end()
	closing := "" // of the fence that is open
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	d.measures.lines = len(lines)
	for i, l := range lines {
		if mark := fence.FindStringSubmatch(l); mark != nil && (closing == "" || closing == mark[1]) {
			end()
			closing = toggled(closing, mark[1])
			continue
		}
		if closing != "" {
			continue
		}
		if separator.MatchString(l) {
			end()
			continue
		}
		d.measures.commentLines++
		l = linkTarget.ReplaceAllString(htmlTag.ReplaceAllString(l, ""), "]")
		if strings.HasPrefix(strings.TrimSpace(l), "|") {
			end()
			for _, cell := range strings.Split(l, "|") {
				d.blocks = append(d.blocks, block{prose, []line{{i + 1, cell}}})
			}
			continue
		}
		if mark := listItem.FindString(l); mark != "" {
			end()
			l = l[len(mark):]
		}
		current.lines = append(current.lines, line{i + 1, l})
	}
	end()
	return d
}

// toggled returns the fence that is open after mark.
func toggled(open, mark string) string {
	if open == "" {
		return mark
	}
	return ""
}
