package wechat

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzNickname looks for a nickname that refuses the person: raw bytes in WeChat's JSON,
// which contain no quote and no escape.
func FuzzNickname(f *testing.F) {
	for _, seed := range []string{"a\x14b", "\x00", "月月🌙", "\xff\xfe", "a\r\nb", "\u2028", "\ufeff", "\x7f"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, nickname []byte) {
		if bytes.ContainsAny(nickname, `"\`) {
			return
		}
		body := []byte(`{"openid":"oX","nickname":"` + string(nickname) + `","sex":"1","unionid":"oU"}`)
		answer := userInfoAnswer{requested: "oX"}
		if err := (request{op: opUserInfo, query: url.Values{}}).decode(body, &answer); err != nil {
			t.Fatalf("decode %q: error = %v, want none", body, err)
		}
		info := answer.userInfo()
		if info.OpenID != "oX" || info.UnionID != "oU" || info.Sex != 1 {
			t.Errorf("decode %q = %+v, want openid oX, unionid oU and sex 1", body, info)
		}
		if !utf8.ValidString(info.Nickname) || strings.ContainsFunc(info.Nickname, func(c rune) bool { return c < ' ' }) {
			t.Errorf("decode %q: nickname = %q, want UTF-8 without control characters", body, info.Nickname)
		}
	})
}

// FuzzFields looks for JSON in fields that no login needs which refuses the person, and
// for JSON in is_snapshotuser or unionid which changes the identity.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{`""`, `"1"`, `1`, `true`, `[]`, `{}`, `null`, `1e999`, `["a",1]`, `"\ud83d"`, `-0`, `0.0`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			return
		}
		r, v := request{op: opExchange, query: url.Values{}}, string(value)
		profile := userInfoAnswer{requested: "oX"}
		err := r.decode([]byte(`{"openid":"oX","nickname":`+v+`,"sex":`+v+`,"headimgurl":`+v+`,"privilege":`+v+`}`), &profile)
		if got := profile.userInfo(); err != nil || got.OpenID != "oX" || got.UnionID != "" {
			t.Errorf("decode user info with %s = %+v, %v, want openid oX and no error", v, got, err)
		}
		var token tokenAnswer
		err = r.decode([]byte(`{"openid":"oX","access_token":"a","expires_in":`+v+`,"refresh_token":`+v+`,"scope":`+v+`,"is_snapshotuser":`+v+`}`), &token)
		if err != nil || token.OpenID.value != "oX" {
			t.Errorf("decode a token with %s: openid = %q, %v, want oX", v, token.OpenID.value, err)
		}
		var union tokenAnswer
		err = r.decode([]byte(`{"openid":"oX","access_token":"a","unionid":`+v+`}`), &union)
		var text string
		isText := json.Unmarshal(value, &text) == nil
		if err == nil && (!isText || union.UnionID.value != text) {
			t.Errorf("decode a token with unionid %s: unionid = %q, want an error", v, union.UnionID.value)
		}
	})
}
