package wechattest_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// fetch returns the status and the body of a page.
func fetch(t *testing.T, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestIssue18Serve starts a simulator for development. Its account works, its codes lead to
// its own chat, and Close ends it.
func TestIssue18Serve(t *testing.T) {
	weChat := wechattest.Serve("127.0.0.1:0")
	defer weChat.Close()
	account := weChat.Account()
	client, err := wechat.NewClient(account, weChat.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	link := client.AuthorizeURL("https://app.example.com/wechat/callback", "state", wechat.ScopeBase)
	if status, page := fetch(t, link); status != http.StatusOK || !strings.Contains(page, "林小北") {
		t.Errorf("authorization page: status = %d, body = %s, want 200 and a list of persons", status, page)
	}
	code := weChat.AccountCode(account.AppID)
	if status, page := fetch(t, code); !strings.HasPrefix(code, weChat.URL) || status != http.StatusOK || !strings.Contains(page, "林小北") {
		t.Errorf("page of the account's code %s: status = %d, body = %s, want 200 and a list of persons", code, status, page)
	}
	weChat.Close()
	weChat.Close()
	if conn, err := net.Dial("tcp", strings.TrimPrefix(weChat.URL, "http://")); err == nil {
		_ = conn.Close()
		t.Error("connecting after Close: no error, want one")
	}
}

// TestServeURL checks that the URL of a listener on all addresses is one that browsers open.
func TestServeURL(t *testing.T) {
	weChat := wechattest.Serve(":0", wechattest.App{Account: wechat.Account{AppID: "wx00000000000000a1"}})
	defer weChat.Close()
	if !strings.HasPrefix(weChat.URL, "http://localhost:") || weChat.Account().AppID != "wx00000000000000a1" {
		t.Errorf("Serve(\":0\"): URL = %s, account = %s, want http://localhost:... and wx00000000000000a1", weChat.URL, weChat.Account().AppID)
	}
}

// TestServePanics starts a second server at the address of the first one.
func TestServePanics(t *testing.T) {
	weChat := wechattest.Serve("127.0.0.1:0")
	defer weChat.Close()
	defer func() {
		if fault, _ := recover().(string); !strings.HasPrefix(fault, "wechattest: Serve: ") {
			t.Errorf("Serve at an address in use: panic %q, want one with the prefix wechattest: Serve", fault)
		}
	}()
	wechattest.Serve(strings.TrimPrefix(weChat.URL, "http://"))
}

// TestIssue18HomePage opens the simulator's address, which Serve prints.
func TestIssue18HomePage(t *testing.T) {
	weChat := wechattest.Serve("127.0.0.1:0")
	defer weChat.Close()
	status, page := fetch(t, weChat.URL)
	for _, want := range []string{"模拟微信", "Simulated WeChat", "林小北", `href="chat/` + weChat.Account().AppID + `"`} {
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("home page: status = %d, body = %s, want 200 and %q", status, page, want)
		}
	}
}
