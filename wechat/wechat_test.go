package wechat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

const (
	appID        = "wx0123456789abcdef"
	secret       = "5ec4e75ec4e75ec4e75ec4e75ec4e700"
	code         = "0c0dec0dec0dec0dec0dec0dec0dec0d"
	accessToken  = "78_acce55acce55acce55acce55"
	refreshToken = "78_4ef4e54ef4e54ef4e54ef4e5"
	openID       = "oLVPpjqs9BhvzwPj5A-vTYAX3GLc"
)

const goodToken = `{"access_token":"` + accessToken + `","expires_in":7200,"refresh_token":"` + refreshToken +
	`","openid":"` + openID + `","scope":"snsapi_userinfo,snsapi_login","is_snapshotuser":1,"unionid":"oUnion"}`

var account = wechat.Account{AppID: appID, Secret: secret}

// network is WeChat's answers, one after another, the last one for ever. It
// keeps what was asked.
type network struct {
	answers []answer
	asked   []*http.Request
}

type answer func(*http.Request) (*http.Response, error)

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.asked = append(n.asked, req)
	return n.answers[min(len(n.asked), len(n.answers))-1](req)
}

func status(code int, body string) answer {
	return func(req *http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"text/plain"}, "Location": {"https://elsewhere.example/"}}
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func body(text string) answer { return status(http.StatusOK, text) }

func broken(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// stall answers a status at once, and never a body.
func stall(req *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	context.AfterFunc(req.Context(), func() { writer.CloseWithError(req.Context().Err()) })
	return &http.Response{StatusCode: http.StatusOK, Body: reader, Request: req}, nil
}

func client(t *testing.T, answers ...answer) (*wechat.Client, *network) {
	t.Helper()
	n := &network{answers: answers}
	c, err := wechat.NewClient(account, wechat.Endpoint{}, &http.Client{Transport: n})
	if err != nil {
		t.Fatal(err)
	}
	return c, n
}

// operations are the client's calls, by the name that their errors carry.
var operations = map[string]func(context.Context, *wechat.Client) error{
	"exchange": func(ctx context.Context, c *wechat.Client) error { _, err := c.Exchange(ctx, code); return err },
	"refresh":  func(ctx context.Context, c *wechat.Client) error { _, err := c.Refresh(ctx, refreshToken); return err },
	"verify":   func(ctx context.Context, c *wechat.Client) error { return c.Verify(ctx, accessToken, openID) },
	"userinfo": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.UserInfo(ctx, accessToken, openID)
		return err
	},
}

var sentinels = []error{
	wechat.ErrCodeUsed, wechat.ErrCodeInvalid, wechat.ErrTokenExpired, wechat.ErrTokenInvalid, wechat.ErrBusy,
	wechat.ErrQuota, wechat.ErrConfiguration, wechat.ErrRefused, wechat.ErrResponse, wechat.ErrUnreachable,
}

// only fails t unless err matches want and none of the other sentinels.
func only(t *testing.T, err, want error) {
	t.Helper()
	for _, sentinel := range sentinels {
		if got := errors.Is(err, sentinel); got != (sentinel == want) { //nolint:errorlint // that one and no other
			t.Errorf("%v: matches %q: %v", err, sentinel, got)
		}
	}
}

// clean fails t if a text holds anything secret, plain or as it stands in a URL.
func clean(t *testing.T, text string) {
	t.Helper()
	for _, private := range []string{secret, code, accessToken, refreshToken} {
		if strings.Contains(text, private) {
			t.Errorf("%q holds %q", text, private)
		}
	}
}

// chain is the text of an error and of all that it wraps.
func chain(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	switch err := err.(type) { //nolint:errorlint // walks the chain itself
	case interface{ Unwrap() error }:
		text += "\n" + chain(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			text += "\n" + chain(cause)
		}
	}
	return text
}

