package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultTimeout = 5 * time.Second
	maxAnswer      = 1 << 20
	maxRetries     = 2
	firstPause     = 100 * time.Millisecond
)

// Bounds, in bytes, on what goes to WeChat and on what is taken from it. Real
// codes have 32 bytes, openids 28, tokens some 90.
const (
	maxID    = 128
	maxCode  = 512
	maxToken = 4096
)

// Client talks to WeChat for one account. Make one with [NewClient]; it is safe
// for concurrent use and holds nothing that has to be closed.
type Client struct {
	appID    string
	secret   func() string // which prints as an address, whatever a Client is part of
	endpoint Endpoint
	http     *http.Client
	timeout  time.Duration
}

// NewClient returns a client for an account, or an error that names the field
// which can't be right. It calls nobody.
//
// Calls go through a copy of hc. A nil hc means one with a transport like
// [http.DefaultTransport] that keeps more connections to WeChat's single host.
// The Timeout of hc limits a whole call with its retries; zero means 5 seconds.
// Its CheckRedirect is not used: redirects are never followed.
func NewClient(account Account, endpoint Endpoint, hc *http.Client) (*Client, error) {
	if err := account.validate(); err != nil {
		return nil, err
	}
	endpoint, err := endpoint.withDefaults()
	if err != nil {
		return nil, err
	}
	if hc == nil {
		hc = &http.Client{Transport: transport()}
	}
	own := *hc
	timeout := own.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	own.Timeout = 0 // the call's context carries it, over all tries
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		appID:    account.AppID,
		secret:   func() string { return account.Secret },
		endpoint: endpoint,
		http:     &own,
		timeout:  timeout,
	}, nil
}

// transport returns [http.DefaultTransport] made ready for many logins at once:
// that one keeps two connections to a host and closes the rest after each call.
func transport() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := shared.Clone()
	own.MaxIdleConnsPerHost = 32
	return own
}

// AppID returns the AppID of the client's account.
func (c *Client) AppID() string { return c.appID }

// Exchange trades the code of a callback for a token ("网页授权", step 2). A
// code is good once and for 5 minutes, at the account it was made for.
//
// A code that can't be one of WeChat's, and "authdeny", which stands for a
// refusal, fail with [ErrCodeInvalid] without a call. After an error that
// matches [ErrUnreachable] the code may be used up: trying it again can answer
// [ErrCodeUsed].
func (c *Client) Exchange(ctx context.Context, code string) (Token, error) {
	if !visible(code, maxCode) || code == "authdeny" {
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

// Refresh buys a new access token ("网页授权", step 3). Store the refresh token
// that comes with it, which may be another one.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (Token, error) {
	if !visible(refreshToken, maxToken) {
		return Token{}, fmt.Errorf("wechat: %s: %w", opRefresh, ErrTokenInvalid)
	}
	return c.token(ctx, request{
		op: opRefresh, path: "/sns/oauth2/refresh_token",
		query: url.Values{
			"appid": {c.appID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken},
		},
	})
}

// Verify asks whether an access token still holds for a person ("网页授权",
// appendix). It returns nil if it does.
func (c *Client) Verify(ctx context.Context, accessToken, openID string) error {
	if !visible(accessToken, maxToken) || !visible(openID, maxID) {
		return fmt.Errorf("wechat: %s: %w", opVerify, ErrTokenInvalid)
	}
	var answer verifyAnswer
	return c.call(ctx, request{
		op: opVerify, path: "/sns/auth",
		query: url.Values{"access_token": {accessToken}, "openid": {openID}},
	}, &answer)
}

// UserInfo asks what a person shows of themselves, with region names in
// simplified Chinese ("网页授权", step 4). The token needs [ScopeUserInfo] or
// [ScopeLogin]; else the error matches [ErrConfiguration].
func (c *Client) UserInfo(ctx context.Context, accessToken, openID string) (UserInfo, error) {
	if !visible(accessToken, maxToken) || !visible(openID, maxID) {
		return UserInfo{}, fmt.Errorf("wechat: %s: %w", opUserInfo, ErrTokenInvalid)
	}
	answer := userInfoAnswer{asked: openID}
	err := c.call(ctx, request{
		op: opUserInfo, path: "/sns/userinfo",
		query: url.Values{"access_token": {accessToken}, "openid": {openID}, "lang": {"zh_CN"}},
	}, &answer)
	if err != nil {
		return UserInfo{}, err
	}
	return answer.userInfo(), nil
}

// token makes a call that is answered with a token.
func (c *Client) token(ctx context.Context, r request) (Token, error) {
	asked := time.Now()
	var answer tokenAnswer
	if err := c.call(ctx, r, &answer); err != nil {
		return Token{}, err
	}
	return answer.token(asked), nil
}

// call makes r, again while WeChat says that it is busy, and fills answer.
func (c *Client) call(ctx context.Context, r request, answer answer) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := firstPause; ; pause *= 2 {
		body, err := c.get(ctx, r)
		if err == nil {
			err = r.decode(body, answer)
		}
		if !errors.Is(err, ErrBusy) || pause == firstPause<<maxRetries {
			return err
		}
		if ended := wait(ctx, pause); ended != nil {
			return fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// wait waits for pause and up to as much again, so that callers who were turned
// away together don't come back together. It returns ctx's error if ctx ends.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause + rand.N(pause)) //nolint:gosec // jitter need not be unguessable
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// get sends r once and returns the body of a 200.
func (c *Client) get(ctx context.Context, r request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.API+r.path+"?"+r.query.Encode(), nil)
	if err != nil {
		return nil, r.unreachable(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, r.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, r.invalid(fmt.Sprintf("HTTP status %d", resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, r.unreachable(err)
	}
	if len(body) > maxAnswer {
		return nil, r.invalid("more than 1 MiB")
	}
	return body, nil
}

// request is one call: its name in errors, its path and its parameters.
type request struct {
	op, path string
	query    url.Values
}

// unreachable wraps why no answer came. [*url.Error] prints the whole address,
// secret and all, so its cause is taken out of it, however deep it sits.
func (r request) unreachable(cause error) error {
	var located *url.Error
	for errors.As(cause, &located) {
		cause = located.Err
	}
	if text := r.scrub(cause.Error()); text != cause.Error() {
		cause = errors.New(text)
	}
	if errors.Is(cause, context.Canceled) {
		return fmt.Errorf("wechat: %s: %w", r.op, cause)
	}
	return fmt.Errorf("wechat: %s: %w: %w", r.op, ErrUnreachable, cause)
}

// invalid reports an answer that isn't one of WeChat's. The reason must not quote it.
func (r request) invalid(reason string) error {
	return fmt.Errorf("wechat: %s: %w: %s", r.op, ErrResponse, reason)
}

// scrub takes the request's secret values out of a text that may repeat them,
// as they are or as they stand in its address. Values under four bytes are no
// secrets; blotting them out would only garble the text.
func (r request) scrub(text string) string {
	for _, name := range []string{"secret", "code", "access_token", "refresh_token"} {
		if value := r.query.Get(name); len(value) >= 4 {
			text = strings.NewReplacer(value, redacted, url.QueryEscape(value), redacted).Replace(text)
		}
	}
	return text
}

// visible reports whether s has 1 to limit bytes, all of them printable ASCII
// and none a space, as all of WeChat's ids, codes and tokens are.
func visible(s string, limit int) bool {
	return s != "" && len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~'
	})
}
