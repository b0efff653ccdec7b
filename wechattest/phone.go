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

// User-Agent headers, of browsers that a login tells apart.
const (
	// UserAgentPhone is WeChat's own browser on Android.
	UserAgentPhone = "Mozilla/5.0 (Linux; Android 14; V2241A Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260183 MMWEBSDK/20240801 MicroMessenger/8.0.53.2740(0x28003533) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
	// UserAgentDesktopWeChat is WeChat's own browser on Windows.
	UserAgentDesktopWeChat = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF WindowsWechat(0x63090c11) XWEB/11275 Flue" //nolint:gosec // no credentials
	// UserAgentChrome is Chrome on Windows: not WeChat.
	UserAgentChrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	// UserAgentWeCom is WeCom, which is another product although it also says
	// MicroMessenger.
	UserAgentWeCom = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 wxwork/3.1.16 MicroMessenger/7.0.1 Language/zh"
)

// Phone is WeChat's own browser in a person's hand. It keeps cookies and follows
// redirects.
type Phone struct {
	// Client is what it calls with. Each request gets WeChat's User-Agent unless
	// it has another.
	Client *http.Client
	person string
}

// Phone returns the phone of a person, signed in with the simulator at openURL
// ([wechat.Endpoint.Open]). It calls through rt; nil means
// [http.DefaultTransport]. On a strict simulator it fails the test for a link
// that [CheckAuthorizeURL] refuses.
func (w *WeChat) Phone(personID string, rt http.RoundTripper, openURL string) *Phone {
	if rt == nil {
		rt = http.DefaultTransport
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("wechattest: " + err.Error()) // documented never to happen
	}
	w.SignIn(jar, openURL, personID)
	return &Phone{
		Client: &http.Client{Jar: jar, Transport: &browser{wechat: w, next: rt, open: strings.TrimSuffix(openURL, "/")}},
		person: personID,
	}
}

// Open opens a page as if its link were tapped, redirects and all. The caller
// closes the response's body.
func (p *Phone) Open(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("wechattest: %w", err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	return p.Client.Do(req)
}

// Tap answers the simulator's page that resp shows, closes resp's body, and
// opens what follows.
func (p *Phone) Tap(ctx context.Context, resp *http.Response, answer Answer) (*http.Response, error) {
	_ = resp.Body.Close()
	u := *resp.Request.URL
	u.RawQuery = withoutTaps(u.RawQuery) + "&" +
		PersonParam + "=" + url.QueryEscape(p.person) + "&" + AnswerParam + "=" + string(answer)
	return p.Open(ctx, u.String())
}

// PostForm posts a form from a page of the same origin as address.
func (p *Phone) PostForm(ctx context.Context, address string, form url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("wechattest: %w", err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	return p.Client.Do(req)
}

// browser is what of WeChat's browser lies below cookies and redirects, which
// [http.Client] sees to.
type browser struct {
	wechat *WeChat
	next   http.RoundTripper
	open   string // the simulator's base URL
}

// RoundTrip implements [http.RoundTripper].
func (b *browser) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", UserAgentPhone)
	}
	b.check(req.URL)
	if b.callback(req) && b.wechat.deliversTwice() {
		return b.twice(req)
	}
	return b.next.RoundTrip(req)
}

// check fails a strict simulator's test for a link that the application made and
// WeChat doesn't take: the one place where its fragment still shows. A link that
// the simulator's pages made has none.
func (b *browser) check(u *url.URL) {
	if !b.page(u) || withoutTaps(u.RawQuery) != u.RawQuery {
		return
	}
	if err := CheckAuthorizeURL(u.String()); err != nil {
		b.wechat.misuse("%v", strings.TrimPrefix(err.Error(), "wechattest: "))
	}
}

// page reports whether u is one of the simulator's pages.
func (b *browser) page(u *url.URL) bool {
	return strings.HasPrefix(u.String(), b.open+"/connect/")
}

// callback reports whether req is a redirect that leaves the simulator.
func (b *browser) callback(req *http.Request) bool {
	return req.Method == http.MethodGet && req.Response != nil &&
		b.page(req.Response.Request.URL) && !b.page(req.URL)
}

// deliversTwice reports what [WeChat.DeliverTwice] was told.
func (w *WeChat) deliversTwice() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deliverTwice
}

// twice sends req twice at the same instant, waits for both answers and returns
// the second's. The first one's is lost, its cookies too.
func (b *browser) twice(req *http.Request) (*http.Response, error) {
	var first sync.WaitGroup
	first.Go(func() {
		resp, err := b.next.RoundTrip(req.Clone(req.Context()))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	resp, err := b.next.RoundTrip(req)
	first.Wait()
	return resp, err
}
