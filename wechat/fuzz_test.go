package wechat

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode looks for an answer that gets past the decoder although it says
// nothing, or that gets a secret into an error.
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
		check(t, r.decode(body, &token), secret)
		info := userInfoAnswer{asked: "oX"}
		err := r.decode(body, &info)
		check(t, err, secret)
		if err == nil && (info.OpenID != "oX" || !utf8.ValidString(info.Nickname)) {
			t.Errorf("took %+v", info)
		}
		check(t, r.decode(body, new(verifyAnswer)), secret)
		if got := token.token(time.Time{}); r.decode(body, &token) == nil && (got.OpenID == "" || got.AccessToken == "" || got.Expiry.Before(time.Time{})) {
			t.Errorf("took %+v", token)
		}
	})
}

func check(t *testing.T, err error, secret string) {
	t.Helper()
	var failed *Error
	switch {
	case err == nil:
	case strings.Contains(err.Error(), secret), !utf8.ValidString(err.Error()), strings.ContainsAny(err.Error(), "\r\n\x00"):
		t.Errorf("a bad error: %q", err)
	case errors.As(err, &failed):
		if failed.Code == 0 || len(failed.Message) > maxMessage || len(failed.RID) > maxID {
			t.Errorf("a bad error: %#v", failed)
		}
	case !errors.Is(err, ErrResponse):
		t.Errorf("an error of no kind: %q", err)
	}
}
