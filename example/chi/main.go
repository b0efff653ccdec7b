// Command chi is a web application on chi that people log in to with WeChat:
// go run ./chi, in the folder above this one.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"

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
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newRouter(gate, sessions), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account")
	log.Fatal(server.ListenAndServe())
}

// newRouter is the application. There is no LoadAndSave around it: the gate
// loads the session of a request that it lets pass, and saves what the handler
// has put there.
func newRouter(gate *scangate.Gate, sessions *scs.SessionManager) *chi.Mux {
	r := chi.NewRouter()
	r.Handle("/wechat/*", gate)
	r.Group(func(r chi.Router) {
		r.Use(gate.RequireWeChat)
		r.Get("/account", func(w http.ResponseWriter, r *http.Request) {
			user, _ := scangate.UserFromContext(r.Context())
			visits := sessions.GetInt(r.Context(), "visits") + 1
			sessions.Put(r.Context(), "visits", visits)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprintf(w, `Hello, user %s! Visits: %d. <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID, visits)
		})
	})
	return r
}
