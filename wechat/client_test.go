package wechat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

func TestNewClient(t *testing.T) {
	for name, c := range map[string]struct {
		account  wechat.Account
		endpoint wechat.Endpoint
		want     string // in the error; empty if allowed
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
		"refused: not a URL":                {account, wechat.Endpoint{Open: "https://a b"}, "Endpoint.Open"},
		"refused: a query":                  {account, wechat.Endpoint{API: "https://api.weixin.qq.com?a=b"}, "Endpoint.API"},
		"refused: a fragment":               {account, wechat.Endpoint{Open: "https://open.weixin.qq.com#x"}, "Endpoint.Open"},
		"refused: a password":               {account, wechat.Endpoint{API: "https://me:" + secret + "@api.weixin.qq.com"}, "Endpoint.API"},
		"refused: no AppID":                 {wechat.Account{Secret: secret}, wechat.Endpoint{}, "AppID"},
		"refused: a space in the AppID":     {wechat.Account{AppID: appID + " ", Secret: secret}, wechat.Endpoint{}, "AppID"},
		"refused: no secret":                {wechat.Account{AppID: appID}, wechat.Endpoint{}, "Secret"},
		"refused: a line end in the secret": {wechat.Account{AppID: appID, Secret: secret + "\n"}, wechat.Endpoint{}, "Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := wechat.NewClient(c.account, c.endpoint, nil)
			if c.want == "" {
				if err != nil || client.AppID() != appID {
					t.Errorf("NewClient = %v, %v, want a client of %s", client, err, appID)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "wechat: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("NewClient: error = %v, want one from wechat that names %s", err, c.want)
			}
			wantNoSecret(t, errorTexts(err))
		})
	}
}

func TestNewClientCopiesTheHTTPClient(t *testing.T) {
	n := &network{responses: []response{body(goodToken)}}
	hc := &http.Client{Transport: n}
	c, err := wechat.NewClient(account, wechat.Endpoint{}, hc)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	if hc.CheckRedirect != nil || hc.Timeout != 0 {
		t.Errorf("NewClient changed the given HTTP client: CheckRedirect is nil: %t, Timeout = %v, want true and 0", hc.CheckRedirect == nil, hc.Timeout)
	}
	// A later change of the given client has no effect.
	hc.Transport = nil
	if _, err := c.Exchange(t.Context(), code); err != nil || len(n.requests) != 1 {
		t.Errorf("exchange: error = %v after %d requests, want none after 1", err, len(n.requests))
	}
}

