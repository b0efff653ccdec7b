// Command spa is a small single-page application with a WeChat login. Run it in this folder
// with: go run .
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"

	"github.com/scangate/scangate/example/spa/front"
)

func main() {
	// A simulated WeChat with an official account and a website application. In your
	// application: leave it out.
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	website := wechat.Account{AppID: "wx0000000000000002", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	weChat := wechattest.Serve("127.0.0.1:0", wechattest.App{Account: account, Name: "Example"}, wechattest.App{Account: website, Website: true})
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://localhost:8080", // another site than the simulator's, as with WeChat itself
		OfficialAccount: account,
		Website:         website,
		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()}, // in your application: leave it out
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "localhost:8080", Handler: newApp(gate, os.Getenv("SCANGATE_NPM")), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Println("Open http://localhost:8080/spa/")
	log.Fatal(server.ListenAndServe())
}

// newApp returns the application: the gate, the front ends, and an API for them. The folder
// npm is that of front.New.
func newApp(gate *scangate.Gate, npm string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/", front.New(npm))
	account := gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"id": user.ID, "name": user.Nickname})
	}))
	mux.Handle("GET /api/account", account)
	mux.Handle("GET /account", account) // the page to which the pages with one tag return
	return mux
}
