package scangate_test

// Rows 20 to 24: WeChat's answers.

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat20NonsenseFromWeChat: WeChat's answer is an error with status 200, lacks
// fields, is not JSON or is too long. The gate checks it, shows a 502 page, and calls the
// store of users only to look for the person.
func TestThreat20NonsenseFromWeChat(t *testing.T) {
	t.Parallel()
	edit := func(field string, value any) wechattest.Fault {
		return wechattest.Fault{Edit: func(m map[string]any) { m[field] = value }}
	}
	for _, c := range []struct {
		name  string
		op    wechattest.Op
		fault wechattest.Fault
	}{
		{"an errcode in a 200", wechattest.OpExchange, wechattest.Fault{Errcode: 40013, Errmsg: "invalid appid"}},
		{"an empty openid", wechattest.OpExchange, edit("openid", "")},
		{"an openid that is a number", wechattest.OpExchange, edit("openid", 1)},
		{"an empty token", wechattest.OpExchange, edit("access_token", "")},
		{"HTML", wechattest.OpExchange, wechattest.Fault{Body: "<html>busy</html>"}},
		{"2 MB", wechattest.OpExchange, wechattest.Fault{Body: `{"openid":"` + strings.Repeat("a", 2<<20) + `"}`}},
		{"broken JSON", wechattest.OpExchange, wechattest.Fault{Body: `{"openid":`}},
		{"a blank body", wechattest.OpExchange, wechattest.Fault{Body: " "}},
		{"another openid in userinfo", wechattest.OpUserInfo, edit("openid", "oSomebodyElse")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withWebsiteOnly, withProfile)
			w.wechat.Fail(c.op, 9, c.fault)
			desktop := w.desktop()
			a := desktop.open(w.websiteCallback(desktop, "lin"))
			if a.StatusCode != http.StatusBadGateway {
				t.Errorf("callback: status = %d, want %d\n%s", a.StatusCode, http.StatusBadGateway, a.body)
			}
			if got := desktop.user(); got != "" {
				t.Errorf("after the callback: user = %q, want none", got)
			}
			if got := w.users.total() - w.users.calls["FindByWeChat"]; got != 0 {
				t.Errorf("callback: calls to the store of users = %v, want FindByWeChat at most", w.users.calls)
			}
			if c.op == wechattest.OpExchange && w.users.total() != 0 {
				t.Errorf("callback without an identity: calls to the store of users = %v, want none", w.users.calls)
			}
		})
	}
}

// TestThreat21SnapshotUser: in WeChat's snapshot mode the identity is made up. The gate
// refuses it with an explanation, asks the store of users for nothing, and leaves the
// login open.
func TestThreat21SnapshotUser(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("zhao")
	login := desktop.start()
	profile := phone.scan(login)
	before := w.users.total()
	a := w.tapThroughProfile(phone, profile)
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "使用完整服务") {
		t.Errorf("profile of a snapshot user: status = %d, want %d and an explanation in\n%s", a.StatusCode, http.StatusForbidden, a.body)
	}
	if got := w.users.total() - before; got != 0 {
		t.Errorf("profile of a snapshot user: calls to the store of users = %d, want 0", got)
	}
	if got := desktop.state(login); got != "scanned" {
		t.Errorf("state after a snapshot user = %q, want %q", got, "scanned")
	}
	consent := phone.open(phone.get("/wechat/profile/"+login.ID).find(t, wechatURLPattern))
	if got := w.tap(phone, consent, wechattest.FullService).Request.URL.Path; got != login.confirmURL() {
		t.Errorf("the same person with the full service: path = %s, want %s", got, login.confirmURL())
	}
}

// TestThreat22SameOpenIDAtAnotherAppID: a user has the person's openid, but at another
// AppID, and another user has no unionid either. Neither is the person: the key is AppID
// and openid, and an empty unionid matches nothing.
func TestThreat22SameOpenIDAtAnotherAppID(t *testing.T) {
	w := newWorld(t, withWebsiteOnly)
	openID := w.wechat.OpenID("chen", website.AppID) // chen has no unionid
	w.knowPhone("", scangate.Identity{AppID: "another", OpenID: openID})
	w.knowPhone("", scangate.Identity{AppID: "third", OpenID: "x"})
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "chen"))
	user, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: website.AppID, OpenID: openID})
	if err != nil {
		t.Errorf("FindByWeChat of the person: error = %v, want none", err)
	}
	if len(user.Identities) != 1 {
		t.Errorf("identities of the person's user = %v, want one", user.Identities)
	}
	if got := desktop.user(); got != user.ID {
		t.Errorf("after the login: user = %q, want %q", got, user.ID)
	}
}

// TestThreat23WeChatHangs: WeChat accepts the call and never answers. The gate gives up
// after 5 seconds for one call, and after 8 seconds for all calls of a callback.
func TestThreat23WeChatHangs(t *testing.T) {
	t.Run("the first call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Hang: true})
			begun := time.Now()
			if got := w.phone("lin").open("/account").StatusCode; got != http.StatusBadGateway {
				t.Errorf("login while WeChat hangs: status = %d, want %d", got, http.StatusBadGateway)
			}
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("login while WeChat hangs: answered after %v, want 6 s at most", took)
			}
		})
	})
	// The user info is optional: the person is logged in without it.
	t.Run("the second call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, withWebsiteOnly, withProfile)
			w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: 4500 * time.Millisecond})
			w.wechat.Fail(wechattest.OpUserInfo, 3, wechattest.Fault{Hang: true})
			begun := time.Now()
			a, _, user := w.logInByWebsite("lin")
			if user.ID == "" || user.Nickname != "" {
				t.Errorf("login while the user info hangs: status = %d, user = %q, nickname = %q, want a user without a nickname\n%s",
					a.StatusCode, user.ID, user.Nickname, a.body)
			}
			if took := time.Since(begun); took != 8*time.Second {
				t.Errorf("login while the user info hangs: answered after %v, want 8 s", took)
			}
		})
	})
}

// TestThreat23WeChatRedirects: WeChat's answer is a redirect. The gate does not follow
// it.
func TestThreat23WeChatRedirects(t *testing.T) {
	w := newWorld(t)
	// The redirect leads to another call of the simulated WeChat, which counts it.
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Location: "https://api.weixin.qq.com/sns/auth"})
	if got := w.phone("lin").open("/account").StatusCode; got != http.StatusBadGateway {
		t.Errorf("login while WeChat redirects: status = %d, want %d", got, http.StatusBadGateway)
	}
	if got := w.wechat.Calls(wechattest.OpVerify); got != 0 {
		t.Errorf("login while WeChat redirects: redirects followed = %d, want 0", got)
	}
}

// TestThreat24AvatarOnAnInternalHost: a person's avatar has the URL of a host inside the
// application's network. The gate never fetches avatars.
func TestThreat24AvatarOnAnInternalHost(t *testing.T) {
	var calls atomic.Int64
	w := newWorld(t, withProfile, func(c *scangate.Config) {
		next := c.WeChat.HTTPClient.Transport
		c.WeChat.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "api.weixin.qq.com" {
				calls.Add(1)
			}
			return next.RoundTrip(r)
		})}
	})
	w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(m map[string]any) { m["headimgurl"] = "http://169.254.169.254/latest/meta-data" }})
	phone := w.phone("lin")
	w.tapThroughProfile(phone, phone.open("/account"))
	if phone.user() == "" {
		t.Error("login with such an avatar: the phone is not logged in, want a user")
	}
	if got := calls.Load(); got != 0 {
		t.Errorf("login with such an avatar: requests to other hosts = %d, want 0", got)
	}
}
