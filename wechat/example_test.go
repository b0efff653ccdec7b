package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// A login, from the link to the nickname. A simulator plays WeChat and the person. For
// the real WeChat, the HTTP client is nil.
func Example() {
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}
	simulator := wechattest.New(nil, wechattest.App{Account: account})
	hc := &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})}

	client, err := wechat.NewClient(account, wechat.Endpoint{}, hc)
	if err != nil {
		log.Fatal(err)
	}

	// Redirect the person to this link, with a state that is bound to their browser.
	link := client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeUserInfo)
	callback, err := simulator.Approve(link, "yueyue")
	if err != nil {
		log.Fatal(err)
	}

	// WeChat redirects the person to the callback, with a code.
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	token, err := client.Exchange(ctx, u.Query().Get("code"))
	if err != nil {
		log.Fatal(err)
	}
	person, err := client.UserInfo(ctx, token.AccessToken, token.OpenID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(u.Query().Get("state"), person.Nickname)

	// A code can be exchanged once.
	_, err = client.Exchange(ctx, u.Query().Get("code"))
	fmt.Println(errors.Is(err, wechat.ErrCodeUsed))

	// Output:
	// st4te 月月🌙🐰
	// true
}
