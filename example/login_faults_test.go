package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate/wechattest"
)

// goodCode is a JavaScript expression: the QR code is on the page, drawn and not hidden.
const goodCode = `(e => e.getClientRects().length > 0 && getComputedStyle(e).visibility === "visible" && +getComputedStyle(e).opacity >= 0.4)(document.querySelector("a.qr > *"))`

// onRequest makes a function get each request of the site first. It reports whether it has
// answered.
func (v *visit) onRequest(intercept func(http.ResponseWriter, *http.Request) bool) {
	v.intercept.Store(&intercept)
}

// setOffline cuts the browser tab off from the network, or connects it again.
func (v *visit) setOffline(offline bool) {
	v.t.Helper()
	v.call("setting the network", func(ctx context.Context) error {
		rules := []*network.Conditions{} // for requests; OverrideNetworkState is for the browser's own view
		if offline {
			rules = append(rules, &network.Conditions{Offline: true, DownloadThroughput: -1, UploadThroughput: -1})
		}
		if _, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	})
}

// mark sets a variable of the page, which is lost when the page is loaded again.
func (v *visit) mark() {
	v.t.Helper()
	v.evaluate(`window.marked = true`)
}

// wantMarked checks that the page has not been loaded again since mark.
func (v *visit) wantMarked(when string) {
	v.t.Helper()
	if !read[bool](v, `window.marked === true`) {
		v.t.Errorf("%s: the page was loaded again, want it to stay", when)
	}
}

func isPoll(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/state") }

// countFetches counts the requests of the page's scripts in the variable fetches.
func (v *visit) countFetches() {
	v.t.Helper()
	v.evaluate(`{ const real = fetch; window.fetches = 0; window.fetch = (...all) => { fetches++; return real(...all) } }`)
}

// beforeScripts runs a script in each new page, before the page's own scripts.
func (v *visit) beforeScripts(script string) {
	v.t.Helper()
	v.call("adding a script", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// another opens another tab with the same cookies: in the same window, which hides v, or
// in a window of its own.
func (v *visit) another(ownWindow bool) *visit {
	v.t.Helper()
	tab := &visit{site: v.site, lang: v.lang, tab: &tab{t: v.t, window: v.window, allowErrors: true}}
	tab.attach(chromedp.NewContext(v.ctx, chromedp.WithNewWindow(ownWindow)))
	tab.setUserAgent(wechattest.UserAgentChrome)
	return tab
}

// TestCaseA07HiddenTabsHoldNoConnection opens nine tabs of the login page. A browser has
// at most six connections to an HTTP/1.1 server.
func TestCaseA07HiddenTabsHoldNoConnection(t *testing.T) {
	v := newVisit(t, startFullChromium(t), "en", nil)
	var polls atomic.Int32
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPoll(r) {
			polls.Add(1)
			context.AfterFunc(r.Context(), func() { polls.Add(-1) })
		}
		return false
	})
	for i := range 9 {
		tab := v.another(false)
		tab.open("/wechat/login?return_to=/account%3Ftab=" + string(rune('1'+i)))
		tab.wantTrue(`document.querySelector("a.qr img").naturalWidth > 0`)
	}
	eventually(t, "one tab polls", func() bool { return polls.Load() == 1 })
}

// TestCaseA12ProxyEndsPolls: a proxy answers each poll with 504 after 5 seconds.
func TestCaseA12ProxyEndsPolls(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	arrived, cut := make(chan string), make(chan struct{})
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if !isPoll(r) {
			return false
		}
		select {
		case arrived <- r.URL.Query().Get("wait"):
		case <-t.Context().Done():
			return false
		}
		select {
		case <-cut:
			w.WriteHeader(http.StatusGatewayTimeout)
			return true
		case <-r.Context().Done():
			return true
		}
	})
	v.login()
	v.countOffline()
	for range 2 {
		if got := <-arrived; got != "25" {
			t.Errorf("poll: wait = %q, want 25", got)
		}
		v.advanceClock("5")
		cut <- struct{}{}
	}
	if got := <-arrived; len(got) != 1 {
		t.Errorf("poll after 504 after 5 seconds, twice: wait = %q, want less than 10", got)
	}
	if !read[bool](v, goodCode+` && offlines === 0`) {
		t.Error("after 504: the code is hidden or dimmed, want it as before")
	}
}

// countOffline counts in the variable offlines how often the page shows that it is offline.
func (v *visit) countOffline() {
	v.t.Helper()
	v.evaluate(`window.offlines = 0; new MutationObserver(all => offlines += all.length).observe(document.querySelector("main"), { attributeFilter: ["data-offline"] })`)
}

