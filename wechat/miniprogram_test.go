package wechat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

func TestSessionByCode(t *testing.T) {
	c, n := newClient(t, body(`{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"`+openID+`","unionid":"oUnion"}`))
	session, err := c.SessionByCode(t.Context(), code)
	if want := (wechat.MiniSession{OpenID: openID, UnionID: "oUnion", SessionKey: "tiihtNczf5v6AKRyjwEUhQ=="}); err != nil || session != want {
		t.Errorf("SessionByCode = %#v, %v, want %#v", session, err, want)
	}
	wantRequest(t, n, "/sns/jscode2session", map[string][]string{"appid": {appID}, "secret": {secret}, "js_code": {code}, "grant_type": {"authorization_code"}})
	if text := fmt.Sprintf("%v %+v %#v %s %q", session, session, session, session, session); strings.Contains(text, session.SessionKey) {
		t.Errorf("session = %s, want no key in it", text)
	}
	for _, code := range []string{"", "a b", strings.Repeat("c", 513)} {
		if _, err := c.SessionByCode(t.Context(), code); !errors.Is(err, wechat.ErrCodeInvalid) || len(n.requests) != 1 {
			t.Errorf("SessionByCode(%q): error = %v after %d requests, want %v without one", code, err, len(n.requests), wechat.ErrCodeInvalid)
		}
	}
	for answer, identity := range map[string]bool{`{"session_key":"a"}`: false, `{"openid":1}`: false, `{"openid":"o","unionid":1}`: true} {
		c, _ := newClient(t, body(answer))
		_, err := c.SessionByCode(t.Context(), code)
		wantOnly(t, err, wechat.ErrResponse)
		if errors.Is(err, wechat.ErrIdentity) != identity {
			t.Errorf("SessionByCode with %s: error = %v, want ErrIdentity: %t", answer, err, identity)
		}
	}
}

// phoneBody returns WeChat's answer with a number.
func phoneBody(countryCode, appID string) string {
	return `{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":` + countryCode +
		`,"watermark":{"timestamp":1637744274,"appid":"` + appID + `"}}}`
}

func TestPhoneNumber(t *testing.T) {
	for _, countryCode := range []string{`"86"`, "86"} {
		c, n := accountClient(t, body(phoneBody(countryCode, appID)))
		number, err := c.PhoneNumber(t.Context(), code, openID)
		if want := (wechat.PhoneNumber{Number: "13580006666", PureNumber: "13580006666", CountryCode: "86", Time: time.Unix(1637744274, 0)}); err != nil || number != want {
			t.Errorf("PhoneNumber with country code %s = %+v, %v, want %+v", countryCode, number, err, want)
		}
		wantPost(t, n, "/wxa/business/getuserphonenumber", `{"code":"`+code+`","openid":"`+openID+`"}`)
	}
	c, n := accountClient(t, body(phoneBody("86", appID)))
	if _, err := c.PhoneNumber(t.Context(), code, ""); err != nil {
		t.Errorf("PhoneNumber without openid: error = %v, want none", err)
	}
	wantPost(t, n, "/wxa/business/getuserphonenumber", `{"code":"`+code+`"}`)
}

// TestThreat59NumberOfAnotherAccount refuses a number whose watermark is another account's.
func TestThreat59NumberOfAnotherAccount(t *testing.T) {
	c, _ := accountClient(t, body(phoneBody("86", "wx0000000000000000")))
	if number, err := c.PhoneNumber(t.Context(), code, openID); !errors.Is(err, wechat.ErrIdentity) || number.Number != "" {
		t.Errorf("PhoneNumber = %+v, %v, want %v", number, err, wechat.ErrIdentity)
	}
	for _, edit := range [][2]string{
		{`"13580006666"`, `"1358000\n666"`},
		{`"13580006666"`, "13580006666.5"},
		{`"13580006666"`, `""`},
		{":86,", `:"+86",`},
		{":86,", ":[86],"},
		{"1637744274", "0"},
		{`"watermark"`, `"w"`},
		{`"phone_info"`, `"p"`},
	} {
		c, _ := accountClient(t, body(strings.ReplaceAll(phoneBody("86", appID), edit[0], edit[1])))
		if number, err := c.PhoneNumber(t.Context(), code, openID); !errors.Is(err, wechat.ErrResponse) || number.Number != "" {
			t.Errorf("PhoneNumber with %s = %+v, %v, want %v", edit[1], number, err, wechat.ErrResponse)
		}
	}
	client, n := accountClient(t, body(phoneBody("86", appID)))
	_, err := client.PhoneNumber(t.Context(), "", openID)
	wantOnly(t, err, wechat.ErrCodeInvalid)
	_, err = client.PhoneNumber(t.Context(), code, "a b")
	wantOnly(t, err, wechat.ErrTokenInvalid)
	if len(n.requests) != 0 {
		t.Errorf("requests with malformed values = %d, want none", len(n.requests))
	}
}

func TestMiniProgramCode(t *testing.T) {
	const jpeg, png = "\xff\xd8\xff\xe0\x00\x10JFIF\x00", "\x89PNG\r\n\x1a\n"
	for kind, data := range map[string]string{"image/jpeg": jpeg, "image/png": png} {
		c, n := accountClient(t, body(data))
		picture, err := c.MiniProgramCode(t.Context(), wechat.MiniProgramCode{Scene: "a=1&b", Page: "pages/login/login"})
		if err != nil || picture.Type != kind || string(picture.Data) != data {
			t.Errorf("MiniProgramCode = %q, %q, %v, want the %s", picture.Type, picture.Data, err, kind)
		}
		wantPost(t, n, "/wxa/getwxacodeunlimit", `{"scene":"a=1&b","page":"pages/login/login","check_path":true}`)
	}
	c, n := accountClient(t, body(png))
	if _, err := c.MiniProgramCode(t.Context(), wechat.MiniProgramCode{Scene: "a", AllowUnpublished: true, EnvVersion: "trial", Width: 280, Transparent: true}); err != nil {
		t.Errorf("MiniProgramCode: error = %v, want none", err)
	}
	wantPost(t, n, "/wxa/getwxacodeunlimit", `{"scene":"a","check_path":false,"env_version":"trial","width":280,"is_hyaline":true}`)
	c, _ = accountClient(t, body(`{"errcode":41030,"errmsg":"invalid page rid: 1-2"}`))
	_, err := c.MiniProgramCode(t.Context(), wechat.MiniProgramCode{Scene: "a"})
	wantOnly(t, err, wechat.ErrConfiguration)
}

func TestMiniProgramCodeArguments(t *testing.T) {
	for name, code := range map[string]wechat.MiniProgramCode{
		"no scene":             {},
		"33 characters":        {Scene: strings.Repeat("a", 33)},
		"a percent sign":       {Scene: "a%20"},
		"a space":              {Scene: "a b"},
		"a slash at the start": {Scene: "a", Page: "/pages/login"},
		"a query":              {Scene: "a", Page: "pages/login?a"},
		"a version":            {Scene: "a", EnvVersion: "beta"},
		"a small picture":      {Scene: "a", Width: 279},
		"a large picture":      {Scene: "a", Width: 1281},
	} {
		c, n := accountClient(t, body(""))
		if _, err := c.MiniProgramCode(t.Context(), code); !errors.Is(err, wechat.ErrConfiguration) || len(n.requests) != 0 {
			t.Errorf("MiniProgramCode with %s: error = %v after %d requests, want %v without one", name, err, len(n.requests), wechat.ErrConfiguration)
		}
	}
}
