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

// shop is the account of the application in the examples.
var shop = wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}

// codeOf returns the code in a callback URL.
func codeOf(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		log.Fatal(err)
	}
	return u.Query().Get("code")
}

// clientOf returns a client that calls the simulator.
func clientOf(simulator http.Handler) *wechat.Client {
	network := wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, &http.Client{Transport: network})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// In a program, the simulator is an ordinary handler. The persons can be your own.
func ExampleNew() {
	people := []wechattest.Person{{ID: "ada", Nickname: "Ada"}}
	simulator := wechattest.New(people, wechattest.App{Account: shop, Hosts: []string{"app.example.com"}})
	server := httptest.NewServer(simulator)
	defer server.Close()

	link := clientOf(simulator).AuthorizeURL("https://elsewhere.example.com/callback", "st4te", wechat.ScopeBase)
	// WeChat redirects to registered hosts only.
	_, err := simulator.Approve(link, "ada")
	fmt.Println(err)
	// Output: wechattest: 10003 redirect_uri's host "elsewhere.example.com" is not registered
}

// testCallback is the body of a test. In an application, it is called TestCallback.
func testCallback(t *testing.T) {
	simulator := wechattest.NewServer(t, wechattest.App{Account: shop}) // stops when t ends
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
		t.Errorf("Exchange = %v, %v, want openid %s", token, err, simulator.OpenID("lin", shop.AppID))
	}
}

// A server fails the test if the application breaks WeChat's protocol, for example
// with a link without #wechat_redirect. NewStrict does the same without listening.
func ExampleNewServer() {
	_ = testCallback
}

// testWithoutSockets is the body of a test. It opens no socket, so it can run in a
// bubble of testing/synctest.
func testWithoutSockets(t *testing.T) {
	simulator := wechattest.NewStrict(t, wechattest.App{Account: shop})
	callback, err := simulator.Approve(clientOf(simulator).AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase), "lin")
	if err != nil || codeOf(callback) == "" {
		t.Errorf("Approve = %s, %v, want a callback with a code", callback, err)
	}
}

func ExampleNewStrict() {
	_ = testWithoutSockets
}

// These are the persons of a simulator that gets none of its own.
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

// serveForm is an application. /login redirects to WeChat, and every other path
// shows the request's method, the length of its code, and its answer.
func serveForm(w http.ResponseWriter, r *http.Request) {
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

// newPhone returns lin's phone. It reaches the application and the simulator without
// a network.
func newPhone() *wechattest.Phone {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	hosts := map[string]http.Handler{"app.example.com": http.HandlerFunc(serveForm), "open.weixin.qq.com": simulator}
	return simulator.Phone("lin", wechattest.Transport(hosts), "https://open.weixin.qq.com")
}

// show prints the body of a response.
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

// The application asks for the nickname. WeChat shows the consent page, and the
// person consents.
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

// Approve and Refuse answer an authorization link without a browser.
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

// Faults make calls fail as they do in production.
func ExampleWeChat_Fail() {
	simulator := wechattest.New(nil, wechattest.App{Account: shop})
	client := clientOf(simulator)
	link := client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase)
	for _, fault := range []wechattest.Fault{
		{Errcode: 40164},                         // the server's IP address is not allowed
		{Status: http.StatusBadGateway},          // a proxy's answer
		{After: true, Location: "https://evil/"}, // the code is used, and the answer is a redirect
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

// Codes expire after five minutes. FastForward makes them pass at once.
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

// The transport calls the handler for a request's host.
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
	// Get "https://elsewhere.example.com/": wechattest: no handler for host "elsewhere.example.com"
}

// The test chooses the address from which a request comes.
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

// WeChat requires a fixed form of links.
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
