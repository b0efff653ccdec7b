package scangate

import (
	"slices"
	"strings"
	"unicode"
)

const (
	// maxNickname bounds a nickname, in characters. WeChat's own limit is lower.
	maxNickname = 64
	// maxMarks bounds the marks that are stacked on one letter. No language's writing
	// needs more.
	maxMarks = 4
)

// cleanNickname returns a nickname in the form in which the gate stores and shows it: at
// most 64 characters, without those that deceive or that cannot be seen. It removes control
// characters, marks that change the writing direction, fillers, tags, and joiners outside
// of emoji and words. Blanks of every kind become single spaces, and stacked marks are
// bounded. It returns "" for a name without a visible character.
func cleanNickname(s string) string {
	var c nicknameCleaner
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if !c.add(r) {
			break
		}
	}
	if !c.visible {
		return ""
	}
	return c.kept.String()
}

// nicknameCleaner collects the characters of a nickname that are kept.
type nicknameCleaner struct {
	kept    strings.Builder
	length  int  // of kept, in characters
	pending rune // a space or a joiner, which is kept if a letter follows; 0 if there is none
	marks   int  // stacked on the last letter
	visible bool // a character can be seen
}

// add adds a character, unless it is not kept. It reports false if the nickname is full.
func (c *nicknameCleaner) add(r rune) bool {
	// A mark or a joiner needs a letter that it belongs to. At the beginning it would
	// belong to the page's text before the name.
	onLetter := c.length > 0 && c.pending == 0
	switch {
	case isJoiner(r):
		if onLetter {
			c.pending = r
		}
	case isBlank(r):
		if c.length > 0 {
			c.pending = ' '
		}
	case isHidden(r):
	case !unicode.Is(unicode.M, r):
		return c.addLetter(r)
	case onLetter:
		return c.addMark(r)
	}
	return true
}

// addLetter adds a character that is not a mark, after the pending one.
func (c *nicknameCleaner) addLetter(r rune) bool {
	if c.pending != 0 {
		if c.length+2 > maxNickname {
			return false
		}
		c.write(c.pending)
	}
	c.pending, c.marks = 0, 0
	// How a private or unassigned character looks depends on the device's fonts, and the
	// replacement character stands for anything.
	if unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && r != unicode.ReplacementChar {
		c.visible = true
	}
	return c.write(r)
}

// addMark adds a mark to the last letter, unless that has enough.
func (c *nicknameCleaner) addMark(r rune) bool {
	if !unicode.Is(unicode.Mc, r) { // those stand beside the letter
		if c.marks == maxMarks {
			return true
		}
		c.marks++
	}
	return c.write(r)
}

// write keeps a character. It reports false if there is no room.
func (c *nicknameCleaner) write(r rune) bool {
	if c.length == maxNickname {
		return false
	}
	c.kept.WriteRune(r)
	c.length++
	return true
}

// isJoiner reports whether r joins or separates its neighbors, as in the emoji of a family.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// blanks are characters that look like a space, although Unicode calls them letters or
// symbols: Braille without dots, the place of an object, a note without a head, and
// hieroglyphs.
var blanks = []rune{0x2800, 0xFFFC, 0x1D159, 0x13441, 0x13442}

// isBlank reports whether r looks like a space.
func isBlank(r rune) bool { return unicode.Is(unicode.Zs, r) || slices.Contains(blanks, r) }

// isHidden reports whether r is never kept: it cannot be seen, or changes how other
// characters are shown.
func isHidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}
