package main

import (
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
)

// mount is the code that docs/guide.md quotes for gin. It only has to compile.
func mount(gate *scangate.Gate, private *gin.Engine) {
	engine := gin.New() // private is an engine of its own
	engine.Any("/wechat/*path", gin.WrapH(gate))
	engine.NoRoute(gin.WrapH(gate.RequireWeChat(private)))
}

var _ = mount
