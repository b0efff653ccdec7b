package scangate_test

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// A complete application with a public page and a page for logged-in users.
func Example() {
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: os.Getenv("WECHAT_SECRET")},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Everybody may read this.")
	})
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		fmt.Fprintln(w, "Hello, user", user.ID)
	})))
	server := &http.Server{Addr: ":8080", Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe()) // example/main.go shuts down gracefully
}
