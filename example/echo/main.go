// Command echo is a small echo application with a WeChat login. Run it in this folder
// with: go run .
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

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
	// These timeouts do not cut off a browser that waits for a phone: the gate lifts them.
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newEcho(gate, sessions), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newEcho returns the application. It needs neither Admit nor the manager's
// LoadAndSave: echo's WrapMiddleware makes RequireWeChat an echo middleware, which
// loads the session and saves what the handler has changed in it.
func newEcho(gate *scangate.Gate, sessions *scs.SessionManager) *echo.Echo {
	e := echo.New()
	e.Any("/wechat/*", echo.WrapHandler(gate)) // login page, callback, logout
	// All routes of this group require a login.
	private := e.Group("", echo.WrapMiddleware(gate.RequireWeChat))
	private.GET("/account", func(c echo.Context) error {
		ctx := c.Request().Context()
		user, _ := scangate.UserFromContext(ctx)
		visits := sessions.GetInt(ctx, "visits") + 1
		sessions.Put(ctx, "visits", visits)
		return c.HTML(http.StatusOK, fmt.Sprintf(`Hello, user %s! Visits: %d. <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID, visits))
	})
	return e
}
