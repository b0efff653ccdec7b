package scangate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// setField returns a fault that sets a field of WeChat's answer.
func setField(field string, value any) wechattest.Fault {
	return wechattest.Fault{Edit: func(answer map[string]any) { answer[field] = value }}
}

// logInByWebsite logs lin in by the website application, and returns WeChat's last
// answer, the desktop and its user. The user is empty if the desktop is not logged in.
func (w *world) logInByWebsite(person string) (answer, *browser, scangate.User) {
	w.t.Helper()
	desktop := w.desktop()
	a := desktop.open(w.websiteCallback(desktop, person))
	user, _ := w.users.FindByID(w.t.Context(), desktop.user())
	return a, desktop, user
}

func TestCaseA01NicknameWithControlCharacters(t *testing.T) {
	body := func(w *world, appID string) wechattest.Fault {
		return wechattest.Fault{Body: `{"openid":"` + w.wechat.OpenID("lin", appID) + "\",\"nickname\":\"a\x14b\",\"sex\":0,\"privilege\":[]}"}
	}
	t.Run("website application", func(t *testing.T) {
		w := newWorld(t, withWebsiteOnly, withProfile)
		w.wechat.Fail(wechattest.OpUserInfo, 1, body(w, website.AppID))
		a, _, user := w.logInByWebsite("lin")
		if user.Nickname != "a b" {
			t.Errorf("login: status = %d, nickname = %q, want a user called %q\n%s", a.StatusCode, user.Nickname, "a b", a.body)
		}
		if log := w.log.String(); !strings.Contains(log, "control characters") || strings.Contains(log, "a b") {
			t.Errorf("log = %s\nwant a line about control characters, without the nickname", log)
		}
	})
	t.Run("official account", func(t *testing.T) {
		w := newWorld(t, withProfile)
		w.wechat.Fail(wechattest.OpUserInfo, 1, body(w, official.AppID))
		phone := w.phone("lin")
		a := w.tapThroughProfile(phone, phone.open("/account"))
		user, err := w.users.FindByID(t.Context(), phone.user())
		if err != nil || user.Nickname != "a b" {
			t.Errorf("login: status = %d, nickname = %q, %v, want a user called %q\n%s", a.StatusCode, user.Nickname, err, "a b", a.body)
		}
	})
}

func TestCaseA01FieldsOfAnotherType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op    wechattest.Op
		field string
		value any
	}{
		{wechattest.OpUserInfo, "privilege", ""},
		{wechattest.OpUserInfo, "privilege", map[string]any{}},
		{wechattest.OpUserInfo, "sex", "1"},
		{wechattest.OpUserInfo, "sex", true},
		{wechattest.OpUserInfo, "nickname", 7},
		{wechattest.OpUserInfo, "nickname", []any{}},
		{wechattest.OpUserInfo, "headimgurl", false},
		{wechattest.OpUserInfo, "city", map[string]any{"a": 1}},
		{wechattest.OpExchange, "expires_in", "7200"},
		{wechattest.OpExchange, "expires_in", []any{}},
		{wechattest.OpExchange, "refresh_token", 1},
		{wechattest.OpExchange, "scope", []any{"snsapi_login"}},
		{wechattest.OpExchange, "is_snapshotuser", false},
	} {
		w := newWorld(t, withWebsiteOnly, withProfile)
		w.wechat.Fail(c.op, 1, setField(c.field, c.value))
		if a, _, user := w.logInByWebsite("lin"); user.ID == "" {
			t.Errorf("login with %s = %v: status = %d, want a user\n%s", c.field, c.value, a.StatusCode, a.body)
		}
		if log := w.log.String(); !strings.Contains(log, "odd="+c.field) && !strings.Contains(log, "odd=["+c.field+"]") {
			t.Errorf("log of a login with %s = %v:\n%s\nwant a line that names the field", c.field, c.value, log)
		}
	}
}

