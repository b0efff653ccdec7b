// Package chat composes the gate's replies in the chat of a person and the account, and reads
// the person's answers. It is independent of HTTP.
package chat

import (
	"strings"
	"unicode"
)

// Kind is the kind of an answer.
type Kind int

// The kinds of answers.
const (
	Other  Kind = iota // anything else, which is not for the gate
	Single             // one digit: 0 refuses
	Number             // two digits: the number that the other screen shows
	Echo               // four digits: the number that the page in this phone shows
	Code               // eight digits: a login's own
)

// kinds are the kinds of answers by their number of digits.
var kinds = map[int]Kind{1: Single, 2: Number, 4: Echo, 8: Code}

// Answer is a person's answer.
type Answer struct {
	Kind   Kind
	Digits string // in ASCII; "" for Other
}

// maxAnswer bounds the text of an answer, in bytes.
const maxAnswer = 100

// Read reads the text of a message. It accepts ASCII digits and full-width ones, with
// spaces and line breaks anywhere. A message with anything else is Other.
func Read(text string) Answer {
	if len(text) > maxAnswer {
		return Answer{}
	}
	var digits strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r >= '０' && r <= '９':
			digits.WriteRune(r - '０' + '0')
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
			// Keyboards and copied texts bring spaces and invisible characters.
		default:
			return Answer{}
		}
	}
	kind := kinds[digits.Len()]
	if kind == Other {
		return Answer{}
	}
	return Answer{kind, digits.String()}
}
