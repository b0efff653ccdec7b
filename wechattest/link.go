package wechattest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// Paths of WeChat's pages, relative to the simulator's base URL.
const (
	authorizePath = "/connect/oauth2/authorize"
	qrconnectPath = "/connect/qrconnect"
)

// CheckAuthorizeURL returns an error unless WeChat accepts the form of a link. The
// link must lead to the authorization page or the QR code page, use http or https,
// have the five parameters in WeChat's order, and end in #wechat_redirect.
// CheckAuthorizeURL does not check the account and the callback host: only the
// page can do that.
func CheckAuthorizeURL(rawURL string) error { return prefixed(checkLink(rawURL)) }

// checkLink is CheckAuthorizeURL without the package's prefix in errors.
func checkLink(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	website := strings.HasSuffix(u.Path, qrconnectPath)
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("the authorization link is not an http or https address (host %q)", u.Host)
	case !website && !strings.HasSuffix(u.Path, authorizePath):
		return fmt.Errorf("the authorization link has the path %q, want %s or %s", u.Path, authorizePath, qrconnectPath)
	case u.Fragment != "wechat_redirect":
		return fmt.Errorf("the authorization link ends in %q, want #wechat_redirect", "#"+u.Fragment)
	}
	if _, linkErr := parseLink(u.RawQuery, website); linkErr != nil {
		return linkErr
	}
	return nil
}

// link holds the parameters of an authorization link.
type link struct {
	appID    string
	redirect *url.URL
	scope    wechat.Scope
	state    string
}

// linkError is an error that WeChat's page shows for a link.
type linkError struct {
	// Number is WeChat's error number, or 0 if none is documented.
	Number int
	// Text describes the error in English.
	Text string
}

// Error implements error.
func (e *linkError) Error() string {
	if e.Number == 0 {
		return e.Text
	}
	return fmt.Sprintf("%d %s", e.Number, e.Text)
}

// parseLink parses the query of a link. It returns an error for a query that WeChat
// refuses for every account. website selects the QR code page.
func parseLink(rawQuery string, website bool) (link, *linkError) {
	fields, linkErr := parseParams(rawQuery)
	if linkErr != nil {
		return link{}, linkErr
	}
	l := link{appID: fields["appid"], scope: wechat.Scope(fields["scope"]), state: fields["state"]}
	if l.redirect, linkErr = parseRedirectURI(fields["redirect_uri"]); linkErr != nil {
		return link{}, linkErr
	}
	switch {
	case fields["response_type"] != "code":
		return link{}, &linkError{0, "response_type must be code"}
	case !scopeAllowed(l.scope, website):
		return link{}, &linkError{10005, fmt.Sprintf("no permission for scope %q", l.scope)}
	// "网页授权", step 1.
	case len(l.state) > 128 || strings.ContainsFunc(l.state, notAlphanumeric):
		return link{}, &linkError{0, "state must have at most 128 characters out of a-zA-Z0-9"}
	}
	return l, nil
}

// parseParams returns the parameters of a query that begins with WeChat's five
// parameters in WeChat's order.
func parseParams(rawQuery string) (map[string]string, *linkError) {
	order := []string{"appid", "redirect_uri", "response_type", "scope", "state"}
	empty := map[string]int{"scope": 10010, "redirect_uri": 10011, "appid": 10012, "state": 10013}
	pairs := strings.Split(rawQuery, "&")
	fields := make(map[string]string, len(order))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		// Of two parameters with the same name, WeChat and this simulator could
		// pick different ones.
		if _, duplicate := fields[name]; duplicate || err != nil {
			return nil, &linkError{0, fmt.Sprintf("the parameter %q occurs twice or is escaped incorrectly", name)}
		}
		fields[name] = value
	}
	// WeChat matches the parameters' order ("网页授权", step 1). Others, such as
	// forcePopup, may follow the five but not stand between them.
	for i, name := range order {
		switch {
		case fields[name] == "":
			return nil, &linkError{empty[name], name + " is empty"}
		case !strings.HasPrefix(pairs[i], name+"="):
			return nil, &linkError{0, "the parameters must begin with " + strings.Join(order, ", ") + ", in this order"}
		}
	}
	if raw := pairs[1]; strings.ContainsAny(raw, ":/?") {
		return nil, &linkError{10003, "redirect_uri must be escaped"}
	}
	return fields, nil
}

// parseRedirectURI parses a callback URL.
func parseRedirectURI(address string) (*url.URL, *linkError) {
	u, err := url.Parse(address)
	// WeChat appends the code at the end. Behind a fragment it would not reach the
	// server.
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Fragment != "" {
		return nil, &linkError{10003, fmt.Sprintf("redirect_uri %q is not an http or https address without a fragment", address)}
	}
	return u, nil
}

// scopeAllowed reports whether a page offers a scope. website selects the QR code
// page.
func scopeAllowed(scope wechat.Scope, website bool) bool {
	if website {
		return scope == wechat.ScopeLogin
	}
	return scope == wechat.ScopeBase || scope == wechat.ScopeUserInfo
}

// notAlphanumeric reports whether r is outside of a-zA-Z0-9.
func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// validateLink parses a link and returns its app, if that may use this page and
// redirect to the link's host.
func (w *WeChat) validateLink(rawQuery string, website bool) (App, link, *linkError) {
	l, linkErr := parseLink(rawQuery, website)
	var app App
	if linkErr == nil {
		app, linkErr = w.appFor(l, website)
	}
	if linkErr != nil {
		// Only the application writes links, so a wrong one is its mistake.
		w.misuse("WeChat refuses the authorization link: %v", linkErr)
	}
	return app, l, linkErr
}

// appFor returns the app of a link. It returns an error if the app is unknown, may
// not use this page, or may not redirect to the link's host.
func (w *WeChat) appFor(l link, website bool) (App, *linkError) {
	app, known := w.apps[l.appID]
	// Hosts must be equal, including the port. A registered host allows neither its
	// parent domain nor its subdomains.
	allowed := func(host string) bool { return strings.EqualFold(host, l.redirect.Host) }
	switch {
	case !known:
		return App{}, &linkError{0, fmt.Sprintf("unknown appid %q", l.appID)}
	case app.Website && !website:
		return App{}, &linkError{10016, "the appid belongs to a website application, and this page is for official accounts"}
	case !app.Website && website:
		return App{}, &linkError{10005, "the appid belongs to an official account, and this page is for website applications"}
	case len(app.Hosts) > 0 && !slices.ContainsFunc(app.Hosts, allowed):
		return App{}, &linkError{10003, fmt.Sprintf("redirect_uri's host %q is not registered", l.redirect.Host)}
	}
	return app, nil
}

// callback returns the callback URL with more parameters appended.
func (l link) callback(params string) string {
	// The application's own parameters stay as it wrote them.
	u := *l.redirect
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params
	return u.String()
}
