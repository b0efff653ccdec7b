package scangate

import (
	"net/url"
	"path"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// The ways by a mini program. They require Config.MiniProgram.
const (
	// ScanMiniProgram shows the gate's own code. WeChat opens it in the mini program, if the
	// mini program has a rule for PublicURL, BasePath and "/scan/"
	// ("扫普通链接二维码打开小程序"). The mini program gets the URL in q.
	ScanMiniProgram ScanMode = "mini"
	// ScanMiniProgramCode shows a code of WeChat's ("小程序码"), which opens the page
	// pages/login/login of the published mini program. The page gets the login's ID in scene.
	// It requires no rule, and costs a call to WeChat for each login that is shown.
	ScanMiniProgramCode ScanMode = "mini-code"
)

// mini reports whether the code leads to the mini program.
func (m ScanMode) mini() bool { return m == ScanMiniProgram || m == ScanMiniProgramCode }

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
	if c.CallbackURL == "" {
		return
	}
	u, err := url.Parse(c.CallbackURL)
	plain := err == nil && u.Scheme == "http" && (c.InsecureHTTP || isLoopback(u.Hostname()))
	if fault := callbackFault(c.CallbackURL, plain); fault != "" {
		faults.add("CallbackURL", "it %s", fault)
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
