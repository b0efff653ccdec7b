package main

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/scangate/scangate"
)

// newGroups returns an application with public and private routes, and an access log without
// queries, which contain WeChat's codes.
func newGroups(gate *scangate.Gate, log io.Writer) *echo.Echo {
	e := echo.New()
	logger := slog.New(slog.NewTextHandler(log, nil))
	e.Use(middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogMethod: true, LogURIPath: true, LogStatus: true, HandleError: true, // LogURI would have the query
		LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
			logger.InfoContext(c.Request().Context(), "request", "method", v.Method, "path", v.URIPath, "status", v.Status)
			return nil
		},
	}))
	e.Any("/wechat/*", echo.WrapHandler(gate))
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "public") })
	private := e.Group("", echo.WrapMiddleware(gate.RequireWeChat))
	private.GET("/orders", func(c echo.Context) error {
		user, _ := scangate.UserFromContext(c.Request().Context())
		return c.String(http.StatusOK, "user "+user.ID)
	})
	return e
}