// TestCaseA13ReturnsToAnotherOrigin: the page to return to redirects to another origin.
func TestCaseA13ReturnsToAnotherOrigin(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><h1 id="arrived">arrived</h1>`))
	}))
	defer other.Close()
	v := newVisit(t, startChromium(t), "en", nil)
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/leave" {
			return false
		}
		http.Redirect(w, r, other.URL+"/there", http.StatusSeeOther)
		return true
	})
	v.open("/wechat/login?return_to=/leave")
	v.phoneAnswers("lin", "approve")
	v.confirmAccount()
	v.waitVisible(`#arrived`)
}

// TestCaseA13FinishWaitsForTheNetwork: the network is away when the person confirms.
func TestCaseA13FinishWaitsForTheNetwork(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	showFinish("wang")(v)
	v.setOffline(true)
	v.mark()
	v.click(`form[action*="/finish"] .primary`)
	v.waitText(`[role=status]`, "No connection. Trying again…")
	v.wantMarked("finish without network")
	v.setOffline(false)
	v.waitVisible(`#greeting`)
}

// TestCaseA16SleepsAtTheCode: the computer sleeps for ten minutes and wakes without network.
func TestCaseA16SleepsAtTheCode(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.waitVisible(`[data-show=waiting]`)
	v.mark()
	v.countFetches()
	first := read[string](v, `document.querySelector("a.qr").href`)
	v.setOffline(true)
	v.advanceClock("600")
	v.wantTrue(`fetches >= 2`)
	v.waitVisible(`[data-show=offline]`)
	v.wantMarked("awake without network")
	if !read[bool](v, goodCode) {
		t.Error("awake without network: the code is hidden, want it dimmed")
	}
	v.setOffline(false)
	v.wantTrue(`document.querySelector("a.qr").href !== "` + first + `" && !document.querySelector("[data-offline]")`)
	v.wantMarked("awake with network")
	v.phoneAnswers("lin", "approve")
	v.confirmAccount()
	v.waitVisible(`#greeting`)
}

// TestCaseA16LosesTheNetworkAtTheApproval: the answer to the poll is the last one for a
// while.
func TestCaseA16LosesTheNetworkAtTheApproval(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	approved, down := make(chan struct{}), atomic.Bool{}
	v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
		if down.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if !isPoll(r) || r.Header.Get("Accept") == "" {
			return false
		}
		select {
		case <-approved:
			down.Store(true)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"state":"approved"}`))
		case <-r.Context().Done():
		}
		return true
	})
	v.login()
	v.mark()
	v.phoneAnswers("lin", "approve")
	close(approved)
	v.waitVisible(`[data-state=approved][data-offline] [data-show=offline]`)
	v.wantMarked("approved without network")
	v.intercept.Store(nil)
	v.confirmAccount()
	v.waitVisible(`#greeting`)
}

// TestCaseA17NetworkComesBack: the page shows the code all the time, and asks at once when
// the network is back.
func TestCaseA17NetworkComesBack(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.waitVisible(`[data-show=waiting]`)
	v.countFetches()
	v.setOffline(true)
	v.waitVisible(`[data-show=offline]`)
	v.wantTrue(`fetches >= 3`) // from now on the page pauses for 4 seconds and more
	if !read[bool](v, goodCode) {
		t.Error("offline: the code is hidden, want it dimmed")
	}
	v.evaluate(`{ const real = fetch; let back;
		addEventListener("online", () => back = performance.now());
		window.fetch = (...all) => { if (back && !window.lag) window.lag = performance.now() - back; return real(...all) } }`)
	v.setOffline(false)
	v.wantTrue(`window.lag !== undefined && !document.querySelector("[data-offline]")`)
	if got := read[float64](v, `lag`); got > 1000 {
		t.Errorf("back online: the page asks after %v ms, want it at once", got)
	}
}

// TestCaseE06PollsEnd: a server that was killed behind a proxy never answers.
func TestCaseE06PollsEnd(t *testing.T) {
	const longest = 30_000 // ms, below the 50 s that a proxy may hold such a request
	v := newVisit(t, startChromium(t), "en", nil)
	var ended atomic.Int32
	v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
		if !isPoll(r) {
			return false
		}
		<-r.Context().Done()
		ended.Add(1)
		return true
	})
	// Time passes 50 times as fast for timers.
	v.beforeScripts(`window.delays = []; { const real = setTimeout; window.setTimeout = (f, ms) => { delays.push(ms || 0); return real(f, (ms || 0) / 50) } }`)
	v.login()
	eventually(t, "the page has ended three polls", func() bool { return ended.Load() >= 3 })
	if got := read[int](v, `Math.max(...delays)`); got > longest {
		t.Errorf("a poll without an answer ends after %d ms, want at most %d", got, longest)
	}
	if !read[bool](v, goodCode) {
		t.Error("without answers: the code is hidden, want it dimmed")
	}
}
