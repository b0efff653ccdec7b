package scangate_test

import (
	"testing"
	"time"

	"github.com/scangate/scangate/internal/redistest"
)

// patience is ten times the two seconds within which a waiting call has to notice a
// change, also after Redis was unavailable.
const patience = redistest.Patience

// crowd returns the size of a test's crowd.
func crowd(small, large int) int { return redistest.Crowd(small, large) }

// wallClock marks a test that measures real time, which -short skips.
func wallClock(t *testing.T) {
	t.Helper()
	redistest.WallClock(t)
}

// within reports whether holds returns true within that time.
func within(limit time.Duration, holds func() bool) bool { return redistest.Within(limit, holds) }
