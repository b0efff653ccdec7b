package jwt

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func newTokens() *Tokens {
	return &Tokens{
		Key: []byte("0123456789abcdef0123456789abcdef"), Issuer: "https://app.example.com", Audience: "https://api.example.com", Lifetime: 10 * time.Minute,
	}
}

// newApp returns an application that issues tokens at POST /token, and a browser in which
// lin is logged in.
func newApp(t *testing.T, tokens *Tokens) (*scangate.Gate, *http.Client) {
	t.Helper()
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	weChat := wechattest.NewStrict(t, wechattest.App{Account: account, Hosts: []string{"app.example.com"}})
	hosts := map[string]http.Handler{"open.weixin.qq.com": weChat, "api.weixin.qq.com": weChat}
	gate, err := scangate.New(scangate.Config{
		PublicURL: "https://app.example.com", OfficialAccount: account, Logger: slog.New(slog.DiscardHandler),
		WeChat: scangate.WeChat{HTTPClient: &http.Client{Transport: wechattest.Transport(hosts)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	issue, err := tokens.Issue(gate)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("POST /token", issue)
	mux.Handle("OPTIONS /token", issue)
	mux.Handle("/", gate.RequireWeChat(http.NotFoundHandler()))
	hosts["app.example.com"] = mux
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: wechattest.Transport(hosts), Jar: jar}
	weChat.LogIn(t, client, "https://app.example.com/wechat/login?return_to=/wechat/me", "lin")
	return gate, client
}

// ask posts for a token, and returns the status and the token.
func ask(t *testing.T, client *http.Client, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://app.example.com/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Token string }
	_ = json.NewDecoder(resp.Body).Decode(&answer) // a refusal has no token
	return resp.StatusCode, answer.Token
}

// bearer returns a request to the API with the token.
func bearer(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestTokenOfALogin(t *testing.T) {
	tokens := newTokens()
	gate, client := newApp(t, tokens)
	status, token := ask(t, client)
	user, err := tokens.User(bearer(token))
	if status != http.StatusOK || err != nil || user == "" {
		t.Fatalf("token of a login: status = %d, user %q, %v, want 200 and a user", status, user, err)
	}
	if status, token := ask(t, client, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden || token != "" {
		t.Errorf("token for another site: status = %d, token %q, want 403 and none", status, token)
	}
	if status, _ := ask(t, &http.Client{Transport: client.Transport}); status != http.StatusUnauthorized {
		t.Errorf("token without a login: status = %d, want 401", status)
	}
	if err := gate.EndSessions(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if status, _ := ask(t, client); status != http.StatusUnauthorized {
		t.Errorf("token after the end of all sessions: status = %d, want 401", status)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	tokens, now := newTokens(), time.Now()
	sign := func(method jwt.SigningMethod, key any, change func(*jwt.RegisteredClaims)) string {
		claims := jwt.RegisteredClaims{
			Issuer: tokens.Issuer, Audience: jwt.ClaimStrings{tokens.Audience}, Subject: "7", ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		}
		change(&claims)
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same := func(*jwt.RegisteredClaims) {}
	if user, err := tokens.User(bearer(sign(jwt.SigningMethodHS256, tokens.Key, same))); user != "7" || err != nil {
		t.Fatalf("valid token: user %q, %v, want 7", user, err)
	}
	for name, token := range map[string]string{
		"none":             sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another method":   sign(jwt.SigningMethodHS512, tokens.Key, same),
		"another key":      sign(jwt.SigningMethodHS256, []byte("another key of at least 32 bytes"), same),
		"expired":          sign(jwt.SigningMethodHS256, tokens.Key, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Minute)) }),
		"without an end":   sign(jwt.SigningMethodHS256, tokens.Key, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"another issuer":   sign(jwt.SigningMethodHS256, tokens.Key, func(c *jwt.RegisteredClaims) { c.Issuer = "https://evil.example" }),
		"another audience": sign(jwt.SigningMethodHS256, tokens.Key, func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"x"} }),
		"without a user":   sign(jwt.SigningMethodHS256, tokens.Key, func(c *jwt.RegisteredClaims) { c.Subject = "" }),
		"no token at all":  "x",
	} {
		if user, err := tokens.User(bearer(token)); err == nil {
			t.Errorf("token %s: user %q, want an error", name, user)
		}
	}
	if _, err := tokens.User(httptest.NewRequest(http.MethodGet, "/", nil)); err == nil {
		t.Error("request without a token: no error, want one")
	}
}

// TestTokensForAFrontEnd asks for a token from a front end on another host of the site, and
// from a page of another site.
func TestTokensForAFrontEnd(t *testing.T) {
	tokens := newTokens()
	tokens.Origins = []string{"https://www.example.com"}
	_, client := newApp(t, tokens)
	for origin, trusted := range map[string]bool{"https://www.example.com": true, "https://evil.example": false, "null": false} {
		status, token := ask(t, client, "Origin", origin, "Sec-Fetch-Site", "cross-site")
		if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[trusted]; status != want || (token != "") != trusted {
			t.Errorf("POST from %s: status %d, token %q, want %d", origin, status, token, want)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, "https://app.example.com/token", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		allowed := resp.Header.Get("Access-Control-Allow-Origin")
		if want := map[bool]string{true: origin}[trusted]; allowed != want || resp.StatusCode != http.StatusNoContent {
			t.Errorf("preflight from %s: status %d, allowed origin %q, want 204 and %q", origin, resp.StatusCode, allowed, want)
		}
	}
	tokens.Origins = []string{"www.example.com"}
	if _, err := tokens.Issue(new(scangate.Gate)); err == nil {
		t.Error("Issue with an origin without a scheme: no error")
	}
}

// TestTokensNeedAKey has no key, as if a variable were not set: no one may sign with it.
func TestTokensNeedAKey(t *testing.T) {
	tokens := newTokens()
	tokens.Key = nil
	if _, err := tokens.Issue(new(scangate.Gate)); err == nil {
		t.Error("Issue without a key: no error")
	}
	forged, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: tokens.Issuer, Audience: jwt.ClaimStrings{tokens.Audience}, Subject: "1", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).SignedString([]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if user, err := tokens.User(bearer(forged)); err == nil {
		t.Errorf("a token that an empty key has signed: user %q, want an error", user)
	}
}
