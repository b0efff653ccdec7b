package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/example/internal/servertest"
)

// TestNetHTTP is for this program what the tests in chi, gin, echo and echov5 are
// for those: the same tests, of the same logins, on each of the servers.
func TestNetHTTP(t *testing.T) {
	servertest.Run(t, func(gate *scangate.Gate, _ *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", newMetrics().around(newApp(gate), gate))
		for path, handler := range routes {
			mux.Handle(path, gate.RequireWeChat(handler))
		}
		mux.Handle("GET /test/items/{id}", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.PathValue("id")))
		})))
		return mux
	})
}

// TestServersAreShort holds each server to what one can read at a glance.
func TestServersAreShort(t *testing.T) {
	for _, framework := range []string{"chi", "gin", "echo", "echov5"} {
		source, err := os.ReadFile(framework + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(source), "\n"); lines >= 60 {
			t.Errorf("%s/main.go has %d lines, want fewer than 60", framework, lines)
		}
	}
}
