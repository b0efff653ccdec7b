package wechattest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// The paths of WeChat's pages, below the simulator's root.
const (
	authorizePath = "/connect/oauth2/authorize"
	qrconnectPath = "/connect/qrconnect"
)

// CheckAuthorizeURL returns an error unless rawURL is a link that WeChat takes:
// to its authorization or its QR code page, over http or https, with the five
// parameters in WeChat's order, and ending in #wechat_redirect. Whether WeChat
// knows the account and its host is for the page to say.
func CheckAuthorizeURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("wechattest: %w", err)
	}
	website := strings.HasSuffix(u.Path, qrconnectPath)
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("wechattest: the link's address %q is no http or https address", u.Host)
	case !website && !strings.HasSuffix(u.Path, authorizePath):
		return fmt.Errorf("wechattest: the link's path %q is none of WeChat's", u.Path)
	case u.Fragment != "wechat_redirect":
		return fmt.Errorf("wechattest: the link ends in %q and must end in #wechat_redirect", "#"+u.Fragment)
	}
	if _, refused := parseLink(u.RawQuery, website); refused != nil {
		return fmt.Errorf("wechattest: %w", refused)
	}
	return nil
}

// link is what the parameters of an authorization link ask for.
type link struct {
	appID    string
	redirect *url.URL
	scope    wechat.Scope
	state    string
}

// refusal is an error that WeChat's page shows.
type refusal struct {
	// Number is the one on the page, or 0 where none is documented.
	Number int
	// Text says in English what is wrong.
	Text string
}

// Error returns the number and the text.
func (r *refusal) Error() string {
	if r.Number == 0 {
		return r.Text
	}
	return fmt.Sprintf("%d %s", r.Number, r.Text)
}

// parseLink reads the query of a link the way WeChat's pattern does, in its
// order, and refuses what WeChat would whatever the account. A website
// application's link differs in its scope alone.
func parseLink(rawQuery string, website bool) (link, *refusal) {
	fields, refused := inOrder(rawQuery)
	if refused != nil {
		return link{}, refused
	}
	l := link{appID: fields["appid"], scope: wechat.Scope(fields["scope"]), state: fields["state"]}
	if l.redirect, refused = parseRedirect(fields["redirect_uri"]); refused != nil {
		return link{}, refused
	}
	switch {
	case fields["response_type"] != "code":
		return link{}, &refusal{0, "response_type must be code"}
	case !offered(l.scope, website):
		return link{}, &refusal{10005, fmt.Sprintf("no permission for scope %q", l.scope)}
	case len(l.state) > 128 || strings.ContainsFunc(l.state, notAlphanumeric):
		return link{}, &refusal{0, "state must be of at most 128 characters out of a-zA-Z0-9"}
	}
	return l, nil
}

// inOrder returns the parameters, if each of WeChat's five is there once and in
// its place. More may follow, as forcePopup does; in between they break the link
// ("网页授权", step 1: the parameters' order is matched).
func inOrder(rawQuery string) (map[string]string, *refusal) {
	order := []string{"appid", "redirect_uri", "response_type", "scope", "state"}
	empty := map[string]int{"scope": 10010, "redirect_uri": 10011, "appid": 10012, "state": 10013}
	pairs := strings.Split(rawQuery, "&")
	fields := make(map[string]string, len(order))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if _, again := fields[name]; again || err != nil {
			return nil, &refusal{0, fmt.Sprintf("the parameter %q is there twice or badly escaped", name)}
		}
		fields[name] = value
	}
	for i, name := range order {
		switch {
		case fields[name] == "":
			return nil, &refusal{empty[name], name + " is empty"}
		case !strings.HasPrefix(pairs[i], name+"="):
			return nil, &refusal{0, "the parameters must begin with " + strings.Join(order, ", ") + ", in this order"}
		}
	}
	if raw := pairs[1]; strings.ContainsAny(raw, ":/?") {
		return nil, &refusal{10003, "redirect_uri must be escaped"}
	}
	return fields, nil
}

// parseRedirect returns where a link sends people back to. A fragment would swallow
// the code, which WeChat adds at the end.
func parseRedirect(address string) (*url.URL, *refusal) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Fragment != "" {
		return nil, &refusal{10003, fmt.Sprintf("redirect_uri %q is no http or https address", address)}
	}
	return u, nil
}

// offered reports whether an account of that kind may ask for a scope.
func offered(scope wechat.Scope, website bool) bool {
	if website {
		return scope == wechat.ScopeLogin
	}
	return scope == wechat.ScopeBase || scope == wechat.ScopeUserInfo
}

// notAlphanumeric reports what a state may not hold ("网页授权", step 1).
func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// admit checks all of a link: its form, and that its app exists, may use this page
// and may send people where it says. A refused link is misuse: only the
// application writes them.
func (w *WeChat) admit(rawQuery string, website bool) (App, link, *refusal) {
	l, refused := parseLink(rawQuery, website)
	var app App
	if refused == nil {
		app, refused = w.registered(l, website)
	}
	if refused != nil {
		w.misuse("the authorization link is refused: %v", refused)
	}
	return app, l, refused
}

// registered returns the app of a link, if WeChat would send people back for it.
// A host must equal a registered one: neither its parent nor its child counts,
// and a port is part of it.
func (w *WeChat) registered(l link, website bool) (App, *refusal) {
	app, known := w.apps[l.appID]
	allowed := func(host string) bool { return strings.EqualFold(host, l.redirect.Host) }
	switch {
	case !known:
		return App{}, &refusal{0, fmt.Sprintf("nobody has the appid %q", l.appID)}
	case app.Website && !website:
		return App{}, &refusal{10016, "the appid is a website application's, and this page an official account's"}
	case !app.Website && website:
		return App{}, &refusal{10005, "the appid is an official account's, and this page a website application's"}
	case len(app.Hosts) > 0 && !slices.ContainsFunc(app.Hosts, allowed):
		return App{}, &refusal{10003, fmt.Sprintf("redirect_uri's host %q is not registered", l.redirect.Host)}
	}
	return app, nil
}

// back returns the callback's address with more parameters after its own, which
// stay as the application wrote them.
func (l link) back(params string) string {
	u := *l.redirect
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params
	return u.String()
}
