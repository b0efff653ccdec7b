package wechattest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// foreignQRLinks are links of other people's clients to the QR code page, which WeChat
// takes there although it does not document their form.
var foreignQRLinks = map[string]string{
	"better-auth": openURL + "/connect/qrconnect?scope=snsapi_login&response_type=code&appid=wx000000000website&redirect_uri=" + url.QueryEscape(callbackURL) + "&state=s1&lang=cn#wechat_redirect",
	"Auth.js": openURL + "/connect/qrconnect?appid=wx000000000website&scope=snsapi_login&response_type=code&client_id=wx000000000website&redirect_uri=" + url.QueryEscape(callbackURL) +
		"&state=eyJhbGciOiJkaXIi." + strings.Repeat("aB3-_", 60),
	"Casdoor":              openURL + "/connect/qrconnect?appid=wx000000000website&redirect_uri=" + callbackURL + "&scope=snsapi_login&response_type=code&state=" + strings.Repeat("P2Fw", 40) + "==#wechat_redirect",
	"no fragment":          strings.TrimSuffix(qrconnect(website, "s1"), "#wechat_redirect"),
	"another fragment":     strings.TrimSuffix(qrconnect(website, "s1"), "wechat_redirect") + "top",
	"no state":             strings.Replace(qrconnect(website, "s1"), "&state=s1", "", 1),
	"an empty state":       qrconnect(website, ""),
	"a state of 129 bytes": qrconnect(website, strings.Repeat("s", 129)),
	"a state of 2 KiB":     qrconnect(website, strings.Repeat("s", 2048)),
	"a dash in the state":  qrconnect(website, "a-b"),
	"spaces in the state":  qrconnect(website, "a%20b+c"),
	"the state first":      strings.Replace(strings.Replace(qrconnect(website, "s1"), "&state=s1", "", 1), "?", "?state=s1&", 1),
	"lang before the end":  strings.Replace(qrconnect(website, "s1"), "&state", "&lang=en&state", 1),
}

func TestCaseC04QRPageTakesForeignLinks(t *testing.T) {
	for name, link := range foreignQRLinks {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			page, body := w.get(t, link)
			if page.StatusCode != http.StatusOK || !strings.Contains(body, wechattest.PersonParam) {
				t.Errorf("page: status = %d, want 200 and a QR code\n%s", page.StatusCode, body)
			}
			callback, err := w.Approve(link, "lin")
			if err != nil {
				t.Fatalf("Approve(%q) = %v, want no error", link, err)
			}
			if got, want := query(t, callback).Get("state"), query(t, link).Get("state"); got != want {
				t.Errorf("Approve(%q): state = %q, want %q", link, got, want)
			}
			if !strings.HasPrefix(callback, callbackURL+"?code=") {
				t.Errorf("Approve(%q) = %q, want a callback with a code", link, callback)
			}
			if _, err := w.Refuse(link); err != nil {
				t.Errorf("Refuse(%q) = %v, want no error", link, err)
			}
			phone := w.Phone("lin", w.rt, openURL)
			resp, err := phone.Open(t.Context(), link)
			if err != nil {
				t.Fatalf("opening %q: %v", link, err)
			}
			if resp, err = phone.Tap(t.Context(), resp, wechattest.Allow); err != nil {
				t.Fatalf("allowing at %q: %v", link, err)
			}
			if got := read(t, resp); !strings.HasPrefix(got, "code=") {
				t.Errorf("callback after a tap at %q: query = %q, want a code", link, got)
			}
		})
	}
}

func TestCaseC04CheckAuthorizeURLNamesForeignLinks(t *testing.T) {
	for name, link := range foreignQRLinks {
		if err := wechattest.CheckAuthorizeURL(link); err == nil || !strings.Contains(err.Error(), "not as documented") {
			t.Errorf("%s: CheckAuthorizeURL(%q) = %v, want that the link is not as documented", name, link, err)
		}
	}
	if err := wechattest.CheckAuthorizeURL(qrconnect(website, "s1")); err != nil {
		t.Errorf("CheckAuthorizeURL of a documented link = %v, want none", err)
	}
}

// TestCaseC04AuthorizationPageRefusesForeignLinks: in WeChat's own browser other forms
// have failed, so the authorization page refuses them and names the reason.
func TestCaseC04AuthorizationPageRefusesForeignLinks(t *testing.T) {
	good := authorize(official, callbackURL, wechat.ScopeUserInfo, "s1")
	for name, link := range map[string]string{
		"another order": openURL + "/connect/oauth2/authorize?scope=snsapi_userinfo&response_type=code&appid=wx00000000official&redirect_uri=" + url.QueryEscape(callbackURL) + "&state=s1#wechat_redirect",
		"no fragment":   strings.TrimSuffix(good, "#wechat_redirect"),
		"a long state":  strings.Replace(good, "s1", strings.Repeat("s", 129), 1),
		"a dash":        strings.Replace(good, "s1", "s-1", 1),
		"unescaped":     strings.Replace(good, url.QueryEscape(callbackURL), callbackURL, 1),
	} {
		w := newWorld(t)
		if _, err := w.Approve(link, "lin"); err == nil || !strings.Contains(err.Error(), "not as documented") {
			t.Errorf("%s: Approve(%q) = %v, want that the link is not as documented", name, link, err)
		}
		if err := wechattest.CheckAuthorizeURL(link); err == nil || !strings.Contains(err.Error(), "not as documented") {
			t.Errorf("%s: CheckAuthorizeURL(%q) = %v, want that the link is not as documented", name, link, err)
		}
	}
}

// TestCaseC04QRPageRefusesWhatIsWrong: the QR code page is lenient about the form of a
// link, but not about its contents.
func TestCaseC04QRPageRefusesWhatIsWrong(t *testing.T) {
	good := foreignQRLinks["better-auth"]
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, c := range map[string]struct{ link, want string }{
		"no appid":               {edit("appid=wx000000000website&", ""), "10012"},
		"another appid":          {edit("wx000000000website", "wxother"), "appid"},
		"an official account's":  {edit("wx000000000website", "wx00000000official"), "10005"},
		"no redirect_uri":        {edit(url.QueryEscape(callbackURL), ""), "10011"},
		"a relative one":         {edit(url.QueryEscape(callbackURL), "%2Fcallback"), "10003"},
		"no scope":               {edit("scope=snsapi_login&", ""), "10010"},
		"another scope":          {edit("snsapi_login", "snsapi_base"), "10005"},
		"another response_type":  {edit("response_type=code", "response_type=token"), "response_type"},
		"two states":             {edit("&lang", "&state=s2&lang"), "twice"},
		"an escape that is none": {edit("state=s1", "state=%zz"), "escaped"},
	} {
		w := newWorld(t)
		if _, body := w.get(t, c.link); !strings.Contains(body, c.want) || strings.Contains(body, wechattest.PersonParam) {
			t.Errorf("%s: page = %s\nwant an error with %q", name, body, c.want)
		}
		if _, err := w.Approve(c.link, "lin"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Approve = %v, want an error with %q", name, err, c.want)
		}
	}
}
