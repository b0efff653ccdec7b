package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	appHost  = "app.example.com"
	appURL   = "https://" + appHost
	homePath = "/account" // the page that users open
	personID = "lin"      // the user that logs in
)

// world holds the data that all contestants share: the simulator, its two accounts,
// and one registered user.
type world struct {
	simulator *wechattest.WeChat
	official  account
	website   account
	memory    http.RoundTripper // calls the simulator without a network
}

// account is one of the simulator's apps.
type account struct {
	wechat.Account
	openID string         // of the user at this account
	links  *wechat.Client // builds authorization links
}

// newWorld returns a world with a new simulator.
func newWorld() (*world, error) {
	official := wechat.Account{AppID: "wx00000000official", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}
	website := wechat.Account{AppID: "wx000000000website", Secret: "3eb517e03eb517e03eb517e03eb517e0"} //nolint:gosec // a simulated account
	w := &world{simulator: wechattest.New(nil,
		wechattest.App{Account: official, Hosts: []string{appHost}},
		wechattest.App{Account: website, Website: true, Hosts: []string{appHost}})}
	// Only the API: the pages are not requested, see codes.
	w.memory = wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": w.simulator})
	var err error
	if w.official, err = w.account(official); err != nil {
		return nil, err
	}
	w.website, err = w.account(website)
	return w, err
}

// account returns the account with the user's openid.
func (w *world) account(a wechat.Account) (account, error) {
	links, err := wechat.NewClient(a, wechat.Endpoint{}, nil)
	return account{a, w.simulator.OpenID(personID, a.AppID), links}, err
}

// gate returns a gate that calls WeChat through api. In memory, the user is
// registered. On Redis, the first login registers the user.
func (w *world) gate(ctx context.Context, api http.RoundTripper, options ...func(*scangate.Config)) (*scangate.Gate, error) {
	config := scangate.Config{
		PublicURL:       appURL,
		AppName:         "Example",
		OfficialAccount: w.official.Account,
		WeChat:          scangate.WeChat{HTTPClient: &http.Client{Transport: api}},
		Limits:          scangate.Limits{Address: 1 << 30}, // all requests come from one address
		Logger:          slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, option := range options {
		option(&config)
	}
	// With Redis, the gate makes its own user store.
	if config.Users == nil && config.Redis == nil {
		config.Users = scangate.NewMemoryStore()
	}
	if config.Users != nil {
		if _, err := w.register(ctx, config.Users); err != nil {
			return nil, err
		}
	}
	return scangate.New(config)
}

// register registers the user.
func (w *world) register(ctx context.Context, users scangate.UserStore) (scangate.User, error) {
	return users.Register(ctx, scangate.NewUser{
		Identity: scangate.Identity{AppID: w.official.AppID, OpenID: w.official.openID},
		Nickname: "林小北",
	})
}

// codes issues n codes for the user's consent at an account.
func (w *world) codes(a account, scope wechat.Scope, n int) ([]string, error) {
	link := a.links.AuthorizeURL(appURL+"/callback", "0", scope)
	if scope == wechat.ScopeLogin {
		link = a.links.QRConnectURL(appURL+"/callback", "0", "")
	}
	// Approve answers the link without a browser.
	codes := make([]string, n)
	for i := range codes {
		callback, err := w.simulator.Approve(link, personID)
		if err != nil {
			return nil, err
		}
		if codes[i], err = parameter(callback, "code"); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// parameter returns a parameter of a URL's query.
func parameter(address, name string) (string, error) {
	// Not url.Parse: this runs within the measurements, and should cost little.
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return url.QueryUnescape(value)
		}
	}
	return "", fmt.Errorf("no parameter %q in %q", name, address)
}

// application returns an application as a user of the library would write it: the
// library's handler, and a page behind its guard.
func application(mount string, library http.Handler, guard func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(mount, library)
	mux.Handle("GET "+homePath, guard(http.HandlerFunc(emptyHandler)))
	return mux
}

// emptyHandler is the handler behind every guard. It sets no status and writes no
// bytes.
func emptyHandler(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }
