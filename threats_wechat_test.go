package scangate_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// recordHosts returns an option that appends the host of each request of the gate's to
// hosts. The gate's HTTP client would follow redirects if the gate let it.
func recordHosts(hosts *[]string) func(*scangate.Config) {
	return func(c *scangate.Config) {
		var mu sync.Mutex
		next := c.WeChat.HTTPClient.Transport
		c.WeChat.HTTPClient = &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				*hosts = append(*hosts, r.URL.Host)
				mu.Unlock()
				return next.RoundTrip(r)
			}),
		}
	}
}

// redirectTo makes every answer of WeChat's API to one path a redirect.
func redirectTo(path, target string, status int) func(*scangate.Config) {
	return func(c *scangate.Config) {
		next := c.WeChat.HTTPClient.Transport
		c.WeChat.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != path {
				return next.RoundTrip(r)
			}
			header := http.Header{"Location": {target}, "Refresh": {"0; url=" + target}}
			return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}, nil
		})
	}
}

// TestThreat23NoRedirectIsFollowed: WeChat's answer redirects to another host, by any
// status and from any call. The gate sends the secret and the token to one host only.
func TestThreat23NoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{"https://evil.example/", "http://api.weixin.qq.com/sns/oauth2/access_token", "//evil.example", "/sns/auth"} {
			t.Run(fmt.Sprint(status, " to ", target), func(t *testing.T) {
				var hosts []string
				w := newWorld(t, withWebsiteOnly, withProfile, redirectTo("/sns/oauth2/access_token", target, status), recordHosts(&hosts))
				a, _, user := w.logInByWebsite("lin")
				if a.StatusCode != http.StatusBadGateway || user.ID != "" {
					t.Errorf("exchange: status = %d, user = %q, want %d and none", a.StatusCode, user.ID, http.StatusBadGateway)
				}
				if len(hosts) != 1 || hosts[0] != "api.weixin.qq.com" {
					t.Errorf("exchange: hosts called = %q, want api.weixin.qq.com once", hosts)
				}
				hosts = nil
				w = newWorld(t, withWebsiteOnly, withProfile, redirectTo("/sns/userinfo", target, status), recordHosts(&hosts))
				if a, _, user := w.logInByWebsite("lin"); user.ID == "" {
					t.Errorf("user info: status = %d, want a user without a profile\n%s", a.StatusCode, a.body)
				}
				if len(hosts) != 2 || hosts[0] != "api.weixin.qq.com" || hosts[1] != "api.weixin.qq.com" {
					t.Errorf("user info: hosts called = %q, want api.weixin.qq.com twice", hosts)
				}
			})
		}
	}
}

// TestThreat20NoStoreCallForNonsense: WeChat's answer to the exchange does not determine
// an identity. The gate does not look a person up for it.
func TestThreat20NoStoreCallForNonsense(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wechattest.Fault{
		"no openid":                          {Edit: func(m map[string]any) { delete(m, "openid") }},
		"a list as openid":                   setField("openid", []any{"o"}),
		"an openid with a control character": {Body: "{\"access_token\":\"a\",\"openid\":\"o\x01x\"}"},
		"an openid of 200 characters":        setField("openid", fmt.Sprintf("%0200d", 0)),
		"a number as unionid":                setField("unionid", 7),
		"an object as access token":          setField("access_token", map[string]any{}),
		"an errcode that is a text":          setField("errcode", "0"),
		"an errcode beside an openid":        setField("errcode", 40013),
		"a list":                             {Body: `[{"openid":"o"}]`},
		"two answers":                        {Body: `{"openid":"o","access_token":"a"}{"openid":"p","access_token":"a"}`},
	} {
		w := newWorld(t, withWebsiteOnly)
		w.wechat.Fail(wechattest.OpExchange, 1, fault)
		a, _, user := w.logInByWebsite("lin")
		if a.StatusCode != http.StatusBadGateway || user.ID != "" {
			t.Errorf("exchange with %s: status = %d, user = %q, want %d and none", name, a.StatusCode, user.ID, http.StatusBadGateway)
		}
		if got := w.users.calls["FindByWeChat"] + w.users.calls["Register"]; got != 0 {
			t.Errorf("exchange with %s: look-ups and registrations = %d, want 0", name, got)
		}
	}
}

// TestThreat21SnapshotUserOfAWebsite: the mark of a snapshot user counts at either
// account, and the person can try again in the same login.
func TestThreat21SnapshotUserOfAWebsite(t *testing.T) {
	w := newWorld(t, withWebsiteOnly, withProfile)
	w.wechat.Fail(wechattest.OpExchange, 1, setField("is_snapshotuser", "1"))
	a, desktop, user := w.logInByWebsite("lin")
	if a.StatusCode != http.StatusForbidden || user.ID != "" {
		t.Errorf("login of a snapshot user: status = %d, user = %q, want %d and none", a.StatusCode, user.ID, http.StatusForbidden)
	}
	if got := w.wechat.Calls(wechattest.OpUserInfo); got != 0 {
		t.Errorf("login of a snapshot user: calls for the user info = %d, want 0", got)
	}
	if desktop.open(w.websiteCallback(desktop, "lin")); desktop.user() == "" {
		t.Error("second login: no user, want one")
	}
}
