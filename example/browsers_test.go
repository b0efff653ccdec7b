package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// browser is a process of Chromium that the tests of this package share. Each test has a
// profile of its own.
type browser struct {
	ctx  context.Context // chromedp keeps the process in it
	stop func()

	mu   sync.Mutex
	idle []*profile
}

// profile is a browser context of DevTools, which has cookies and storage of its own, with one
// tab in a window of its own. Windows of different profiles do not hide each other, and each
// has the focus.
type profile struct {
	ctx     context.Context // a session with the tab, which lasts as long as the profile
	dispose context.CancelFunc
	tab     target.ID
}

// isLong reports whether the tests go through all combinations of pages, languages, windows and
// colors. Otherwise they visit a state at most once, and change the other things from one visit
// to the next.
func isLong() bool { return os.Getenv("SCANGATE_LONG") != "" }

// hasAll reports whether the tests visit every page and state. Otherwise TestPages and
// TestKeyboard, which take the most time, visit a third of them, always the same.
func hasAll() bool { return isLong() || os.Getenv("SCANGATE_BROWSERS") == "all" }

// turns returns all variants of test number i in a long run, and otherwise one of them, by
// turns.
func turns[T any](i int, variants ...T) []T {
	if isLong() {
		return variants
	}
	i %= len(variants)
	return variants[i : i+1]
}

// browsers are the running browsers by the paths of their programs.
var browsers = struct {
	sync.Mutex
	running map[string]*browser
}{running: make(map[string]*browser)}

// stopBrowsers stops the browsers at the end of the tests.
func stopBrowsers() {
	for _, b := range browsers.running {
		b.stop()
	}
}

// shells are Chromium without windows of its own, fulls with them. Both show pages alike, and a
// shell takes little more than half the processor time.
var (
	shells = []string{"chromium-headless-shell", "chrome-headless-shell"}
	fulls  = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
)

// startChromium returns the browser, and starts it for the first test. The test runs in
// parallel with others. It is skipped if there is no browser, unless SCANGATE_REQUIRE names
// chromium, and with -short.
func startChromium(t *testing.T) *browser {
	t.Helper()
	return startFirst(t, slices.Concat(shells, fulls)...)
}

// startFullChromium is startChromium for tests that a shell fails: in it, tabs do not hide each
// other, and DevTools does not see frames of other sites.
func startFullChromium(t *testing.T) *browser {
	t.Helper()
	if strings.Contains(os.Getenv("SCANGATE_CHROMIUM"), "shell") {
		t.Skip("SCANGATE_CHROMIUM is a shell, which has no windows")
	}
	return startFirst(t, fulls...)
}

// startFirst starts the first of the programs that exists, or the one that SCANGATE_CHROMIUM
// names.
func startFirst(t *testing.T, programs ...string) *browser {
	t.Helper()
	skipBrowserTest(t)
	if chosen := os.Getenv("SCANGATE_CHROMIUM"); chosen != "" {
		if _, err := exec.LookPath(chosen); err != nil {
			t.Fatalf("SCANGATE_CHROMIUM: %v", err)
		}
		programs = []string{chosen}
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			t.Parallel()
			return startBrowser(t, path)
		}
	}
	skipWithout(t, "chromium", "this machine has none of "+strings.Join(programs, ", "))
	return nil
}

// startChromium80 is startChromium for the Chromium 80 whose path SCANGATE_CHROMIUM80
// holds. .ci/run fetches one.
func startChromium80(t *testing.T) *browser {
	t.Helper()
	skipBrowserTest(t)
	path := os.Getenv("SCANGATE_CHROMIUM80")
	if path == "" {
		skipWithout(t, "chromium80", "SCANGATE_CHROMIUM80 is not the path of a Chromium 80")
	}
	t.Parallel()
	return startBrowser(t, path,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("no-first-run", true))
}

// skipBrowserTest skips a test with -short, and if SCANGATE_BROWSERS is "skip".
func skipBrowserTest(t *testing.T) {
	t.Helper()
	skipShort(t, "it drives a real browser and waits for it on the wall clock")
	if os.Getenv("SCANGATE_BROWSERS") == "skip" {
		t.Skip("SCANGATE_BROWSERS is skip: another run has the tests that drive a browser")
	}
}

