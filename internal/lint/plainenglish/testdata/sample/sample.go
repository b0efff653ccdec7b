// Package sample has comments and messages. Who reads it
// finds them.
//
// What is a question? An abbreviation, e.g. this one, ends no sentence.
package sample

import (
	"errors"
	"fmt"
)

//go:generate who is not text

// Sum returns the total, for it is needed. Nobody
// calls it.
func Sum(a, b int) (int, error) { // the remark tells nothing
	if a < 0 {
		return 0, errors.New("scangate: this is no number")
	}
	// One group
	// of two lines.
	if b < 0 {
		return 0, fmt.Errorf("scangate: adding: scangate: %d\n", b) //nolint:revive // else it would be shorter
	}
	/* A block comment
	   is no exception. */
	return a + b, nil
}

const text = "Somebody: a literal that is not a message"
