package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

// TestEcho runs the suite of all routers against the echo application.
func TestEcho(t *testing.T) {
	servertest.Run(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		e := newEcho(gate, sessions)
		// The suite's own routes, behind the same middleware.
		private := e.Group("", echo.WrapMiddleware(gate.RequireWeChat))
		for path, handler := range routes {
			private.Any(path, echo.WrapHandler(handler))
		}
		private.GET("/test/items/:id", func(c echo.Context) error {
			return c.String(http.StatusOK, c.Param("id"))
		})
		return e
	})
}
