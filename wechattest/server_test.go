package wechattest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// fakeT is a testing.TB that records failures instead of failing. Its cleanups run
// when end is called.
type fakeT struct {
	testing.TB
	onError func() // called after each Errorf, if not nil

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (f *fakeT) Helper() {}

func (f *fakeT) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }

func (f *fakeT) Errorf(format string, args ...any) {
	f.mu.Lock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
	f.mu.Unlock()
	if f.onError != nil {
		f.onError()
	}
}

// end runs the cleanups in the order of package testing.
func (f *fakeT) end() {
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
}

func TestMisuseFailsTheTest(t *testing.T) {
	good := authorize(official, callbackURL, wechat.ScopeBase, "s1")
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, test := range map[string]struct {
		address string
		want    string // part of the failure; empty for none
	}{
		"allowed: a valid link":               {good, ""},
		"allowed: an icon":                    {openURL + "/favicon.ico", ""},
		"allowed: an unknown code":            {apiURL + "/sns/oauth2/access_token?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=x&grant_type=authorization_code", ""},
		"allowed: an unknown token":           {apiURL + "/sns/auth?access_token=x&openid=x", ""},
		"refused: parameters out of order":    {edit("&response_type=code&scope=snsapi_base", "&scope=snsapi_base&response_type=code"), "in this order"},
		"refused: another host":               {edit("app.example.com", "evil.example"), "10003"},
		"refused: a website's appid":          {edit("wx00000000official", "wx000000000website"), "10016"},
		"refused: a wrong secret":             {apiURL + "/sns/oauth2/access_token?appid=wx00000000official&secret=hush&code=x&grant_type=authorization_code", "wrong secret for wx00000000official"},
		"refused: no grant_type":              {apiURL + "/sns/oauth2/access_token?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=x", "grant_type"},
		"refused: exchange of a refusal":      {apiURL + "/sns/oauth2/access_token?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=authdeny&grant_type=authorization_code", "authdeny"},
		"refused: no code":                    {apiURL + "/sns/oauth2/access_token?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&grant_type=authorization_code", "parameter code"},
		"refused: refresh without appid":      {apiURL + "/sns/oauth2/refresh_token?refresh_token=x&grant_type=refresh_token", "parameter appid"},
		"refused: refresh with unknown appid": {apiURL + "/sns/oauth2/refresh_token?appid=wx&refresh_token=x&grant_type=refresh_token", "appid"},
		"refused: refresh without grant_type": {apiURL + "/sns/oauth2/refresh_token?appid=wx00000000official&refresh_token=x", "grant_type"},
		"refused: an unknown route":           {apiURL + "/sns/oauth/access_token", "no such route"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeT{TB: t}
			w := worldOf(wechattest.NewStrict(fake, official, website, unbound))
			w.get(t, test.address)
			checkFailure(t, fake, test.want)
			fake.end()
			w.get(t, test.address)
			if len(fake.failures) > 1 {
				t.Errorf("failures after the test ended: %q, want none", fake.failures[1:])
			}
		})
	}
}

// checkFailure checks that fake has one failure that contains want, or none if want
// is empty.
func checkFailure(t *testing.T, fake *fakeT, want string) {
	t.Helper()
	fake.mu.Lock()
	defer fake.mu.Unlock()
	if want == "" {
		if len(fake.failures) > 0 {
			t.Errorf("failures = %q, want none", fake.failures)
		}
		return
	}
	if len(fake.failures) != 1 || !strings.Contains(fake.failures[0], want) {
		t.Errorf("failures = %q, want one with %q", fake.failures, want)
		return
	}
	got := fake.failures[0]
	if !strings.HasPrefix(got, "wechattest: ") || strings.Count(got, "wechattest: ") != 1 {
		t.Errorf("failure = %q, want the package's prefix once", got)
	}
	if strings.Contains(got, "hush") {
		t.Errorf("failure = %q, want no secret in it", got)
	}
}

// TestMisuseOfMethods misuses the methods of WeChat and Phone, and the API through a
// client.
func TestMisuseOfMethods(t *testing.T) {
	base := authorize(official, callbackURL, wechat.ScopeBase, "s1")
	for name, test := range map[string]struct {
		do   func(context.Context, *world)
		want string
	}{
		"a token with base scope at userinfo": {func(ctx context.Context, w *world) {
			client := w.client(t, official)
			token, _ := client.Exchange(ctx, w.code(t, base, "lin"))
			_, _ = client.UserInfo(ctx, token.AccessToken, token.OpenID)
		}, "snsapi_base"},
		"a link without its fragment, approved": {func(_ context.Context, w *world) {
			_, _ = w.Approve(strings.TrimSuffix(base, "#wechat_redirect"), "lin")
		}, "#wechat_redirect"},
		"a link without its fragment, opened": {func(ctx context.Context, w *world) {
			if resp, err := w.Phone("lin", w.rt, openURL).Open(ctx, strings.TrimSuffix(base, "#wechat_redirect")); err == nil {
				_ = resp.Body.Close()
			}
		}, "#wechat_redirect"},
		"a POST": {func(ctx context.Context, w *world) {
			if resp, err := w.Phone("lin", w.rt, openURL).PostForm(ctx, apiURL+"/sns/auth", nil); err == nil {
				_ = resp.Body.Close()
			}
		}, "GET only"},
		"the phone of an unknown person": {func(_ context.Context, w *world) { w.Phone("unknown", w.rt, openURL) }, `unknown person "unknown"`},
		"a phone without an address":     {func(_ context.Context, w *world) { w.Phone("lin", w.rt, "https://a b/") }, "SignIn: parse"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeT{TB: t}
			test.do(t.Context(), worldOf(wechattest.NewStrict(fake, official, website)))
			checkFailure(t, fake, test.want)
		})
	}
}

func TestServer(t *testing.T) {
	server := wechattest.NewServer(t, official)
	client, err := wechat.NewClient(official.Account, server.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	link := client.AuthorizeURL(callbackURL, "s1", wechat.ScopeUserInfo)
	if !strings.HasPrefix(link, server.URL+"/connect/") {
		t.Errorf("AuthorizeURL = %s, want a page below %s", link, server.URL)
	}
	callback, err := server.Approve(link, "yueyue")
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Exchange(t.Context(), query(t, callback).Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := client.UserInfo(t.Context(), token.AccessToken, token.OpenID); err != nil || info.Nickname != "月月🌙🐰" {
		t.Errorf("UserInfo = %+v, %v, want nickname 月月🌙🐰", info, err)
	}
}

// TestServerEndsHangingCalls ends the server's test while a call hangs.
func TestServerEndsHangingCalls(t *testing.T) {
	called := make(chan struct{})
	fake := &fakeT{TB: t, onError: func() { close(called) }}
	server := wechattest.NewServer(fake, official)
	// After: the call is executed, and then hangs. The wrong secret is misuse, which
	// calls onError.
	server.Fail(wechattest.OpExchange, 1, wechattest.Fault{After: true, Hang: true})
	account := wechat.Account{AppID: official.AppID, Secret: "00000000000000000000000000000000"}
	client, err := wechat.NewClient(account, server.Endpoint(), &http.Client{Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := client.Exchange(t.Context(), "unknown")
		done <- err
	}()
	<-called
	fake.end()
	if err := <-done; !errors.Is(err, wechat.ErrUnreachable) {
		t.Errorf("Exchange = %v, want %v", err, wechat.ErrUnreachable)
	}
}
