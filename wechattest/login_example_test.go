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

// newApplication is the application under test: the gate, and a page behind it.
// A test gives it an address and an endpoint of its own.
func newApplication(publicURL string, account wechat.Account, endpoint wechat.Endpoint) (http.Handler, error) {
	gate, err := scangate.New(scangate.Config{PublicURL: publicURL, OfficialAccount: account, Endpoint: endpoint, FetchProfile: true})
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

// testAccount is what go test calls TestAccount in an application's own tests.
func testAccount(t *testing.T) {
	account := wechat.Account{AppID: "wx0123456789abcdef", Secret: "the-account-secret"}
	simulator := wechattest.NewServer(t, wechattest.App{Account: account})
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
	client.Jar, _ = cookiejar.New(nil) // never an error
	simulator.LogIn(t, client, publicURL+"/account", "lin")

	resp, err := client.Get(publicURL + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if page, err := io.ReadAll(resp.Body); err != nil || string(page) != "Hello, 林小北!" {
		t.Errorf("the account page says %q, %v", page, err)
	}
}

// A whole test of an application that uses the gate: a simulated WeChat, the
// application with that as its endpoint, and one line that logs a client in.
func ExampleWeChat_LogIn() {
	_ = testAccount
}
