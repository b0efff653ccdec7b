package compat

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// serveWeChat serves a simulator as WeChat's hosts to the clients of [http.DefaultTransport]
// until t ends.
func serveWeChat(t *testing.T, weChat *wechattest.WeChat) *wechattest.TLSServer {
	t.Helper()
	server, before := weChat.ServeTLS(t), http.DefaultTransport
	transport := server.Transport()
	http.DefaultTransport = transport
	t.Cleanup(func() {
		http.DefaultTransport = before
		transport.CloseIdleConnections()
	})
	return server
}

// consent lets a person consent at a client's link, and returns the code.
func consent(t *testing.T, weChat *wechattest.WeChat, client loginClient, person string) string {
	t.Helper()
	link, err := client.link("state123")
	if err != nil {
		t.Fatal(err)
	}
	callback, err := weChat.Approve(link, person)
	if err != nil {
		t.Fatalf("Approve(%q) = %v, want none", link, err)
	}
	query := strings.TrimPrefix(callback, callbackURL+"&")
	got, err := url.ParseQuery(query)
	if err != nil || query == callback || got.Get("state") != "state123" || got.Get("code") == "" {
		t.Fatalf("callback = %q, want the client's, a code and its state", callback)
	}
	return got.Get("code")
}

// TestGoClientsLogIn logs persons in with each client: a person with emoji in the name, and
// one without a unionid.
func TestGoClientsLogIn(t *testing.T) {
	for _, c := range goClients {
		for _, person := range []wechattest.Person{wechattest.People()[0], wechattest.People()[2], wechattest.People()[3]} {
			t.Run(c.name+"/"+person.ID, func(t *testing.T) {
				server, client := serveWeChat(t, wechattest.NewStrict(t, official, website)), c.of(c.app)
				got, err := client.exchange(t.Context(), consent(t, server.WeChat, client, person.ID))
				if err != nil || got.openID != server.OpenID(person.ID, c.app.AppID) || got.access == "" {
					t.Fatalf("exchange = %+v, %v, want a token of %s", got, err, person.ID)
				}
				who, err := client.profile(t.Context(), got)
				want := profile{got.openID, server.UnionID(person.ID), person.Nickname, person.HeadImgURL}
				if err != nil || who != want {
					t.Errorf("profile = %+v, %v, want %+v", who, err, want)
				}
				testTokens(t, server, client, person.ID, got)
			})
		}
	}
}

// testTokens checks and refreshes a token.
func testTokens(t *testing.T, server *wechattest.TLSServer, client loginClient, person string, got token) {
	t.Helper()
	check := func(when string, tk token, want bool) {
		t.Helper()
		if valid, err := client.check(t.Context(), tk); !errors.Is(err, errUnsupported) && (err != nil || valid != want) {
			t.Errorf("check %s = %t, %v, want %t", when, valid, err, want)
		}
	}
	check("after the exchange", got, true)
	stranger := got
	stranger.openID = server.OpenID("wang", official.AppID)
	check("with another person's openid", stranger, false)
	server.Expire(person)
	check("after its end", got, false)
	fresh, err := client.refresh(t.Context(), got)
	if errors.Is(err, errUnsupported) {
		return
	}
	if err != nil || fresh.access == got.access || fresh.refresh != got.refresh || fresh.openID != got.openID {
		t.Errorf("refresh = %+v, %v, want another access token and the same refresh token", fresh, err)
	}
	check("after the refresh", fresh, true)
	if _, err := client.refresh(t.Context(), token{refresh: "unknown"}); err == nil {
		t.Error("refresh with an unknown token = nil, want an error")
	}
}

// TestGoClientsReportErrors: each client returns an error for a code that cannot be exchanged,
// and for answers that are none.
func TestGoClientsReportErrors(t *testing.T) {
	for _, c := range goClients {
		t.Run(c.name, func(t *testing.T) {
			// Not strict: a wrong secret would fail the test.
			weChat := wechattest.New(nil, official, website)
			serveWeChat(t, weChat)
			client := c.of(c.app)
			code := func() string { return consent(t, weChat, client, "lin") }
			fails := func(name string, client loginClient, code string) {
				t.Helper()
				if got, err := client.exchange(t.Context(), code); err == nil || got.access != "" {
					t.Errorf("exchange of %s = %+v, %v, want an error", name, got, err)
				}
			}
			used := code()
			if _, err := client.exchange(t.Context(), used); err != nil {
				t.Fatalf("exchange = %v, want none", err)
			}
			fails("a used code", client, used)
			fails("an unknown code", client, "0unknown")
			other := c.app
			other.Secret = strings.Repeat("2", 32)
			fails("a code with a wrong secret", c.of(other), code())
			for name, fault := range map[string]wechattest.Fault{
				"a code in an outage":   {Status: http.StatusBadGateway, Body: "<html>"},
				"a code, to half JSON":  {Body: `{"access_token":"a`},
				"a code, WeChat busy":   {Errcode: -1},
				"a code of a banned id": {Errcode: 50002},
			} {
				weChat.Fail(wechattest.OpExchange, 1, fault)
				fails(name, client, code())
			}
			got, err := client.exchange(t.Context(), code())
			if err != nil {
				t.Fatalf("exchange = %v, want none", err)
			}
			got.access = "unknown"
			if who, err := client.profile(t.Context(), got); err == nil {
				t.Errorf("profile with an unknown token = %+v, want an error", who)
			}
		})
	}
}

// TestGoClientsCannotExchangeAnotherAccountsCode exchanges the code of one account at another
// one.
func TestGoClientsCannotExchangeAnotherAccountsCode(t *testing.T) {
	for _, c := range goClients {
		server := serveWeChat(t, wechattest.NewStrict(t, official, website))
		other := official
		if !c.app.Website {
			other = website
		}
		code := consent(t, server.WeChat, newSilenceper(other), "lin")
		if got, err := c.of(c.app).exchange(t.Context(), code); err == nil {
			t.Errorf("%s: exchange = %+v, want an error", c.name, got)
		}
	}
}