func TestCaseA01UserInfoFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault wechattest.Fault
		want  string // in the log
	}{
		"status 500":    {wechattest.Fault{Status: http.StatusInternalServerError}, "HTTP status 500"},
		"40001":         {wechattest.Fault{Errcode: 40001}, "40001 invalid credential"},
		"48001":         {wechattest.Fault{Errcode: 48001}, "48001 api unauthorized"},
		"50002":         {wechattest.Fault{Errcode: 50002}, "50002 user limited"},
		"an unknown":    {wechattest.Fault{Errcode: 99999}, "99999"},
		"busy":          {wechattest.Fault{Errcode: -1}, "-1 system error"},
		"HTML":          {wechattest.Fault{Body: "<html>"}, "not the expected JSON"},
		"an escape":     {wechattest.Fault{Body: `{"nickname":"\x14"}`}, "not the expected JSON"},
		"no openid":     {wechattest.Fault{Body: `{"nickname":"a"}`}, "no openid"},
		"a redirect":    {wechattest.Fault{Location: "https://api.weixin.qq.com/sns/auth"}, "HTTP status 302"},
		"2 MB":          {wechattest.Fault{Body: strings.Repeat(" ", 2<<20)}, "more than 1 MiB"},
		"hangs for 5 s": {wechattest.Fault{Hang: true}, "WeChat can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, withWebsiteOnly, withProfile)
				w.wechat.Fail(wechattest.OpUserInfo, 3, c.fault) // a busy call is retried twice
				begun := time.Now()
				a, _, user := w.logInByWebsite("lin")
				if user.ID == "" || user.Nickname != "" {
					t.Errorf("login: status = %d, user = %q, nickname = %q, want a user without a nickname\n%s", a.StatusCode, user.ID, user.Nickname, a.body)
				}
				if took := time.Since(begun); took > 6*time.Second {
					t.Errorf("login: took %v, want 6 s at most", took)
				}
				if log := w.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, c.want) {
					t.Errorf("log = %s\nwant a warning with %q", log, c.want)
				}
			})
		})
	}
}

// TestCaseA01UserInfoFailsInWeChat is the same at the official account, whose user info
// needs a tap.
func TestCaseA01UserInfoFailsInWeChat(t *testing.T) {
	w := newWorld(t, withProfile)
	w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Errcode: 48001})
	phone := w.phone("lin")
	if a := w.tapThroughProfile(phone, phone.open("/account")); phone.user() == "" {
		t.Errorf("login: status = %d at %s, want a user\n%s", a.StatusCode, a.Request.URL.Path, a.body)
	}
	// The same person is recognized by their openid.
	again := w.phone("lin")
	again.open("/account")
	if got, want := again.user(), phone.user(); got != want {
		t.Errorf("second login: user = %q, want %q", got, want)
	}
}

func TestCaseA01IdentityIsStrict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []func(*scangate.Config)
		person  string
		op      wechattest.Op
		fault   wechattest.Fault
	}{
		"another openid in the user info":      {nil, "lin", wechattest.OpUserInfo, setField("openid", "oSomebodyElse")},
		"an openid that is a number":           {nil, "lin", wechattest.OpUserInfo, setField("openid", 1)},
		"a unionid that is a number":           {nil, "lin", wechattest.OpUserInfo, setField("unionid", 1)},
		"a unionid with a space":               {nil, "lin", wechattest.OpUserInfo, setField("unionid", "o o")},
		"a unionid that is a list":             {nil, "lin", wechattest.OpExchange, setField("unionid", []any{})},
		"no unionid to tell two accounts' one": {[]func(*scangate.Config){withWebsite}, "chen", wechattest.OpUserInfo, wechattest.Fault{Status: http.StatusInternalServerError}},
	} {
		t.Run(name, func(t *testing.T) {
			options := c.options
			if options == nil {
				options = []func(*scangate.Config){withWebsiteOnly}
			}
			w := newWorld(t, append(options, withProfile)...)
			w.wechat.Fail(c.op, 1, c.fault)
			a, desktop, user := w.logInByWebsite(c.person)
			if a.StatusCode != http.StatusBadGateway || user.ID != "" {
				t.Errorf("login: status = %d, user = %q, want %d and none\n%s", a.StatusCode, user.ID, http.StatusBadGateway, a.body)
			}
			if got := w.users.calls["Register"]; got != 0 {
				t.Errorf("login: users registered = %d, want 0", got)
			}
			// Nothing stays behind: the next try succeeds.
			if desktop.open(w.websiteCallback(desktop, c.person)); desktop.user() == "" {
				t.Error("second login: no user, want one")
			}
		})
	}
}

func TestCaseA01SnapshotFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value    any
		snapshot bool
	}{
		{true, true},
		{1, true},
		{"1", true},
		{"true", true},
		{false, false},
		{0, false},
		{"0", false},
		{"", false},
		{nil, false},
	} {
		w := newWorld(t)
		w.wechat.Fail(wechattest.OpExchange, 1, setField("is_snapshotuser", c.value))
		phone := w.phone("lin")
		a := phone.open("/account")
		if got := phone.user() == ""; got != c.snapshot || c.snapshot != (a.StatusCode == http.StatusForbidden) {
			t.Errorf("login with is_snapshotuser = %#v: status = %d, refused = %t, want refused = %t", c.value, a.StatusCode, got, c.snapshot)
		}
		if got := w.users.calls["Register"]; c.snapshot && got != 0 {
			t.Errorf("login with is_snapshotuser = %#v: users registered = %d, want 0", c.value, got)
		}
	}
}
