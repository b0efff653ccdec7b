// Command echo is a web application on echo that people log in to with WeChat:
// go run ./echo, in the folder above this one.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

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
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newEcho(gate, sessions), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newEcho is the application. Echo's own WrapMiddleware makes the gate one of
// its middlewares, with no Admit and no LoadAndSave: handlers write through the
// gate, which loads the session of a request that it lets pass, and saves it.
func newEcho(gate *scangate.Gate, sessions *scs.SessionManager) *echo.Echo {
	e := echo.New()
	e.Any("/wechat/*", echo.WrapHandler(gate))
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
