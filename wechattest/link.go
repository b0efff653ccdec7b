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

// CheckAuthorizeURL returns an error unless the form of a link is as WeChat documents
// it. The link must lead to the authorization page or the QR code page, use http or
// https, have the five parameters in WeChat's order, and end in #wechat_redirect. The
// state must have at most 128 letters and digits, a bound that WeChat documents for
// official accounts only.
//
// The QR code page accepts other forms too, as WeChat's does; the authorization page
// does not. CheckAuthorizeURL does not check the account and the callback host: only
// the page can do that.
func CheckAuthorizeURL(rawURL string) error { return prefixed(checkDocumented(rawURL)) }

// checkDocumented is CheckAuthorizeURL without the package's prefix in errors.
func checkDocumented(rawURL string) error {
	u, website, err := parseAddress(rawURL)
	if err != nil {
		return err
	}
	if u.Fragment != "wechat_redirect" {
		return fmt.Errorf("not as documented: the authorization link ends in %q, want #wechat_redirect", "#"+u.Fragment)
	}
	l, linkErr := parseLink(u.RawQuery, website)
	if linkErr == nil {
		linkErr = l.checkForm()
	}
	if linkErr != nil {
		return linkErr
	}
	return nil
}

// checkLink returns an error if a page refuses a link for every account.
func checkLink(rawURL string) error {
	u, website, err := parseAddress(rawURL)
	switch {
	case err != nil:
		return err
	case !website:
		return checkDocumented(rawURL)
	}
	if _, linkErr := parseLink(u.RawQuery, website); linkErr != nil {
		return linkErr
	}
	return nil
}

// parseAddress parses a link to one of WeChat's pages. website reports whether it is
// the QR code page.
func parseAddress(rawURL string) (u *url.URL, website bool, err error) {
	u, err = url.Parse(rawURL)
	if err != nil {
		return nil, false, err
	}
	website = strings.HasSuffix(u.Path, qrconnectPath)
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, false, fmt.Errorf("the authorization link is not an http or https address (host %q)", u.Host)
	case !website && !strings.HasSuffix(u.Path, authorizePath):
		return nil, false, fmt.Errorf("the authorization link has the path %q, want %s or %s", u.Path, authorizePath, qrconnectPath)
	}
	return u, website, nil
}

// link holds the parameters of an authorization link.
type link struct {
	appID    string
	redirect *url.URL
	scope    wechat.Scope
	state    string
	pairs    []string // the query, as the application wrote it
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

// parseLink parses the query of a link. It returns an error for a query that the page
// refuses for every account. website selects the QR code page.
func parseLink(rawQuery string, website bool) (link, *linkError) {
	fields, linkErr := parseParams(rawQuery)
	if linkErr != nil {
		return link{}, linkErr
	}
	l := link{
		appID: fields["appid"], scope: wechat.Scope(fields["scope"]), state: fields["state"],
		pairs: strings.Split(rawQuery, "&"),
	}
	if l.redirect, linkErr = parseRedirectURI(fields["redirect_uri"]); linkErr != nil {
		return link{}, linkErr
	}
	switch {
	case fields["response_type"] != "code":
		return link{}, &linkError{0, "response_type must be code"}
	case !scopeAllowed(l.scope, website):
		return link{}, &linkError{10005, fmt.Sprintf("no permission for scope %q", l.scope)}
	case website:
		// Shipped clients send other orders, long states and no state, and persons
		// log in with them.
		return l, nil
	case l.state == "":
		return link{}, &linkError{10013, "state is empty"}
	}
	// In WeChat's own browser, links in another form have failed.
	return l, l.checkForm()
}

// parseParams returns the parameters of a query that has WeChat's mandatory ones.
func parseParams(rawQuery string) (map[string]string, *linkError) {
	fields := make(map[string]string)
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		// Of two parameters with the same name, WeChat and this simulator could
		// pick different ones.
		if _, duplicate := fields[name]; duplicate || err != nil {
			return nil, &linkError{0, fmt.Sprintf("the parameter %q occurs twice or is escaped incorrectly", name)}
		}
		fields[name] = value
	}
	for _, mandatory := range []struct {
		name   string
		number int
	}{{"appid", 10012}, {"redirect_uri", 10011}, {"response_type", 0}, {"scope", 10010}} {
		if fields[mandatory.name] == "" {
			return nil, &linkError{mandatory.number, mandatory.name + " is empty"}
		}
	}
	return fields, nil
}

// checkForm returns an error unless the query has the form that WeChat documents
// ("网页授权", step 1).
func (l link) checkForm() *linkError {
	// WeChat matches the parameters' order. Others, such as forcePopup, may follow
	// the five but not stand between them.
	order := []string{"appid", "redirect_uri", "response_type", "scope", "state"}
	for i, name := range order {
		if i >= len(l.pairs) || !strings.HasPrefix(l.pairs[i], name+"=") {
			return &linkError{0, "not as documented: the parameters must begin with " + strings.Join(order, ", ") + ", in this order"}
		}
	}
	switch {
	case strings.ContainsAny(l.pairs[1], ":/?"):
		return &linkError{0, "not as documented: redirect_uri must be escaped"}
	case l.state == "":
		return &linkError{0, "not as documented: state is empty"}
	case len(l.state) > 128 || strings.ContainsFunc(l.state, notAlphanumeric):
		return &linkError{0, "not as documented for official accounts: state must have at most 128 characters out of a-zA-Z0-9"}
	}
	return nil
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
