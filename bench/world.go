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
	appHost = "app.example.com"
	appURL  = "https://" + appHost
	home    = "/account" // where people want to go
	anyone  = "lin"      // who logs in
)

// world is what all contestants share: WeChat, its two accounts, and one person
// whom everybody knows already.
type world struct {
	simulator *wechattest.WeChat
	official  account
	website   account
	memory    http.RoundTripper // leads to the simulator without a network
}

// account is an application at WeChat.
type account struct {
	wechat.Account
	openID string // the person's
	links  *wechat.Client
}

func newWorld() (*world, error) {
	official := wechat.Account{AppID: "wx0000000000official", Secret: "official-secret-0123456789abcdef"}
	website := wechat.Account{AppID: "wx00000000000website", Secret: "website-secret-0123456789abcdef0"}
	w := &world{simulator: wechattest.New(nil,
		wechattest.App{Account: official, Hosts: []string{appHost}},
		wechattest.App{Account: website, Website: true, Hosts: []string{appHost}})}
	w.memory = wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": w.simulator})
	var err error
	if w.official, err = w.account(official); err != nil {
		return nil, err
	}
	w.website, err = w.account(website)
	return w, err
}

func (w *world) account(a wechat.Account) (account, error) {
	links, err := wechat.NewClient(a, wechat.Endpoint{}, nil)
	return account{a, w.simulator.OpenID(anyone, a.AppID), links}, err
}

// gate returns a gate that knows the person, or on Redis one that will after their
// first login.
func (w *world) gate(ctx context.Context, api http.RoundTripper, options ...func(*scangate.Config)) (*scangate.Gate, error) {
	config := scangate.Config{
		PublicURL:       appURL,
		AppName:         "Example",
		OfficialAccount: w.official.Account,
		HTTPClient:      &http.Client{Transport: api},
		Limits:          scangate.Limits{Address: 1 << 30}, // all come from one address here
		Logger:          slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, option := range options {
		option(&config)
	}
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

// register makes the person a user.
func (w *world) register(ctx context.Context, users scangate.UserStore) (scangate.User, error) {
	return users.Register(ctx, scangate.NewUser{
		Identity: scangate.Identity{AppID: w.official.AppID, OpenID: w.official.openID},
		Nickname: "林小北",
	})
}

// codes returns n codes of the person's for an account.
func (w *world) codes(a account, scope wechat.Scope, n int) ([]string, error) {
	link := a.links.AuthorizeURL(appURL+"/callback", "0", scope)
	if scope == wechat.ScopeLogin {
		link = a.links.QRConnectURL(appURL+"/callback", "0", "")
	}
	codes := make([]string, n)
	for i := range codes {
		callback, err := w.simulator.Approve(link, anyone)
		if err != nil {
			return nil, err
		}
		if codes[i], err = parameter(callback, "code"); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// parameter returns one of an address's parameters.
func parameter(address, name string) (string, error) {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return url.QueryUnescape(value)
		}
	}
	return "", fmt.Errorf("no parameter %q in %q", name, address)
}

// application is what a user of a library writes.
func application(mount string, library http.Handler, guard func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(mount, library)
	mux.Handle("GET "+home, guard(http.HandlerFunc(tiny)))
	return mux
}

// tiny is the handler behind all guards.
func tiny(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }
