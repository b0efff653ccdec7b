package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	defaultTimeout = 5 * time.Second
	maxResponse    = 1 << 20 // bytes of a body
	maxRetries     = 2
	firstPause     = 100 * time.Millisecond // before the first retry; doubled for the next
)

// Limits, in bytes, for values in requests and responses. WeChat's codes have 32 bytes,
// openids 28 and tokens about 90.
const (
	maxID    = 128
	maxCode  = 512
	maxToken = 4096
)

// Client calls WeChat for one account. [NewClient] returns one. It is safe for
// concurrent use, and there is nothing to close.
type Client struct {
	appID string
	// secret is a function because fmt and log handlers print the address of a
	// function, also for a value that contains a Client.
	secret   func() string
	endpoint Endpoint
	http     *http.Client
	timeout  time.Duration
	// tokens is a function for the same reason.
	tokens func() *accountTokens
}

// NewClient returns a client for an account. Its error names the fields at fault. It makes
// no call.
//
// The client uses a copy of hc. If hc is nil, the transport is a copy of
// [http.DefaultTransport] that keeps more idle connections to one host. The Timeout of
// hc limits a call including its retries; zero means 5 seconds. CheckRedirect is
// ignored: redirects are never followed.
func NewClient(account Account, endpoint Endpoint, hc *http.Client) (*Client, error) {
	if err := account.Validate(); err != nil {
		return nil, err
	}
	endpoint, err := endpoint.withDefaults()
	if err != nil {
		return nil, err
	}
	if hc == nil {
		hc = &http.Client{Transport: newTransport()}
	}
	own := *hc
	timeout := own.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	// http.Client would apply its Timeout to each attempt. The context of the call
	// limits all of them together.
	own.Timeout = 0
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{
		appID:    account.AppID,
		secret:   func() string { return account.Secret },
		endpoint: endpoint,
		http:     &own,
		timeout:  timeout,
	}
	tokens := &accountTokens{fetch: c.stableToken}
	c.tokens = func() *accountTokens { return tokens }
	return c, nil
}

// newTransport returns a copy of [http.DefaultTransport] for many calls to one host.
func newTransport() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		// The application has replaced it, and probably for a reason.
		return http.DefaultTransport
	}
	own := shared.Clone()
	// The default keeps two idle connections per host. Many logins at once would open
	// a new one, with a TLS handshake, for nearly every call.
	own.MaxIdleConnsPerHost = 32
	return own
}

// AppID returns the AppID of the client's account.
func (c *Client) AppID() string { return c.appID }

// Exchange exchanges the code of a callback for a token ("网页授权", step 2). A code can
// be used once, within 5 minutes, by the account that it was issued to.
//
// For a malformed code, and for "authdeny", which stands for a refusal, Exchange returns
// [ErrCodeInvalid] without a call. After an error that matches [ErrUnreachable], the
// code may have been used: a second attempt can return [ErrCodeUsed].
func (c *Client) Exchange(ctx context.Context, code string) (Token, error) {
	if !printable(code, maxCode) || code == "authdeny" {
		return Token{}, fmt.Errorf("wechat: %s: %w", opExchange, ErrCodeInvalid)
	}
	return c.token(ctx, request{
		op: opExchange, path: "/sns/oauth2/access_token",
		query: url.Values{
			"appid": {c.appID}, "secret": {c.secret()},
			"code": {code}, "grant_type": {"authorization_code"},
		},
	})
}

// Refresh returns an access token with a new lifetime ("网页授权", step 3). For accounts
// of the Open Platform, WeChat prolongs an access token that has not expired and returns
// the same one. Store the refresh token that comes with it, because it may differ from
// the given one.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (Token, error) {
	if !printable(refreshToken, maxToken) {
		return Token{}, fmt.Errorf("wechat: %s: %w", opRefresh, ErrTokenInvalid)
	}
	return c.token(ctx, request{
		op: opRefresh, path: "/sns/oauth2/refresh_token",
		query: url.Values{
			"appid": {c.appID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken},
		},
	})
}

// Verify returns nil if the access token is valid for the person ("网页授权", appendix).
func (c *Client) Verify(ctx context.Context, accessToken, openID string) error {
	if !printable(accessToken, maxToken) || !printable(openID, maxID) {
		return fmt.Errorf("wechat: %s: %w", opVerify, ErrTokenInvalid)
	}
	var answer verifyAnswer
	return c.call(ctx, request{
		op: opVerify, path: "/sns/auth",
		query: url.Values{"access_token": {accessToken}, "openid": {openID}},
	}, &answer)
}

