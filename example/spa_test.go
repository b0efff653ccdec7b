package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// spa is the page in a browser, and the server that it is from.
type spa struct {
	*tab
	url    string
	wechat *wechattest.Server
	lie    atomic.Value  // a state that the browser is told in place of the true one
	logins atomic.Int32  // that the page has begun
	polled chan struct{} // gets one when a browser begins to wait
	left   chan struct{} // and one when it gives up
}

// openSPA opens the page at "localhost": to a browser that is another site than
// 127.0.0.1, where WeChat is, as it is in truth.
func openSPA(t *testing.T, browser context.Context, w window) *spa {
	t.Helper()
	s := &spa{tab: &tab{t: t, window: w, mayFail: true}, polled: make(chan struct{}, 100), left: make(chan struct{}, 100)}
	s.lie.Store("")
	o := options{
		official:     wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"},
		website:      wechat.Account{AppID: "wx0000000000000002", Secret: "simulated"},
		fetchProfile: true,
	}
	s.wechat = wechattest.NewServer(t, wechattest.App{Account: o.official}, wechattest.App{Account: o.website, Website: true})
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	s.url = "http://localhost:" + port
	o.publicURL, o.endpoint = s.url, s.wechat.Endpoint()
	users := scangate.NewMemoryStore()
	if err := registerRegular(t.Context(), s.wechat.WeChat, &o, users); err != nil {
		t.Fatal(err)
	}
	gate, err := newGate(o, users, newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	server.Config.Handler = s.meddle(newApp(gate))
	server.Start()
	s.attach(chromedp.NewContext(browser, chromedp.WithNewBrowserContext()))
	s.do("opening the page", chromedp.Navigate(s.url+"/spa/"))
	s.waitVisible(`#open`)
	return s
}

// meddle stands between the browser and the application.
func (s *spa) meddle(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/wechat/login" {
			s.logins.Add(1)
		}
		if !strings.HasSuffix(r.URL.Path, "/state") {
			app.ServeHTTP(w, r)
			return
		}
		switch lie := s.lie.Swap("").(string); lie {
		case "":
			s.polled <- struct{}{}
			app.ServeHTTP(w, r)
			if r.Context().Err() != nil {
				s.left <- struct{}{}
			}
		case "offline":
			s.lie.Store(lie)
			http.Error(w, "away", http.StatusBadGateway)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"state":%q}`, lie)
		}
	})
}

// open opens the dialog.
func (s *spa) open() {
	s.t.Helper()
	s.click(`#open`)
}

// wantIn waits until the page says who is logged in, and checks that it is still
// the page that was opened.
func (s *spa) wantIn(name string) {
	s.t.Helper()
	s.waitText(`#name`, name)
	s.evaluate(`window.same === true && location.pathname === "/spa/" && !document.querySelector("dialog").open && !document.querySelector("iframe")`)
}

// phone is a visit whose phone scans the code on the page.
func (s *spa) phone() *visit {
	return &visit{tab: s.tab, site: &site{url: s.url, wechat: s.wechat}}
}

// evaluate fails the test unless the expression is true, now or soon.
func (s *spa) evaluate(expression string) {
	s.t.Helper()
	s.waitFor(expression, expression)
}

func TestSPA(t *testing.T) {
	browser := startChromium(t)
	for _, w := range []window{{"desktop", 1280, 800}, {"phone", 360, 740}} {
		for _, tt := range []struct {
			name string
			test func(*spa)
		}{
			{"a scan logs in", testSPAScan},
			{"WeChat's frame logs in", testSPAFrame},
			{"no in WeChat's frame is no", testSPAFrameRefused},
			{"no on the phone is no", testSPADenied},
			{"an expired code is renewed by a tap", testSPAExpired},
			{"a code that is due is renewed", testSPARenewed},
			{"a server that is away is waited for", testSPAOffline},
			{"closing the dialog ends the login", testSPAClosed},
		} {
			t.Run(w.name+"/"+tt.name, func(t *testing.T) {
				s := openSPA(t, browser, w)
				s.do("marking the page", chromedp.Evaluate[chromedp.Void](`void (window.same = true)`))
				tt.test(s)
			})
		}
	}
}

