// Command chi is a small chi application with a WeChat login. Run it in this folder
// with: go run .
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"

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
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newRouter(gate, sessions), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newRouter returns the application. It does not need the manager's LoadAndSave:
// RequireWeChat loads the session, and saves what the handler has changed in it.
func newRouter(gate *scangate.Gate, sessions *scs.SessionManager) *chi.Mux {
	r := chi.NewRouter()
	// With its whole path: the gate compares it with Config.BasePath.
	r.Handle("/wechat/*", gate) // login page, callback, logout
	r.Group(func(r chi.Router) {
		r.Use(gate.RequireWeChat) // all routes of this group require a login
		r.Get("/account", func(w http.ResponseWriter, r *http.Request) {
			// RequireWeChat has put the user into the context.
			user, _ := scangate.UserFromContext(r.Context())
			visits := sessions.GetInt(r.Context(), "visits") + 1
			sessions.Put(r.Context(), "visits", visits)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprintf(w, `Hello, user %s! Visits: %d. <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID, visits)
		})
	})
	return r
}
