package wechat

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode looks for an incomplete answer that decode accepts, and for a response
// whose error contains the secret.
func FuzzDecode(f *testing.F) {
	const secret = "5ec4e75ec4e75ec4e75ec4e75ec4e700"
	for _, seed := range []string{
		`{"access_token":"78_a","expires_in":7200,"refresh_token":"78_r","openid":"oX","scope":"snsapi_base","is_snapshotuser":1,"unionid":"oU"}`,
		`{"openid":"oX","nickname":"\ud83c\udf19","sex":0,"privilege":[],"headimgurl":"https:\/\/thirdwx.qlogo.cn\/132"}`,
		`{"errcode":0,"errmsg":"ok"}`,
		`{"errcode":40029,"errmsg":"invalid code, rid: 65c17d8c-5cf05990-781aabe9"}`,
		`{"errcode":40125,"errmsg":"bad ` + secret + ` hints: [ req_id: ` + secret + ` ]"}`,
		`{"errcode":40029,"errmsg":" rid:"}`,
		"{\"openid\":\"\xff\",\"access_token\":\"\"}",
		`{"openid":null,"OPENID":"o","openid":""}`, `null`, `[]`, `"`, ``, `<html>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := request{op: opExchange, query: url.Values{"secret": {secret}}}
		var token tokenAnswer
		err := r.decode(body, &token)
		wantGoodError(t, err, secret)
		if got := token.token(time.Time{}); err == nil && (got.OpenID == "" || got.AccessToken == "" || got.Expiry.Before(time.Time{})) {
			t.Errorf("decode accepted the token %#v, want an error", got)
		}
		info := userInfoAnswer{requested: "oX"}
		err = r.decode(body, &info)
		wantGoodError(t, err, secret)
		if got := info.userInfo(); err == nil && (got.OpenID != "oX" || !utf8.ValidString(got.Nickname)) {
			t.Errorf("decode accepted the profile %+v, want an error", got)
		}
		wantGoodError(t, r.decode(body, new(verifyAnswer)), secret)
	})
}

// wantGoodError fails t unless err is nil or an [Error] or ErrResponse, on one line,
// within its limits and without the secret.
func wantGoodError(t *testing.T, err error, secret string) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); strings.Contains(text, secret) || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") {
		t.Errorf("decode: error = %q, want one line of UTF-8 without the secret", text)
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		if e.Code == 0 || len(e.Message) > maxMessage || len(e.RID) > maxID {
			t.Errorf("decode: error = %#v, want a code, a message of at most %d bytes and a rid of at most %d", e, maxMessage, maxID)
		}
	case !errors.Is(err, ErrResponse):
		t.Errorf("decode: error = %q, want an *Error or ErrResponse", err)
	}
}
