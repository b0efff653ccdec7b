package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestCaseA06GinWriter(t *testing.T) {
	gin.SetMode(gin.TestMode)
	servertest.RunWriter(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		private := newPrivate(sessions)
		for path, handler := range routes {
			private.Any(path, gin.WrapH(handler))
		}
		return newEngine(gate, private)
	})
}

// gin's writer asserts CloseNotifier, Hijacker and Pusher on the gate's without a check.
func TestCaseA06GinStreams(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for path, handler := range map[string]gin.HandlerFunc{
		"/test/stream-parts": func(c *gin.Context) {
			n := 0
			c.Stream(func(w io.Writer) bool {
				n++
				_, _ = io.WriteString(w, "part ")
				return n < 3
			})
		},
		"/test/events": func(c *gin.Context) {
			c.SSEvent("tick", 1)
			c.Writer.Flush()
		},
		"/test/pusher": func(c *gin.Context) {
			if pusher := c.Writer.Pusher(); pusher == nil || pusher.Push("/style.css", nil) == nil {
				c.String(http.StatusInternalServerError, "a pusher that refuses is wanted")
				return
			}
			c.String(http.StatusOK, "refused")
		},
	} {
		want := map[string]string{"/test/stream-parts": "part part part ", "/test/events": "event:tick\ndata:1\n\n", "/test/pusher": "refused"}[path]
		status, body := servertest.Get(t, func(gate *scangate.Gate, sessions *scs.SessionManager, _ map[string]http.Handler) http.Handler {
			private := newPrivate(sessions)
			private.GET(path, handler)
			return newEngine(gate, private)
		}, path)
		if status != http.StatusOK || body != want {
			t.Errorf("GET %s: %d %q, want 200 %q", path, status, body, want)
		}
	}
}
