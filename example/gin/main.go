// Command gin is a web application on gin that people log in to with WeChat:
// go run ./gin, in the folder above this one.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/example/internal/simulated"
)

func main() {
	weChat := simulated.Start()
	sessions := scs.New()
	sessions.IdleTimeout = 24 * time.Hour
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://127.0.0.1:8080",
		OfficialAccount: weChat.Account,  // yours: wechat.Account{AppID: "wx...", Secret: "..."}
		Endpoint:        weChat.Endpoint, // yours: none
		Session:         scangate.Session{Manager: sessions},
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newEngine(gate, newPrivate(sessions)), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newEngine is what everybody reaches. All that it has no route for is private.
//
// A middleware of gin's can't replace the writer that handlers write to, which
// is how the gate saves sessions. So the private part is an engine of its own,
// inside RequireWeChat: its handlers may write the session, flush and hijack.
func newEngine(gate *scangate.Gate, private *gin.Engine) *gin.Engine {
	engine := gin.New()
	engine.Any("/wechat/*path", gin.WrapH(gate))
	engine.NoRoute(gin.WrapH(gate.RequireWeChat(private)))
	return engine
}

// newPrivate is what only people who are logged in reach.
func newPrivate(sessions *scs.SessionManager) *gin.Engine {
	private := gin.New()
	private.GET("/account", func(c *gin.Context) {
		user, _ := scangate.UserFromContext(c.Request.Context())
		visits := sessions.GetInt(c.Request.Context(), "visits") + 1
		sessions.Put(c.Request.Context(), "visits", visits)
		c.Header("Content-Type", "text/html; charset=utf-8")
		c.String(http.StatusOK, `Hello, user %s! Visits: %d. <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID, visits)
	})
	return private
}