// UserInfo returns a person's profile ("网页授权", step 4). Region names are in
// simplified Chinese. The token needs [ScopeUserInfo] or [ScopeLogin]; otherwise the
// error matches [ErrConfiguration].
func (c *Client) UserInfo(ctx context.Context, accessToken, openID string) (UserInfo, error) {
	if !printable(accessToken, maxToken) || !printable(openID, maxID) {
		return UserInfo{}, fmt.Errorf("wechat: %s: %w", opUserInfo, ErrTokenInvalid)
	}
	answer := userInfoAnswer{requested: openID}
	err := c.call(ctx, request{
		op: opUserInfo, path: "/sns/userinfo",
		query: url.Values{"access_token": {accessToken}, "openid": {openID}, "lang": {"zh_CN"}},
	}, &answer)
	if err != nil {
		return UserInfo{}, err
	}
	return answer.userInfo(), nil
}

// token sends a request whose answer is a token.
func (c *Client) token(ctx context.Context, r request) (Token, error) {
	// WeChat counts the lifetime from its answer. Counting from the request makes the
	// token expire here a little earlier, never later.
	sent := time.Now()
	var answer tokenAnswer
	if err := c.call(ctx, r, &answer); err != nil {
		return Token{}, err
	}
	return answer.token(sent), nil
}

// call sends r and decodes the response into answer. It sends r again while WeChat is
// busy, up to maxRetries times.
func (c *Client) call(ctx context.Context, r request, answer answer) error {
	return c.callFor(ctx, r, func(body []byte) error { return r.decode(body, answer) })
}

// callFor is call for a response that decode decodes.
func (c *Client) callFor(ctx context.Context, r request, decode func(body []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := firstPause; ; pause *= 2 {
		body, err := c.send(ctx, r)
		if err == nil {
			err = decode(body)
		}
		// Any other error may come after WeChat has processed the call, and a second
		// exchange of a used code fails.
		if !errors.Is(err, ErrBusy) || pause == firstPause<<maxRetries {
			return err
		}
		if ended := wait(ctx, pause); ended != nil {
			return fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// wait waits for a random time between pause and twice that. If ctx ends first, it
// returns the error of ctx.
func wait(ctx context.Context, pause time.Duration) error {
	// Random, so that clients that were rejected together do not return together.
	timer := time.NewTimer(pause + rand.N(pause)) //nolint:gosec // jitter may be predictable
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends r once and returns the body of the response, whose status must be 200.
func (c *Client) send(ctx context.Context, r request) ([]byte, error) {
	req, err := r.build(ctx, c.endpoint.API)
	if err != nil {
		return nil, r.unreachableError(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, r.unreachableError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, r.responseError(fmt.Sprintf("HTTP status %d", resp.StatusCode))
	}
	// One byte more than allowed distinguishes a body of the maximum size from a
	// longer one.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, r.unreachableError(err)
	}
	if len(body) > maxResponse {
		return nil, r.responseError("more than 1 MiB")
	}
	return body, nil
}

// request is a call of WeChat's API.
type request struct {
	op    string // the name of the call in errors
	path  string
	query url.Values
	// body is posted as JSON, unless it is nil.
	body any
	// private are the secret values in body.
	private []string
}

// build returns the HTTP request of r.
func (r request) build(ctx context.Context, base string) (*http.Request, error) {
	address := base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	if r.body == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	// Escapes such as \u0026 are valid, but other clients do not send them.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.body); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// unreachableError returns the error of a request that got no complete response. It
// wraps cause without the request's secrets.
func (r request) unreachableError(cause error) error {
	// A *url.Error prints the URL with the secret, so only its cause is wrapped. A
	// transport such as a proxy's may nest several.
	var urlError *url.Error
	for errors.As(cause, &urlError) {
		cause = urlError.Err
	}
	// A transport may also write the URL into its own text. Only the text remains
	// then, because wrapping the error would keep the secret in the chain.
	if text := r.redact(cause.Error()); text != cause.Error() {
		cause = errors.New(text)
	}
	// The caller canceled the call, so WeChat is not to blame.
	if errors.Is(cause, context.Canceled) {
		return fmt.Errorf("wechat: %s: %w", r.op, cause)
	}
	return fmt.Errorf("wechat: %s: %w: %w", r.op, ErrUnreachable, cause)
}

// responseError returns the error for an invalid response. The reason must not quote it.
func (r request) responseError(reason string) error {
	return fmt.Errorf("wechat: %s: %w: %s", r.op, ErrResponse, reason)
}

// privateParameters are the parameters whose values are secrets or IDs of a person.
var privateParameters = []string{"secret", "code", "js_code", "access_token", "refresh_token", "openid"}

// redact replaces the request's secret values in text, plain or escaped as in a URL.
func (r request) redact(text string) string {
	private := slices.Clip(r.private)
	for _, name := range privateParameters {
		private = append(private, r.query.Get(name))
	}
	for _, value := range private {
		// A value under four bytes is not a secret. Replacing it would only garble
		// the text.
		if len(value) >= 4 {
			text = strings.NewReplacer(value, redacted, url.QueryEscape(value), redacted).Replace(text)
		}
	}
	return text
}

// printable reports whether s has 1 to limit bytes of printable ASCII without spaces. All
// of WeChat's ids, codes and tokens are of that form.
func printable(s string, limit int) bool {
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~'
	})
}
