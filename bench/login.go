package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// loginPeer is a library with which somebody logs in whom it knows: the browser
// opens start, is sent to WeChat, and comes back to callback.
type loginPeer struct {
	name            string
	account         account
	scope           wechat.Scope // of the codes that it takes
	handler         http.Handler
	start, callback string
}

// gateLogin is ours: inside WeChat's own browser, so that no second screen takes
// part that the others don't have.
func gateLogin(app http.Handler) loginPeer {
	return loginPeer{
		name: "scangate (1 call)", scope: wechat.ScopeBase, handler: app,
		start: "/wechat/login?return_to=" + url.QueryEscape(home), callback: "/wechat/callback",
	}
}

// logIn is one login, from the first request to the redirect that ends it.
func (p loginPeer) logIn(ctx context.Context, code string) (*visitor, error) {
	v := &visitor{handler: p.handler, agent: wechattest.UserAgentPhone}
	begun, err := v.get(ctx, p.start)
	if err != nil {
		return nil, err
	}
	state, err := parameter(begun.header.Get("Location"), "state")
	if err != nil {
		return nil, err
	}
	sep := "?"
	if strings.Contains(p.callback, "?") {
		sep = "&"
	}
	ended, err := v.get(ctx, p.callback+sep+"code="+code+"&state="+url.QueryEscape(state))
	if err != nil {
		return nil, err
	}
	if to := strings.TrimPrefix(ended.header.Get("Location"), appURL); to != home {
		return nil, fmt.Errorf("%s: the login ended at %d %q", p.name, ended.status, to)
	}
	return v, nil
}

// contestant is the peer in a contest. The codes are there before it begins, for
// making them is WeChat's.
func (p loginPeer) contestant(ctx context.Context, w *world) contestant {
	var codes []string
	return contestant{
		name: p.name,
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

// gateContestant is ours with a new gate in each round: one that keeps logins in
// memory is full after 65,536.
func (w *world) gateContestant(ctx context.Context, api http.RoundTripper) contestant {
	var peer loginPeer
	c := contestant{name: gateLogin(nil).name}
	var inner contestant
	c.prepare = func(n int) error {
		gate, err := w.gate(ctx, api)
		if err != nil {
			return err
		}
		peer = gateLogin(application("/wechat/", gate, gate.RequireWeChat))
		peer.account = w.official
		inner = peer.contestant(ctx, w)
		return inner.prepare(n)
	}
	c.do = func(n int) error { return inner.do(n) }
	return c
}

// measureLogins compares a login of somebody known.
func measureLogins(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 2. A login of somebody known\n\n"+
		"Two requests of one browser: start and callback; both handlers, both clients and the same simulated WeChat in one process.\n"+
		"Ours is the login inside WeChat's own browser. Logins by hand keep state and session in scs with its defaults.\n"+
		"A real call to WeChat takes tens of milliseconds; what is left of the rest then is the number of calls.\n\n")
	if err := w.compareLogins(ctx, out, e, "WeChat in memory", w.memory); err != nil {
		return err
	}
	address, stop, err := w.listen(ctx)
	if err != nil {
		return err
	}
	defer stop()
	pool := &http.Transport{MaxIdleConnsPerHost: 8}
	defer pool.CloseIdleConnections()
	return w.compareLogins(ctx, out, e, "WeChat over loopback", toHost{address, pool})
}

func (w *world) compareLogins(ctx context.Context, out io.Writer, e effort, heading string, api http.RoundTripper) error {
	// The peers have no other way to be told where WeChat is.
	before := http.DefaultClient.Transport
	http.DefaultClient.Transport = likeOAuth2{api, w.official}
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
		if err := w.proves(ctx, p); err != nil {
			return err
		}
		contestants = append(contestants, p.contestant(ctx, w))
	}
	results, err := e.contest(cpu, contestants)
	if err != nil {
		return err
	}
	report(out, cpu, heading, results)
	return nil
}

// proves returns an error unless a login gets past the peer's own guard.
func (w *world) proves(ctx context.Context, p loginPeer) error {
	codes, err := w.codes(p.account, p.scope, 1)
	if err != nil {
		return err
	}
	v, err := p.logIn(ctx, codes[0])
	if err != nil {
		return err
	}
	if _, err = v.get(ctx, home); err != nil {
		return fmt.Errorf("%s: after a login: %w", p.name, err)
	}
	return nil
}

// listen serves the simulator on a loopback port.
func (w *world) listen(ctx context.Context) (address string, stop func(), err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: w.simulator, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() { _ = server.Close() }, nil
}

// toHost sends all requests to one address, by plain http.
type toHost struct {
	address string
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t toHost) RoundTrip(r *http.Request) (*http.Response, error) {
	to := *r.URL
	to.Scheme, to.Host = "http", t.address
	there := *r
	there.URL, there.Host = &to, ""
	return t.next.RoundTrip(&there)
}
