package compat

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	mpoauth2 "github.com/chanxuehong/wechat/mp/oauth2"
	"github.com/chanxuehong/wechat/oauth2"
	openoauth2 "github.com/chanxuehong/wechat/open/oauth2"
	"github.com/markbates/goth"
	gothwechat "github.com/markbates/goth/providers/wechat"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/config"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// website is the website application of the tests.
var website = wechattest.App{Website: true, Account: wechat.Account{
	AppID: "wxfedcba9876543210", Secret: "1ff1c1a10ff1c1a10ff1c1a10ff1c1a1",
}}

// callbackURL is the applications' callback. The characters must survive every client's
// escaping.
const callbackURL = "https://app.example.com/callback?from=%2Fa%20b&x=1"

// token is a token as a client has it.
type token struct{ access, refresh, openID, unionID string }

// profile is a person's profile as a client has it.
type profile struct{ openID, unionID, nickname, picture string }

// errUnsupported means that a client has no such call.
var errUnsupported = errors.New("the client has no such call")

// loginClient is a client for logins. It uses [http.DefaultTransport].
type loginClient interface {
	link(state string) (string, error)
	exchange(ctx context.Context, code string) (token, error)
	profile(ctx context.Context, t token) (profile, error)
	refresh(ctx context.Context, t token) (token, error)
	// check reports whether WeChat takes the token.
	check(ctx context.Context, t token) (bool, error)
}

// goClients are the clients in Go, for one account each.
var goClients = []struct {
	name string
	app  wechattest.App
	of   func(wechattest.App) loginClient
}{
	{"silenceper/wechat, official account", official, newSilenceper},
	{"silenceper/wechat, website", website, newSilenceper},
	{"chanxuehong/wechat, official account", official, newChanxuehong},
	{"chanxuehong/wechat, website", website, newChanxuehong},
	{"markbates/goth, website", website, newGoth},
	{"PowerWeChat, official account", official, newPowerClient},
	{"PowerWeChat, website", website, newPowerClient},
	{"PowerSocialite, official account", official, newSocialiteClient},
	{"PowerSocialite, website", website, newSocialiteClient},
}

// silenceperClient is silenceper/wechat's login.
type silenceperClient struct {
	app     wechattest.App
	account *officialaccount.OfficialAccount
}

func newSilenceper(app wechattest.App) loginClient {
	return silenceperClient{app, officialaccount.NewOfficialAccount(&config.Config{
		AppID: app.AppID, AppSecret: app.Secret, Cache: cache.NewMemory(),
	})}
}

func (c silenceperClient) link(state string) (string, error) {
	if c.app.Website {
		return c.account.GetOauth().GetWebAppRedirectURL(callbackURL, "snsapi_login", state)
	}
	return c.account.GetOauth().GetRedirectURL(callbackURL, "snsapi_userinfo", state)
}

func (c silenceperClient) exchange(ctx context.Context, code string) (token, error) {
	got, err := c.account.GetOauth().GetUserAccessTokenContext(ctx, code)
	return token{got.AccessToken, got.RefreshToken, got.OpenID, got.UnionID}, err
}

func (c silenceperClient) profile(ctx context.Context, t token) (profile, error) {
	got, err := c.account.GetOauth().GetUserInfoContext(ctx, t.access, t.openID, "")
	return profile{got.OpenID, got.Unionid, got.Nickname, got.HeadImgURL}, err
}

func (c silenceperClient) refresh(ctx context.Context, t token) (token, error) {
	got, err := c.account.GetOauth().RefreshAccessTokenContext(ctx, t.refresh)
	return token{got.AccessToken, got.RefreshToken, got.OpenID, t.unionID}, err
}

func (c silenceperClient) check(ctx context.Context, t token) (bool, error) {
	return c.account.GetOauth().CheckAccessTokenContext(ctx, t.access, t.openID)
}

// chanxuehongClient is chanxuehong/wechat's login. Its calls have no context.
type chanxuehongClient struct{ app wechattest.App }

func newChanxuehong(app wechattest.App) loginClient { return chanxuehongClient{app} }

func (c chanxuehongClient) client() *oauth2.Client {
	var endpoint oauth2.Endpoint = mpoauth2.NewEndpoint(c.app.AppID, c.app.Secret)
	if c.app.Website {
		endpoint = openoauth2.NewEndpoint(c.app.AppID, c.app.Secret)
	}
	return &oauth2.Client{Endpoint: endpoint, HttpClient: http.DefaultClient}
}

func (c chanxuehongClient) link(state string) (string, error) {
	if c.app.Website {
		return openoauth2.AuthCodeURL(c.app.AppID, callbackURL, "snsapi_login", state), nil
	}
	return mpoauth2.AuthCodeURL(c.app.AppID, callbackURL, "snsapi_userinfo", state), nil
}

func (c chanxuehongClient) exchange(_ context.Context, code string) (token, error) {
	return chanxuehongToken(c.client().ExchangeToken(code))
}

func (c chanxuehongClient) refresh(_ context.Context, t token) (token, error) {
	client := c.client()
	client.Token = &oauth2.Token{RefreshToken: t.refresh, UnionId: t.unionID}
	return chanxuehongToken(client.RefreshToken(t.refresh))
}

// chanxuehongToken converts a token.
func chanxuehongToken(got *oauth2.Token, err error) (token, error) {
	if err != nil {
		return token{}, err
	}
	return token{got.AccessToken, got.RefreshToken, got.OpenId, got.UnionId}, nil
}

func (c chanxuehongClient) profile(_ context.Context, t token) (profile, error) {
	got, err := mpoauth2.GetUserInfo(t.access, t.openID, "", http.DefaultClient)
	if err != nil {
		return profile{}, err
	}
	return profile{got.OpenId, got.UnionId, got.Nickname, got.HeadImageURL}, nil
}

func (c chanxuehongClient) check(_ context.Context, t token) (bool, error) {
	return mpoauth2.Auth(t.access, t.openID, http.DefaultClient)
}

// gothClient is goth's provider for WeChat. It has neither a refresh nor a check, keeps no
// refresh token, and its calls have no context.
type gothClient struct{ provider *gothwechat.Provider }

func newGoth(app wechattest.App) loginClient {
	return gothClient{gothwechat.New(app.AppID, app.Secret, callbackURL, gothwechat.WECHAT_LANG_CN)}
}

func (c gothClient) link(state string) (string, error) {
	session, err := c.provider.BeginAuth(state)
	if err != nil {
		return "", err
	}
	return session.GetAuthURL()
}

func (c gothClient) exchange(_ context.Context, code string) (token, error) {
	session := &gothwechat.Session{}
	if _, err := session.Authorize(c.provider, url.Values{"code": {code}}); err != nil {
		return token{}, err
	}
	return token{session.AccessToken, session.RefreshToken, session.Openid, session.Unionid}, nil
}

func (c gothClient) profile(_ context.Context, t token) (profile, error) {
	var session goth.Session = &gothwechat.Session{AccessToken: t.access, RefreshToken: t.refresh, Openid: t.openID}
	got, err := c.provider.FetchUser(session)
	unionID, _ := got.RawData["Unionid"].(string)
	return profile{got.UserID, unionID, got.NickName, got.AvatarURL}, err
}

func (gothClient) refresh(context.Context, token) (token, error) { return token{}, errUnsupported }
func (gothClient) check(context.Context, token) (bool, error)    { return false, errUnsupported }
