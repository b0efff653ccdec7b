package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	chanxuehong "github.com/chanxuehong/wechat/mp/oauth2"
	chanxuehongoauth2 "github.com/chanxuehong/wechat/oauth2"
	"github.com/go-pkgz/auth/v2"
	"github.com/go-pkgz/auth/v2/provider"
	"github.com/go-pkgz/auth/v2/token"
	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	gothwechat "github.com/markbates/goth/providers/wechat"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	officialaccount "github.com/silenceper/wechat/v2/officialaccount/context"
	"github.com/silenceper/wechat/v2/officialaccount/oauth"
	"golang.org/x/oauth2"

	"github.com/scangate/scangate/wechat"
)

// directory is the user database of a login written by hand. A login reads it once.
type directory struct {
	mu       sync.RWMutex
	byOpenID map[string]string
}

// find returns the ID of the user with an openid.
func (d *directory) find(openID string) (string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if id, ok := d.byOpenID[openID]; ok {
		return id, nil
	}
	return "", errors.New("unknown user")
}

// newDirectory returns a directory with one user, the owner of the account's openid.
func newDirectory(a account) *directory {
	return &directory{byOpenID: map[string]string{a.openID: "user-0123456789"}}
}

// newPkgz returns go-pkgz/auth with a provider for WeChat. It has no avatar store, so
// that it downloads no pictures.
func newPkgz(options ...func(*auth.Opts)) *auth.Service {
	opts := auth.Opts{
		SecretReader:  token.SecretFunc(func(string) (string, error) { return secretKey, nil }),
		TokenDuration: time.Hour,
		SecureCookies: true,
		URL:           appURL,
		Issuer:        "scangate",
	}
	for _, option := range options {
		option(&opts)
	}
	service := auth.NewService(opts)
	service.AddCustomProvider("wechat", auth.Client{Cid: "", Csecret: ""}, pkgzProvider())
	return service
}

