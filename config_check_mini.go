package scangate

import (
	"net/url"
	"path"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// checkMiniProgram checks the mini program.
func (c *Config) checkMiniProgram(faults *configErrors) {
	if c.MiniProgram == (wechat.Account{}) {
		return
	}
	err := c.MiniProgram.Validate()
	faults.addError("MiniProgram", err)
	switch {
	case err != nil:
	case c.MiniProgram.AppID == c.OfficialAccount.AppID:
		faults.add("MiniProgram", "%q is the official account's AppID", c.MiniProgram.AppID)
	case c.MiniProgram.AppID == c.Website.AppID:
		faults.add("MiniProgram", "%q is the website application's AppID", c.MiniProgram.AppID)
	}
}

// checkCallbackURL checks the URL to which WeChat redirects.
func (c *Config) checkCallbackURL(faults *configErrors) {
	if c.WeChat.CallbackURL == "" {
		return
	}
	u, err := url.Parse(c.WeChat.CallbackURL)
	plain := err == nil && u.Scheme == "http" && (c.InsecureHTTP || isLoopback(u.Hostname()))
	if fault := callbackFault(c.WeChat.CallbackURL, plain); fault != "" {
		faults.add("WeChat.CallbackURL", "it %s", fault)
	}
}

// callbackFault returns why s is not the complete URL of a callback, or "". It quotes
// nothing, because s may contain a password. With plain, http is allowed.
func callbackFault(s string, plain bool) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }):
		return "is not a URL like \"https://app.example.com/wechat/callback\""
	case u.Scheme != "https" && (u.Scheme != "http" || !plain):
		return "is not https"
	case u.User != nil:
		return "has a user"
	case strings.ContainsAny(s, "?#"):
		return "has a query or a fragment"
	case strings.Trim(u.Path, "/") == "" || path.Clean(u.Path) != u.Path:
		return "has no path, or not the path that browsers would ask for"
	}
	for _, fault := range []string{hostFault(strings.ToLower(u.Hostname())), portFault(u)} {
		if fault != "" {
			return fault
		}
	}
	return ""
}
