package wechattest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// This example opens an application's login on a person's phone. In a test, use
// NewStrict(t, app) in place of New: it fails the test when the application misuses
// WeChat's protocol.
func Example() {
	app := wechattest.App{Account: wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}}
	simulator := wechattest.New(nil, app)
	client, err := wechat.NewClient(app.Account, wechat.Endpoint{}, nil)
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeUserInfo), http.StatusFound)
	})
	mux.HandleFunc("/callback", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("state:", r.FormValue("state"))
		fmt.Println("length of the code:", len(r.FormValue("code")))
	})

	// The phone reaches the application and WeChat's pages without a network.
	network := wechattest.Transport(map[string]http.Handler{"app.example.com": mux, "open.weixin.qq.com": simulator})
	phone := simulator.Phone("lin", network, "https://open.weixin.qq.com")
	resp, err := phone.Open(context.Background(), "https://app.example.com/login")
	if err != nil {
		log.Fatal(err)
	}
	resp, err = phone.Tap(context.Background(), resp, wechattest.Allow)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()

	// Output:
	// state: st4te
	// length of the code: 32
}
