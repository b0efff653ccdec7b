package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

func TestMalformedValuesAreNotSent(t *testing.T) {
	ctx := t.Context()
	exchange := func(code string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.Exchange(ctx, code); return err }
	}
	refresh := func(token string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.Refresh(ctx, token); return err }
	}
	verify := func(token, openID string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { return c.Verify(ctx, token, openID) }
	}
	userInfo := func(token, openID string) func(*wechat.Client) error {
		return func(c *wechat.Client) error { _, err := c.UserInfo(ctx, token, openID); return err }
	}
	for name, c := range map[string]struct {
		call func(*wechat.Client) error
		want error
	}{
		"no code":                   {exchange(""), wechat.ErrCodeInvalid},
		"authdeny":                  {exchange("authdeny"), wechat.ErrCodeInvalid},
		"a long code":               {exchange(strings.Repeat("c", 513)), wechat.ErrCodeInvalid},
		"a code with a space":       {exchange("c c"), wechat.ErrCodeInvalid},
		"a code with a NUL":         {exchange("c\x00"), wechat.ErrCodeInvalid},
		"a Chinese code":            {exchange("码"), wechat.ErrCodeInvalid},
		"a code that is not UTF-8":  {exchange("c\xff"), wechat.ErrCodeInvalid},
		"no refresh token":          {refresh(""), wechat.ErrTokenInvalid},
		"a long refresh token":      {refresh(strings.Repeat("r", 4097)), wechat.ErrTokenInvalid},
		"verify without token":      {verify("", openID), wechat.ErrTokenInvalid},
		"verify without openid":     {verify(accessToken, ""), wechat.ErrTokenInvalid},
		"user info without token":   {userInfo("", openID), wechat.ErrTokenInvalid},
		"user info with a line end": {userInfo(accessToken, "o\n"), wechat.ErrTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			client, n := newClient(t, body(goodToken))
			err := c.call(client)
			wantOnly(t, err, c.want)
			if err == nil || !strings.HasPrefix(err.Error(), "wechat: ") {
				t.Errorf("error = %v, want one from wechat", err)
			}
			if len(n.requests) != 0 {
				t.Errorf("%d requests, want none", len(n.requests))
			}
		})
	}
	client, _ := newClient(t, body(goodToken))
	if err := exchange(strings.Repeat("c", 512))(client); err != nil {
		t.Errorf("exchange of a code of 512 bytes: error = %v, want none", err)
	}
}

func TestUnreachable(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	quoting := func(req *http.Request) (*http.Response, error) { return nil, fmt.Errorf("GET %s: no route", req.URL) }
	wrapping := func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("proxy: %w", &url.Error{Op: "Get", URL: req.URL.String(), Err: refused})
	}
	for name, c := range map[string]struct {
		response response
		cause    error // wrapped by the error; nil if none is promised
		after    time.Duration
	}{
		"refused":                      {fail(refused), refused, 0},
		"an error that quotes the URL": {quoting, nil, 0},
		"an error that wraps the URL":  {wrapping, refused, 0},
		"a body that ends early":       {failInBody(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF, 0},
		"no response":                  {hang, context.DeadlineExceeded, 5 * time.Second},
		"a status without a body":      {hangInBody, context.DeadlineExceeded, 5 * time.Second},
	} {
		for op, call := range operations {
			t.Run(name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					client, n := newClient(t, c.response)
					err := call(t.Context(), client)
					wantUnreachable(t, err, c.cause, c.after > 0)
					if took := time.Since(start); took != c.after || len(n.requests) != 1 {
						t.Errorf("%s: ended after %v and %d requests, want %v and 1", op, took, len(n.requests), c.after)
					}
				})
			})
		}
	}
}

// wantUnreachable fails t unless err is ErrUnreachable without secrets, wraps cause
// unless that is nil, and is a timeout if timeout is set.
func wantUnreachable(t *testing.T, err, cause error, timeout bool) {
	t.Helper()
	wantOnly(t, err, wechat.ErrUnreachable)
	wantNoSecret(t, errorTexts(err))
	// A *url.Error prints its URL, which contains the secret.
	var urlError *url.Error
	if errors.As(err, &urlError) {
		t.Errorf("error = %v, want no *url.Error in it", err)
	}
	if cause != nil && !errors.Is(err, cause) {
		t.Errorf("error = %v, want it to wrap %v", err, cause)
	}
	var network net.Error
	if timeout && (!errors.As(err, &network) || !network.Timeout()) {
		t.Errorf("error = %v, want a timeout", err)
	}
}

func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.Exchange(ctx, code)
		wantOnly(t, err, nil)
		wantNoSecret(t, errorTexts(err))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("exchange: error = %v, want %v", err, context.Canceled)
		}
	})
}

func TestTimeoutOfTheHTTPClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		hc := &http.Client{Transport: &network{responses: []response{hang}}, Timeout: time.Minute}
		c, err := wechat.NewClient(account, wechat.Endpoint{}, hc)
		if err != nil {
			t.Fatalf("NewClient: %v", err)
		}
		_, err = c.Exchange(t.Context(), code)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
			t.Errorf("exchange: error = %v after %v, want %v after 1m0s", err, took, context.DeadlineExceeded)
		}
	})
}

// busy is WeChat's response when it has not processed a call.
const busy = `{"errcode":-1,"errmsg":"system error, rid: 7"}`

func TestBusy(t *testing.T) {
	slow := func(req *http.Request) (*http.Response, error) {
		<-time.After(3 * time.Second) // in the bubble, without waiting
		return body(busy)(req)
	}
	for name, c := range map[string]struct {
		responses []response
		want      error
		requests  int
	}{
		"once":                     {[]response{body(busy), body(goodToken)}, nil, 2},
		"twice":                    {[]response{body(busy), body(busy), body(goodToken)}, nil, 3},
		"for ever":                 {[]response{body(busy)}, wechat.ErrBusy, 3},
		"then a used code":         {[]response{body(busy), body(`{"errcode":40163}`), body(goodToken)}, wechat.ErrCodeUsed, 2},
		"then an invalid response": {[]response{body(busy), body("<html>"), body(goodToken)}, wechat.ErrResponse, 2},
		"then unreachable":         {[]response{body(busy), fail(io.EOF), body(goodToken)}, wechat.ErrUnreachable, 2},
		"not retried: quota":       {[]response{body(`{"errcode":45011}`), body(goodToken)}, wechat.ErrQuota, 1},
		"not retried: status 503":  {[]response{status(503, busy), body(goodToken)}, wechat.ErrResponse, 1},
		"slowly":                   {[]response{slow, hang}, wechat.ErrUnreachable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				client, n := newClient(t, c.responses...)
				_, err := client.Exchange(t.Context(), code)
				wantOnly(t, err, c.want)
				took := time.Since(start)
				if len(n.requests) != c.requests || took > 5*time.Second {
					t.Errorf("exchange: %d requests in %v, want %d in at most 5s", len(n.requests), took, c.requests)
				}
				if c.requests > 1 && took < 100*time.Millisecond {
					t.Errorf("exchange: retried after %v, want a pause of at least 100ms", took)
				}
			})
		})
	}
}

func TestCanceledWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := newClient(t, body(busy))
		// It ends during the first pause.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.Exchange(ctx, code)
		wantOnly(t, err, wechat.ErrBusy)
		if !errors.Is(err, context.DeadlineExceeded) || len(n.requests) != 1 {
			t.Errorf("exchange: error = %v after %d requests, want it to wrap %v after 1", err, len(n.requests), context.DeadlineExceeded)
		}
	})
}
