package wechattest_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestServeTLSStandsForWeChatsHosts(t *testing.T) {
	server := wechattest.NewStrict(t, official).ServeTLS(t)
	browser := &http.Client{Transport: server.Transport()}
	for _, host := range server.Hosts {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/sns/auth?access_token=a&openid=o", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Errorf("GET of %s: error = %v, want none", host, err)
			continue
		}
		if body := read(t, resp); !strings.Contains(body, `"errcode":40001`) {
			t.Errorf("GET of %s: body = %s, want errcode 40001", host, body)
		}
	}
}

func TestServeTLSConnectsToNoOtherHost(t *testing.T) {
	server := wechattest.NewStrict(t, official).ServeTLS(t)
	for address, want := range map[string]string{
		"https://example.com/":           "not one of WeChat's hosts",
		"https://weixin.qq.com/":         "not one of WeChat's hosts",
		"https://" + server.Addr + "/":   "not one of WeChat's hosts",
		"https://api.weixin.qq.com.evil": "not one of WeChat's hosts",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Transport().RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("GET of %s: error = %v, want %q", address, err, want)
		}
	}
}

// TestServeTLSHasAnAuthorityOfItsOwn: the certificate of one server is worth nothing to the
// clients of another one, and for other names.
func TestServeTLSHasAnAuthorityOfItsOwn(t *testing.T) {
	server, other := wechattest.NewStrict(t, official).ServeTLS(t), wechattest.NewStrict(t, official).ServeTLS(t)
	for name, config := range map[string]*tls.Config{
		"another server's authority": {RootCAs: other.CAPool(), ServerName: "api.weixin.qq.com", MinVersion: tls.VersionTLS12},
		"another name":               {RootCAs: server.CAPool(), ServerName: "pay.weixin.qq.com", MinVersion: tls.VersionTLS12},
	} {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", server.Addr)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s: the handshake succeeds, want an error", name)
		}
	}
}

// testBuiltInHosts is the body of a test of a client whose hosts are built in.
func testBuiltInHosts(t *testing.T) {
	server := wechattest.NewStrict(t, wechattest.App{Account: shop}).ServeTLS(t)
	// A client that uses http.DefaultClient needs http.DefaultTransport = server.Transport().
	client, err := wechat.NewClient(shop, wechat.Endpoint{}, &http.Client{Transport: server.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	callback, err := server.Approve(client.AuthorizeURL("https://app.example.com/callback", "st4te", wechat.ScopeBase), "lin")
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Exchange(t.Context(), codeOf(callback))
	if err != nil || token.OpenID != server.OpenID("lin", shop.AppID) {
		t.Errorf("Exchange = %v, %v, want openid %s", token, err, server.OpenID("lin", shop.AppID))
	}
}

// A client whose hosts are built in reaches the simulator through the server's transport.
func ExampleWeChat_ServeTLS() {
	_ = testBuiltInHosts
}

func TestServeTLSWithAClient(t *testing.T) { testBuiltInHosts(t) }

// TestServeTLSServesPages reads a page, as a browser does.
func TestServeTLSServesPages(t *testing.T) {
	server := wechattest.NewStrict(t, official, website).ServeTLS(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, qrconnect(website, "s1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), wechattest.PersonParam) {
		t.Errorf("page: status = %d, error = %v, want 200 and a QR code\n%s", resp.StatusCode, err, body)
	}
}