// pkgzProvider returns a custom provider for WeChat. It needs [wechatAdapter] as the
// transport, because WeChat's API differs from OAuth 2.0.
func pkgzProvider() provider.CustomHandlerOpt {
	return provider.CustomHandlerOpt{
		Endpoint: oauth2.Endpoint{ //nolint:gosec // public addresses, not credentials
			AuthURL:   "https://open.weixin.qq.com/connect/oauth2/authorize",
			TokenURL:  "https://api.weixin.qq.com/sns/oauth2/access_token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
		InfoURL: "https://api.weixin.qq.com/sns/userinfo",
		Scopes:  []string{string(wechat.ScopeUserInfo)},
		MapUserFn: func(data provider.UserData, _ []byte) token.User {
			return token.User{ID: "wechat_" + data.Value("openid"), Name: data.Value("nickname"), Picture: data.Value("headimgurl")}
		},
	}
}

// wechatAdapter is a transport that converts the requests of golang.org/x/oauth2 to
// WeChat's API. It does as little work as possible, so as not to distort the
// comparison.
type wechatAdapter struct {
	next    http.RoundTripper
	account account
}

// RoundTrip implements [http.RoundTripper].
func (t wechatAdapter) RoundTrip(r *http.Request) (*http.Response, error) {
	// Other libraries use this transport too. Their requests need no conversion.
	bearer := r.Header.Get("Authorization")
	if r.URL.Host != "api.weixin.qq.com" || r.Method != http.MethodPost && bearer == "" {
		return t.next.RoundTrip(r)
	}
	to := *r.URL
	// WeChat accepts GET only, with all parameters in the query.
	converted := r.Clone(r.Context())
	converted.Method, converted.URL, converted.Body, converted.ContentLength, converted.GetBody = http.MethodGet, &to, nil, 0, nil
	if bearer != "" { // the request for the user info
		to.RawQuery = "access_token=" + url.QueryEscape(bearer[len("Bearer "):]) + "&openid=" + t.account.openID + "&lang=zh_CN"
		return t.next.RoundTrip(converted)
	}
	form, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	code, err := parameter("?"+string(form), "code")
	if err != nil {
		return nil, err
	}
	// WeChat's names for client_id and client_secret.
	to.RawQuery = "appid=" + t.account.AppID + "&secret=" + t.account.Secret + "&code=" + code + "&grant_type=authorization_code"
	answer, err := t.next.RoundTrip(converted)
	if err == nil {
		// WeChat sends JSON as text/plain, which x/oauth2 would parse as a form.
		answer.Header.Set("Content-Type", "application/json")
	}
	return answer, err
}

// pkgzLogin returns a login with go-pkgz/auth. It calls WeChat through
// [http.DefaultClient].
func (w *world) pkgzLogin() loginPeer {
	service := newPkgz(func(o *auth.Opts) { o.DisableXSRF = true })
	library, _ := service.Handlers()
	guard := service.Middleware()
	return loginPeer{
		name: "go-pkgz/auth (2 calls)", account: w.official, scope: wechat.ScopeUserInfo,
		handler: application("/auth/", library, guard.Auth),
		start:   "/auth/wechat/login?from=" + url.QueryEscape(homePath), callback: "/auth/wechat/callback",
	}
}

// gothLogin returns a login with goth, gothic and a gorilla cookie store, as in goth's
// example.
func (w *world) gothLogin() loginPeer {
	store := sessions.NewCookieStore([]byte(secretKey))
	// goth keeps the store and the providers in package variables.
	gothic.Store = store
	goth.UseProviders(gothwechat.New(w.website.AppID, w.website.Secret, appURL+"/auth/callback", gothwechat.WECHAT_LANG_CN))
	users := newDirectory(w.website)
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/login", gothic.BeginAuthHandler)
	mux.HandleFunc("/auth/callback", func(rw http.ResponseWriter, r *http.Request) {
		identity, err := gothic.CompleteUserAuth(rw, r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		id, err := users.find(identity.UserID)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		session, _ := store.Get(r, gorillaCookie)
		session.Values["user_id"] = id
		if err := session.Save(r, rw); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(rw, r, homePath, http.StatusSeeOther)
	})
	return loginPeer{
		name: "gothic, provider wechat (2 calls)", account: w.website, scope: wechat.ScopeLogin,
		handler: application("/auth/", mux, requireSession(gorillaUserID(store))),
		start:   "/auth/login?provider=wechat", callback: "/auth/callback?provider=wechat",
	}
}

// requireSession returns a guard that passes requests for which userID returns an ID.
func requireSession(userID func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if userID(r) == "" {
				http.Error(w, "log in", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// sdk is the part of a client library for WeChat's API that a login written by hand
// needs.
type sdk struct {
	// link returns the authorization link.
	link func(redirect, scope, state string) (string, error)
	// openID exchanges a code and returns the openid. With the scope
	// snsapi_userinfo it also requests the user info.
	openID func(ctx context.Context, code string) (string, error)
}

// silenceperSDK returns silenceper/wechat. It calls WeChat through
// [http.DefaultClient].
func silenceperSDK(a account, scope wechat.Scope) sdk {
	client := oauth.NewOauth(&officialaccount.Context{Config: &config.Config{AppID: a.AppID, AppSecret: a.Secret}})
	return sdk{
		link: client.GetRedirectURL,
		openID: func(ctx context.Context, code string) (string, error) {
			token, err := client.GetUserAccessTokenContext(ctx, code)
			if err != nil || scope == wechat.ScopeBase {
				return token.OpenID, err
			}
			info, err := client.GetUserInfoContext(ctx, token.AccessToken, token.OpenID, "")
			return info.OpenID, err
		},
	}
}

// chanxuehongSDK returns chanxuehong/wechat.
func chanxuehongSDK(a account, scope wechat.Scope) sdk {
	endpoint := chanxuehong.NewEndpoint(a.AppID, a.Secret)
	return sdk{
		link: func(redirect, scope, state string) (string, error) {
			return chanxuehong.AuthCodeURL(a.AppID, redirect, scope, state), nil
		},
		openID: func(_ context.Context, code string) (string, error) {
			client := chanxuehongoauth2.Client{Endpoint: endpoint, HttpClient: http.DefaultClient}
			token, err := client.ExchangeToken(code)
			if err != nil {
				return "", err
			}
			if scope == wechat.ScopeBase {
				return token.OpenId, nil
			}
			info, err := chanxuehong.GetUserInfo(token.AccessToken, token.OpenId, "", http.DefaultClient)
			if err != nil {
				return "", err
			}
			return info.OpenId, nil
		},
	}
}

// handLogin returns a login written by hand, with an SDK for WeChat and with scs for
// state and session.
func (w *world) handLogin(name string, scope wechat.Scope, library sdk) loginPeer {
	manager, users := scs.New(), newDirectory(w.official)
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/login", func(rw http.ResponseWriter, r *http.Request) {
		state := rand.Text()
		manager.Put(r.Context(), "state", state)
		link, err := library.link(appURL+"/auth/callback", string(scope), state)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(rw, r, link, http.StatusFound)
	})
	mux.HandleFunc("/auth/callback", func(rw http.ResponseWriter, r *http.Request) {
		if err := finishByHand(r, manager, users, library); err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(rw, r, homePath, http.StatusSeeOther)
	})
	userID := func(r *http.Request) string { return manager.GetString(r.Context(), "user_id") }
	return loginPeer{
		name: name, account: w.official, scope: scope,
		handler: manager.LoadAndSave(application("/auth/", mux, requireSession(userID))),
		start:   "/auth/login", callback: "/auth/callback",
	}
}

// finishByHand serves the callback: it checks the state, exchanges the code, and
// stores the user in the session.
func finishByHand(r *http.Request, manager *scs.SessionManager, users *directory, library sdk) error {
	ctx := r.Context()
	if state := manager.PopString(ctx, "state"); state == "" || state != r.FormValue("state") {
		return errors.New("the state is not the session's")
	}
	openID, err := library.openID(ctx, r.FormValue("code"))
	if err != nil {
		return err
	}
	id, err := users.find(openID)
	if err != nil {
		return err
	}
	// A new token prevents session fixation.
	if err := manager.RenewToken(ctx); err != nil {
		return err
	}
	manager.Put(ctx, "user_id", id)
	return nil
}
