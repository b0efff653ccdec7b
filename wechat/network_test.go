package wechat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

const (
	appID        = "wx0123456789abcdef"
	secret       = "5ec4e75ec4e75ec4e75ec4e75ec4e700"
	code         = "0c0dec0dec0dec0dec0dec0dec0dec0d"
	accessToken  = "78_acce55acce55acce55acce55"
	refreshToken = "78_4ef4e54ef4e54ef4e54ef4e5"
	openID       = "oLVPpjqs9BhvzwPj5A-vTYAX3GLc"
)

// goodToken is WeChat's answer to an exchange or a refresh.
const goodToken = `{"access_token":"` + accessToken + `","expires_in":7200,"refresh_token":"` + refreshToken +
	`","openid":"` + openID + `","scope":"snsapi_userinfo,snsapi_login","is_snapshotuser":1,"unionid":"oUnion"}`

var account = wechat.Account{AppID: appID, Secret: secret}

// network is a transport that returns its responses in order, and the last one for every
// further request. It records the requests.
type network struct {
	responses []response
	requests  []*http.Request
}

// response returns the response to a request, or the error of the transport.
type response func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.requests = append(n.requests, req)
	return n.responses[min(len(n.requests), len(n.responses))-1](req)
}

// status returns a response with a status code and a body.
func status(code int, body string) response {
	return func(req *http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"text/plain"}, "Location": {"https://elsewhere.example/"}}
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

// body returns a response with status 200.
func body(text string) response { return status(http.StatusOK, text) }

// fail returns a transport error instead of a response.
func fail(err error) response {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hang returns no response until the request's context ends.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// hangInBody returns a status at once, and no body until the request's context ends.
func hangInBody(req *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	context.AfterFunc(req.Context(), func() { writer.CloseWithError(req.Context().Err()) })
	return &http.Response{StatusCode: http.StatusOK, Body: reader, Request: req}, nil
}

// failInBody returns the beginning of a body, and then err.
func failInBody(err error) response {
	return func(req *http.Request) (*http.Response, error) {
		reader := io.MultiReader(strings.NewReader(`{"openid"`), failingReader{err})
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(reader), Request: req}, nil
	}
}

// failingReader is a reader that always returns err.
type failingReader struct{ err error }

// Read implements [io.Reader].
func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// newClient returns a client whose calls get the given responses, and its network.
func newClient(t *testing.T, responses ...response) (*wechat.Client, *network) {
	t.Helper()
	n := &network{responses: responses}
	c, err := wechat.NewClient(account, wechat.Endpoint{}, &http.Client{Transport: n})
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return c, n
}

// operations are the client's calls by the name in their errors.
var operations = map[string]func(context.Context, *wechat.Client) error{
	"exchange": func(ctx context.Context, c *wechat.Client) error { _, err := c.Exchange(ctx, code); return err },
	"refresh":  func(ctx context.Context, c *wechat.Client) error { _, err := c.Refresh(ctx, refreshToken); return err },
	"verify":   func(ctx context.Context, c *wechat.Client) error { return c.Verify(ctx, accessToken, openID) },
	"userinfo": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.UserInfo(ctx, accessToken, openID)
		return err
	},
	"stable_token":   func(ctx context.Context, c *wechat.Client) error { _, err := c.AccessToken(ctx); return err },
	"jscode2session": func(ctx context.Context, c *wechat.Client) error { _, err := c.SessionByCode(ctx, code); return err },
}

// accountOperations are the calls with the account's token, by the name in their errors.
// The token is accessToken, without a call.
var accountOperations = map[string]func(context.Context, *wechat.Client) error{
	"qrcode": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.WithTokenSource(fixedToken).CreateQRCode(ctx, "scene", time.Hour)
		return err
	},
	"user_info": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.WithTokenSource(fixedToken).UserInfoByOpenID(ctx, openID)
		return err
	},
	"phone_number": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.WithTokenSource(fixedToken).PhoneNumber(ctx, code, openID)
		return err
	},
	"wxacode": func(ctx context.Context, c *wechat.Client) error {
		_, err := c.WithTokenSource(fixedToken).MiniProgramCode(ctx, wechat.MiniProgramCode{Scene: "scene"})
		return err
	},
}

// fixedToken is a token source that always returns accessToken.
func fixedToken(context.Context) (wechat.AccountToken, error) {
	return wechat.AccountToken{AccessToken: accessToken, Expiry: time.Now().Add(time.Hour)}, nil
}

var sentinels = []error{
	wechat.ErrCodeUsed, wechat.ErrCodeInvalid, wechat.ErrTokenExpired, wechat.ErrTokenInvalid, wechat.ErrBusy,
	wechat.ErrQuota, wechat.ErrConfiguration, wechat.ErrRefused, wechat.ErrResponse, wechat.ErrUnreachable,
}

// wantOnly fails t unless err matches want and no other sentinel. If want is nil, err
// must match no sentinel.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	if err == nil && want != nil {
		t.Fatalf("error = nil, want %q", want)
	}
	for _, sentinel := range sentinels {
		same := sentinel == want //nolint:errorlint // compares two sentinels, neither of which is wrapped
		if got := errors.Is(err, sentinel); got != same {
			t.Errorf("errors.Is(%v, %q) = %t, want %t", err, sentinel, got, same)
		}
	}
}

// wantNoSecret fails t if text contains a secret, a code or a token. All of them look
// the same in a URL.
func wantNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, private := range []string{secret, code, accessToken, refreshToken} {
		if strings.Contains(text, private) {
			t.Errorf("text = %q, want no %q in it", text, private)
		}
	}
}

// errorTexts returns the texts of err and of every error that it wraps.
func errorTexts(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	switch err := err.(type) { //nolint:errorlint // visits each error of the tree itself
	case interface{ Unwrap() error }:
		text += "\n" + errorTexts(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			text += "\n" + errorTexts(cause)
		}
	}
	return text
}

// wantRequest fails t unless the client sent exactly one request: a GET of path with
// query to WeChat's API.
func wantRequest(t *testing.T, n *network, path string, query url.Values) {
	t.Helper()
	if len(n.requests) != 1 {
		t.Fatalf("requests = %d, want 1", len(n.requests))
	}
	req := n.requests[0]
	if req.Method != http.MethodGet || req.URL.Host != "api.weixin.qq.com" || req.URL.Path != path || !reflect.DeepEqual(req.URL.Query(), query) {
		t.Errorf("request = %s %s, want GET https://api.weixin.qq.com%s?%s", req.Method, req.URL, path, query.Encode())
	}
}
