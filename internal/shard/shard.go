// Package shard decides which of several servers keeps a key.
package shard

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// Max is the greatest number of servers. More would hardly be a deployment, and a choice
// looks at each of them.
const Max = 256

// Pick returns the number of the server that keeps the key, out of n servers with the
// numbers 0 to n-1. It uses rendezvous hashing: each server has a score for the key, and the
// highest one wins. If a server is added at the end, it takes 1/(n+1) of the keys, and all
// others stay where they are.
func Pick(key string, n int) int {
	return PickExcept(key, n, func(int) bool { return false })
}

// PickExcept is Pick among the servers that skip does not report. It returns -1 if skip
// reports all.
func PickExcept(key string, n int, skip func(int) bool) int {
	sum := sha256.Sum256([]byte(key))
	seed := binary.BigEndian.Uint64(sum[:])
	picked, highest := -1, uint64(0)
	for i := range n {
		if skip(i) {
			continue
		}
		if s := score(seed, i); picked < 0 || s > highest {
			picked, highest = i, s
		}
	}
	return picked
}

// score returns the number that SplitMix64, with the seed as its state, returns as number i.
func score(seed uint64, i int) uint64 {
	z := seed + uint64(i+1)*0x9e3779b97f4a7c15 //nolint:gosec // i is not negative
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
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
