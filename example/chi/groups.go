package main

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/scangate/scangate"
)

// logRequests is an access log without queries, which contain WeChat's codes.
// middleware.Logger prints them.
func logRequests(log io.Writer) func(http.Handler) http.Handler {
	logger := slog.New(slog.NewTextHandler(log, nil))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(seen, r)
			logger.InfoContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", seen.Status())
		})
	}
}

// newGroups returns an application with public and private routes and an access log.
func newGroups(gate *scangate.Gate, log io.Writer) *chi.Mux {
	r := chi.NewRouter()
	r.Use(logRequests(log))
	r.Handle("/wechat/*", gate)
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") })
	r.Group(func(private chi.Router) {
		private.Use(gate.RequireWeChat)
		private.Get("/orders", func(w http.ResponseWriter, r *http.Request) {
			user, _ := scangate.UserFromContext(r.Context())
			_, _ = io.WriteString(w, "user "+user.ID)
		})
	})
	return r
}
