//go:build !race

package scangate_test

// raceDetector reports whether the tests run with -race.
const raceDetector = false
