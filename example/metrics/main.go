// Command metrics is a small application with a WeChat login, which counts logins for
// Prometheus. Run it in this folder with: go run .
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func main() {
	weChat := wechattest.Serve("127.0.0.1:0") // a simulated WeChat; in your application: leave it out
	counts := newMetrics()
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://127.0.0.1:8080",
		OfficialAccount: weChat.Account(),                             // in your application: wechat.Account{AppID: "wx...", Secret: os.Getenv("WECHAT_SECRET")}
		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()}, // in your application: leave it out
		OnEvent:         counts.count,
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: counts.handler(newApp(gate), gate), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://127.0.0.1:8080/account and then http://127.0.0.1:8080/metrics")
	log.Fatal(server.ListenAndServe())
}

// newApp returns the application: the gate, and a page that requires a login.
func newApp(gate *scangate.Gate) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("GET /account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `Hello, user %s! <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID)
	})))
	return mux
}
