package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

var shop = wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}

// simulated returns a client of a simulated WeChat, a code for a person who has agreed
// there, and the simulator.
func simulated() (client *wechat.Client, code string, simulator *wechattest.WeChat) {
	simulator = wechattest.New(nil, wechattest.App{Account: shop})
	network := wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, &http.Client{Transport: network})
	if err != nil {
		log.Fatal(err)
	}
	link := client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeUserInfo)
	callback, err := simulator.Approve(link, "lin")
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	return client, u.Query().Get("code"), simulator
}

// An account prints without its secret.
func ExampleAccount() {
	fmt.Println(shop)
	fmt.Printf("%#v\n", shop)
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}))
	log.Info("starting", "account", shop)
	// Output:
	// wx0123456789abcdef
	// wechat.Account{AppID:"wx0123456789abcdef", Secret:"[redacted]"}
	// level=INFO msg=starting account.app_id=wx0123456789abcdef
}

// NewClient returns an error for a configuration that could not work.
func ExampleNewClient() {
	_, err := wechat.NewClient(wechat.Account{AppID: "wx0123456789abcdef"}, wechat.Endpoint{}, nil)
	fmt.Println(err)
	// The default: WeChat's own hosts, and 5 seconds per call.
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
	fmt.Println(client.AppID(), err)
	// Output:
	// wechat: Account.Secret of wx0123456789abcdef is empty
	// wx0123456789abcdef <nil>
}

// The client calls the API at WeChat's host in Shanghai, through a proxy.
func ExampleEndpoint() {
	proxied := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	_, err := wechat.NewClient(shop, wechat.Endpoint{API: "https://sh.api.weixin.qq.com"}, proxied)
	fmt.Println(err)
	// Output: <nil>
}

// A person has a different openid at each account. AppID returns the client's.
func ExampleClient_AppID() {
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.AppID())
	// Output: wx0123456789abcdef
}

// The link opens an official account's authorization inside WeChat.
func ExampleClient_AuthorizeURL() {
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase))
	// Output:
	// https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&response_type=code&scope=snsapi_base&state=st4te#wechat_redirect
}

// The link opens WeChat's page with a website application's QR code.
func ExampleClient_QRConnectURL() {
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.QRConnectURL("https://app.example.com/callback", "st4te", wechat.LangEnglish))
	// Output:
	// https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&response_type=code&scope=snsapi_login&state=st4te&lang=en#wechat_redirect
}

// A code can be exchanged once. A malformed code, or the one that stands for a refusal,
// is not sent to WeChat.
func ExampleClient_Exchange() {
	client, code, _ := simulated()
	ctx := context.Background()
	token, err := client.Exchange(ctx, code)
	fmt.Println(token.OpenID != "", token.HasScope(wechat.ScopeUserInfo), token.SnapshotUser, err)
	_, err = client.Exchange(ctx, code)
	fmt.Println(errors.Is(err, wechat.ErrCodeUsed))
	_, err = client.Exchange(ctx, "authdeny") // the person refused
	fmt.Println(errors.Is(err, wechat.ErrCodeInvalid))
	// Output:
	// true true false <nil>
	// true
	// true
}

// An expired access token is replaced with the refresh token.
func ExampleClient_Refresh() {
	client, code, simulator := simulated()
	ctx := context.Background()
	token, err := client.Exchange(ctx, code)
	if err != nil {
		log.Fatal(err)
	}
	simulator.FastForward(3 * time.Hour)
	_, err = client.UserInfo(ctx, token.AccessToken, token.OpenID)
	if errors.Is(err, wechat.ErrTokenExpired) {
		// Store the result: the refresh token may be a new one too.
		token, err = client.Refresh(ctx, token.RefreshToken)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Verify(ctx, token.AccessToken, token.OpenID))
	// Output: <nil>
}

// A token is valid for the person that it was issued for, and for no other.
func ExampleClient_Verify() {
	client, code, simulator := simulated()
	ctx := context.Background()
	token, err := client.Exchange(ctx, code)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Verify(ctx, token.AccessToken, token.OpenID))
	err = client.Verify(ctx, token.AccessToken, simulator.OpenID("wang", shop.AppID))
	fmt.Println(errors.Is(err, wechat.ErrTokenInvalid))
	// Output:
	// <nil>
	// true
}

// The profile needs a token with ScopeUserInfo or ScopeLogin.
func ExampleClient_UserInfo() {
	client, code, _ := simulated()
	ctx := context.Background()
	token, err := client.Exchange(ctx, code)
	if err != nil {
		log.Fatal(err)
	}
	person, err := client.UserInfo(ctx, token.AccessToken, token.OpenID)
	fmt.Println(person.Nickname, person.HeadImgURL, err)
	// Output: 林小北 https://thirdwx.qlogo.cn/mmopen/vi_32/lin/132 <nil>
}

// An Error contains WeChat's errcode. It matches the Err variable for that code.
func ExampleError() {
	client, code, simulator := simulated()
	simulator.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125})
	_, err := client.Exchange(context.Background(), code)
	var answer *wechat.Error
	if errors.As(err, &answer) {
		fmt.Println(answer.Code, errors.Is(err, wechat.ErrConfiguration))
	}
	// Output: 40125 true
}
