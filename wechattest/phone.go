package wechattest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
)

// User-Agent headers of the kinds of browser that a login distinguishes.
const (
	// UserAgentPhone is WeChat's built-in browser on Android.
	UserAgentPhone = "Mozilla/5.0 (Linux; Android 14; V2241A Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260183 MMWEBSDK/20240801 MicroMessenger/8.0.53.2740(0x28003533) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
	// UserAgentDesktopWeChat is WeChat's built-in browser on Windows.
	UserAgentDesktopWeChat = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090c11) XWEB/11275 Flue" //nolint:gosec // a User-Agent, not a credential
	// UserAgentChrome is Chrome on Windows, outside of WeChat.
	UserAgentChrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	// UserAgentWeCom is WeCom's built-in browser. It contains the token
	// MicroMessenger, but WeCom is not WeChat.
	UserAgentWeCom = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 wxwork/3.1.16 MicroMessenger/7.0.1 Language/zh"
)

// Phone is WeChat's built-in browser on a person's phone. It keeps cookies and
// follows redirects.
type Phone struct {
	// Client sends the phone's requests. It adds WeChat's User-Agent to requests
	// that have none.
	Client *http.Client
	wechat *WeChat
	person string
}

// Phone returns a person's phone. openURL is the simulator's base URL
// ([wechat.Endpoint.Open]). The phone sends requests through rt; if rt is nil, it
// uses [http.DefaultTransport]. On a strict simulator it fails the test if the
// application redirects to a link that the page refuses. For the authorization page,
// that is any link that [CheckAuthorizeURL] refuses.
func (w *WeChat) Phone(personID string, rt http.RoundTripper, openURL string) *Phone {
	if rt == nil {
		rt = http.DefaultTransport
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("wechattest: " + err.Error()) // cookiejar.New documents that its error is always nil
	}
	w.SignIn(jar, openURL, personID)
	return &Phone{
		Client: &http.Client{Jar: jar, Transport: &phoneTransport{wechat: w, next: rt, openURL: strings.TrimSuffix(openURL, "/")}},
		wechat: w,
		person: personID,
	}
}

// Open requests a page and follows redirects. The caller closes the response's
// body.
func (p *Phone) Open(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("wechattest: %w", err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	return p.Client.Do(req)
}

// Tap answers the simulator's page in resp, closes resp's body, and opens the next
// page. The caller closes its body.
func (p *Phone) Tap(ctx context.Context, resp *http.Response, answer Answer) (*http.Response, error) {
	_ = resp.Body.Close()
	// The person is part of a tap, so that Tap works on the QR code page too, which
	// ignores the cookie.
	u := *resp.Request.URL
	u.RawQuery = withoutTaps(u.RawQuery) + "&" +
		PersonParam + "=" + url.QueryEscape(p.person) + "&" + AnswerParam + "=" + string(answer)
	return p.Open(ctx, u.String())
}

// PostForm posts a form, as a page of the same origin as address would. The caller
// closes the response's body.
func (p *Phone) PostForm(ctx context.Context, address string, form url.Values) (*http.Response, error) {
	req, err := newFormRequest(ctx, address, form)
	if err != nil {
		return nil, fmt.Errorf("wechattest: %w", err)
	}
	return p.Client.Do(req)
}

// newFormRequest returns the request of a browser that posts a form, from a page of the same
// origin as address.
func newFormRequest(ctx context.Context, address string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	return req, nil
}

// phoneTransport is the part of a phone's browser that [http.Client] does not
// provide.
type phoneTransport struct {
	wechat  *WeChat
	next    http.RoundTripper
	openURL string // the simulator's base URL, without a trailing slash
}

// RoundTrip implements [http.RoundTripper].
func (t *phoneTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a RoundTripper must not change the request
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", UserAgentPhone)
	}
	t.checkLink(req.URL)
	if t.isCallback(req) && t.wechat.deliversTwice() {
		return t.sendTwice(req)
	}
	return t.next.RoundTrip(req)
}

// checkLink reports misuse if the application redirects to a link that WeChat
// refuses. A server never sees a link's fragment, so it has to be checked here.
func (t *phoneTransport) checkLink(u *url.URL) {
	// The links on the simulator's own pages have no fragment.
	if !t.isSimulatorPage(u) || withoutTaps(u.RawQuery) != u.RawQuery {
		return
	}
	if err := checkLink(u.String()); err != nil {
		t.wechat.misuse("%v", err)
	}
}

// isSimulatorPage reports whether u is one of the simulator's pages.
func (t *phoneTransport) isSimulatorPage(u *url.URL) bool {
	return strings.HasPrefix(u.String(), t.openURL+"/connect/")
}

// isCallback reports whether req follows a redirect from the simulator to the
// application.
func (t *phoneTransport) isCallback(req *http.Request) bool {
	// http.Client sets Response to the redirect that caused the request.
	return req.Method == http.MethodGet && req.Response != nil &&
		t.isSimulatorPage(req.Response.Request.URL) && !t.isSimulatorPage(req.URL)
}

// deliversTwice returns the setting of [WeChat.DeliverTwice].
func (w *WeChat) deliversTwice() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deliverTwice
}

// sendTwice sends req twice at the same time, waits for both answers, and returns
// the second one.
func (t *phoneTransport) sendTwice(req *http.Request) (*http.Response, error) {
	var first sync.WaitGroup
	first.Go(func() {
		// This answer is lost, as in WeChat, including its cookies.
		resp, err := t.next.RoundTrip(req.Clone(req.Context()))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	resp, err := t.next.RoundTrip(req)
	first.Wait()
	return resp, err
}
