package wechat

import (
	"net/url"
	"strings"
)

// Scope says how much of themselves a person is asked to show.
type Scope string

const (
	// ScopeBase shows the person nothing and yields their openid alone. Official
	// accounts only.
	ScopeBase Scope = "snsapi_base"
	// ScopeUserInfo asks for their nickname and picture. Official accounts only.
	ScopeUserInfo Scope = "snsapi_userinfo"
	// ScopeLogin is the scope of website applications.
	ScopeLogin Scope = "snsapi_login"
)

// Lang is the language of WeChat's QR code page. The empty Lang leaves the
// choice to WeChat.
type Lang string

const (
	// LangChinese is simplified Chinese.
	LangChinese Lang = "cn"
	// LangEnglish is English.
	LangEnglish Lang = "en"
)

// AuthorizeURL returns the link that opens an official account's authorization
// inside WeChat's own browser. The person comes back to redirectURI, whose host
// must be one registered with the account, with code and state added to its
// query. WeChat takes a state of at most 128 letters and digits.
//
// WeChat matches the link against a pattern: its parameters keep this order and
// it ends in #wechat_redirect ("网页授权", step 1). Anything that is to be
// added, such as forcePopup, belongs between the state and the fragment.
func (c *Client) AuthorizeURL(redirectURI, state string, scope Scope) string {
	return c.link("/connect/oauth2/authorize", redirectURI, state, scope, "")
}

// QRConnectURL returns the link to the page on which WeChat shows a website
// application's QR code. The person comes back to redirectURI as they do from
// [Client.AuthorizeURL] ("网站应用微信登录开发指南", step 1).
func (c *Client) QRConnectURL(redirectURI, state string, lang Lang) string {
	return c.link("/connect/qrconnect", redirectURI, state, ScopeLogin, lang)
}

// link writes the parameters in WeChat's order. [url.Values] would sort them.
func (c *Client) link(path, redirectURI, state string, scope Scope, lang Lang) string {
	link := c.endpoint.Open + path +
		"?appid=" + escape(c.appID) +
		"&redirect_uri=" + escape(redirectURI) +
		"&response_type=code" +
		"&scope=" + escape(string(scope)) +
		"&state=" + escape(state)
	if lang != "" {
		link += "&lang=" + escape(string(lang))
	}
	return link + "#wechat_redirect"
}

// escape escapes as browsers' encodeURIComponent does, which WeChat's documents
// ask for: a space becomes %20, since not everybody reads a plus sign as one.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
