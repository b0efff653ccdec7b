package scangate_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// newSite returns an application whose callbacks come by the relay.
func newSite(host, callbackURL string, client *http.Client) (http.Handler, error) {
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://" + host,
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"},
		WeChat:          scangate.WeChat{CallbackURL: callbackURL, HTTPClient: client},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "Welcome to %s!", r.Host)
	})))
	return mux, nil
}

// Two sites share one service account. WeChat redirects to login.example.com only, where the
// relay is. Each site logs in by itself.
func ExampleRelay() {
	relay, err := scangate.Relay(map[string]string{
		"shop": "https://shop.example.com/wechat/callback",
		"blog": "https://blog.example.com/wechat/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	host := http.NewServeMux() // of login.example.com
	host.Handle("/relay/", relay)

	// A simulator of WeChat stands for the service account, whose domain is login.example.com.
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}
	simulator := wechattest.New(nil, wechattest.App{Account: account, Hosts: []string{"login.example.com"}})
	network := map[string]http.Handler{"open.weixin.qq.com": simulator, "api.weixin.qq.com": simulator, "login.example.com": host}
	client := &http.Client{Transport: wechattest.Transport(network)} // of the sites
	for _, name := range []string{"shop", "blog"} {
		site, err := newSite(name+".example.com", "https://login.example.com/relay/"+name, client)
		if err != nil {
			log.Fatal(err)
		}
		network[name+".example.com"] = site
	}

	phone := simulator.Phone("lin", wechattest.Transport(network), "https://open.weixin.qq.com")
	for _, name := range []string{"shop", "blog"} {
		resp, err := phone.Open(context.Background(), "https://"+name+".example.com/")
		if err != nil {
			log.Fatal(err)
		}
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Request.URL)
	}
	// Output:
	// 200 https://shop.example.com/
	// 200 https://blog.example.com/
}
