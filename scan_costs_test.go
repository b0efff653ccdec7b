package scangate_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// bareBrowser calls a gate without a network and without net/http's client, so that what it
// measures is the gate's. It keeps cookies by name.
type bareBrowser struct {
	t       testing.TB
	gate    http.Handler
	agent   string
	cookies map[string]string
	allocs  uint64 // of the gate, in all requests
}

// bareAnswer is an http.ResponseWriter that keeps the answer.
type bareAnswer struct {
	header http.Header
	status int
	body   []byte
}

func (a *bareAnswer) Header() http.Header { return a.header }

func (a *bareAnswer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}

func (a *bareAnswer) WriteHeader(status int) { a.status = status }

// do sends a request with the form, and checks the status of its answer.
func (b *bareBrowser) do(method, target, form string, want int) *bareAnswer {
	b.t.Helper()
	r := b.request(method, target, form)
	a := &bareAnswer{header: make(http.Header, 16), status: http.StatusOK, body: make([]byte, 0, 16<<10)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.gate.ServeHTTP(a, r)
	runtime.ReadMemStats(&after)
	b.allocs += after.Mallocs - before.Mallocs
	if a.status != want {
		b.t.Fatalf("%s %s: status = %d, want %d\n%s", method, target, a.status, want, a.body)
	}
	for _, line := range a.header["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		b.cookies[name] = value
	}
	return a
}

// request returns a request as net/http's server passes it to a handler.
func (b *bareBrowser) request(method, target, form string) *http.Request {
	b.t.Helper()
	at, err := url.Parse(target)
	if err != nil {
		b.t.Fatalf("parse %s: %v", target, err)
	}
	at.Scheme, at.Host = "", ""
	var cookies []string
	for name, value := range b.cookies {
		cookies = append(cookies, name+"="+value)
	}
	header := http.Header{
		"Accept": {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, "Accept-Language": {"zh-CN,zh;q=0.9"}, "User-Agent": {b.agent},
		"Cookie": {strings.Join(cookies, "; ")},
	}
	if method == http.MethodPost {
		header["Content-Type"], header["Origin"] = []string{"application/x-www-form-urlencoded"}, []string{appURL}
	}
	r := &http.Request{
		Method: method, URL: at, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: "app.example.com",
		Body: io.NopCloser(strings.NewReader(form)), ContentLength: int64(len(form)), RequestURI: at.String(), RemoteAddr: "192.0.2.1:1234",
	}
	return r.WithContext(b.t.Context())
}

// cutOut returns the text between two marks of the body.
func (a *bareAnswer) cutOut(t testing.TB, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(string(a.body), before)
	text, _, ends := strings.Cut(rest, after)
	if !found || !ends {
		t.Fatalf("the page has nothing between %q and %q:\n%s", before, after, a.body)
	}
	return text
}

// wechatOf answers each call to WeChat with the token of one person.
type wechatOf struct{ openID string }

// RoundTrip implements [http.RoundTripper].
func (w wechatOf) RoundTrip(*http.Request) (*http.Response, error) {
	body := `{"access_token":"t","expires_in":7200,"refresh_token":"r","openid":"` + w.openID + `","scope":"snsapi_base"}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// bareGate returns a gate whose requests all come from one address and one person.
func bareGate(t testing.TB, options ...func(*scangate.Config)) *scangate.Gate {
	t.Helper()
	w := newWorld(t, append([]func(*scangate.Config){func(c *scangate.Config) {
		c.Users, c.OnEvent, c.Limits.Address = nil, nil, 1<<30
		c.WeChat.HTTPClient = &http.Client{Transport: wechatOf{"openid-of-lin"}}
		c.Logger = slog.New(slog.DiscardHandler)
	}}, options...)...)
	return w.gate
}

// bareScanLogin performs a scan login with every request of a desktop and a phone, with one
// poll if polls is set. It returns the gate's allocations.
func bareScanLogin(t testing.TB, gate http.Handler, polls bool) uint64 {
	t.Helper()
	desktop := &bareBrowser{t: t, gate: gate, agent: wechattest.UserAgentChrome, cookies: make(map[string]string)}
	phone := &bareBrowser{t: t, gate: gate, agent: wechattest.UserAgentPhone, cookies: make(map[string]string)}
	page := desktop.do(http.MethodGet, "/wechat/login?return_to=%2Faccount", "", http.StatusOK)
	id := page.cutOut(t, `data-state-url="/wechat/login/`, `/state"`)
	desktop.do(http.MethodGet, "/wechat/login/"+id+"/qr.svg", "", http.StatusOK)
	if polls {
		desktop.do(http.MethodGet, "/wechat/login/"+id+"/state?seen=none", "", http.StatusOK)
	}
	scanned := phone.do(http.MethodGet, "/wechat/scan/"+id, "", http.StatusSeeOther)
	wechatPage, err := url.Parse(scanned.header.Get("Location"))
	if err != nil {
		t.Fatalf("parse the address of WeChat's page: %v", err)
	}
	phone.do(http.MethodGet, "/wechat/callback?code=c&state="+wechatPage.Query().Get("state"), "", http.StatusSeeOther)
	confirm := phone.do(http.MethodGet, "/wechat/confirm/"+id, "", http.StatusOK)
	token := confirm.cutOut(t, `name="token" value="`, `"`)
	phone.do(http.MethodPost, "/wechat/confirm/"+id, "token="+token+"&answer=approve", http.StatusSeeOther)
	phone.do(http.MethodGet, "/wechat/confirm/"+id, "", http.StatusOK)
	desktop.do(http.MethodGet, "/wechat/login?return_to=%2Faccount", "", http.StatusOK)
	done := desktop.do(http.MethodPost, "/wechat/login/"+id+"/finish", "", http.StatusSeeOther)
	if to := done.header.Get("Location"); to != "/account" {
		t.Fatalf("finish: location = %q, want /account", to)
	}
	return desktop.allocs + phone.allocs
}

func BenchmarkScanLogin(b *testing.B) {
	gate := bareGate(b)
	b.ReportAllocs()
	for b.Loop() {
		bareScanLogin(b, gate, true)
	}
}

// maxScanAllocs bounds the allocations of a scan login in memory, with one poll.
const maxScanAllocs = 800

func TestScanLoginAllocations(t *testing.T) {
	if build, ok := debug.ReadBuildInfo(); ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector allocates too")
	}
	gate := bareGate(t)
	least := ^uint64(0)
	for range 10 { // the first one learns the pages' shapes; others may meet work of the runtime
		least = min(least, bareScanLogin(t, gate, true))
	}
	t.Logf("a scan login in memory allocates %d times", least)
	if least > maxScanAllocs {
		t.Errorf("allocations of a scan login in memory = %d, want at most %d", least, maxScanAllocs)
	}
}

// sentCommands are the commands that a pool's connections have sent, in order.
type sentCommands struct {
	mu    sync.Mutex
	names []string
}

// add notes a command. Connections receive pending answers with a command without a name.
func (c *sentCommands) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name != "" {
		c.names = append(c.names, name)
	}
}

// take returns the commands since the last call.
func (c *sentCommands) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.names
	c.names = nil
	return taken
}

// notingConn is a connection that notes its commands.
type notingConn struct {
	redis.Conn
	sent *sentCommands
}

func (c notingConn) Do(command string, args ...any) (any, error) {
	c.sent.add(command)
	return c.Conn.Do(command, args...)
}

func (c notingConn) DoWithTimeout(limit time.Duration, command string, args ...any) (any, error) {
	c.sent.add(command)
	return redis.DoWithTimeout(c.Conn, limit, command, args...)
}

func (c notingConn) ReceiveWithTimeout(limit time.Duration) (any, error) {
	return redis.ReceiveWithTimeout(c.Conn, limit)
}

func TestScanLoginCommands(t *testing.T) {
	sent := new(sentCommands)
	pool := redisPool(t, miniredis.RunT(t).Addr())
	dial := pool.DialContext
	pool.DialContext = func(ctx context.Context) (redis.Conn, error) {
		conn, err := dial(ctx)
		return notingConn{conn, sent}, err
	}
	for _, c := range []struct {
		name   string
		option func(*scangate.Config)
		most   int
	}{
		{"alone", func(*scangate.Config) {}, 18},
		{"with events, for which a scan is noted", func(c *scangate.Config) { c.OnEvent = func(context.Context, scangate.Event) {} }, 19},
		{"with OnLogin, which is asked before the session is written", func(c *scangate.Config) {
			c.OnLogin = func(context.Context, scangate.Login) error { return nil }
		}, 19},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := bareGate(t, func(config *scangate.Config) { config.Redis = pool }, c.option)
			bareScanLogin(t, gate, false) // the first one registers the user and loads the scripts
			sent.take()
			bareScanLogin(t, gate, false)
			names := slices.DeleteFunc(sent.take(), func(name string) bool { return name == "SUBSCRIBE" })
			if len(names) > c.most {
				t.Errorf("a scan login sends %d commands, want at most %d: %s", len(names), c.most, strings.Join(names, " "))
			}
			t.Logf("a scan login sends %d commands: %s", len(names), strings.Join(names, " "))
		})
	}
}

// rejecting answers each exchange at WeChat with an error about the code.
type rejecting struct{ calls int }

// RoundTrip implements [http.RoundTripper].
func (w *rejecting) RoundTrip(*http.Request) (*http.Response, error) {
	w.calls++
	body := io.NopCloser(strings.NewReader(`{"errcode":40029,"errmsg":"invalid code"}`))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain"}}, Body: body}, nil
}

// TestLaterCallbacksAreCounted: the start of a login counts for its first exchange. Each other
// callback counts as one of its address.
func TestLaterCallbacksAreCounted(t *testing.T) {
	const limit = 3
	weixin := new(rejecting)
	gate := bareGate(t, func(c *scangate.Config) {
		c.Limits.Address, c.WeChat.HTTPClient = limit, &http.Client{Transport: weixin}
	})
	attacker := &bareBrowser{t: t, gate: gate, agent: wechattest.UserAgentPhone, cookies: make(map[string]string)}
	desktop := &bareBrowser{t: t, gate: gate, agent: wechattest.UserAgentChrome, cookies: make(map[string]string)}
	id := desktop.do(http.MethodGet, "/wechat/login", "", http.StatusOK).cutOut(t, `data-state-url="/wechat/login/`, `/state"`)
	scanned, err := url.Parse(attacker.do(http.MethodGet, "/wechat/scan/"+id, "", http.StatusSeeOther).header.Get("Location"))
	if err != nil {
		t.Fatalf("parse the address of WeChat's page: %v", err)
	}
	callback := "/wechat/callback?state=" + scanned.Query().Get("state") + "&code="
	for i := range 1 + limit {
		attacker.do(http.MethodGet, callback+strconv.Itoa(i), "", http.StatusBadRequest)
	}
	attacker.do(http.MethodGet, callback+"last", "", http.StatusTooManyRequests)
	if weixin.calls != 1+limit {
		t.Errorf("calls to WeChat = %d, want %d: the first of the login, and the limit of later ones", weixin.calls, 1+limit)
	}
}
