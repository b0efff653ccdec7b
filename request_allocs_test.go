package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// requestAllocs returns how often a request of a logged-in user allocates in front of a
// handler that does nothing. The header of the answer is one of the allocations.
func requestAllocs(t *testing.T, options ...func(*scangate.Config)) float64 {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	w := newWorld(t, options...)
	phone := w.phone("lin")
	phone.open("/account")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil)
	for _, c := range phone.appCookies() {
		if c.Name == "__Host-session" { // the login's own cookies are not part of later requests
			r.AddCookie(c)
		}
	}
	passed := false
	handler := w.gate.RequireWeChat(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }))
	allocs := testing.AllocsPerRun(200, func() { handler.ServeHTTP(nullWriter{http.Header{}}, r) })
	if !passed {
		t.Fatal("the gate refuses the request, want it to pass")
	}
	return allocs
}

// TestIssue17RequestAllocations counts the allocations of a request on the memory store.
// These are six. The header of the answer takes two, one of which is the test's own. The
// gate's value, the user's identities, the passage and the request with that context take
// one each.
func TestIssue17RequestAllocations(t *testing.T) {
	const limit = 7 // one more than today, because net/http's own may change
	memory := func(c *scangate.Config) { c.Users = nil }
	if got := requestAllocs(t, memory); got > limit {
		t.Errorf("request on the memory store: %v allocations, want at most %d", got, limit)
	}
}

// TestIssue17RequestAllocationsOnRedis counts them on a real server, because miniredis
// allocates in this process. The bare commands GET and HGETALL take 30.
func TestIssue17RequestAllocationsOnRedis(t *testing.T) {
	const limit = 39
	if got := requestAllocs(t, onRedis(t, redistest.Start(t).Addr)); got > limit {
		t.Errorf("request on Redis: %v allocations, want at most %d", got, limit)
	}
}
