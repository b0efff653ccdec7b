package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestCaseA06ChiWriter(t *testing.T) {
	servertest.RunWriter(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		router := newRouter(gate, sessions)
		for path, handler := range routes {
			router.With(gate.RequireWeChat).Handle(path, handler)
		}
		return router
	})
}

// chi's own middlewares wrap the gate's writer, or are wrapped by it.
func TestCaseA06ChiWrapResponseWriter(t *testing.T) {
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(middleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
		})
	}
	for name, order := range map[string]func(*scangate.Gate) []func(http.Handler) http.Handler{
		"inside": func(gate *scangate.Gate) []func(http.Handler) http.Handler {
			return chi.Middlewares{gate.RequireWeChat, wrap}
		},
		"outside": func(gate *scangate.Gate) []func(http.Handler) http.Handler {
			return chi.Middlewares{wrap, gate.RequireWeChat}
		},
	} {
		t.Run(name, func(t *testing.T) {
			servertest.RunWriter(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
				router := newRouter(gate, sessions)
				for path, handler := range routes {
					router.With(order(gate)...).Handle(path, handler)
				}
				return router
			})
		})
	}
}