func TestNewClient(t *testing.T) {
	for name, test := range map[string]struct {
		account  wechat.Account
		endpoint wechat.Endpoint
		want     string // in the error; empty: allowed
	}{
		"allowed: WeChat itself":            {account, wechat.Endpoint{}, ""},
		"allowed: another host of WeChat's": {account, wechat.Endpoint{API: "https://sh.api.weixin.qq.com"}, ""},
		"allowed: a path and a slash":       {account, wechat.Endpoint{Open: "https://sim.example/wx/", API: "https://sim.example/wx/"}, ""},
		"allowed: http on 127.0.0.1":        {account, wechat.Endpoint{API: "http://127.0.0.1:8081"}, ""},
		"allowed: http on ::1":              {account, wechat.Endpoint{API: "http://[::1]:8081"}, ""},
		"allowed: http on localhost":        {account, wechat.Endpoint{API: "http://wx.localhost"}, ""},
		"allowed: http pages on a LAN":      {account, wechat.Endpoint{Open: "http://192.168.1.5:8081"}, ""},
		"refused: http API on a LAN":        {account, wechat.Endpoint{API: "http://192.168.1.5:8081"}, "Endpoint.API"},
		"refused: no scheme":                {account, wechat.Endpoint{API: "api.weixin.qq.com"}, "Endpoint.API"},
		"refused: no host":                  {account, wechat.Endpoint{Open: "https://"}, "Endpoint.Open"},
		"refused: another scheme":           {account, wechat.Endpoint{Open: "ftp://open.weixin.qq.com"}, "Endpoint.Open"},
		"refused: no address":               {account, wechat.Endpoint{Open: "https://a b"}, "Endpoint.Open"},
		"refused: a query":                  {account, wechat.Endpoint{API: "https://api.weixin.qq.com?a=b"}, "Endpoint.API"},
		"refused: a fragment":               {account, wechat.Endpoint{Open: "https://open.weixin.qq.com#x"}, "Endpoint.Open"},
		"refused: a password":               {account, wechat.Endpoint{API: "https://me:" + secret + "@api.weixin.qq.com"}, "Endpoint.API"},
		"refused: no AppID":                 {wechat.Account{Secret: secret}, wechat.Endpoint{}, "AppID"},
		"refused: a space in the AppID":     {wechat.Account{AppID: appID + " ", Secret: secret}, wechat.Endpoint{}, "AppID"},
		"refused: no secret":                {wechat.Account{AppID: appID}, wechat.Endpoint{}, "Secret"},
		"refused: a line end in the secret": {wechat.Account{AppID: appID, Secret: secret + "\n"}, wechat.Endpoint{}, "Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := wechat.NewClient(test.account, test.endpoint, nil)
			if test.want == "" {
				if err != nil || c.AppID() != appID {
					t.Errorf("got %v, %v", c, err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "wechat: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want an error that names %s", err, test.want)
			}
			clean(t, chain(err))
		})
	}
}

func TestNewClientCopiesTheHTTPClient(t *testing.T) {
	n := &network{answers: []answer{body(goodToken)}}
	hc := &http.Client{Transport: n}
	c, err := wechat.NewClient(account, wechat.Endpoint{}, hc)
	if err != nil {
		t.Fatal(err)
	}
	if hc.CheckRedirect != nil || hc.Timeout != 0 {
		t.Error("the client that was given has changed")
	}
	hc.Transport = nil
	if _, err := c.Exchange(t.Context(), code); err != nil || len(n.asked) != 1 {
		t.Errorf("got %v after %d calls", err, len(n.asked))
	}
}

