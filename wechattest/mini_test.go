package wechattest_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// miniCode returns a code of lin's phone, for a number unless that is empty.
func miniCode(t *testing.T, w *world, app wechattest.App, number string) string {
	t.Helper()
	phone := w.Phone("lin", w.rt, openURL)
	code, err := phone.LoginCode(app.AppID)
	if number != "" {
		code, err = phone.NumberCode(app.AppID, number)
	}
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wantCode fails t unless err is WeChat's error with the errcode.
func wantCode(t *testing.T, name string, err error, want int) {
	t.Helper()
	var failed *wechat.Error
	if !errors.As(err, &failed) || failed.Code != want {
		t.Errorf("%s: error = %v, want errcode %d", name, err, want)
	}
}

func TestMiniProgramCodes(t *testing.T) {
	other := wechattest.App{Account: wechat.Account{AppID: "wx00000000000other", Secret: "07e407e407e407e407e407e407e407e4"}, MiniProgram: true, Unbound: true}
	w := worldOf(wechattest.NewStrict(t, mini, other))
	client, ctx := w.client(t, mini), t.Context()
	used, number := miniCode(t, w, mini, ""), miniCode(t, w, mini, "13580006666")
	session, err := client.SessionByCode(ctx, used)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PhoneNumber(ctx, number, w.OpenID("wang", mini.AppID)); err == nil {
		t.Error("PhoneNumber with another person's openid: no error, want one")
	}
	if _, err := client.PhoneNumber(ctx, number, session.OpenID); err != nil {
		t.Errorf("PhoneNumber after the attempt with another openid: error = %v, want none", err)
	}
	session, err = w.client(t, other).SessionByCode(ctx, miniCode(t, w, other, ""))
	if err != nil || session.UnionID != "" {
		t.Errorf("SessionByCode at an unbound mini program = %#v, %v, want no unionid", session, err)
	}
	expired, expiredNumber := miniCode(t, w, mini, ""), miniCode(t, w, mini, "13580006666")
	bySession := func(code string) error { _, err := client.SessionByCode(ctx, code); return err }
	byNumber := func(code string) error { _, err := client.PhoneNumber(ctx, code, ""); return err }
	wantCode(t, "a used code", bySession(used), 40163)
	wantCode(t, "a used code for a number", byNumber(number), 40163)
	wantCode(t, "an unknown code", bySession("x"), 40029)
	wantCode(t, "another mini program's code", bySession(miniCode(t, w, other, "")), 40029)
	wantCode(t, "a code for a number", bySession(miniCode(t, w, mini, "13580006666")), 40029)
	wantCode(t, "a code for a login", byNumber(miniCode(t, w, mini, "")), 40029)
	w.FastForward(5 * time.Minute)
	wantCode(t, "an expired code", bySession(expired), 40029)
	wantCode(t, "an expired code for a number", byNumber(expiredNumber), 40029)
	w.Fail(wechattest.OpSession, 1, wechattest.Fault{Errcode: 40226})
	if err := bySession(miniCode(t, w, mini, "")); !errors.Is(err, wechat.ErrRefused) {
		t.Errorf("a person of high risk: error = %v, want %v", err, wechat.ErrRefused)
	}
}

func TestMiniProgramPermissions(t *testing.T) {
	unverified := mini
	unverified.Unverified = true
	w := worldOf(wechattest.New(nil, unverified, official))
	ctx := t.Context()
	_, err := w.client(t, unverified).PhoneNumber(ctx, "x", "")
	wantCode(t, "PhoneNumber of an unverified mini program", err, 48001)
	_, err = w.client(t, official).PhoneNumber(ctx, "x", "")
	wantCode(t, "PhoneNumber of an official account", err, 48001)
	_, err = w.client(t, official).MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: "a"})
	wantCode(t, "MiniProgramCode of an official account", err, 48001)
	client := w.client(t, unverified)
	_, err = client.MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: "a", Page: "pages/new/new"})
	wantCode(t, "MiniProgramCode of a page that is not published", err, 41030)
	if _, err := client.MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: "a", Page: "pages/new/new", AllowUnpublished: true}); err != nil {
		t.Errorf("MiniProgramCode of a page that need not be published: error = %v, want none", err)
	}
	w.Quota(wechattest.OpMiniProgramCode, 0)
	if _, err := client.MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: "a"}); !errors.Is(err, wechat.ErrQuota) {
		t.Errorf("MiniProgramCode beyond the quota: error = %v, want %v", err, wechat.ErrQuota)
	}
}

func TestMiniProgramRequests(t *testing.T) {
	w := newWorld(t)
	token := stableToken(t, w, mini, false).AccessToken
	session := "/sns/jscode2session?appid=" + mini.AppID + "&secret=" + mini.Secret
	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"session: no code":         {http.MethodGet, session + "&grant_type=authorization_code", "", 41008},
		"session: no grant_type":   {http.MethodGet, session + "&js_code=x", "", 40002},
		"session: another secret":  {http.MethodGet, session + "1&js_code=x&grant_type=authorization_code", "", 40125},
		"session: POST":            {http.MethodPost, session + "&js_code=x&grant_type=authorization_code", "", 43001},
		"number: no code":          {http.MethodPost, "/wxa/business/getuserphonenumber?access_token=" + token, "{}", 41008},
		"number: no JSON":          {http.MethodPost, "/wxa/business/getuserphonenumber?access_token=" + token, "code=x", 47001},
		"number: no token":         {http.MethodPost, "/wxa/business/getuserphonenumber", `{"code":"x"}`, 41001},
		"picture: GET":             {http.MethodGet, "/wxa/getwxacodeunlimit?access_token=" + token, `{"scene":"a"}`, 43002},
		"picture: no scene":        {http.MethodPost, "/wxa/getwxacodeunlimit?access_token=" + token, "{}", 40169},
		"picture: a percent sign":  {http.MethodPost, "/wxa/getwxacodeunlimit?access_token=" + token, `{"scene":"a%20"}`, 40169},
		"picture: a slash":         {http.MethodPost, "/wxa/getwxacodeunlimit?access_token=" + token, `{"scene":"a","page":"/pages/login/login"}`, 41030},
		"picture: no JSON":         {http.MethodPost, "/wxa/getwxacodeunlimit?access_token=" + token, "scene", 47001},
		"picture: an unknown page": {http.MethodPost, "/wxa/getwxacodeunlimit?access_token=" + token, `{"scene":"a","page":"pages/x"}`, 41030},
	} {
		_, body := w.post(t.Context(), t, c.method, apiURL+c.path, "application/json", c.body)
		if got := errcodeOf(t, body); got != c.want {
			t.Errorf("%s: errcode = %d, want %d", name, got, c.want)
		}
	}
}
