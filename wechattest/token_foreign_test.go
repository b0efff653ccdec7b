package wechattest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// post sends a form and returns the response and its body.
func (w *world) post(ctx context.Context, t *testing.T, method, address, contentType, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := w.rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp)
}

const formType = "application/x-www-form-urlencoded"

// TestCaseC03CodeExchangedByPost sends the forms of shipped clients. CODE is replaced by
// a new code. A strict simulator accepts them too.
func TestCaseC03CodeExchangedByPost(t *testing.T) {
	for name, c := range map[string]struct{ query, form string }{
		"passport-weixin and Keycloak": {"", "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&grant_type=authorization_code"},
		"Auth.js": {
			"?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1",
			"client_id=wx00000000official&client_secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&grant_type=authorization_code",
		},
		"all in the query": {"?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&grant_type=authorization_code", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			code := w.code(t, authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"), "lin")
			fill := func(s string) string { return strings.Replace(s, "CODE", code, 1) }
			resp, body := w.post(t.Context(), t, http.MethodPost, apiURL+"/sns/oauth2/access_token"+fill(c.query), formType, fill(c.form))
			var token struct{ OpenID string }
			if err := json.Unmarshal([]byte(body), &token); err != nil || resp.StatusCode != http.StatusOK || token.OpenID != w.OpenID("lin", official.AppID) {
				t.Errorf("POST: status = %d, body = %s, want 200 and lin's openid", resp.StatusCode, body)
			}
			if got := w.Calls(wechattest.OpExchange); got != 1 {
				t.Errorf("POST: calls = %d, want 1", got)
			}
		})
	}
}

func TestCaseC03PostIsCheckedLikeGet(t *testing.T) {
	const good = "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&grant_type=authorization_code"
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, c := range map[string]struct{ contentType, form, want string }{
		"an unknown code": {formType, good, "40029"},
		"another secret":  {formType, edit("0ff1c1a10ff1c1a10ff1c1a10ff1c1a1", "x"), "40125"},
		"no appid":        {formType, edit("appid=wx00000000official&", ""), "41002"},
		"JSON":            {"application/json", `{"appid":"wx00000000official"}`, "41002"},
		"no form":         {formType, "", "41002"},
		"a long form":     {formType, "a=" + strings.Repeat("a", 1<<20) + "&" + good, "41002"},
	} {
		w := newWorld(t)
		resp, body := w.post(t.Context(), t, http.MethodPost, apiURL+"/sns/oauth2/access_token", c.contentType, c.form)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"errcode":`+c.want) {
			t.Errorf("POST with %s: status = %d, body = %s, want 200 and errcode %s", name, resp.StatusCode, body, c.want)
		}
	}
}

// TestCaseC03WrongMethod: the API answers a wrong method with an error of WeChat's and
// status 200, and a strict simulator fails the test.
func TestCaseC03WrongMethod(t *testing.T) {
	for _, c := range []struct{ method, path string }{
		{http.MethodPost, "/sns/userinfo"},
		{http.MethodPost, "/sns/auth"},
		{http.MethodPost, "/sns/oauth2/refresh_token"},
		{http.MethodPut, "/sns/oauth2/access_token"},
		{http.MethodDelete, "/sns/userinfo"},
	} {
		fake := &fakeT{TB: t}
		w := worldOf(wechattest.NewStrict(fake, official))
		resp, body := w.post(t.Context(), t, c.method, apiURL+c.path, formType, "access_token=a&openid=o")
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"errcode":43001,"errmsg":"require GET method`) {
			t.Errorf("%s %s: status = %d, body = %s, want 200 and errcode 43001", c.method, c.path, resp.StatusCode, body)
		}
		checkFailure(t, fake, "GET only")
	}
	w := newWorld(t)
	resp, body := w.post(t.Context(), t, http.MethodPost, qrconnect(website, "s1"), formType, "a=b")
	if resp.StatusCode != http.StatusOK || strings.Contains(body, wechattest.PersonParam) {
		t.Errorf("POST of the QR code page: status = %d, want 200 and an error page\n%s", resp.StatusCode, body)
	}
}

// testRefresh exchanges a code, waits, and refreshes the token. It returns the clients'
// tokens.
func testRefresh(t *testing.T, w *world, app wechattest.App, link string, wait time.Duration) (first, second wechat.Token) {
	t.Helper()
	client := w.client(t, app)
	first, err := client.Exchange(t.Context(), w.code(t, link, "lin"))
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(wait) // in the bubble of synctest
	second, err = client.Refresh(t.Context(), first.RefreshToken)
	if err != nil || second.RefreshToken != first.RefreshToken || time.Until(second.Expiry) != 2*time.Hour {
		t.Errorf("Refresh after %v = %#v, %v, want the same refresh token and 2 h", wait, second, err)
	}
	return first, second
}

func TestCaseC05RefreshOfAnUnexpiredToken(t *testing.T) {
	for name, c := range map[string]struct {
		app  wechattest.App
		link string
		wait time.Duration
		same bool
	}{
		"website, at once":           {website, qrconnect(website, "s1"), 0, true},
		"website, a second before":   {website, qrconnect(website, "s1"), 2*time.Hour - time.Second, true},
		"website, expired":           {website, qrconnect(website, "s1"), 2 * time.Hour, false},
		"official account, at once":  {official, authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"), 0, false},
		"official account, expired":  {official, authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"), 2 * time.Hour, false},
		"website, after an hour":     {website, qrconnect(website, "s1"), time.Hour, true},
		"website, after three hours": {website, qrconnect(website, "s1"), 3 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStrictWorld(t)
				first, second := testRefresh(t, w, c.app, c.link, c.wait)
				if got := first.AccessToken == second.AccessToken; got != c.same {
					t.Errorf("Refresh after %v: same access token = %t, want %t", c.wait, got, c.same)
				}
				client := w.client(t, c.app)
				<-time.After(2*time.Hour - time.Second)
				if err := client.Verify(t.Context(), second.AccessToken, second.OpenID); err != nil {
					t.Errorf("Verify a second before the new end = %v, want none", err)
				}
				<-time.After(time.Second)
				if err := client.Verify(t.Context(), second.AccessToken, second.OpenID); err == nil {
					t.Error("Verify at the new end = nil, want an error")
				}
			})
		})
	}
}

// TestCaseC05Expire: a token that the test has expired is replaced, and several
// refreshes return one token.
func TestCaseC05Expire(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, website)
	token, err := client.Exchange(t.Context(), w.code(t, qrconnect(website, "s1"), "lin"))
	if err != nil {
		t.Fatal(err)
	}
	w.Expire("lin")
	seen := map[string]bool{token.AccessToken: true}
	for range 3 {
		fresh, err := client.Refresh(t.Context(), token.RefreshToken)
		if err != nil || client.Verify(t.Context(), fresh.AccessToken, fresh.OpenID) != nil {
			t.Fatalf("Refresh = %#v, %v, want a valid token", fresh, err)
		}
		seen[fresh.AccessToken] = true
	}
	if len(seen) != 2 {
		t.Errorf("access tokens after Expire and three refreshes = %d, want 2", len(seen))
	}
	// Each exchange still has a token of its own.
	other, err := client.Exchange(t.Context(), w.code(t, qrconnect(website, "s1"), "lin"))
	if err != nil || seen[other.AccessToken] {
		t.Errorf("Exchange of another code = %#v, %v, want another access token", other, err)
	}
}
