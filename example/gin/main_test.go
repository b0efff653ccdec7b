package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

// TestGin runs the suite of all routers against the gin application.
func TestGin(t *testing.T) {
	gin.SetMode(gin.TestMode)
	servertest.Run(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		private := newPrivate(sessions)
		// The suite's own routes, in the private engine.
		for path, handler := range routes {
			private.Any(path, gin.WrapH(handler))
		}
		private.GET("/test/items/:id", func(c *gin.Context) { c.String(http.StatusOK, c.Param("id")) })
		return newEngine(gate, private)
	})
}
