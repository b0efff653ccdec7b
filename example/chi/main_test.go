package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

// TestChi runs the suite of all routers against the chi application.
func TestChi(t *testing.T) {
	servertest.Run(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		router := newRouter(gate, sessions)
		// The suite's own routes, behind the same middleware.
		private := router.With(gate.RequireWeChat)
		for path, handler := range routes {
			private.Handle(path, handler)
		}
		private.Get("/test/items/{id}", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(chi.URLParam(r, "id")))
		})
		return router
	})
}
