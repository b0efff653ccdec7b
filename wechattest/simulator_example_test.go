package wechattest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// testWithoutSockets is what go test calls a test that suits testing/synctest: its
// WeChat doesn't listen.
func testWithoutSockets(t *testing.T) {
	simulator := wechattest.NewStrict(t, wechattest.App{Account: shop})
	callback, err := simulator.Approve(clientOf(simulator).AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase), "lin")
	if err != nil || codeOf(callback) == "" {
		t.Errorf("WeChat sends people to %s, %v", callback, err)
	}
}

func ExampleNewStrict() {
	_ = testWithoutSockets
}

// Whom a simulator knows unless it is told otherwise.
func ExamplePeople() {
	for _, person := range wechattest.People() {
		fmt.Println(person.ID, person.Nickname, person.NoUnionID, person.Snapshot)
	}
	// Output:
	// lin 林小北 false false
	// wang Wang Wei false false
	// yueyue 月月🌙🐰 false false
	// chen 陈默 true false
	// zhao 赵一 false true
}

// form is an application of one page, which leads to WeChat where it is opened at
// /login, and has a form.
func form(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/login":
		client, err := wechat.NewClient(shop, wechat.Endpoint{}, nil)
		if err != nil {
			log.Fatal(err)
		}
		http.Redirect(w, r, client.AuthorizeURL("https://app.example.com/", "st4te", wechat.ScopeUserInfo), http.StatusFound)
	default:
		_, _ = fmt.Fprint(w, r.Method, " ", len(r.FormValue("code")), " ", r.PostFormValue("answer"))
	}
}

// newPhone is Lin's phone, with no network.
func newPhone() *wechattest.Phone {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	hosts := map[string]http.Handler{"app.example.com": http.HandlerFunc(form), "open.weixin.qq.com": simulator}
	return simulator.Phone("lin", wechattest.Transport(hosts), "https://open.weixin.qq.com")
}

// show prints an answer's page.
func show(resp *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
}

func ExamplePhone_Open() {
	show(newPhone().Open(context.Background(), "https://app.example.com/"))
	// Output: GET 0  <nil>
}

// The application asks for the nickname, WeChat asks the person, and they agree.
func ExamplePhone_Tap() {
	ctx, phone := context.Background(), newPhone()
	resp, err := phone.Open(ctx, "https://app.example.com/login")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Request.URL.Host)
	show(phone.Tap(ctx, resp, wechattest.Allow))
	// Output:
	// open.weixin.qq.com
	// GET 32  <nil>
}

func ExamplePhone_PostForm() {
	show(newPhone().PostForm(context.Background(), "https://app.example.com/", url.Values{"answer": {"approve"}}))
	// Output: POST 0 approve <nil>
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

// Requests go from handler to handler.
func ExampleTransport() {
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.Host, r.TLS != nil) })
	client := &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": app})}
	for _, address := range []string{"https://app.example.com/", "https://elsewhere.example.com/"} {
		resp, err := client.Get(address)
		if err != nil {
			fmt.Println(err)
			continue
		}
		_ = resp.Body.Close()
	}
	// Output:
	// app.example.com true
	// Get "https://elsewhere.example.com/": wechattest: there is no host "elsewhere.example.com"
}

// Requests come from wherever the test says.
func ExampleWithRemoteAddr() {
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.RemoteAddr) })
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
	// Output: 203.0.113.9:5000
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
