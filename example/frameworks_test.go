package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

// TestNetHTTP runs the suite of all routers against this program, which uses net/http's
// ServeMux. The folders chi, gin, echo and echov5 run the same suite.
func TestNetHTTP(t *testing.T) {
	servertest.Run(t, func(gate *scangate.Gate, _ *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", newApp(gate))
		// The suite's own routes, behind the gate.
		for path, handler := range routes {
			mux.Handle(path, gate.RequireWeChat(handler))
		}
		mux.Handle("GET /test/items/{id}", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.PathValue("id")))
		})))
		return mux
	})
}

// TestServersAreShort limits the length of each framework's server, because a reader
// should see the whole of it at a glance.
func TestServersAreShort(t *testing.T) {
	for _, framework := range []string{"chi", "gin", "echo", "echov5"} {
		source, err := os.ReadFile(framework + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(source), "\n"); lines >= 60 {
			t.Errorf("%s/main.go: got %d lines, want fewer than 60", framework, lines)
		}
	}
}
