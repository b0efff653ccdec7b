package pushhandlers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	appURL    = "https://app.example.com"
	pushToken = "tokenOfTheAccount"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

var account = wechat.Account{AppID: "wx0123456789abcdef", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}

// world is an application with a gate and a push handler of its own.
type world struct {
	gate   *scangate.Gate
	hosts  map[string]http.Handler
	wechat *wechattest.WeChat
	pusher *wechattest.Pusher
}

// newWorld returns an application whose users send digits to the account.
func newWorld(t *testing.T, handler func(*scangate.Gate) http.Handler) *world {
	t.Helper()
	weChat := wechattest.NewStrict(t, wechattest.App{Account: account})
	gate, err := scangate.New(scangate.Config{
		PublicURL: appURL, OfficialAccount: account, Scan: scangate.ScanMessage,
		Push:   scangate.Push{Token: pushToken, EncodingAESKey: pushKey, AccountQR: "http://weixin.qq.com/r/account"},
		WeChat: scangate.WeChat{HTTPClient: &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": weChat})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/messages", handler(gate))
	w := &world{gate: gate, wechat: weChat, hosts: map[string]http.Handler{"app.example.com": mux}}
	w.pusher = w.pusherWith(pushToken)
	return w
}

// pusherWith returns a pusher that signs with a token.
func (w *world) pusherWith(token string) *wechattest.Pusher {
	return w.wechat.SetPush(account.AppID, wechattest.PushServer{
		URL: appURL + "/messages", Token: token, EncodingAESKey: pushKey, Transport: wechattest.Transport(w.hosts),
	})
}

// login is the answer to the beginning of a login.
type login struct {
	Digits   string
	StateURL string `json:"state_url"`
}

// begin begins a login on a desktop.
func (w *world) begin(ctx context.Context, t *testing.T) (*http.Client, login) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	desktop := &http.Client{Transport: wechattest.Transport(w.hosts), Jar: jar}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, appURL+"/wechat/login", strings.NewReader(`{"return_to":"/"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	var l login
	decode(t, desktop, req, &l)
	if l.Digits == "" {
		t.Fatal("login: no digits, want some")
	}
	return desktop, l
}

// decode sends a request and decodes the answer.
func decode(t *testing.T, client *http.Client, req *http.Request, v any) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatalf("%s: status = %d, error = %v, want JSON", req.URL, resp.StatusCode, err)
	}
}

// testHandler pushes a login's digits and other messages to a handler. The library replies
// "library: " and the text, and with nothing to the text "quiet".
func testHandler(t *testing.T, handler func(*scangate.Gate) http.Handler) {
	w := newWorld(t, handler)
	if err := w.pusher.CheckURL(t.Context()); err != nil {
		t.Errorf("CheckURL = %v, want none", err)
	}
	desktop, l := w.begin(t.Context(), t)
	question := w.pusher.Push(t.Context(), w.pusher.Text("lin", l.Digits))
	if question.Err != nil || question.Reply.Content == "" || strings.HasPrefix(question.Reply.Content, "library: ") {
		t.Errorf("reply to the digits = %+v, want the gate's question", question)
	}
	if d := w.pusher.Push(t.Context(), w.pusher.Text("lin", "1")); d.Err != nil || strings.HasPrefix(d.Reply.Content, "library: ") {
		t.Errorf("reply to the confirmation = %+v, want the gate's", d)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, appURL+l.StateURL+"?seen=waiting", nil)
	if err != nil {
		t.Fatal(err)
	}
	var now struct{ State string }
	if decode(t, desktop, req, &now); now.State != "approved" {
		t.Errorf("state of the login = %q, want approved", now.State)
	}
	for text, want := range map[string]string{"hello": "library: hello", "月月🌙": "library: 月月🌙", "quiet": ""} {
		if d := w.pusher.Push(t.Context(), w.pusher.Text("wang", text)); d.Err != nil || d.Reply.Content != want {
			t.Errorf("reply to %q = %+v, want %q", text, d, want)
		}
	}
	if d := w.pusher.Push(t.Context(), w.pusher.Event("wang", "CLICK", "menu")); d.Err != nil || d.Reply.Content != "library: menu" {
		t.Errorf("reply to a menu's event = %+v, want the library's", d)
	}
	forged := w.pusherWith("tokenOfAnother").Deliver(t.Context(), w.pusher.Text("lin", "hello"))
	if forged.Err == nil || !strings.Contains(forged.Err.Error(), "403") {
		t.Errorf("forged push = %+v, want status 403", forged)
	}
	unsigned := w.pusher.Text("lin", "hello")
	if d := w.pusher.Do(unsignedRequest(t, w.pusher.Document(unsigned)), unsigned); d.Err == nil || !strings.Contains(d.Err.Error(), "403") {
		t.Errorf("unsigned push in plain text = %+v, want status 403", d)
	}
	long := w.pusher.Text("lin", strings.Repeat("a", wechat.MaxMessage))
	if d := w.pusher.Deliver(t.Context(), long); d.Err == nil || !strings.Contains(d.Err.Error(), "400") {
		t.Errorf("push of 64 KiB = %+v, want status 400", d)
	}
	late := w.pusher.Text("lin", "hello")
	late.CreateTime = time.Now().Add(-time.Hour)
	if d := w.pusher.Deliver(t.Context(), late); d.Err == nil || !strings.Contains(d.Err.Error(), "403") {
		t.Errorf("push of an hour ago = %+v, want status 403", d)
	}
}

// unsignedRequest returns a push in plain text that claims to be encrypted.
func unsignedRequest(t *testing.T, document []byte) *http.Request {
	t.Helper()
	query := "?signature=x&encrypt_type=aes&timestamp=1&nonce=1"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, appURL+"/messages"+query, bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/xml")
	return req
}
