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

// spa is the single-page application in a browser, with its server.
type spa struct {
	*tab
	url       string
	wechat    *wechattest.Server
	fakeState atomic.Value  // a state that the server returns in place of the true one; "" for none
	logins    atomic.Int32  // the number of logins that the page has started
	polled    chan struct{} // receives a value when a browser starts to wait
	left      chan struct{} // receives a value when a waiting browser disconnects
}

// openSPA starts the application and opens the page.
func openSPA(t *testing.T, browser *browser, w window) *spa {
	t.Helper()
	s := &spa{tab: &tab{t: t, window: w, allowErrors: true}, polled: make(chan struct{}, 100), left: make(chan struct{}, 100)}
	s.fakeState.Store("")
	o := options{
		official:     wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret},
		website:      wechat.Account{AppID: "wx0000000000000002", Secret: simulatedSecret},
		fetchProfile: true,
	}
	s.wechat = wechattest.NewServer(t, wechattest.App{Account: o.official}, wechattest.App{Account: o.website, Website: true})
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	// The simulator is at 127.0.0.1. For a browser, localhost is another site than that,
	// just as WeChat is another site than a real application.
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	s.url = "http://localhost:" + port
	o.publicURL, o.endpoint = s.url, s.wechat.Endpoint()
	users := scangate.NewMemoryStore()
	if err := registerKnownPerson(t.Context(), s.wechat.WeChat, &o, users); err != nil {
		t.Fatal(err)
	}
	gate, err := newGate(o, users)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	server.Config.Handler = s.intercept(withFront(newApp(gate)))
	server.Start()
	s.attach(browser.open(t))
	s.do("opening the page", chromedp.Navigate(s.url+"/spa/"))
	s.waitVisible(`#open`)
	return s
}

// intercept returns a handler in front of the application. It counts the logins, signals
// the polls, and returns the fake state.
func (s *spa) intercept(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/wechat/login" {
			s.logins.Add(1)
		}
		if !strings.HasSuffix(r.URL.Path, "/state") {
			app.ServeHTTP(w, r)
			return
		}
		if r.URL.Query().Get("seen") == "rejected" {
			<-r.Context().Done() // only fake logins are rejected: the page waits for another state
			return
		}
		// A fake state is returned once, so that the page's next poll gets the true one.
		switch fake := s.fakeState.Swap("").(string); fake {
		case "":
			s.polled <- struct{}{}
			app.ServeHTTP(w, r)
			if r.Context().Err() != nil {
				s.left <- struct{}{}
			}
		case "offline":
			s.fakeState.Store(fake) // until the test resets it
			http.Error(w, "the server is down", http.StatusBadGateway)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"state":%q}`, fake)
		}
	})
}

// open opens the login dialog.
func (s *spa) open() {
	s.t.Helper()
	s.click(`#open`)
}

// wantLoggedIn waits until the page shows the name of the user.
func (s *spa) wantLoggedIn(name string) {
	s.t.Helper()
	s.waitText(`#name`, name)
	// The test has set window.same. The page loses it if the browser loads it again.
	s.wantTrue(`window.same === true && location.pathname === "/spa/" && !document.querySelector("dialog").open && !document.querySelector("iframe")`)
}

// visit returns a visit of the page, for the methods that scan its QR code.
func (s *spa) visit() *visit {
	return &visit{tab: s.tab, site: &site{url: s.url, wechat: s.wechat}}
}

// wantTrue waits until a JavaScript expression is true.
func (s *spa) wantTrue(expression string) {
	s.t.Helper()
	s.waitFor(expression, expression)
}

// TestSPA logs in on the single-page application, in a wide or a narrow window. A long run has
// both.
func TestSPA(t *testing.T) {
	browser := startFullChromium(t)
	for i, tt := range []struct {
		name string
		test func(*spa)
	}{
		{"a scan logs the user in", testSPAScan},
		{"WeChat's frame logs the user in", testSPAFrame},
		{"refusing in WeChat's frame ends the login", testSPAFrameRefused},
		{"refusing on the phone ends the login", testSPADenied},
		{"a button renews an expired code", testSPAExpired},
		{"a rejected login offers to start again", testSPARejected},
		{"the page renews a code that is due", testSPARenewed},
		{"the page waits for a server that is down", testSPAOffline},
		{"closing the dialog aborts the login", testSPAClosed},
	} {
		for _, w := range turns(i, windows...) {
			t.Run(w.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				s := openSPA(t, browser, w)
				s.do("marking the page", chromedp.Evaluate[chromedp.Void](`void (window.same = true)`))
				tt.test(s)
			})
		}
	}
}

