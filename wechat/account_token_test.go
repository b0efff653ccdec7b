package wechat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

// accountToken returns WeChat's answer with an account's token.
func accountToken(token string, expiresIn int) response {
	return body(fmt.Sprintf(`{"access_token":%q,"expires_in":%d}`, token, expiresIn))
}

// wantToken fails t unless the client's token is the wanted one, after the given number
// of requests.
func wantToken(t *testing.T, c *wechat.Client, n *network, want string, requests int) {
	t.Helper()
	token, err := c.AccessToken(t.Context())
	if err != nil || token.AccessToken != want || len(n.requests) != requests {
		t.Errorf("AccessToken = %q, %v after %d requests, want %q after %d", token.AccessToken, err, len(n.requests), want, requests)
	}
}

func TestAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, accountToken("first", 7200), accountToken("second", 7200))
		token, err := c.AccessToken(t.Context())
		if want := (wechat.AccountToken{AccessToken: "first", Expiry: time.Now().Add(2 * time.Hour)}); err != nil || token != want {
			t.Errorf("AccessToken = %#v, %v, want %#v", token, err, want)
		}
		req := n.requests[0]
		sent, _ := io.ReadAll(req.Body)
		want := `{"grant_type":"client_credential","appid":"` + appID + `","secret":"` + secret + `","force_refresh":false}` + "\n"
		if req.Method != http.MethodPost || req.URL.String() != "https://api.weixin.qq.com/cgi-bin/stable_token" || string(sent) != want || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("request = %s %s with %s %s, want a POST of stable_token with %s", req.Method, req.URL, req.Header.Get("Content-Type"), sent, want)
		}
		wantToken(t, c, n, "first", 1)
		<-time.After(115*time.Minute - time.Second)
		wantToken(t, c, n, "first", 1)
		// The last five minutes.
		<-time.After(time.Second)
		wantToken(t, c, n, "second", 2)
	})
}

// TestAccessTokenLifetimes uses tokens whose lifetime is shorter than WeChat documents.
func TestAccessTokenLifetimes(t *testing.T) {
	for name, c := range map[string]struct {
		expiresIn string
		again     time.Duration // time until the next request
	}{
		"two hours":         {"7200", 115 * time.Minute},
		"in quotes":         {`"7200"`, 115 * time.Minute},
		"the shortest":      {"300", 30 * time.Second},
		"shorter":           {"10", 10 * time.Second},
		"none":              {"0", 0},
		"missing":           {"null", 0},
		"longer than known": {"1000000", 1_000_000*time.Second - 5*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, n := newClient(t, body(`{"access_token":"a","expires_in":`+c.expiresIn+`}`))
				wantToken(t, client, n, "a", 1)
				if c.again > 0 {
					<-time.After(c.again - time.Nanosecond)
					wantToken(t, client, n, "a", 1)
					<-time.After(time.Nanosecond)
				}
				wantToken(t, client, n, "a", 2)
			})
		})
	}
}

// TestAccessTokenOutlivesAnOutage fails the renewal. The old token is used until its end,
// and the renewal is tried every 30 seconds.
func TestAccessTokenOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, accountToken("first", 7200), fail(io.EOF))
		wantToken(t, c, n, "first", 1)
		<-time.After(115 * time.Minute)
		wantToken(t, c, n, "first", 2)
		wantToken(t, c, n, "first", 2)
		<-time.After(30 * time.Second)
		wantToken(t, c, n, "first", 3)
		<-time.After(270*time.Second - time.Nanosecond)
		wantToken(t, c, n, "first", 4)
		<-time.After(time.Nanosecond)
		_, err := c.AccessToken(t.Context())
		wantOnly(t, err, wechat.ErrUnreachable)
	})
}

// TestSilenceAtTheRenewal gives no answer to the renewal. A call with the old token still
// has time.
func TestSilenceAtTheRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, accountToken("first", 7200), hang, body(followerBody), body(followerBody))
		wantToken(t, c, n, "first", 1)
		<-time.After(115 * time.Minute)
		start := time.Now()
		for number, want := range []time.Duration{2 * time.Second, 2 * time.Second} {
			if _, err := c.UserInfoByOpenID(t.Context(), openID); err != nil || time.Since(start) != want {
				t.Errorf("user info number %d: error = %v after %v, want none after %v", number+1, err, time.Since(start), want)
			}
		}
	})
}

func TestLongAccessToken(t *testing.T) {
	long := strings.Repeat("t", 512)
	c, n := newClient(t, accountToken(long, 7200))
	wantToken(t, c, n, long, 1)
}

