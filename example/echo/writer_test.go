package main

import (
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestCaseA06EchoWriter(t *testing.T) {
	servertest.RunWriter(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		e := newEcho(gate, sessions)
		private := e.Group("", echo.WrapMiddleware(gate.RequireWeChat))
		for path, handler := range routes {
			private.Any(path, echo.WrapHandler(handler))
		}
		return e
	})
}
