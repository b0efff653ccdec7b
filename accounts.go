package scangate

import (
	"net/http"
	"slices"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// accounts are the clients of the WeChat accounts that are configured.
type accounts struct {
	official   *wechat.Client // nil if not configured, or without a Secret
	website    *wechat.Client // nil if not configured
	mini       *wechat.Client // nil if not configured
	officialID string         // AppID of the official account, or ""
	shown      Way            // the way of the login page, unless a request asks for another
	ways       []Way          // those that are configured
	push       bool           // the official account's messages come to the gate
}

// newAccounts returns the clients of the accounts that are configured. [New] has checked
// them.
func newAccounts(c *Config) (accounts, error) {
	none := wechat.Account{}
	a := accounts{officialID: c.OfficialAccount.AppID, shown: c.shownWay(), ways: c.ways(), push: !c.Push.isZero()}
	var err error
	if c.OfficialAccount.Secret != "" {
		if a.official, err = wechat.NewClient(c.OfficialAccount, c.WeChat.Endpoint, c.WeChat.HTTPClient); err != nil {
			return a, configError("OfficialAccount or WeChat.Endpoint", "%w", err)
		}
		if c.Push.TokenSource != nil {
			a.official = a.official.WithTokenSource(c.Push.TokenSource)
		}
	}
	if c.Website != none {
		if a.website, err = wechat.NewClient(c.Website, c.WeChat.Endpoint, c.WeChat.HTTPClient); err != nil {
			return a, configError("Website or WeChat.Endpoint", "%w", err)
		}
	}
	if c.MiniProgram != none {
		if a.mini, err = wechat.NewClient(c.MiniProgram, c.WeChat.Endpoint, c.WeChat.HTTPClient); err != nil {
			return a, configError("MiniProgram or WeChat.Endpoint", "%w", err)
		}
	}
	return a, nil
}

// several reports whether a person can come by more than one account, which only their
// unionid shows.
func (a accounts) several() bool {
	n := 0
	for _, set := range []bool{a.officialID != "", a.website != nil, a.mini != nil} {
		if set {
			n++
		}
	}
	return n > 1
}

// web returns the client of the account whose web authorization proves an identity for the
// login, or nil. A mini program has no web authorization, so that of the official account
// takes its place in a browser that opens the mini program's code.
func (a accounts) web(l *login.Login) *wechat.Client {
	if l.Way() == login.WayMini {
		return a.official
	}
	return a.client(l.AppID())
}

// client returns the client of an account with web authorization, or nil.
func (a accounts) client(appID string) *wechat.Client {
	for _, c := range []*wechat.Client{a.official, a.website} {
		if c != nil && c.AppID() == appID {
			return c
		}
	}
	return nil
}

// serves reports whether the login's account is configured. The configuration may have
// changed since the login began. A login that proves a phone number needs no account.
func (a accounts) serves(l *login.Login) bool {
	chat := a.push && l.InChat() && l.AppID() == a.officialID
	mini := a.mini != nil && l.Way() == login.WayMini && l.AppID() == a.mini.AppID()
	return chat || mini || l.Purpose() == login.PurposePhone || a.client(l.AppID()) != nil
}

// ofMini reports whether a mini program has proved the identity for the login.
func (a accounts) ofMini(l *login.Login) bool {
	return l.Way() == login.WayMini && l.Identified() && l.Person().Identity.AppID == a.mini.AppID()
}

// flow is how a login proves an identity.
type flow struct {
	kind  login.Kind
	way   login.Way
	appID string
}

// asked returns the way that a request asks for by name. It is empty for a way that is
// not configured, so that an old link still leads to a login.
func (a accounts) asked(with string) Way {
	if way := Way(with); slices.Contains(a.ways, way) {
		return way
	}
	return ""
}

// chooseFlow decides which device proves the identity, in which way and at which account.
// The request may have asked for a way. Otherwise WeChat's browser proves the identity
// itself, and all other browsers get the way of the login page.
func (a accounts) chooseFlow(r *http.Request, asked Way) flow {
	way := asked
	switch {
	case way != "":
	case inWeChat(r) && a.official != nil:
		way = WayWeb
	default:
		way = a.shown
	}
	switch {
	case way == WayWebsite:
		return flow{login.SameDevice, login.WayWebsite, a.website.AppID()}
	case way == WayWeb && inWeChat(r):
		return flow{login.SameDevice, login.WayWeb, a.officialID}
	case way == WayFollow && isHandheld(r):
		way = WayMessage // a phone cannot scan its own screen, but it can send digits
	case way == WayMini:
		return flow{login.CrossDevice, login.WayMini, a.mini.AppID()}
	}
	return flow{login.CrossDevice, login.Way(way), a.officialID}
}

// authorizeURL returns the page of WeChat's where the browser with that key proves an
// identity for the login. From there WeChat redirects the browser to callback.
func (a accounts) authorizeURL(callback string, l *login.Login, key login.Key, scope login.Scope) string {
	client, state := a.web(l), key.OAuthState(login.Trip{ID: l.ID(), Kind: l.Kind(), Scope: scope})
	switch {
	case client == a.website:
		return client.QRConnectURL(callback, state, "")
	case scope == login.ScopeProfile:
		return client.AuthorizeURL(callback, state, wechat.ScopeUserInfo)
	}
	return client.AuthorizeURL(callback, state, wechat.ScopeBase)
}
