package wechattest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestCheckAuthorizeURL(t *testing.T) {
	good := authorize(official, callbackURL, wechat.ScopeBase, "s1")
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, test := range map[string]struct {
		link string
		want string // part of the error; empty for none
	}{
		"allowed: official account":          {good, ""},
		"allowed: website":                   {qrconnect(website, "s1"), ""},
		"allowed: website with a lang":       {strings.Replace(qrconnect(website, "s1"), "#", "&lang=en#", 1), ""},
		"allowed: forcePopup at the end":     {edit("#", "&forcePopup=true#"), ""},
		"allowed: below a path":              {edit("/connect", "/sim/connect"), ""},
		"refused: forcePopup before the end": {edit("&redirect_uri", "&forcePopup=true&redirect_uri"), "in this order"},
		"refused: parameters out of order":   {edit("&response_type=code&scope=snsapi_base", "&scope=snsapi_base&response_type=code"), "in this order"},
		"refused: no fragment":               {edit("#wechat_redirect", ""), "#wechat_redirect"},
		"refused: another fragment":          {edit("#wechat_redirect", "#top"), "#wechat_redirect"},
		"refused: no state":                  {edit("&state=s1", ""), "10013"},
		"refused: an empty state":            {edit("state=s1", "state="), "10013"},
		"refused: no appid":                  {edit("appid=wx00000000official", "appid="), "10012"},
		"refused: no redirect_uri":           {edit(url.QueryEscape(callbackURL), ""), "10011"},
		"refused: no scope":                  {edit("snsapi_base", ""), "10010"},
		"refused: another scope":             {edit("snsapi_base", "snsapi_login"), "10005"},
		"refused: base scope for a website":  {strings.Replace(qrconnect(website, "s1"), "snsapi_login", "snsapi_base", 1), "10005"},
		"refused: another response_type":     {edit("response_type=code", "response_type=token"), "response_type"},
		"refused: a dash in the state":       {edit("state=s1", "state=s-1"), "a-zA-Z0-9"},
		"refused: a state of 129 characters": {edit("state=s1", "state="+strings.Repeat("s", 129)), "128"},
		"allowed: a state of 128 characters": {edit("state=s1", "state="+strings.Repeat("s", 128)), ""},
		"refused: two states":                {edit("#", "&state=s2#"), "twice"},
		"refused: redirect_uri unescaped":    {edit(url.QueryEscape(callbackURL), callbackURL), "escaped"},
		"refused: a relative redirect_uri":   {edit(url.QueryEscape(callbackURL), "%2Fcallback"), "10003"},
		"refused: a javascript redirect_uri": {edit(url.QueryEscape(callbackURL), "javascript%3Aalert(1)"), "10003"},
		"refused: another page":              {edit("/authorize", "/authorise"), "path"},
		"refused: no host":                   {strings.TrimPrefix(good, openURL), "address"},
		"refused: not a URL":                 {"https://a b/", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			err := wechattest.CheckAuthorizeURL(test.link)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("CheckAuthorizeURL(%q) = %v, want %q in it", test.link, err, test.want)
			}
			if err != nil && strings.Count(err.Error(), "wechattest: ") != 1 {
				t.Errorf("CheckAuthorizeURL(%q) = %q, want the package's prefix once", test.link, err)
			}
		})
	}
}

func TestRefusedLinks(t *testing.T) {
	base := func(app wechattest.App, redirect string) string {
		return authorize(app, redirect, wechat.ScopeBase, "s1")
	}
	for name, test := range map[string]struct{ link, want string }{
		"another host":           {base(official, "https://evil.example/"), "10003"},
		"a host's parent domain": {base(official, "https://example.com/"), "10003"},
		"a host's subdomain":     {base(official, "https://x.app.example.com/"), "10003"},
		"another port":           {base(official, "https://app.example.com:8443/"), "10003"},
		"a website's appid on the authorization page":     {base(website, callbackURL), "10016"},
		"an official account's appid on the QR code page": {qrconnect(official, "s1"), "10005"},
		"an unknown appid":  {base(wechattest.App{Account: wechat.Account{AppID: "wx000000000unknown"}}, callbackURL), "appid"},
		"an empty state":    {authorize(official, callbackURL, wechat.ScopeBase, ""), "10013"},
		"a website's scope": {authorize(official, callbackURL, wechat.ScopeLogin, "s1"), "10005"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.get(t, test.link)
			if resp.StatusCode != http.StatusOK || !strings.Contains(body, test.want) || !strings.Contains(body, "模拟微信") {
				t.Errorf("page: status = %d, want 200, and %q in %s", resp.StatusCode, test.want, body)
			}
			if _, err := w.Approve(test.link, "lin"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Approve = %v, want an error with %q", err, test.want)
			}
			if _, err := w.Refuse(test.link); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Refuse = %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestCallbacks(t *testing.T) {
	for name, test := range map[string]struct {
		redirect, approved, refused, authdeny string // CODE is replaced by the code
	}{
		"plain":        {callbackURL, "?code=CODE&state=s1", "?state=s1", "?code=authdeny&state=s1&reason=user_cancel"},
		"with a query": {callbackURL + "?a=b%20c", "?a=b%20c&code=CODE&state=s1", "?a=b%20c&state=s1", "?a=b%20c&code=authdeny&state=s1&reason=user_cancel"},
		"with a port":  {"http://127.0.0.1:8080/cb", "?code=CODE&state=s1", "?state=s1", "?code=authdeny&state=s1&reason=user_cancel"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			link := authorize(official, test.redirect, wechat.ScopeUserInfo, "s1")
			path, _, _ := strings.Cut(test.redirect, "?")
			approved, err := w.Approve(link, "lin")
			code := query(t, approved).Get("code")
			if want := path + strings.Replace(test.approved, "CODE", code, 1); err != nil || approved != want || len(code) != 32 {
				t.Errorf("Approve = %s, %v, want %s and a code of 32 characters", approved, err, want)
			}
			if refused, err := w.Refuse(link); err != nil || refused != path+test.refused {
				t.Errorf("Refuse = %s, %v, want %s", refused, err, path+test.refused)
			}
			w.RefuseAsAuthdeny(true)
			if refused, err := w.Refuse(link); err != nil || refused != path+test.authdeny {
				t.Errorf("Refuse after RefuseAsAuthdeny = %s, %v, want %s", refused, err, path+test.authdeny)
			}
		})
	}
}

func TestApproveByUnknownPerson(t *testing.T) {
	got, err := newStrictWorld(t).Approve(authorize(official, callbackURL, wechat.ScopeBase, "s1"), "unknown")
	if want := `wechattest: unknown person "unknown"`; err == nil || err.Error() != want {
		t.Errorf("Approve = %q, %v, want error %q", got, err, want)
	}
}
