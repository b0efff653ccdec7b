package wechattest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

var shop = wechat.Account{AppID: "wx0123456789abcdef", Secret: "the-account-secret"}

// codeOf is the code that a callback's address holds.
func codeOf(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	return u.Query().Get("code")
}

// clientOf is a client whose WeChat is the simulator.
func clientOf(simulator http.Handler) *wechat.Client {
	network := wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, &http.Client{Transport: network})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// In a program a simulator is a handler like any other, with people of one's own.
func ExampleNew() {
	people := []wechattest.Person{{ID: "ada", Nickname: "Ada"}}
	simulator := wechattest.New(people, wechattest.App{Account: shop, Hosts: []string{"app.example.com"}})
	server := httptest.NewServer(simulator)
	defer server.Close()

	link := clientOf(simulator).AuthorizeURL("https://elsewhere.example.com/callback", "st4te", wechat.ScopeBase)
	_, err := simulator.Approve(link, "ada")
	fmt.Println(err != nil) // WeChat sends people to the hosts that are registered, and nowhere else
	// Output: true
}

// testCallback is what go test calls TestCallback in an application's own tests.
func testCallback(t *testing.T) {
	simulator := wechattest.NewServer(t, wechattest.App{Account: shop}) // on a loopback address, until t ends
	client, err := wechat.NewClient(shop, simulator.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := simulator.Approve(client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase), "lin")
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Exchange(t.Context(), codeOf(callback))
	if err != nil || token.OpenID != simulator.OpenID("lin", shop.AppID) {
		t.Errorf("the callback's code yields %v, %v", token, err)
	}
}

// A server fails the test for whatever WeChat would not put up with, such as a
// link without #wechat_redirect. NewStrict does the same without listening.
func ExampleNewServer() {
	_ = testCallback
}

// Approve and Refuse are the person's answers, for tests without a browser.
func ExampleWeChat_Approve() {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	link := clientOf(simulator).AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase)
	callback, err := simulator.Approve(link, "lin")
	fmt.Println(len(codeOf(callback)), err)
	callback, err = simulator.Refuse(link)
	fmt.Println(callback, err)
	// Output:
	// 32 <nil>
	// https://app.example.com/callback?state=st4te <nil>
}

// WeChat can be made to fail in all the ways that it does.
func ExampleWeChat_Fail() {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	client := clientOf(simulator)
	link := client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase)
	for _, fault := range []wechattest.Fault{
		{Errcode: 40164},                         // the server's address isn't on the list
		{Status: http.StatusBadGateway},          // no answer of WeChat's
		{After: true, Location: "https://evil/"}, // the code is used up, and the answer leads astray
	} {
		callback, err := simulator.Approve(link, "lin")
		if err != nil {
			log.Fatal(err)
		}
		simulator.Fail(wechattest.OpExchange, 1, fault)
		_, err = client.Exchange(context.Background(), codeOf(callback))
		fmt.Println(errors.Is(err, wechat.ErrConfiguration), errors.Is(err, wechat.ErrResponse))
	}
	fmt.Println(simulator.Calls(wechattest.OpExchange), "calls")
	// Output:
	// true false
	// false true
	// false true
	// 3 calls
}

// Time passes at once: a code is good for five minutes.
func ExampleWeChat_FastForward() {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	client := clientOf(simulator)
	callback, err := simulator.Approve(client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase), "lin")
	if err != nil {
		log.Fatal(err)
	}
	simulator.FastForward(6 * time.Minute)
	_, err = client.Exchange(context.Background(), codeOf(callback))
	fmt.Println(errors.Is(err, wechat.ErrCodeInvalid))
	// Output: true
}

// Requests go from handler to handler, and come from wherever the test says.
func ExampleTransport() {
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.Host, r.RemoteAddr, r.TLS != nil) })
	client := &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": app})}
	ctx := wechattest.WithRemoteAddr(context.Background(), "203.0.113.9:5000")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://app.example.com/", nil)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	// Output: app.example.com 203.0.113.9:5000 true
}

// WeChat matches its links against a pattern, and opens no other.
func ExampleCheckAuthorizeURL() {
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	link := client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase)
	fmt.Println(wechattest.CheckAuthorizeURL(link))
	fmt.Println(wechattest.CheckAuthorizeURL(link[:len(link)-len("#wechat_redirect")]) != nil)
	// Output:
	// <nil>
	// true
}
