package wechattest_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// The hosts of WeChat, and the application's callback.
const (
	openURL     = "https://open.weixin.qq.com"
	apiURL      = "https://api.weixin.qq.com"
	mpURL       = "https://mp.weixin.qq.com"
	callbackURL = "https://app.example.com/callback"
)

// The apps that a world's simulator has.
var (
	official = wechattest.App{Account: wechat.Account{AppID: "wx00000000official", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}, Hosts: []string{"app.example.com", "127.0.0.1:8080"}}
	website  = wechattest.App{Account: wechat.Account{AppID: "wx000000000website", Secret: "3eb517e03eb517e03eb517e03eb517e0"}, Website: true}
	unbound  = wechattest.App{Account: wechat.Account{AppID: "wx000000000unbound", Secret: "0b0a4d000b0a4d000b0a4d000b0a4d00"}, Unbound: true}
	personal = wechattest.App{Account: wechat.Account{AppID: "wx00000000personal", Secret: "9e4509a19e4509a19e4509a19e4509a1"}, Unverified: true}
	mini     = wechattest.App{Account: wechat.Account{AppID: "wx000000000000mini", Secret: "319131913191319131913191319131a9"}, MiniProgram: true, Pages: []string{"pages/login/login"}}
)

// world is a simulator and an application, connected in memory. The application's
// callback answers with the query that it received.
type world struct {
	*wechattest.WeChat
	rt        http.RoundTripper
	mu        sync.Mutex
	callbacks []*http.Request
}

// newWorld returns a world whose simulator accepts misuse.
func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(wechattest.New(nil, official, website, unbound, personal, mini))
}

// newStrictWorld returns a world whose simulator fails t for misuse.
func newStrictWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(wechattest.NewStrict(t, official, website, unbound, personal, mini))
}

// worldOf returns a world with the given simulator.
func worldOf(simulator *wechattest.WeChat) *world {
	w := &world{WeChat: simulator}
	w.rt = wechattest.Transport(map[string]http.Handler{
		"open.weixin.qq.com": simulator, "api.weixin.qq.com": simulator, "mp.weixin.qq.com": simulator, "app.example.com": http.HandlerFunc(w.callback),
	})
	return w
}

// callback is the application's callback handler.
func (w *world) callback(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callbacks = append(w.callbacks, r)
	_, _ = fmt.Fprint(rw, r.URL.RawQuery)
}

// client returns a client of an app's account.
func (w *world) client(t *testing.T, app wechattest.App) *wechat.Client {
	t.Helper()
	c, err := wechat.NewClient(app.Account, wechat.Endpoint{}, &http.Client{Transport: w.rt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get requests an address without following redirects, and returns the response
// and its body.
func (w *world) get(t *testing.T, address string, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	resp, err := w.rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp)
}

// read reads and closes a response's body.
func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// code approves a link as a person and returns the callback's code.
func (w *world) code(t *testing.T, link, person string) string {
	t.Helper()
	callback, err := w.Approve(link, person)
	if err != nil {
		t.Fatal(err)
	}
	return query(t, callback).Get("code")
}

// query returns an address's query.
func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// authorize returns a link to the authorization page. It is written by hand, so
// that a bug in package wechat cannot hide one here.
func authorize(app wechattest.App, redirect string, scope wechat.Scope, state string) string {
	return fmt.Sprintf("%s/connect/oauth2/authorize?appid=%s&redirect_uri=%s&response_type=code&scope=%s&state=%s#wechat_redirect",
		openURL, app.AppID, url.QueryEscape(redirect), scope, state)
}

// qrconnect returns a link to the QR code page.
func qrconnect(app wechattest.App, state string) string {
	return fmt.Sprintf("%s/connect/qrconnect?appid=%s&redirect_uri=%s&response_type=code&scope=snsapi_login&state=%s#wechat_redirect",
		openURL, app.AppID, url.QueryEscape(callbackURL), state)
}

// links returns the addresses of a page's links.
func links(t *testing.T, page *url.URL, body string) []string {
	t.Helper()
	var found []string
	for _, match := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		u, err := page.Parse(html.UnescapeString(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, u.String())
	}
	return found
}

// tap returns the page's link that sets a parameter to a value.
func tap(t *testing.T, page *url.URL, body, parameter, value string) string {
	t.Helper()
	all := links(t, page, body)
	i := slices.IndexFunc(all, func(link string) bool { return query(t, link).Get(parameter) == value })
	if i < 0 {
		t.Fatalf("links of the page: got %q, want one with %s=%s", all, parameter, value)
	}
	return all[i]
}
