package wechattest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// newApplication returns the application under test: the gate, and a page behind it.
// Tests pass their own address and endpoint.
func newApplication(publicURL string, account wechat.Account, endpoint wechat.Endpoint) (http.Handler, error) {
	gate, err := scangate.New(scangate.Config{PublicURL: publicURL, OfficialAccount: account, WeChat: scangate.WeChat{Endpoint: endpoint}, Registration: scangate.Registration{FetchProfile: true}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		_, _ = fmt.Fprintf(w, "Hello, %s!", user.Nickname)
	})))
	return mux, nil
}

// testAccount is the body of a test. In an application, it is called TestAccount.
func testAccount(t *testing.T) {
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}
	simulator := wechattest.NewServer(t, wechattest.App{Account: account})
	// The gate needs its public URL, so the server listens before the application
	// exists.
	server := httptest.NewUnstartedServer(nil)
	defer server.Close()
	publicURL := "http://" + server.Listener.Addr().String()
	application, err := newApplication(publicURL, account, simulator.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = application
	server.Start()

	client := &http.Client{}
	client.Jar, _ = cookiejar.New(nil) // the error is always nil
	simulator.LogIn(t, client, publicURL+"/account", "lin")

	resp, err := client.Get(publicURL + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if page, err := io.ReadAll(resp.Body); err != nil || string(page) != "Hello, 林小北!" {
		t.Errorf("GET /account = %q, %v, want %q", page, err, "Hello, 林小北!")
	}
}

// This is a complete test of an application that uses the gate. It starts a
// simulator, points the application's endpoint at it, and logs a client in with one
// call.
func ExampleWeChat_LogIn() {
	_ = testAccount
}

// chatApplication is newApplication for an account whose followers confirm logins in the
// chat. The settings are those at WeChat.
func chatApplication(publicURL string, account wechat.Account, endpoint wechat.Endpoint, push scangate.Push) (http.Handler, error) {
	return scangate.New(scangate.Config{PublicURL: publicURL, OfficialAccount: account, WeChat: scangate.WeChat{Endpoint: endpoint}, Scan: scangate.ScanFollow, Push: push})
}

// testFollow is the body of a test. In an application, it is called TestFollow.
func testFollow(t *testing.T) {
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}
	simulator := wechattest.NewServer(t, wechattest.App{Account: account})
	push := scangate.Push{
		Token: "0123456789abcdef", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
		AccountQR: simulator.AccountCode(account.AppID),
	}
	server := httptest.NewUnstartedServer(nil)
	defer server.Close()
	publicURL := "http://" + server.Listener.Addr().String()
	application, err := chatApplication(publicURL, account, simulator.Endpoint(), push)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = application
	server.Start()
	// The simulator pushes the account's messages to the application.
	simulator.SetPush(account.AppID, wechattest.PushServer{URL: publicURL + "/wechat/push", Token: push.Token, EncodingAESKey: push.EncodingAESKey})

	client := &http.Client{}
	client.Jar, _ = cookiejar.New(nil) // the error is always nil
	simulator.LogInByFollow(t, client, publicURL+"/wechat/login", "lin")

	resp, err := client.Get(publicURL + "/wechat/me")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /wechat/me = %d, want 200", resp.StatusCode)
	}
}

// The person scans the account's code, follows it, and types the number of the login page.
// LogInByMessage is called in the same way.
func ExampleWeChat_LogInByFollow() {
	_ = testFollow
}
