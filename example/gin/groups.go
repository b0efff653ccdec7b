package main

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
)

// admit returns the gate as a gin middleware, for an application with a single engine.
// If its handlers write to the session, the engine needs the manager's LoadAndSave.
func admit(gate *scangate.Gate) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, ok := gate.Admit(c.Writer, c.Request)
		if !ok {
			c.Abort() // Admit has sent the answer
			return
		}
		c.Request = r // its context contains the user
	}
}

// newGroups returns an application with public and private routes in one engine, and an
// access log without queries, which contain WeChat's codes.
func newGroups(gate *scangate.Gate, log io.Writer) *gin.Engine {
	engine := gin.New() // not gin.Default: its logger prints queries
	engine.Use(gin.LoggerWithConfig(gin.LoggerConfig{Output: log, SkipQueryString: true}))
	engine.Any("/wechat/*path", gin.WrapH(gate))
	engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "public") })
	private := engine.Group("/", admit(gate))
	private.GET("/orders", func(c *gin.Context) {
		user, _ := scangate.UserFromContext(c.Request.Context())
		c.String(http.StatusOK, "user %s", user.ID)
	})
	return engine
}
