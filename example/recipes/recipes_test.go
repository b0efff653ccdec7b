package recipes

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	appURL  = "https://app.example.com"
	appHost = "app.example.com"
)

// world is a simulated WeChat, and hosts that a test adds. It has no sockets.
type world struct {
	t      *testing.T
	wechat *wechattest.WeChat
	hosts  map[string]http.Handler
	config scangate.Config
}

// newWorld returns a world whose account has these hosts.
func newWorld(t *testing.T, hosts ...string) *world {
	t.Helper()
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	w := &world{t: t, wechat: wechattest.NewStrict(t, wechattest.App{Account: account, Hosts: hosts})}
	w.hosts = map[string]http.Handler{"open.weixin.qq.com": w.wechat, "api.weixin.qq.com": w.wechat}
	w.config = scangate.Config{
		PublicURL: "https://" + hosts[0], OfficialAccount: account, Logger: slog.New(slog.DiscardHandler),
		WeChat: scangate.WeChat{HTTPClient: &http.Client{Transport: wechattest.Transport(w.hosts)}},
	}
	return w
}

// gate returns the gate of the world's configuration.
func (w *world) gate() *scangate.Gate {
	w.t.Helper()
	gate, err := scangate.New(w.config)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	w.t.Cleanup(func() { _ = gate.Close() })
	return gate
}

// newSessions returns a session manager whose store starts no goroutine.
func newSessions() *scs.SessionManager {
	sessions := scs.New()
	sessions.Store = memstore.NewWithCleanupInterval(0)
	sessions.Cookie.Name, sessions.Cookie.Secure = "__Host-session", true
	return sessions
}

// browser is a desktop browser with cookies of its own. It does not follow redirects.
type browser struct {
	t      *testing.T
	client *http.Client
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w.t, &http.Client{
		Transport: wechattest.Transport(w.hosts), Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// logIn logs the person in, beginning at that address, which ends at the same address.
func (w *world) logIn(b *browser, address, person string) {
	w.t.Helper()
	client := *b.client
	client.CheckRedirect = nil
	w.wechat.LogIn(w.t, &client, address, person)
}

// answer is a response with its whole body.
type answer struct {
	*http.Response
	body string
}

// do sends a request. Pairs of names and values in header replace the browser's own.
func (b *browser) do(method, address, body string, header ...string) answer {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = appURL + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	req.Header.Set("User-Agent", wechattest.UserAgentChrome)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, address, err)
	}
	return answer{resp, string(text)}
}

func (b *browser) get(address string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, address, "")
}

func (b *browser) post(address string, form url.Values) answer {
	b.t.Helper()
	return b.do(http.MethodPost, address, form.Encode())
}

// checkPage demands a status, and a text in the body or the address of a redirect.
func checkPage(t *testing.T, what string, a answer, status int, text string) {
	t.Helper()
	got := a.body
	if location := a.Header.Get("Location"); location != "" {
		got = location
	}
	if a.StatusCode != status || !strings.Contains(got, text) {
		t.Errorf("%s: %d %.200q, want %d and %q", what, a.StatusCode, got, status, text)
	}
}

// userOf returns the ID of the person's user.
func (w *world) userOf(users scangate.UserStore, person string) string {
	w.t.Helper()
	user, err := users.FindByWeChat(context.Background(), scangate.Identity{
		AppID: w.config.OfficialAccount.AppID, OpenID: w.wechat.OpenID(person, w.config.OfficialAccount.AppID),
	})
	if err != nil {
		w.t.Fatalf("user of %s: %v", person, err)
	}
	return user.ID
}