func TestLinks(t *testing.T) {
	c, _ := client(t)
	const redirect = "https://app.example.com/wechat/callback?a=b c&d=+"
	const escaped = "https%3A%2F%2Fapp.example.com%2Fwechat%2Fcallback%3Fa%3Db%20c%26d%3D%2B"
	for _, test := range []struct{ name, got, want string }{
		{"base", c.AuthorizeURL(redirect, "St8", wechat.ScopeBase), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_base&state=St8#wechat_redirect"},
		{"user info", c.AuthorizeURL(redirect, "St8", wechat.ScopeUserInfo), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_userinfo&state=St8#wechat_redirect"},
		{"a state can't add parameters", c.AuthorizeURL("https://a.example", "a&b=c#d", wechat.ScopeBase), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=https%3A%2F%2Fa.example&response_type=code&scope=snsapi_base&state=a%26b%3Dc%23d#wechat_redirect"},
		{"QR code", c.QRConnectURL(redirect, "St8", ""), "https://open.weixin.qq.com/connect/qrconnect?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_login&state=St8#wechat_redirect"},
		{"QR code in English", c.QRConnectURL(redirect, "St8", wechat.LangEnglish), "https://open.weixin.qq.com/connect/qrconnect?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_login&state=St8&lang=en#wechat_redirect"},
	} {
		if test.got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, test.got, test.want)
		}
	}
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := client(t, body(goodToken))
		token, err := c.Exchange(t.Context(), code)
		want := wechat.Token{
			AccessToken: accessToken, RefreshToken: refreshToken, Expiry: time.Now().Add(2 * time.Hour),
			OpenID: openID, UnionID: "oUnion", Scope: "snsapi_userinfo,snsapi_login", SnapshotUser: true,
		}
		if err != nil || !reflect.DeepEqual(token, want) {
			t.Errorf("got  %+v, %v\nwant %+v", token, err, want)
		}
		asked(t, n, "/sns/oauth2/access_token", url.Values{"appid": {appID}, "secret": {secret}, "code": {code}, "grant_type": {"authorization_code"}})
		if !token.HasScope(wechat.ScopeUserInfo) || !token.HasScope(wechat.ScopeLogin) || token.HasScope(wechat.ScopeBase) {
			t.Errorf("wrong scopes out of %q", token.Scope)
		}
	})
}

