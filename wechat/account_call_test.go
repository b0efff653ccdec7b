package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

// followerBody is WeChat's answer to UserInfoByOpenID.
const followerBody = `{"subscribe":1,"openid":"` + openID + `","language":"zh_CN","subscribe_time":1434093047,"unionid":"oUnion",` +
	`"remark":"","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":"sg.main.abc"}`

func TestStaleAccountToken(t *testing.T) {
	stale := func(code int) response {
		return body(fmt.Sprintf(`{"errcode":%d,"errmsg":"access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https:\/\/mmbizurl.cn\/s\/JtxxFh33r rid: 1-2"}`, code))
	}
	first, second := accountToken("first", 7200), accountToken("second", 7200)
	for name, c := range map[string]struct {
		responses []response
		want      error
		paths     int // number of requests
	}{
		"40001":                      {[]response{first, stale(40001), second, body(followerBody)}, nil, 4},
		"40014":                      {[]response{first, stale(40014), second, body(followerBody)}, nil, 4},
		"42001":                      {[]response{first, stale(42001), second, body(followerBody)}, nil, 4},
		"the same token again":       {[]response{first, stale(40001), first, body(followerBody)}, nil, 4},
		"refused twice":              {[]response{first, stale(40001), second, stale(40001)}, wechat.ErrTokenInvalid, 4},
		"expired twice":              {[]response{first, stale(42001), second, stale(42001)}, wechat.ErrTokenExpired, 4},
		"no other token":             {[]response{first, stale(40001), body(`{"errcode":45009}`)}, wechat.ErrQuota, 3},
		"another error":              {[]response{first, body(`{"errcode":48001}`), second}, wechat.ErrConfiguration, 2},
		"another openid":             {[]response{first, body(`{"errcode":40003}`), second}, wechat.ErrTokenInvalid, 2},
		"a server that is not on it": {[]response{body(`{"errcode":61004}`), second}, wechat.ErrConfiguration, 1},
	} {
		t.Run(name, func(t *testing.T) {
			client, n := newClient(t, c.responses...)
			_, err := client.UserInfoByOpenID(t.Context(), openID)
			wantOnly(t, err, c.want)
			if len(n.requests) != c.paths {
				t.Errorf("user info: %d requests, want %d", len(n.requests), c.paths)
			}
			if len(n.requests) == 4 && c.want == nil {
				want := "second"
				if name == "the same token again" {
					want = "first"
				}
				if got := n.requests[3].URL.Query().Get("access_token"); got != want {
					t.Errorf("repeated call: access_token = %q, want %q", got, want)
				}
			}
		})
	}
}

// TestStaleAccountTokenIsFetchedOnce makes WeChat refuse the token of many calls at once.
// They share one new token.
func TestStaleAccountTokenIsFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := 0
		answer := func(req *http.Request) (*http.Response, error) {
			switch {
			case req.URL.Path == "/cgi-bin/stable_token":
				tokens++
				return accountToken(fmt.Sprint("token", tokens), 7200)(req)
			case req.URL.Query().Get("access_token") == "token1":
				return body(`{"errcode":40001,"errmsg":"invalid credential"}`)(req)
			}
			return body(followerBody)(req)
		}
		c, err := wechat.NewClient(account, wechat.Endpoint{}, &http.Client{Transport: transportFunc(answer)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.AccessToken(t.Context()); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := c.UserInfoByOpenID(t.Context(), openID)
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Errorf("user info: error = %v, want none", err)
			}
		}
		if tokens != 2 {
			t.Errorf("20 calls with a stale token: %d tokens, want 2", tokens)
		}
	})
}

// transportFunc is a transport that is a function.
type transportFunc response

// RoundTrip implements [http.RoundTripper].
func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain, n := newClient(t, body(`{"errcode":40001,"errmsg":"stale"}`), body(followerBody))
		calls := 0
		c := plain.WithTokenSource(func(context.Context) (wechat.AccountToken, error) {
			calls++
			return wechat.AccountToken{AccessToken: fmt.Sprint("central", calls), Expiry: time.Now().Add(time.Hour)}, nil
		})
		if _, err := c.UserInfoByOpenID(t.Context(), openID); err != nil || calls != 2 || n.requests[1].URL.Query().Get("access_token") != "central2" {
			t.Errorf("user info: error = %v after %d tokens, want none after 2", err, calls)
		}
		wantToken(t, c, n, "central2", 2)
		<-time.After(55 * time.Minute)
		wantToken(t, c, n, "central3", 2)
	})
}

func TestTokenSourceFails(t *testing.T) {
	broken := errors.New("the service is away")
	plain, n := newClient(t)
	_, err := plain.WithTokenSource(func(context.Context) (wechat.AccountToken, error) {
		return wechat.AccountToken{}, broken
	}).UserInfoByOpenID(t.Context(), openID)
	if !errors.Is(err, broken) || err.Error() != "wechat: token source: the service is away" {
		t.Errorf("user info with a broken token source: error = %v, want that of the source", err)
	}
	_, err = plain.WithTokenSource(func(context.Context) (wechat.AccountToken, error) {
		return wechat.AccountToken{AccessToken: "a\nb", Expiry: time.Now().Add(time.Hour)}, nil
	}).UserInfoByOpenID(t.Context(), openID)
	wantOnly(t, err, wechat.ErrResponse)
	if len(n.requests) != 0 {
		t.Errorf("requests = %d, want none", len(n.requests))
	}
	// The original client still gets its own token.
	original, n := newClient(t, accountToken("own", 7200))
	_ = original.WithTokenSource(fixedToken)
	wantToken(t, original, n, "own", 1)
}

// TestAccountCallHasOneTimeLimit makes every request take two seconds. The call with its
// token and its repetition has five.
func TestAccountCallHasOneTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(next response) response { return slowly(slowly(next)) }
		c, n := newClient(t, slow(accountToken("first", 7200)), slow(body(`{"errcode":40001}`)), slow(accountToken("second", 7200)), slow(body(followerBody)))
		start := time.Now()
		_, err := c.UserInfoByOpenID(t.Context(), openID)
		wantOnly(t, err, wechat.ErrUnreachable)
		if took := time.Since(start); took != 5*time.Second || len(n.requests) != 3 {
			t.Errorf("user info ended after %v and %d requests, want 5s and 3", took, len(n.requests))
		}
	})
}

func TestAccountCallErrors(t *testing.T) {
	for op, call := range accountOperations {
		for code, want := range map[int]error{
			45009: wechat.ErrQuota, 45011: wechat.ErrQuota, 48001: wechat.ErrConfiguration, 50002: wechat.ErrConfiguration,
			40013: wechat.ErrConfiguration, 41030: wechat.ErrConfiguration, 40029: wechat.ErrCodeInvalid, 40003: wechat.ErrTokenInvalid,
		} {
			t.Run(fmt.Sprint(op, " ", code), func(t *testing.T) { testErrcode(t, op, call, code, want) })
		}
		for name, text := range map[string]string{"HTML": "<html>", "nothing": "", "an empty object": "{}", "ok": `{"errcode":0,"errmsg":"ok"}`} {
			c, _ := newClient(t, body(text))
			err := call(t.Context(), c)
			t.Run(op+" with "+name, func(t *testing.T) { wantOnly(t, err, wechat.ErrResponse) })
		}
	}
}