func testSPAScan(s *spa) {
	s.screenshot("spa-stranger")
	s.open()
	s.waitVisible(`[data-show=waiting]`)
	s.evaluate(`document.querySelector(".qr img").naturalWidth > 0`)
	s.screenshot("spa-waiting")
	phone := s.scan("lin")
	phone.waitVisible(`button[value=approve]`)
	s.front()
	s.waitVisible(`[data-show=scanned]`)
	s.screenshot("spa-scanned")
	phone.front()
	phone.click(`button[value=approve]`)
	s.wantIn("林小北")
	s.screenshot("spa-member")
	s.click(`#logout`)
	s.waitVisible(`#open`)
}

// framed returns the frame with WeChat's page, which is a target of its own.
func (s *spa) framed() *tab {
	s.t.Helper()
	frame := *s.tab
	var id target.ID
	s.until("finding the frame", func(ctx context.Context) (bool, error) {
		infos, err := chromedp.Targets(ctx)
		for _, info := range infos {
			if info.Type == "iframe" && strings.HasPrefix(info.URL, s.wechat.URL) {
				id = info.TargetID
			}
		}
		return id != "", err
	})
	ctx, stop := chromedp.NewContext(s.ctx, chromedp.WithTargetID(id))
	s.t.Cleanup(stop)
	frame.ctx = ctx
	return &frame
}

// tap follows a link in the frame, which gets no mouse by itself.
func (s *spa) tap(frame *tab, selector string) {
	s.t.Helper()
	script := fmt.Sprintf(`(a => Boolean(a) && (setTimeout(() => a.click()), true))(document.querySelector(%q))`, selector)
	s.until("tapping "+selector, func(context.Context) (bool, error) {
		return chromedp.Run(frame.ctx, chromedp.Evaluate[bool](script))
	})
}

func testSPAFrame(s *spa) {
	s.open()
	s.waitVisible(`#by-website`)
	s.click(`#by-website`)
	s.waitVisible(`iframe`)
	frame := s.framed()
	s.tap(frame, `a[href*="person=chen"]`)
	s.tap(frame, `a[href*="answer=allow"]`)
	s.wantIn("陈默")
}

func testSPAFrameRefused(s *spa) {
	s.open()
	s.waitVisible(`#by-website`)
	s.click(`#by-website`)
	s.waitVisible(`iframe`)
	frame := s.framed()
	s.tap(frame, `a[href*="person=chen"]`)
	s.screenshot("spa-frame")
	s.tap(frame, `a[href*="answer=refuse"]`)
	s.waitVisible(`[data-show=denied]`)
	s.click(`#by-scan`)
	s.waitVisible(`[data-show=waiting]`)
	s.waitVisible(`.qr`)
}

func testSPADenied(s *spa) {
	s.open()
	s.waitVisible(`[data-show=waiting]`)
	s.phone().phoneAnswers("lin", "deny")
	s.waitVisible(`[data-show=denied]`)
	s.screenshot("spa-denied")
	s.click(`[data-show=denied] button`)
	s.waitVisible(`[data-show=waiting]`)
}

func testSPAExpired(s *spa) {
	s.lie.Store("expired")
	s.open()
	s.waitVisible(`[data-show=expired]`)
	s.screenshot("spa-expired")
	s.click(`[data-show=expired] button`)
	s.waitVisible(`[data-show=waiting]`)
}

func testSPARenewed(s *spa) {
	s.do("going to another year", chromedp.Evaluate[chromedp.Void](`void (Date.now = () => 8e12)`))
	s.lie.Store("waiting") // as at the end of a long poll
	s.open()
	s.waitVisible(`[data-show=waiting]`)
	<-s.polled
	if n := s.logins.Load(); n != 2 {
		s.t.Errorf("%d logins have begun, want 2", n)
	}
}

func testSPAOffline(s *spa) {
	s.lie.Store("offline")
	s.open()
	s.waitVisible(`[data-show=offline]`)
	s.screenshot("spa-offline")
	s.lie.Store("")
	s.phone().phoneAnswers("lin", "approve")
	s.wantIn("林小北")
}

func testSPAClosed(s *spa) {
	s.open()
	<-s.polled
	s.click(`#close`)
	<-s.left
	s.evaluate(`!document.querySelector("dialog").open`)
	s.open()
	<-s.polled
	s.waitVisible(`[data-show=waiting]`)
}
