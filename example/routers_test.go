package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/scangate/scangate"
)

// mount is the code that README.md quotes for each framework. TestReadmeCode compares
// them. Whole applications are in the folders chi, echo, echov5 and gin.
func mount(gate *scangate.Gate, account http.HandlerFunc, echoAccount echo.HandlerFunc, private *gin.Engine) {
	r := chi.NewRouter() // chi
	r.Handle("/wechat/*", gate)
	r.With(gate.RequireWeChat).Get("/account", account)

	e := echo.New() // echo, v4 and v5
	e.Any("/wechat/*", echo.WrapHandler(gate))
	e.GET("/account", echoAccount, echo.WrapMiddleware(gate.RequireWeChat))

	engine := gin.New() // gin: private is an engine of its own
	engine.Any("/wechat/*path", gin.WrapH(gate))
	engine.NoRoute(gin.WrapH(gate.RequireWeChat(private)))
}

// mount only has to compile.
var _ = mount
