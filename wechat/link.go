package wechat

import (
	"net/url"
	"strings"
)

// Scope is the extent of an authorization.
type Scope string

const (
	// ScopeBase yields the openid without asking the person. Only official accounts
	// have it.
	ScopeBase Scope = "snsapi_base"
	// ScopeUserInfo asks for nickname and picture. Only official accounts have it.
	ScopeUserInfo Scope = "snsapi_userinfo"
	// ScopeLogin is the scope of website applications.
	ScopeLogin Scope = "snsapi_login"
)

// Lang is the language of WeChat's QR code page. If it is empty, WeChat chooses.
type Lang string

const (
	// LangChinese is simplified Chinese.
	LangChinese Lang = "cn"
	// LangEnglish is English.
	LangEnglish Lang = "en"
)

// AuthorizeURL returns the link that opens an official account's authorization inside
// WeChat's own browser. WeChat then redirects the person to redirectURI, with code and
// state added to its query. The host of redirectURI must be registered with the account.
// WeChat accepts a state of at most 128 letters and digits.
//
// WeChat matches the link against a pattern: its parameters keep this order, and it ends
// in #wechat_redirect ("网页授权", step 1). Insert further parameters, such as
// forcePopup, between the state and the fragment.
func (c *Client) AuthorizeURL(redirectURI, state string, scope Scope) string {
	return c.link("/connect/oauth2/authorize", redirectURI, state, scope, "")
}

// QRConnectURL returns the link to WeChat's page with a website application's QR code.
// WeChat then redirects the person as described for [Client.AuthorizeURL]
// ("网站应用微信登录开发指南", step 1).
func (c *Client) QRConnectURL(redirectURI, state string, lang Lang) string {
	return c.link("/connect/qrconnect", redirectURI, state, ScopeLogin, lang)
}

// link returns a link to one of WeChat's pages.
func (c *Client) link(path, redirectURI, state string, scope Scope, lang Lang) string {
	// Not url.Values, which would sort the parameters: WeChat requires this order.
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

// escape escapes s like encodeURIComponent in browsers, as WeChat's documents require.
func escape(s string) string {
	// Some servers do not decode a plus sign as a space, but all decode %20.
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
