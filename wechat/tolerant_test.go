package wechat_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

func TestCaseA01ControlCharactersBecomeSpaces(t *testing.T) {
	for name, c := range map[string]struct{ nickname, want string }{
		"U+0014":                    {"a\x14b", "a b"},
		"U+0001":                    {"\x01b", " b"},
		"U+001F":                    {"a\x1f", "a "},
		"NUL":                       {"a\x00b", "a b"},
		"a line end":                {"a\r\nb", "a  b"},
		"a tab":                     {"a\tb", "a b"},
		"several":                   {"\x02月\x03🌙\x1b[31m", " 月 🌙 [31m"},
		"after an escape":           {`a\"` + "\x14" + `\\` + "\x14", `a" \ `},
		"beside half a character":   {"a\xe6\x14b", "a\uFFFD b"},
		"beside half a surrogate":   {`a\ud83d` + "\x14", "a\uFFFD "},
		"nothing but control codes": {"\x01\x02\x03", "   "},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(`{"openid":"`+openID+`","nickname":"`+c.nickname+`","sex":0,"privilege":[]}`))
			info, err := client.UserInfo(t.Context(), accessToken, openID)
			if err != nil || info.Nickname != c.want {
				t.Errorf("userinfo with nickname %q: nickname = %q, %v, want %q", c.nickname, info.Nickname, err, c.want)
			}
			if want := []string{"control characters"}; !slices.Equal(info.Oddities, want) {
				t.Errorf("userinfo with nickname %q: oddities = %q, want %q", c.nickname, info.Oddities, want)
			}
		})
	}
}

func TestCaseA01ControlCharactersOutsideOfTheNickname(t *testing.T) {
	for name, text := range map[string]string{
		"a byte order mark":    "\ufeff" + goodToken,
		"NUL at the end":       goodToken + "\x00",
		"between the fields":   strings.ReplaceAll(goodToken, ",", ",\x0b"),
		"in a field not known": strings.Replace(goodToken, "{", "{\"note\":\"\x01\",", 1),
	} {
		client, _ := newClient(t, body(text))
		token, err := client.Exchange(t.Context(), code)
		if err != nil || token.OpenID != openID || len(token.Oddities) != 1 {
			t.Errorf("exchange with %s: openid = %q, oddities = %q, %v, want %q and one oddity", name, token.OpenID, token.Oddities, err, openID)
		}
	}
	// An error's text is repaired as well, so that its code keeps its meaning.
	client, _ := newClient(t, body("{\"errcode\":40029,\"errmsg\":\"invalid\x01code\"}"))
	_, err := client.Exchange(t.Context(), code)
	wantOnly(t, err, wechat.ErrCodeInvalid)
}

func TestCaseA01AnswersAsDocumentedHaveNoOddity(t *testing.T) {
	for _, text := range []string{
		goodToken, strings.ReplaceAll(goodToken, `,"`, ",\r\n\t\""), strings.Replace(goodToken, `"is_snapshotuser":1`, `"is_snapshotuser":0`, 1),
		`{"access_token":"a","openid":"o"}`, `{"access_token":"a","openid":"o","unionid":null,"scope":null,"is_snapshotuser":null,"more":{}}`,
	} {
		client, _ := newClient(t, body(text))
		if token, err := client.Exchange(t.Context(), code); err != nil || token.Oddities != nil {
			t.Errorf("exchange with the answer %s: oddities = %q, %v, want none", text, token.Oddities, err)
		}
	}
	client, _ := newClient(t, body(`{"openid":"`+openID+`","nickname":"","sex":0,"language":"","city":"","province":"","country":"","headimgurl":"","privilege":[]}`))
	if info, err := client.UserInfo(t.Context(), accessToken, openID); err != nil || info.Oddities != nil {
		t.Errorf("userinfo: oddities = %q, %v, want none", info.Oddities, err)
	}
}

func TestCaseA01FieldsOfAnotherType(t *testing.T) {
	for name, c := range map[string]struct {
		field, value string
		want         wechat.UserInfo // besides openid and oddities
	}{
		"an empty text as privilege":      {"privilege", `""`, wechat.UserInfo{}},
		"an object as privilege":          {"privilege", `{}`, wechat.UserInfo{}},
		"a list of numbers as privilege":  {"privilege", `["a",1]`, wechat.UserInfo{}},
		"a text as sex":                   {"sex", `"1"`, wechat.UserInfo{Sex: 1}},
		"an empty text as sex":            {"sex", `""`, wechat.UserInfo{}},
		"a word as sex":                   {"sex", `"male"`, wechat.UserInfo{}},
		"a boolean as sex":                {"sex", `true`, wechat.UserInfo{}},
		"a fraction as sex":               {"sex", `1.5`, wechat.UserInfo{}},
		"a huge number as sex":            {"sex", `1e999`, wechat.UserInfo{}},
		"a number as nickname":            {"nickname", `123`, wechat.UserInfo{Nickname: "123"}},
		"a list as nickname":              {"nickname", `["a"]`, wechat.UserInfo{}},
		"a boolean as city":               {"city", `false`, wechat.UserInfo{}},
		"an object as province":           {"province", `{"a":"b"}`, wechat.UserInfo{}},
		"a list as country":               {"country", `[]`, wechat.UserInfo{}},
		"a number as language":            {"language", `0`, wechat.UserInfo{Language: "0"}},
		"an object as headimgurl":         {"headimgurl", `{}`, wechat.UserInfo{}},
		"a text with a number as country": {"country", `"86"`, wechat.UserInfo{Country: "86"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(`{"openid":"`+openID+`","`+c.field+`":`+c.value+`}`))
			want := c.want
			want.OpenID = openID
			if c.value != `"86"` {
				want.Oddities = []string{c.field}
			}
			if info, err := client.UserInfo(t.Context(), accessToken, openID); err != nil || !reflect.DeepEqual(info, want) {
				t.Errorf("userinfo with %s %s = %+v, %v\nwant %+v", c.field, c.value, info, err, want)
			}
		})
	}
}