// slowly returns a response after a second.
func slowly(next response) response {
	return func(req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(time.Second):
			return next(req)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
}

// callers calls AccessToken from a number of goroutines, and returns their results.
func callers(ctx context.Context, c *wechat.Client, number int) <-chan error {
	results := make(chan error, number)
	for range number {
		go func() {
			_, err := c.AccessToken(ctx)
			results <- err
		}()
	}
	return results
}

func TestOneCallAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		response response
		want     error
	}{
		"a token":  {slowly(accountToken("first", 7200)), nil},
		"an error": {slowly(body(`{"errcode":40164,"errmsg":"invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist rid: 1-2"}`)), wechat.ErrConfiguration},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, n := newClient(t, c.response)
				results := callers(t.Context(), client, 20)
				for range 20 {
					if err := <-results; !errors.Is(err, c.want) {
						t.Errorf("AccessToken: error = %v, want %v", err, c.want)
					}
				}
				if len(n.requests) != 1 {
					t.Errorf("20 calls at once: %d requests, want 1", len(n.requests))
				}
			})
		})
	}
}

// TestCanceledCallHandsOver cancels the call that fetches the token. Another one fetches it
// for the rest.
func TestCanceledCallHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, slowly(accountToken("first", 7200)))
		ctx, cancel := context.WithCancel(t.Context())
		first := callers(ctx, c, 1)
		synctest.Wait()
		others := callers(t.Context(), c, 20)
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("canceled call: error = %v, want %v", err, context.Canceled)
		}
		for range 20 {
			if err := <-others; err != nil {
				t.Errorf("another call: error = %v, want none", err)
			}
		}
		if len(n.requests) != 2 {
			t.Errorf("requests = %d, want 2", len(n.requests))
		}
	})
}

func TestWaitingCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, hang)
		first := callers(t.Context(), c, 1)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		canceled, patient := callers(ctx, c, 1), callers(t.Context(), c, 1)
		synctest.Wait()
		cancel()
		if err := <-canceled; !errors.Is(err, context.Canceled) || errors.Is(err, wechat.ErrUnreachable) {
			t.Errorf("canceled waiting call: error = %v, want %v", err, context.Canceled)
		}
		start := time.Now()
		for name, result := range map[string]<-chan error{"first": first, "waiting": patient} {
			if err := <-result; !errors.Is(err, wechat.ErrUnreachable) {
				t.Errorf("%s call: error = %v, want %v", name, err, wechat.ErrUnreachable)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("calls of a silent WeChat ended after %v, want 5s", took)
		}
	})
}

// TestPanicOfTheTokenSource lets a token source panic. The next call asks it again.
func TestPanicOfTheTokenSource(t *testing.T) {
	c, _ := newClient(t)
	calls := 0
	client := c.WithTokenSource(func(ctx context.Context) (wechat.AccountToken, error) {
		if calls++; calls == 1 {
			panic("oops")
		}
		return fixedToken(ctx)
	})
	func() {
		defer func() { _ = recover() }()
		_, _ = client.AccessToken(t.Context())
	}()
	if token, err := client.AccessToken(t.Context()); err != nil || token.AccessToken != accessToken {
		t.Errorf("AccessToken after a panic = %v, %v, want the token", token, err)
	}
}

func TestAccountTokenPrintsWithoutSecret(t *testing.T) {
	token, _ := fixedToken(t.Context())
	c, _ := newClient(t, accountToken(accessToken, 7200))
	if _, err := c.AccessToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{token, &token, []wechat.AccountToken{token}, c, *c} {
		wantNoSecret(t, fmt.Sprintf("%v %+v %#v %s %q", value, value, value, value, value))
	}
	stored, err := json.Marshal(token)
	var loaded wechat.AccountToken
	if err != nil || json.Unmarshal(stored, &loaded) != nil || loaded.AccessToken != accessToken || !loaded.Expiry.Equal(token.Expiry) {
		t.Errorf("token from JSON = %#v, %v, want the same token", loaded, err)
	}
}

// TestAccountTokenIsNotInErrors repeats each request's private values in its response.
func TestAccountTokenIsNotInErrors(t *testing.T) {
	for op, call := range accountOperations {
		private := accessToken
		switch op {
		case "user_info":
			private += " " + openID
		case "phone_number":
			private += " " + openID + " " + code
		}
		for name, response := range map[string]response{
			"an answer": body(`{"errcode":48001,"errmsg":"no ` + private + `"}`),
			"a transport": func(req *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("%s %s: %s: no route", req.Method, req.URL, private)
			},
		} {
			c, _ := newClient(t, response)
			err := call(t.Context(), c)
			text := errorTexts(err)
			wantNoSecret(t, text)
			if err == nil || strings.Contains(text, openID) {
				t.Errorf("%s with %s that quotes the request: error = %v, want one without the openid", op, name, err)
			}
		}
	}
}
