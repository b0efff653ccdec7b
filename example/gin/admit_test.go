package main

import (
	"bufio"
	"net"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/example/internal/servertest"
)

// admit is the gate as a middleware of gin's, for who wants one engine alone.
// Handlers that write the session need the manager's LoadAndSave around it.
func admit(gate *scangate.Gate) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, ok := gate.Admit(c.Writer, c.Request)
		if !ok {
			c.Abort()
			return
		}
		c.Request = r
	}
}

// direct lends gin what it takes every writer to do, and LoadAndSave's does by
// Unwrap only.
type direct struct{ http.ResponseWriter }

func (w direct) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (w direct) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w direct) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
		mux.Handle("/wechat/", gate) // outside of LoadAndSave, for a session has an IdleTimeout
		mux.Handle("/", sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			engine.ServeHTTP(direct{w}, r)
		})))
		return mux
	}, servertest.SavedBeforeHijack)
}