func TestCaseA01TokenFieldsOfAnotherType(t *testing.T) {
	for name, c := range map[string]struct {
		field, value string
		lifetime     time.Duration
	}{
		"a text as expires_in":         {"expires_in", `"7200"`, 2 * time.Hour},
		"a word as expires_in":         {"expires_in", `"soon"`, 0},
		"an object as expires_in":      {"expires_in", `{}`, 0},
		"a huge number as expires_in":  {"expires_in", `1e30`, 0},
		"a number as refresh_token":    {"refresh_token", `1`, 0},
		"a refresh_token with a space": {"refresh_token", `"a b"`, 0},
		"a list as scope":              {"scope", `["snsapi_userinfo"]`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(`{"access_token":"`+accessToken+`","openid":"`+openID+`","`+c.field+`":`+c.value+`}`))
			begun := time.Now()
			token, err := client.Exchange(t.Context(), code)
			if err != nil || token.OpenID != openID || token.RefreshToken != "" || token.Scope != "" {
				t.Errorf("exchange with %s %s = %#v, %v, want openid %q, no refresh token and no scope", c.field, c.value, token, err, openID)
			}
			if token.Expiry.Before(begun.Add(c.lifetime)) || token.Expiry.After(time.Now().Add(c.lifetime)) {
				t.Errorf("exchange with %s %s: token expires in %v, want %v", c.field, c.value, time.Until(token.Expiry), c.lifetime)
			}
			if !slices.Equal(token.Oddities, []string{c.field}) {
				t.Errorf("exchange with %s %s: oddities = %q, want %q", c.field, c.value, token.Oddities, c.field)
			}
		})
	}
}

func TestCaseA01SnapshotFlag(t *testing.T) {
	for value, want := range map[string]bool{
		"1": true, `"1"`: true, "true": true, `"true"`: true, "2": true, "1.0": true, `"yes"`: true, "[1]": true, "{}": true,
		"0": false, `"0"`: false, "false": false, `"false"`: false, `""`: false, "null": false,
	} {
		client, _ := newClient(t, body(`{"access_token":"a","openid":"o","is_snapshotuser":`+value+`}`))
		token, err := client.Exchange(t.Context(), code)
		if err != nil || token.SnapshotUser != want {
			t.Errorf("exchange with is_snapshotuser %s: snapshot user = %t, %v, want %t", value, token.SnapshotUser, err, want)
		}
		documented := value == "1" || value == "0" || value == "null"
		if odd := len(token.Oddities) > 0; odd == documented {
			t.Errorf("exchange with is_snapshotuser %s: oddities = %q, want some: %t", value, token.Oddities, !documented)
		}
	}
}

func TestCaseA01IdentityIsStrict(t *testing.T) {
	for name, c := range map[string]struct {
		op, body string
		identity bool // the error matches ErrIdentity
	}{
		"an openid that is a number":                    {"exchange", `{"access_token":"a","openid":1}`, false},
		"an openid with a control character":            {"exchange", "{\"access_token\":\"a\",\"openid\":\"o\x01x\"}", false},
		"an access token that is a list":                {"exchange", `{"access_token":["a"],"openid":"o"}`, false},
		"an access token that is a number":              {"exchange", `{"access_token":1,"openid":"o"}`, false},
		"a unionid that is a number":                    {"exchange", `{"access_token":"a","openid":"o","unionid":1}`, true},
		"a unionid that is a list":                      {"exchange", `{"access_token":"a","openid":"o","unionid":[]}`, true},
		"a unionid with a control character":            {"exchange", "{\"access_token\":\"a\",\"openid\":\"o\",\"unionid\":\"u\x01\"}", true},
		"user info without openid":                      {"userinfo", `{"nickname":"a"}`, false},
		"user info of another person":                   {"userinfo", `{"openid":"oOther"}`, true},
		"user info with a number as openid":             {"userinfo", `{"openid":1}`, true},
		"user info with a control character in unionid": {"userinfo", "{\"openid\":\"" + openID + "\",\"unionid\":\"u\x01\"}", true},
		"user info with a number as unionid":            {"userinfo", `{"openid":"` + openID + `","unionid":1}`, true},
		"an errcode with a control character":           {"userinfo", "{\"errcode\":\"\x01\",\"openid\":\"" + openID + "\"}", false},
		"HTML":                                          {"userinfo", "<html>", false},
		"an unknown escape":                             {"userinfo", `{"openid":"` + openID + `","nickname":"\x"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := newClient(t, body(c.body))
			err := operations[c.op](t.Context(), client)
			wantOnly(t, err, wechat.ErrResponse)
			if got := errors.Is(err, wechat.ErrIdentity); got != c.identity {
				t.Errorf("%s: errors.Is(%v, ErrIdentity) = %t, want %t", c.op, err, got, c.identity)
			}
			if strings.ContainsAny(err.Error(), "\x01\n") {
				t.Errorf("%s: error = %q, want one printable line", c.op, err)
			}
		})
	}
}