// startBrowser returns the running browser with this path, or starts it.
func startBrowser(t *testing.T, path string, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	browsers.Lock()
	defer browsers.Unlock()
	if b := browsers.running[path]; b != nil {
		return b
	}
	data, err := os.MkdirTemp("", "scangate-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(data),
		// The sandbox does not work as root and in many containers. All pages are
		// this test's own, so none of them is hostile.
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "en"),
		// Four of these are parts of the browser's own windows, which no test sees. They take
		// most of the time of opening a window. The last two keep processes in reserve.
		chromedp.Flag("disable-features", "Translate,PreloadTopChromeWebUI,InitialWebUI,WebUIToolbar,WebUIOmniboxPopup,SpareRendererForSitePerProcess,BackForwardCache"),
		chromedp.Flag("host-resolver-rules", "MAP *.qlogo.cn ~NOTFOUND"), // tests load nothing from WeChat
	)
	// Not t.Context: the browser outlives the test that starts it.
	allocator, stopProcess := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), append(options, more...)...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	b := &browser{ctx: ctx, stop: func() {
		closeBrowser()
		stopProcess()
		_ = os.RemoveAll(data)
	}}
	if err := chromedp.Do(ctx); err != nil {
		b.stop()
		t.Fatalf("starting %s: %v", path, err)
	}
	browsers.running[path] = b
	return b
}

// open returns a session with an empty tab in a profile without cookies. It takes a profile
// that another test has used and emptied, or makes one. The function that it returns ends the
// session, and empties the profile for the next test.
func (b *browser) open(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	p, err := b.takeProfile()
	if err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	// Settings of a session, for example the size of the window, end with it.
	ctx, detach := chromedp.NewContext(p.ctx, chromedp.WithTargetID(p.tab), chromedp.WithDetachOnCancel())
	// Tabs that the test opens belong to the profile too.
	chromedp.FromContext(ctx).BrowserContextID = chromedp.FromContext(p.ctx).BrowserContextID
	return ctx, func() {
		detach()
		if err := p.empty(); err != nil {
			t.Logf("emptying a profile: %v; the next test gets a new one", err)
			p.dispose()
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.idle = append(b.idle, p)
	}
}

// takeProfile returns an idle profile, or a new one.
func (b *browser) takeProfile() (*profile, error) {
	b.mu.Lock()
	if last := len(b.idle) - 1; last >= 0 {
		p := b.idle[last]
		b.idle = b.idle[:last]
		b.mu.Unlock()
		return p, nil
	}
	b.mu.Unlock()
	p := &profile{}
	p.ctx, p.dispose = chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(p.ctx); err != nil {
		p.dispose()
		return nil, err
	}
	p.tab = chromedp.FromContext(p.ctx).Target.TargetID
	return p, nil
}

// empty makes a profile like a new one: without other tabs, cookies and history.
func (p *profile) empty() error {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	own := chromedp.FromContext(ctx).BrowserContextID
	tabs, err := chromedp.Targets(ctx)
	if err != nil {
		return err
	}
	for _, tab := range tabs {
		if tab.BrowserContextID == own && tab.Type == "page" && tab.TargetID != p.tab {
			// The tab may have closed itself meanwhile.
			_, _ = chromedp.CallBrowser(ctx, target.CloseTarget, target.CloseTargetParams{TargetID: tab.TargetID})
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		return fmt.Errorf("opening an empty page: %w", err)
	}
	// After the navigation, because pages set cookies too.
	_, err = chromedp.CallBrowser(ctx, storage.ClearCookies, storage.ClearCookiesParams{BrowserContextID: own})
	if err != nil {
		return fmt.Errorf("clearing the cookies: %w", err)
	}
	if _, err := chromedp.Call(ctx, page.ResetNavigationHistory, cdp.Empty{}); err != nil {
		return fmt.Errorf("clearing the history: %w", err)
	}
	left, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: own})
	if err == nil && len(left.Cookies) > 0 {
		return errors.New("cookies are left")
	}
	return err
}