func TestRefresh(t *testing.T) {
	c, n := client(t, body(goodToken))
	if token, err := c.Refresh(t.Context(), refreshToken); err != nil || token.AccessToken != accessToken {
		t.Errorf("got %v, %v", token, err)
	}
	asked(t, n, "/sns/oauth2/refresh_token", url.Values{"appid": {appID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

func TestVerify(t *testing.T) {
	c, n := client(t, body(`{"errcode":0,"errmsg":"ok"}`))
	if err := c.Verify(t.Context(), accessToken, openID); err != nil {
		t.Error(err)
	}
	asked(t, n, "/sns/auth", url.Values{"access_token": {accessToken}, "openid": {openID}})
}

func TestUserInfo(t *testing.T) {
	c, n := client(t, body(`{"openid":"`+openID+`","nickname":"月月🌙","sex":2,"language":"zh_CN","city":"广州","province":"广东",`+
		`"country":"中国","headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/132","privilege":["chinaunicom"],"unionid":"oUnion","new":{"field":1}}`))
	info, err := c.UserInfo(t.Context(), accessToken, openID)
	want := wechat.UserInfo{
		OpenID: openID, UnionID: "oUnion", Nickname: "月月🌙", Sex: 2, Language: "zh_CN", City: "广州", Province: "广东",
		Country: "中国", HeadImgURL: "https://thirdwx.qlogo.cn/mmopen/132", Privilege: []string{"chinaunicom"},
	}
	if err != nil || !reflect.DeepEqual(info, want) {
		t.Errorf("got  %+v, %v\nwant %+v", info, err, want)
	}
	asked(t, n, "/sns/userinfo", url.Values{"access_token": {accessToken}, "openid": {openID}, "lang": {"zh_CN"}})
}

// asked fails t unless WeChat was asked once, by GET, for just this.
func asked(t *testing.T, n *network, path string, query url.Values) {
	t.Helper()
	if len(n.asked) != 1 {
		t.Fatalf("asked %d times", len(n.asked))
	}
	req := n.asked[0]
	if req.Method != http.MethodGet || req.URL.Host != "api.weixin.qq.com" || req.URL.Path != path || !reflect.DeepEqual(req.URL.Query(), query) {
		t.Errorf("asked %s %s", req.Method, req.URL)
	}
}

func TestExpiryOfStrangeLifetimes(t *testing.T) {
	for name, test := range map[string]struct {
		expiresIn string
		want      time.Duration
	}{
		"as documented": {"7200", 2 * time.Hour},
		"zero":          {"0", 0},
		"negative":      {"-7200", 0},
		"null":          {"null", 0},
		"too long":      {"9223372036854775807", 30 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := client(t, body(strings.Replace(goodToken, "7200", test.expiresIn, 1)))
				token, err := c.Exchange(t.Context(), code)
				if err != nil || time.Until(token.Expiry) != test.want {
					t.Errorf("got %v, %v; want %v", time.Until(token.Expiry), err, test.want)
				}
			})
		})
	}
}

func TestErrcodes(t *testing.T) {
	for code, want := range map[int]error{
		40163: wechat.ErrCodeUsed,
		40029: wechat.ErrCodeInvalid, 41008: wechat.ErrCodeInvalid, 42003: wechat.ErrCodeInvalid,
		42001: wechat.ErrTokenExpired,
		40003: wechat.ErrTokenInvalid, 40014: wechat.ErrTokenInvalid, 40030: wechat.ErrTokenInvalid,
		41009: wechat.ErrTokenInvalid, 42002: wechat.ErrTokenInvalid, 42007: wechat.ErrTokenInvalid,
		45009: wechat.ErrQuota, 45011: wechat.ErrQuota,
		40013: wechat.ErrConfiguration, 40125: wechat.ErrConfiguration, 40164: wechat.ErrConfiguration,
		41001: wechat.ErrConfiguration, 41002: wechat.ErrConfiguration, 41003: wechat.ErrConfiguration,
		41004: wechat.ErrConfiguration, 48001: wechat.ErrConfiguration,
		50001: wechat.ErrRefused, 50002: wechat.ErrRefused,
		10003: nil, 99999: nil, -2: nil,
	} {
		for op, call := range operations {
			t.Run(fmt.Sprint(op, code), func(t *testing.T) { errcode(t, op, call, code, want) })
		}
	}
	for op, call := range operations {
		want := wechat.ErrTokenInvalid
		if op == "exchange" {
			want = wechat.ErrConfiguration
		}
		t.Run(op+"40001", func(t *testing.T) { errcode(t, op, call, 40001, want) })
	}
}

func errcode(t *testing.T, op string, call func(context.Context, *wechat.Client) error, code int, want error) {
	c, n := client(t, body(fmt.Sprintf(`{"errcode":%d,"errmsg":"no way, rid: 65c17d8c-5cf05990-781aabe9"}`, code)))
	err := call(t.Context(), c)
	only(t, err, want)
	var e *wechat.Error
	if !errors.As(err, &e) || *e != (wechat.Error{Op: op, Code: code, Message: "no way", RID: "65c17d8c-5cf05990-781aabe9"}) {
		t.Errorf("got %#v", err)
	}
	if text := fmt.Sprintf("wechat: %s: %d no way (rid 65c17d8c-5cf05990-781aabe9)", op, code); err.Error() != text {
		t.Errorf("got  %v\nwant %s", err, text)
	}
	if len(n.asked) != 1 {
		t.Errorf("asked %d times", len(n.asked))
	}
}

func TestErrorMessages(t *testing.T) {
	for name, test := range map[string]struct{ errmsg, message, rid string }{
		"with a comma":           {"invalid code, rid: 65c17d8c-5cf05990-781aabe9", "invalid code", "65c17d8c-5cf05990-781aabe9"},
		"without a comma":        {"invalid code rid: 65c17d8c-5cf05990-781aabe9", "invalid code", "65c17d8c-5cf05990-781aabe9"},
		"the older way":          {"invalid code hints: [ req_id: aB3dEf04sz-1 ]", "invalid code", "aB3dEf04sz-1"},
		"the older way, a comma": {"invalid code, hints: [ req_id: aB3dEf04sz-1 ]", "invalid code", "aB3dEf04sz-1"},
		"none":                   {"invalid code", "invalid code", ""},
		"empty":                  {"", "", ""},
		"a rid alone":            {"rid: 1-2", "", "1-2"},
		"a word that ends so":    {"no grid: here", "no grid: here", ""},
		"a rid that is none":     {"invalid code, rid: a b c", "invalid code", ""},
		"an address list":        {"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 7", "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist", "7"},
		"line ends":              {`invalid\r\ncode\u0000\u001b[31m`, "invalid code [31m", ""},
		"too long":               {strings.Repeat("码", 100), strings.Repeat("码", 66), ""},
		"the request repeated":   {"bad " + secret + " and code=" + code + ", rid: 7", "bad [redacted] and code=[redacted]", "7"},
		"the secret as the rid":  {"bad, rid: " + secret, "bad", "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := client(t, body(`{"errcode":40029,"errmsg":"`+test.errmsg+`"}`))
			_, err := c.Exchange(t.Context(), code)
			var e *wechat.Error
			if !errors.As(err, &e) || e.Message != test.message || e.RID != test.rid {
				t.Errorf("got  %#v\nwant %q, %q", err, test.message, test.rid)
			}
			clean(t, chain(err))
		})
	}
}

