package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
)

func TestErrcodes(t *testing.T) {
	for code, want := range map[int]error{
		40163: wechat.ErrCodeUsed, 41030: wechat.ErrConfiguration, 40169: wechat.ErrConfiguration,
		40029: wechat.ErrCodeInvalid, 41008: wechat.ErrCodeInvalid, 42003: wechat.ErrCodeInvalid,
		42001: wechat.ErrTokenExpired,
		40003: wechat.ErrTokenInvalid, 40014: wechat.ErrTokenInvalid, 40030: wechat.ErrTokenInvalid,
		41009: wechat.ErrTokenInvalid, 42002: wechat.ErrTokenInvalid, 42007: wechat.ErrTokenInvalid,
		45009: wechat.ErrQuota, 45011: wechat.ErrQuota,
		40013: wechat.ErrConfiguration, 40125: wechat.ErrConfiguration, 40164: wechat.ErrConfiguration,
		41001: wechat.ErrConfiguration, 41002: wechat.ErrConfiguration, 41003: wechat.ErrConfiguration,
		41004: wechat.ErrConfiguration, 48001: wechat.ErrConfiguration,
		50001: wechat.ErrRefused, 50002: wechat.ErrConfiguration,
		10003: nil, 99999: nil, -2: nil,
	} {
		for op, call := range operations {
			t.Run(fmt.Sprint(op, " ", code), func(t *testing.T) { testErrcode(t, op, call, code, want) })
		}
	}
	// The meaning of 40001 depends on the call.
	for op, call := range operations {
		want := wechat.ErrTokenInvalid
		if op == "exchange" || op == "stable_token" || op == "jscode2session" {
			want = wechat.ErrConfiguration
		}
		t.Run(op+" 40001", func(t *testing.T) { testErrcode(t, op, call, 40001, want) })
	}
}

// testErrcode tests that a response with the errcode becomes an error that matches want.
func testErrcode(t *testing.T, op string, call func(context.Context, *wechat.Client) error, code int, want error) {
	t.Helper()
	c, n := newClient(t, body(fmt.Sprintf(`{"errcode":%d,"errmsg":"no way, rid: 65c17d8c-5cf05990-781aabe9"}`, code)))
	err := call(t.Context(), c)
	wantOnly(t, err, want)
	wantError := wechat.Error{Op: op, Code: code, Message: "no way", RID: "65c17d8c-5cf05990-781aabe9"}
	var e *wechat.Error
	if !errors.As(err, &e) || *e != wantError {
		t.Errorf("%s: error = %#v, want %#v", op, err, wantError)
	}
	if text := fmt.Sprintf("wechat: %s: %d no way (rid 65c17d8c-5cf05990-781aabe9)", op, code); err.Error() != text {
		t.Errorf("%s: error = %v, want %s", op, err, text)
	}
	if len(n.requests) != 1 {
		t.Errorf("%s: %d requests, want 1", op, len(n.requests))
	}
}

func TestErrorMessages(t *testing.T) {
	for name, c := range map[string]struct{ errmsg, message, rid string }{
		"with a comma":           {"invalid code, rid: 65c17d8c-5cf05990-781aabe9", "invalid code", "65c17d8c-5cf05990-781aabe9"},
		"without a comma":        {"invalid code rid: 65c17d8c-5cf05990-781aabe9", "invalid code", "65c17d8c-5cf05990-781aabe9"},
		"older":                  {"invalid code hints: [ req_id: aB3dEf04sz-1 ]", "invalid code", "aB3dEf04sz-1"},
		"older, with a comma":    {"invalid code, hints: [ req_id: aB3dEf04sz-1 ]", "invalid code", "aB3dEf04sz-1"},
		"no rid":                 {"invalid code", "invalid code", ""},
		"empty":                  {"", "", ""},
		"only a rid":             {"rid: 1-2", "", "1-2"},
		"a longer word":          {"no grid: here", "no grid: here", ""},
		"a malformed rid":        {"invalid code, rid: a b c", "invalid code", ""},
		"an address list":        {"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 7", "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist", "7"},
		"line ends":              {`invalid\r\ncode\u0000\u001b[31m`, "invalid code [31m", ""},
		"too long":               {strings.Repeat("码", 100), strings.Repeat("码", 66), ""},
		"secrets of the request": {"bad " + secret + " and code=" + code + ", rid: 7", "bad [redacted] and code=[redacted]", "7"},
		"the secret as rid":      {"bad, rid: " + secret, "bad", "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(`{"errcode":40029,"errmsg":"`+c.errmsg+`"}`))
			_, err := client.Exchange(t.Context(), code)
			var e *wechat.Error
			if !errors.As(err, &e) || e.Message != c.message || e.RID != c.rid {
				t.Errorf("exchange: error = %#v, want the message %q and the rid %q", err, c.message, c.rid)
			}
			wantNoSecret(t, errorTexts(err))
		})
	}
}

