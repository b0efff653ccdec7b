package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// loginPeer is a library that logs in a registered user. The browser opens start,
// is redirected to WeChat, and returns to callback.
type loginPeer struct {
	name            string
	account         account
	scope           wechat.Scope // of the codes that callback accepts
	handler         http.Handler
	start, callback string
}

// gatePeer returns scangate as a peer. The login takes place in WeChat's built-in
// browser, because the other libraries have no login with a second device.
func gatePeer(app http.Handler) loginPeer {
	return loginPeer{
		name: "scangate (1 call)", scope: wechat.ScopeBase, handler: app,
		start: "/wechat/login?return_to=" + url.QueryEscape(homePath), callback: "/wechat/callback",
	}
}

// logIn logs in once: it sends both requests, and checks the final redirect.
func (p loginPeer) logIn(ctx context.Context, code string) (*visitor, error) {
	v := &visitor{handler: p.handler, agent: wechattest.UserAgentPhone}
	started, err := v.get(ctx, p.start)
	if err != nil {
		return nil, err
	}
	state, err := parameter(started.header.Get("Location"), "state")
	if err != nil {
		return nil, err
	}
	sep := "?"
	if strings.Contains(p.callback, "?") {
		sep = "&"
	}
	// WeChat is skipped: the code was issued beforehand.
	finished, err := v.get(ctx, p.callback+sep+"code="+code+"&state="+url.QueryEscape(state))
	if err != nil {
		return nil, err
	}
	// scangate ends the address with "#", which drops WeChat's fragment.
	to := strings.TrimSuffix(strings.TrimPrefix(finished.header.Get("Location"), appURL), "#")
	if to != homePath {
		return nil, fmt.Errorf("%s: last redirect of the login: status = %d, location = %q, want %q", p.name, finished.status, to, homePath)
	}
	return v, nil
}

// contestant returns the peer as a contestant.
func (p loginPeer) contestant(ctx context.Context, w *world) contestant {
	var codes []string
	return contestant{
		name: p.name,
		// Issuing codes is WeChat's work, so it is not measured.
		prepare: func(n int) (err error) {
			codes, err = w.codes(p.account, p.scope, n)
			return err
		},
		do: func(n int) error {
			for _, code := range codes[:n] {
				if _, err := p.logIn(ctx, code); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// gateContestant returns scangate as a contestant.
func (w *world) gateContestant(ctx context.Context, api http.RoundTripper) contestant {
	var peer loginPeer
	c := contestant{name: gatePeer(nil).name}
	var inner contestant
	// A new gate for each round, so that no round finds the logins of another.
	c.prepare = func(n int) error {
		gate, err := w.gate(ctx, api)
		if err != nil {
			return err
		}
		peer = gatePeer(application("/wechat/", gate, gate.RequireWeChat))
		peer.account = w.official
		inner = peer.contestant(ctx, w)
		return inner.prepare(n)
	}
	c.do = func(n int) error { return inner.do(n) }
	return c
}

// measureLogins compares the login of a registered user.
func measureLogins(ctx context.Context, s *sheet, e effort, w *world) error {
	s.note("two requests of one browser, start and callback; handlers, clients and the simulated WeChat run in one process; " +
		"scangate's login takes place in WeChat's built-in browser; logins written by hand keep state and session in scs with its defaults; " +
		"a real call to WeChat takes tens of milliseconds, so the number of calls decides how long a real login takes")
	if err := w.compareLogins(ctx, s, e, "WeChat in memory: ", w.memory); err != nil {
		return err
	}
	address, stop, err := w.serveSimulator(ctx)
	if err != nil {
		return err
	}
	defer stop()
	// Enough idle connections that no login has to open one.
	pool := &http.Transport{MaxIdleConnsPerHost: 8}
	defer pool.CloseIdleConnections()
	return w.compareLogins(ctx, s, e, "WeChat over loopback: ", singleHost{address, pool})
}

// compareLogins measures the logins of all libraries, with api as the transport to
// WeChat's API, and adds rows whose names begin with the prefix.
func (w *world) compareLogins(ctx context.Context, s *sheet, e effort, prefix string, api http.RoundTripper) error {
	// Several peers have WeChat's address built in. They use http.DefaultClient, so
	// its transport is the only way to redirect them to the simulator.
	before := http.DefaultClient.Transport
	http.DefaultClient.Transport = wechatAdapter{api, w.official}
	defer func() { http.DefaultClient.Transport = before }()
	peers := []loginPeer{
		w.pkgzLogin(),
		w.gothLogin(),
		w.handLogin("silenceper/wechat and scs, user info (2 calls)", wechat.ScopeUserInfo, silenceperSDK(w.official, wechat.ScopeUserInfo)),
		w.handLogin("chanxuehong/wechat and scs, user info (2 calls)", wechat.ScopeUserInfo, chanxuehongSDK(w.official, wechat.ScopeUserInfo)),
		w.handLogin("silenceper/wechat and scs, exchange alone (1 call)", wechat.ScopeBase, silenceperSDK(w.official, wechat.ScopeBase)),
		w.handLogin("chanxuehong/wechat and scs, exchange alone (1 call)", wechat.ScopeBase, chanxuehongSDK(w.official, wechat.ScopeBase)),
	}
	contestants := []contestant{w.gateContestant(ctx, api)}
	for _, p := range peers {
		// A peer that does not log in would be fast, and worth nothing.
		if err := w.checkLogin(ctx, p); err != nil {
			return err
		}
		contestants = append(contestants, p.contestant(ctx, w))
	}
	results, err := e.contest(cpu, contestants)
	if err != nil {
		return err
	}
	s.report(cpu, prefix, results)
	return nil
}

// checkLogin returns an error unless the peer's own guard admits a logged-in user.
func (w *world) checkLogin(ctx context.Context, p loginPeer) error {
	codes, err := w.codes(p.account, p.scope, 1)
	if err != nil {
		return err
	}
	v, err := p.logIn(ctx, codes[0])
	if err != nil {
		return err
	}
	if _, err = v.get(ctx, homePath); err != nil {
		return fmt.Errorf("%s: page after the login: %w", p.name, err)
	}
	return nil
}

// serveSimulator serves the simulator on a loopback port until stop is called.
func (w *world) serveSimulator(ctx context.Context) (address string, stop func(), err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: w.simulator, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() { _ = server.Close() }, nil
}

// singleHost is a transport that sends all requests to one address, over http.
type singleHost struct {
	address string
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t singleHost) RoundTrip(r *http.Request) (*http.Response, error) {
	to := *r.URL
	to.Scheme, to.Host = "http", t.address
	redirected := *r // a RoundTripper must not change the request
	redirected.URL, redirected.Host = &to, ""
	return t.next.RoundTrip(&redirected)
}