func testSPAScan(desktop *spa) {
	desktop.screenshot("spa-stranger")
	desktop.open()
	desktop.waitVisible(`[data-show=waiting]`)
	desktop.waitVisible(`a.qr svg`)
	desktop.screenshot("spa-waiting")
	phone := desktop.scan("lin")
	phone.waitVisible(`button[value=approve]`)
	// The browser slows scripts of background tabs down.
	desktop.front()
	desktop.waitVisible(`[data-show=scanned]`)
	desktop.screenshot("spa-scanned")
	phone.front()
	phone.click(`button[value=approve]`)
	desktop.confirmAccount()
	desktop.wantLoggedIn("林小北")
	desktop.screenshot("spa-member")
	desktop.click(`#logout`)
	desktop.waitVisible(`#open`)
}

// weChatFrame waits for the frame with WeChat's page. To the browser a frame of another
// site is a target of its own.
func (s *spa) weChatFrame() *tab {
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

// tap clicks a link in the frame by script: mouse events go to the page around it.
func (s *spa) tap(frame *tab, selector string) {
	s.t.Helper()
	// The click comes after the script's answer. Otherwise the next page could replace
	// the script before it has answered.
	script := fmt.Sprintf(`(a => Boolean(a) && (setTimeout(() => a.click()), true))(document.querySelector(%q))`, selector)
	s.until("tapping "+selector, func(context.Context) (bool, error) {
		return chromedp.Run(frame.ctx, chromedp.Evaluate[bool](script))
	})
}

func testSPAFrame(desktop *spa) {
	desktop.open()
	desktop.waitVisible(`#by-website`)
	desktop.click(`#by-website`)
	desktop.waitVisible(`iframe`)
	frame := desktop.weChatFrame()
	desktop.tap(frame, `a[href*="person=chen"]`)
	desktop.tap(frame, `a[href*="answer=allow"]`)
	desktop.wantLoggedIn("陈默")
}

func testSPAFrameRefused(desktop *spa) {
	desktop.open()
	desktop.waitVisible(`#by-website`)
	desktop.click(`#by-website`)
	desktop.waitVisible(`iframe`)
	frame := desktop.weChatFrame()
	desktop.tap(frame, `a[href*="person=chen"]`)
	desktop.screenshot("spa-frame")
	desktop.tap(frame, `a[href*="answer=refuse"]`)
	desktop.waitVisible(`[data-show=denied]`)
	desktop.click(`#by-scan`)
	desktop.waitVisible(`[data-show=waiting]`)
	desktop.waitVisible(`.qr`)
}

func testSPADenied(desktop *spa) {
	desktop.open()
	desktop.waitVisible(`[data-show=waiting]`)
	desktop.visit().phoneAnswers("lin", "deny")
	desktop.waitVisible(`[data-show=denied]`)
	desktop.screenshot("spa-denied")
	desktop.click(`[data-show=denied] button`)
	desktop.waitVisible(`[data-show=waiting]`)
}

func testSPAExpired(desktop *spa) {
	desktop.fakeState.Store("expired")
	desktop.open()
	desktop.waitVisible(`[data-show=expired]`)
	desktop.screenshot("spa-expired")
	desktop.click(`[data-show=expired] button`)
	desktop.waitVisible(`[data-show=waiting]`)
}

func testSPARejected(desktop *spa) {
	desktop.fakeState.Store("rejected")
	desktop.open()
	desktop.waitVisible(`[data-show=rejected]`)
	desktop.click(`[data-show=rejected] button`)
	desktop.waitVisible(`[data-show=waiting]`)
}

func testSPARenewed(desktop *spa) {
	desktop.open()
	desktop.waitVisible(`a.qr svg`)
	first := desktop.visit().link()
	desktop.visit().advanceClock("121")
	desktop.visit().wantNewLink(first)
	desktop.waitVisible(`[data-show=waiting]`)
	if n := desktop.logins.Load(); n != 1 {
		desktop.t.Errorf("logins begun by POST login = %d, want 1: the code is renewed by POST renew", n)
	}
}

func testSPAOffline(desktop *spa) {
	desktop.fakeState.Store("offline")
	desktop.open()
	desktop.waitVisible(`[data-show=offline]`)
	desktop.screenshot("spa-offline")
	// The page retries by itself.
	desktop.fakeState.Store("")
	desktop.visit().phoneAnswers("lin", "approve")
	desktop.confirmAccount()
	desktop.wantLoggedIn("林小北")
}

func testSPAClosed(desktop *spa) {
	desktop.open()
	<-desktop.polled
	desktop.click(`#close`)
	<-desktop.left // the page has aborted its request
	desktop.wantTrue(`!document.querySelector("dialog").open`)
	desktop.open()
	<-desktop.polled
	desktop.waitVisible(`[data-show=waiting]`)
}
