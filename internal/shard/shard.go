// Package shard decides which of several servers keeps a key.
package shard

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// Max is the greatest number of servers: a server's number is one byte.
const Max = 256

// Pick returns the number of the server that keeps the key, out of n servers with the
// numbers 0 to n-1. It uses rendezvous hashing. A server's score is the first 8 bytes of the
// SHA-256 of its number, as one byte, and the key. The highest score wins. If a server is
// added at the end, it takes 1/(n+1) of the keys, and all others stay where they are.
func Pick(key string, n int) int {
	return PickExcept(key, n, func(int) bool { return false })
}

// PickExcept is Pick among the servers that skip does not report. It returns -1 if skip
// reports all.
func PickExcept(key string, n int, skip func(int) bool) int {
	picked, highest := -1, uint64(0)
	text := append(make([]byte, 1, 128), key...)
	for i := range n {
		if skip(i) {
			continue
		}
		text[0] = byte(i)
		sum := sha256.Sum256(text)
		if score := binary.BigEndian.Uint64(sum[:]); picked < 0 || score > highest {
			picked, highest = i, score
		}
	}
	return picked
}

// Name returns the name of a server in errors and in logs, such as "2 of 3". The number is
// counted from 1.
func Name(number, of int) string { return fmt.Sprintf("%d of %d", number, of) }

// Error is the failure of one of several servers.
type Error struct {
	Err        error
	Number, Of int // as in [Name]
}

// Error implements error. The application gets the error as it is, hence the prefix.
func (e *Error) Error() string {
	const prefix = "scangate: "
	return prefix + "server " + Name(e.Number, e.Of) + ": " + strings.TrimPrefix(e.Err.Error(), prefix)
}

// Unwrap is for [errors.Is] and [errors.As].
func (e *Error) Unwrap() error { return e.Err }