func TestRepeatedSecretsAreRedacted(t *testing.T) {
	// The secret value in the request of each call.
	private := map[string]string{"exchange": secret, "refresh": refreshToken, "verify": accessToken, "userinfo": accessToken, "stable_token": secret, "jscode2session": code}
	for op, call := range operations {
		c, _ := newClient(t, body(`{"errcode":40001,"errmsg":"`+strings.Join([]string{secret, code, accessToken, refreshToken}, " ")+`"}`))
		if err := call(t.Context(), c); strings.Contains(errorTexts(err), private[op]) {
			t.Errorf("%s: error = %v, want no %q in it", op, err, private[op])
		}
	}
}

func TestInvalidResponses(t *testing.T) {
	long := strings.Repeat("o", 129)
	for name, c := range map[string]struct {
		op       string
		response response
	}{
		"HTML":                             {"exchange", body("<html>")},
		"empty":                            {"exchange", body("")},
		"broken JSON":                      {"exchange", body(`{"access_token":"` + accessToken)},
		"two answers":                      {"exchange", body(goodToken + goodToken)},
		"null":                             {"exchange", body("null")},
		"an array":                         {"exchange", body("[]")},
		"errcode as a string":              {"exchange", body(`{"errcode":"40029"}`)},
		"openid as a number":               {"exchange", body(`{"access_token":"a","openid":1}`)},
		"no openid":                        {"exchange", body(`{"access_token":"a"}`)},
		"an empty openid":                  {"exchange", body(`{"access_token":"a","openid":""}`)},
		"a long openid":                    {"exchange", body(`{"access_token":"a","openid":"` + long + `"}`)},
		"an openid with a line end":        {"exchange", body(`{"access_token":"a","openid":"o\n"}`)},
		"a unionid with a space":           {"exchange", body(`{"access_token":"a","openid":"o","unionid":"o o"}`)},
		"no access token":                  {"exchange", body(`{"openid":"o"}`)},
		"errcode 0 alone":                  {"exchange", body(`{"errcode":0,"errmsg":"ok"}`)},
		"more than 1 MiB":                  {"exchange", body(goodToken + strings.Repeat(" ", 1<<20))},
		"2 MiB":                            {"exchange", body(strings.Repeat("a", 2<<20))},
		"status 502":                       {"exchange", status(502, goodToken)},
		"status 201":                       {"exchange", status(201, goodToken)},
		"a redirect":                       {"exchange", status(302, goodToken)},
		"a permanent redirect":             {"exchange", status(308, "")},
		"refresh without an openid":        {"refresh", body(`{"access_token":"a"}`)},
		"verify without an errcode":        {"verify", body(`{}`)},
		"verify with a misspelled errcode": {"verify", body(`{"errorcode":0}`)},
		"user info without an openid":      {"userinfo", body(`{"nickname":"Jack"}`)},
		"user info of another person":      {"userinfo", body(`{"openid":"oOther","nickname":"Jack"}`)},
		"user info with a long unionid":    {"userinfo", body(`{"openid":"` + openID + `","unionid":"` + long + `"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			client, n := newClient(t, c.response)
			err := operations[c.op](t.Context(), client)
			wantOnly(t, err, wechat.ErrResponse)
			wantNoSecret(t, errorTexts(err))
			if prefix := "wechat: " + c.op + ": invalid response: "; !strings.HasPrefix(err.Error(), prefix) {
				t.Errorf("%s: error = %v, want it to begin with %q", c.op, err, prefix)
			}
			// WeChat may have processed the call, so it is not repeated.
			if len(n.requests) != 1 {
				t.Errorf("%s: %d requests, want 1", c.op, len(n.requests))
			}
		})
	}
}

func TestToleratedResponses(t *testing.T) {
	for name, c := range map[string]struct{ body, nickname string }{
		"invalid UTF-8":    {"{\"openid\":\"" + openID + "\",\"nickname\":\"a\xff\"}", "a\uFFFD"},
		"half a surrogate": {`{"openid":"` + openID + `","nickname":"a\ud83d"}`, "a\uFFFD"},
		"escaped emoji":    {`{"openid":"` + openID + `","nickname":"\ud83c\udf19"}`, "🌙"},
		"nulls":            {`{"openid":"` + openID + `","nickname":"a","privilege":null,"unionid":null}`, "a"},
		"errcode 0":        {`{"openid":"` + openID + `","nickname":"a","errcode":0,"errmsg":"ok"}`, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(c.body))
			if info, err := client.UserInfo(t.Context(), accessToken, openID); err != nil || info.Nickname != c.nickname {
				t.Errorf("userinfo: nickname = %q, %v, want %q", info.Nickname, err, c.nickname)
			}
		})
	}
}
