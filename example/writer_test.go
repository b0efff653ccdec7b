package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestCaseA06NetHTTPWriter(t *testing.T) {
	servertest.RunWriter(t, func(gate *scangate.Gate, _ *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", newApp(gate))
		for path, handler := range routes {
			mux.Handle(path, gate.RequireWeChat(handler))
		}
		return mux
	})
}
