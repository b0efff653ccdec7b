package main

import (
	"bufio"
	"net"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

// flushHijacker adds Flush and Hijack to LoadAndSave's ResponseWriter, which supports
// them through Unwrap only. Gin asserts that every ResponseWriter has both.
type flushHijacker struct{ http.ResponseWriter }

// Flush implements [http.Flusher].
func (w flushHijacker) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack implements [http.Hijacker].
func (w flushHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets [http.ResponseController] find the other methods.
func (w flushHijacker) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestGinAdmit runs the suite against one engine with admit as its middleware.
func TestGinAdmit(t *testing.T) {
	gin.SetMode(gin.TestMode)
	servertest.Run(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		engine := gin.New()
		private := engine.Group("/", admit(gate))
		for path, handler := range routes {
			private.Any(path, gin.WrapH(handler))
		}
		private.GET("/test/items/:id", func(c *gin.Context) { c.String(http.StatusOK, c.Param("id")) })
		private.GET("/account", func(c *gin.Context) { c.String(http.StatusOK, `Hello! <form method="post" action="/wechat/logout">`) })
		mux := http.NewServeMux()
		mux.Handle("/wechat/", gate) // outside LoadAndSave: with an IdleTimeout that saves every session again
		mux.Handle("/", sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			engine.ServeHTTP(flushHijacker{w}, r)
		})))
		return mux
	}, servertest.SavedBeforeHijack) // LoadAndSave saves the session after the handler
}