func TestLinks(t *testing.T) {
	c, _ := newClient(t)
	const redirect = "https://app.example.com/wechat/callback?a=b c&d=+"
	const escaped = "https%3A%2F%2Fapp.example.com%2Fwechat%2Fcallback%3Fa%3Db%20c%26d%3D%2B"
	for _, c := range []struct{ name, got, want string }{
		{"base", c.AuthorizeURL(redirect, "St8", wechat.ScopeBase), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_base&state=St8#wechat_redirect"},
		{"user info", c.AuthorizeURL(redirect, "St8", wechat.ScopeUserInfo), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_userinfo&state=St8#wechat_redirect"},
		{"separators in the state", c.AuthorizeURL("https://a.example", "a&b=c#d", wechat.ScopeBase), "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + appID + "&redirect_uri=https%3A%2F%2Fa.example&response_type=code&scope=snsapi_base&state=a%26b%3Dc%23d#wechat_redirect"},
		{"QR code", c.QRConnectURL(redirect, "St8", ""), "https://open.weixin.qq.com/connect/qrconnect?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_login&state=St8#wechat_redirect"},
		{"QR code in English", c.QRConnectURL(redirect, "St8", wechat.LangEnglish), "https://open.weixin.qq.com/connect/qrconnect?appid=" + appID + "&redirect_uri=" + escaped + "&response_type=code&scope=snsapi_login&state=St8&lang=en#wechat_redirect"},
	} {
		if c.got != c.want {
			t.Errorf("%s: link = %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, body(goodToken))
		token, err := c.Exchange(t.Context(), code)
		want := wechat.Token{
			AccessToken: accessToken, RefreshToken: refreshToken, Expiry: time.Now().Add(2 * time.Hour),
			OpenID: openID, UnionID: "oUnion", Scope: "snsapi_userinfo,snsapi_login", SnapshotUser: true,
		}
		if err != nil || !reflect.DeepEqual(token, want) {
			t.Errorf("exchange = %+v, %v\nwant %+v", token, err, want)
		}
		wantRequest(t, n, "/sns/oauth2/access_token", url.Values{"appid": {appID}, "secret": {secret}, "code": {code}, "grant_type": {"authorization_code"}})
		for scope, want := range map[wechat.Scope]bool{wechat.ScopeUserInfo: true, wechat.ScopeLogin: true, wechat.ScopeBase: false} {
			if got := token.HasScope(scope); got != want {
				t.Errorf("HasScope(%q) of %q = %t, want %t", scope, token.Scope, got, want)
			}
		}
	})
}

func TestRefresh(t *testing.T) {
	c, n := newClient(t, body(goodToken))
	if token, err := c.Refresh(t.Context(), refreshToken); err != nil || token.AccessToken != accessToken {
		t.Errorf("refresh = %v, %v, want the access token %s", token, err, accessToken)
	}
	wantRequest(t, n, "/sns/oauth2/refresh_token", url.Values{"appid": {appID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

func TestVerify(t *testing.T) {
	c, n := newClient(t, body(`{"errcode":0,"errmsg":"ok"}`))
	if err := c.Verify(t.Context(), accessToken, openID); err != nil {
		t.Errorf("verify: error = %v, want none", err)
	}
	wantRequest(t, n, "/sns/auth", url.Values{"access_token": {accessToken}, "openid": {openID}})
}

func TestUserInfo(t *testing.T) {
	c, n := newClient(t, body(`{"openid":"`+openID+`","nickname":"月月🌙","sex":2,"language":"zh_CN","city":"广州","province":"广东",`+
		`"country":"中国","headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/132","privilege":["chinaunicom"],"unionid":"oUnion","new":{"field":1}}`))
	info, err := c.UserInfo(t.Context(), accessToken, openID)
	want := wechat.UserInfo{
		OpenID: openID, UnionID: "oUnion", Nickname: "月月🌙", Sex: 2, Language: "zh_CN", City: "广州", Province: "广东",
		Country: "中国", HeadImgURL: "https://thirdwx.qlogo.cn/mmopen/132", Privilege: []string{"chinaunicom"},
	}
	if err != nil || !reflect.DeepEqual(info, want) {
		t.Errorf("userinfo = %+v, %v\nwant %+v", info, err, want)
	}
	wantRequest(t, n, "/sns/userinfo", url.Values{"access_token": {accessToken}, "openid": {openID}, "lang": {"zh_CN"}})
}

func TestExpiry(t *testing.T) {
	for name, c := range map[string]struct {
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
				client, _ := newClient(t, body(strings.Replace(goodToken, "7200", c.expiresIn, 1)))
				token, err := client.Exchange(t.Context(), code)
				if got := time.Until(token.Expiry); err != nil || got != c.want {
					t.Errorf("expires_in %s: token expires in %v (error %v), want %v", c.expiresIn, got, err, c.want)
				}
			})
		})
	}
}

func TestValuesPrintWithoutSecrets(t *testing.T) {
	c, _ := newClient(t, body(goodToken))
	token, err := c.Exchange(t.Context(), code)
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	for name, value := range map[string]any{
		"account": account, "account's pointer": &account, "token": token, "token's pointer": &token, "client": c,
		"accounts": []wechat.Account{account}, "account in a struct": struct{ A wechat.Account }{account},
		"client in an unexported field": struct{ c *wechat.Client }{c},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			wantNoSecret(t, fmt.Sprintf(verb, value))
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info(name, "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info(name, "value", value)
		wantNoSecret(t, log.String())
	}
	if text := fmt.Sprintf("%x", account); strings.Contains(text, fmt.Sprintf("%x", secret)) {
		t.Errorf("%%x of the account = %s, want no secret in it", text)
	}
}

func TestTokenJSONIsComplete(t *testing.T) {
	c, _ := newClient(t, body(goodToken))
	token, err := c.Exchange(t.Context(), code)
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	stored, err := json.Marshal(token)
	if err != nil {
		t.Fatalf("json.Marshal(token): %v", err)
	}
	var loaded wechat.Token
	if err := json.Unmarshal(stored, &loaded); err != nil || loaded.RefreshToken != refreshToken || !loaded.Expiry.Equal(token.Expiry) {
		t.Errorf("token from JSON = %#v, %v, want the refresh token %s and the expiry %v", loaded, err, refreshToken, token.Expiry)
	}
}
