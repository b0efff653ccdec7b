package main

import (
	"github.com/labstack/echo/v5"

	"github.com/scangate/scangate"
)

// mount is the code that docs/guide.md quotes for echo v4 and v5. It only has to compile.
func mount(gate *scangate.Gate, account echo.HandlerFunc) {
	e := echo.New()
	e.Any("/wechat/*", echo.WrapHandler(gate))
	e.GET("/account", account, echo.WrapMiddleware(gate.RequireWeChat))
}

var _ = mount