func TestTokensThatWeChatRepeats(t *testing.T) {
	for op, call := range operations {
		c, _ := client(t, body(`{"errcode":40001,"errmsg":"`+strings.Join([]string{secret, code, accessToken, refreshToken}, " ")+`"}`))
		private := map[string]string{"exchange": secret, "refresh": refreshToken, "verify": accessToken, "userinfo": accessToken}[op]
		if err := call(t.Context(), c); strings.Contains(chain(err), private) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestNonsense(t *testing.T) {
	long := strings.Repeat("o", 129)
	for name, test := range map[string]struct {
		op     string
		answer answer
	}{
		"HTML":                           {"exchange", body("<html>")},
		"nothing":                        {"exchange", body("")},
		"broken JSON":                    {"exchange", body(`{"access_token":"` + accessToken)},
		"something after":                {"exchange", body(goodToken + goodToken)},
		"null":                           {"exchange", body("null")},
		"an array":                       {"exchange", body("[]")},
		"an errcode that is a text":      {"exchange", body(`{"errcode":"40029"}`)},
		"an openid that is a number":     {"exchange", body(`{"access_token":"a","openid":1}`)},
		"no openid":                      {"exchange", body(`{"access_token":"a"}`)},
		"an empty openid":                {"exchange", body(`{"access_token":"a","openid":""}`)},
		"a long openid":                  {"exchange", body(`{"access_token":"a","openid":"` + long + `"}`)},
		"an openid with a line end":      {"exchange", body(`{"access_token":"a","openid":"o\n"}`)},
		"a unionid with a space":         {"exchange", body(`{"access_token":"a","openid":"o","unionid":"o o"}`)},
		"a refresh token with a space":   {"exchange", body(`{"access_token":"a","openid":"o","refresh_token":"a b"}`)},
		"no access token":                {"exchange", body(`{"openid":"o"}`)},
		"errcode 0 alone":                {"exchange", body(`{"errcode":0,"errmsg":"ok"}`)},
		"too much":                       {"exchange", body(goodToken + strings.Repeat(" ", 1<<20))},
		"much too much":                  {"exchange", body(strings.Repeat("a", 2<<20))},
		"status 502":                     {"exchange", status(502, goodToken)},
		"status 201":                     {"exchange", status(201, goodToken)},
		"a redirect":                     {"exchange", status(302, goodToken)},
		"a permanent redirect":           {"exchange", status(308, "")},
		"refresh without an openid":      {"refresh", body(`{"access_token":"a"}`)},
		"verify without an errcode":      {"verify", body(`{}`)},
		"verify with the other key":      {"verify", body(`{"errorcode":0}`)},
		"user info without an openid":    {"userinfo", body(`{"nickname":"Jack"}`)},
		"user info of somebody else":     {"userinfo", body(`{"openid":"oOther","nickname":"Jack"}`)},
		"user info of a long unionid":    {"userinfo", body(`{"openid":"` + openID + `","unionid":"` + long + `"}`)},
		"user info with a nickname of 1": {"userinfo", body(`{"openid":"` + openID + `","nickname":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			c, n := client(t, test.answer)
			err := operations[test.op](t.Context(), c)
			only(t, err, wechat.ErrResponse)
			clean(t, chain(err))
			if len(n.asked) != 1 || !strings.HasPrefix(err.Error(), "wechat: "+test.op+": no valid answer: ") {
				t.Errorf("%v, after %d calls", err, len(n.asked))
			}
		})
	}
}

func TestTolerated(t *testing.T) {
	for name, test := range map[string]struct{ answer, nickname string }{
		"invalid UTF-8":    {"{\"openid\":\"" + openID + "\",\"nickname\":\"a\xff\"}", "a\uFFFD"},
		"half a surrogate": {`{"openid":"` + openID + `","nickname":"a\ud83d"}`, "a\uFFFD"},
		"escaped emoji":    {`{"openid":"` + openID + `","nickname":"\ud83c\udf19"}`, "🌙"},
		"nulls":            {`{"openid":"` + openID + `","nickname":"a","privilege":null,"unionid":null}`, "a"},
		"errcode 0":        {`{"openid":"` + openID + `","nickname":"a","errcode":0,"errmsg":"ok"}`, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := client(t, body(test.answer))
			if info, err := c.UserInfo(t.Context(), accessToken, openID); err != nil || info.Nickname != test.nickname {
				t.Errorf("got %q, %v; want %q", info.Nickname, err, test.nickname)
			}
		})
	}
}

func TestRefusedWithoutACall(t *testing.T) {
	ctx := t.Context()
	exchange := func(code string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.Exchange(ctx, code); return err }
	}
	refresh := func(token string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.Refresh(ctx, token); return err }
	}
	verify := func(token, openID string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { return c.Verify(ctx, token, openID) }
	}
	userInfo := func(token, openID string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.UserInfo(ctx, token, openID); return err }
	}
	for name, test := range map[string]struct {
		call func(*wechat.Client) error
		want error
	}{
		"no code":               {exchange(""), wechat.ErrCodeInvalid},
		"a refusal":             {exchange("authdeny"), wechat.ErrCodeInvalid},
		"a long code":           {exchange(strings.Repeat("c", 513)), wechat.ErrCodeInvalid},
		"a code with a space":   {exchange("c c"), wechat.ErrCodeInvalid},
		"a code with a NUL":     {exchange("c\x00"), wechat.ErrCodeInvalid},
		"a Chinese code":        {exchange("码"), wechat.ErrCodeInvalid},
		"a broken code":         {exchange("c\xff"), wechat.ErrCodeInvalid},
		"no refresh token":      {refresh(""), wechat.ErrTokenInvalid},
		"a long refresh token":  {refresh(strings.Repeat("r", 4097)), wechat.ErrTokenInvalid},
		"verify no token":       {verify("", openID), wechat.ErrTokenInvalid},
		"verify no openid":      {verify(accessToken, ""), wechat.ErrTokenInvalid},
		"user info, no token":   {userInfo("", openID), wechat.ErrTokenInvalid},
		"user info, odd openid": {userInfo(accessToken, "o\n"), wechat.ErrTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c, n := client(t, body(goodToken))
			err := test.call(c)
			only(t, err, test.want)
			if len(n.asked) != 0 || !strings.HasPrefix(err.Error(), "wechat: ") {
				t.Errorf("%v, after %d calls", err, len(n.asked))
			}
		})
	}
	c, _ := client(t, body(goodToken))
	if err := exchange(strings.Repeat("c", 512))(c); err != nil {
		t.Errorf("a code of 512 bytes: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	telling := func(req *http.Request) (*http.Response, error) { return nil, fmt.Errorf("GET %s: no route", req.URL) }
	nested := func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("proxy: %w", &url.Error{Op: "Get", URL: req.URL.String(), Err: refused})
	}
	for name, test := range map[string]struct {
		answer answer
		cause  error // that errors.Is finds; nil: none promised
		after  time.Duration
	}{
		"refused":                     {broken(refused), refused, 0},
		"an error that tells the URL": {telling, nil, 0},
		"an error that holds a URL":   {nested, refused, 0},
		"a body that ends too early":  {stalled(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF, 0},
		"no answer":                   {hang, context.DeadlineExceeded, 5 * time.Second},
		"a status and then no body":   {stall, context.DeadlineExceeded, 5 * time.Second},
	} {
		for op, call := range operations {
			t.Run(name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					c, n := client(t, test.answer)
					err := call(t.Context(), c)
					only(t, err, wechat.ErrUnreachable)
					clean(t, chain(err))
					var located *url.Error
					if errors.As(err, &located) {
						t.Errorf("%v holds the URL", err)
					}
					if test.cause != nil && !errors.Is(err, test.cause) {
						t.Errorf("%v doesn't match %v", err, test.cause)
					}
					var timeout net.Error
					if test.after > 0 && (!errors.As(err, &timeout) || !timeout.Timeout()) {
						t.Errorf("%v is no timeout", err)
					}
					if time.Since(start) != test.after || len(n.asked) != 1 {
						t.Errorf("ended after %v and %d calls", time.Since(start), len(n.asked))
					}
				})
			})
		}
	}
}

// stalled answers the beginning of a body, and then err.
func stalled(err error) answer {
	return func(req *http.Request) (*http.Response, error) {
		reader := io.MultiReader(strings.NewReader(`{"openid"`), failing{err})
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(reader), Request: req}, nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(t, hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.Exchange(ctx, code)
		only(t, err, nil)
		clean(t, chain(err))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestGivenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		hc := &http.Client{Transport: &network{answers: []answer{hang}}, Timeout: time.Minute}
		c, err := wechat.NewClient(account, wechat.Endpoint{}, hc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Exchange(t.Context(), code); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

const busy = `{"errcode":-1,"errmsg":"system error, rid: 7"}`

func TestBusy(t *testing.T) {
	slow := func(req *http.Request) (*http.Response, error) {
		<-time.After(3 * time.Second) // by the bubble's clock
		return body(busy)(req)
	}
	for name, test := range map[string]struct {
		answers []answer
		want    error
		calls   int
	}{
		"once":                    {[]answer{body(busy), body(goodToken)}, nil, 2},
		"twice":                   {[]answer{body(busy), body(busy), body(goodToken)}, nil, 3},
		"for ever":                {[]answer{body(busy)}, wechat.ErrBusy, 3},
		"then a used code":        {[]answer{body(busy), body(`{"errcode":40163}`), body(goodToken)}, wechat.ErrCodeUsed, 2},
		"then nonsense":           {[]answer{body(busy), body("<html>"), body(goodToken)}, wechat.ErrResponse, 2},
		"then unreachable":        {[]answer{body(busy), broken(io.EOF), body(goodToken)}, wechat.ErrUnreachable, 2},
		"not retried: quota":      {[]answer{body(`{"errcode":45011}`), body(goodToken)}, wechat.ErrQuota, 1},
		"not retried: status 503": {[]answer{status(503, busy), body(goodToken)}, wechat.ErrResponse, 1},
		"slowly":                  {[]answer{slow, hang}, wechat.ErrUnreachable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c, n := client(t, test.answers...)
				_, err := c.Exchange(t.Context(), code)
				only(t, err, test.want)
				if len(n.asked) != test.calls || time.Since(start) > 5*time.Second {
					t.Errorf("%d calls in %v; want %d", len(n.asked), time.Since(start), test.calls)
				}
				if test.calls > 1 && time.Since(start) < 100*time.Millisecond {
					t.Errorf("asked again after %v", time.Since(start))
				}
			})
		})
	}
}

func TestBusyAndCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := client(t, body(busy))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.Exchange(ctx, code)
		if only(t, err, wechat.ErrBusy); !errors.Is(err, context.DeadlineExceeded) || len(n.asked) != 1 {
			t.Errorf("got %v after %d calls", err, len(n.asked))
		}
	})
}

func TestRedaction(t *testing.T) {
	c, _ := client(t, body(goodToken))
	token, err := c.Exchange(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"account": account, "account's pointer": &account, "token": token, "token's pointer": &token, "client": c,
		"accounts": []wechat.Account{account}, "inside a struct": struct{ A wechat.Account }{account},
		"client in an unexported field": struct{ c *wechat.Client }{c},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			clean(t, fmt.Sprintf(verb, value))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info(name, "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info(name, "value", value)
		clean(t, log.String())
	}
	if text := fmt.Sprintf("%x", account); strings.Contains(text, fmt.Sprintf("%x", secret)) {
		t.Error("the secret in hexadecimal")
	}
}

func TestTokenJSONIsWhole(t *testing.T) {
	c, _ := client(t, body(goodToken))
	token, err := c.Exchange(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	var loaded wechat.Token
	if err := json.Unmarshal(stored, &loaded); err != nil || loaded.RefreshToken != refreshToken || !loaded.Expiry.Equal(token.Expiry) {
		t.Errorf("got %v, %v", loaded, err)
	}
}
