// Command gin is a small gin application with a WeChat login. Run it in this folder
// with: go run .
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func main() {
	weChat := wechattest.Serve("127.0.0.1:0") // a simulated WeChat; in your application: leave it out
	sessions := scs.New()
	sessions.IdleTimeout = 24 * time.Hour // a session ends after a day without requests
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://127.0.0.1:8080",
		OfficialAccount: weChat.Account(),                             // in your application: wechat.Account{AppID: "wx...", Secret: os.Getenv("WECHAT_SECRET")}
		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()}, // in your application: leave it out
		Session:         scangate.Session{Manager: sessions},          // handlers and the gate share the session
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newEngine(gate, newPrivate(sessions)), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newEngine returns the public engine. It passes requests without a route to the
// private engine, which is behind the gate.
func newEngine(gate *scangate.Gate, private *gin.Engine) *gin.Engine {
	engine := gin.New()
	engine.Any("/wechat/*path", gin.WrapH(gate)) // login page, callback, logout
	// Two engines, because a gin middleware cannot replace the ResponseWriter of later
	// handlers, and RequireWeChat saves the session through its own.
	engine.NoRoute(gin.WrapH(gate.RequireWeChat(private)))
	return engine
}

// newPrivate returns the engine whose routes require a login. Its handlers may use the
// session, flush and hijack.
func newPrivate(sessions *scs.SessionManager) *gin.Engine {
	private := gin.New()
	private.GET("/account", func(c *gin.Context) {
		// RequireWeChat has put the user into the context.
		user, _ := scangate.UserFromContext(c.Request.Context())
		visits := sessions.GetInt(c.Request.Context(), "visits") + 1
		sessions.Put(c.Request.Context(), "visits", visits)
		c.Header("Content-Type", "text/html; charset=utf-8")
		c.String(http.StatusOK, `Hello, user %s! Visits: %d. <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID, visits)
	})
	return private
}
