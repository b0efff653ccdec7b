package scangate_test

import (
	"os"
	"testing"
	"time"
)

// largeVariable is the environment variable that, set to 1, makes tests that need many
// concurrent requests use as many as production has. One step of .ci/run sets it. By
// default those tests use a small crowd, so that they also pass on a small or busy
// machine.
const largeVariable = "SCANGATE_LARGE"

// patience is ten times the two seconds within which a waiting call has to notice a
// change, also after Redis was unavailable.
const patience = 20 * time.Second

// largeCrowd reports whether tests use large crowds.
func largeCrowd() bool { return os.Getenv(largeVariable) == "1" }

// crowd returns the size of a test's crowd.
func crowd(small, large int) int {
	if largeCrowd() {
		return large
	}
	return small
}

// wallClock marks a test that measures real time, which -short skips. Such a test
// allows ten times the time that it should take.
func wallClock(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures real time, which synctest cannot replace for real connections; -short skips it")
	}
}
