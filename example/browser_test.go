package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a test waits for a page to look as it should.
const patience = time.Minute

// A window is what a page is looked at through.
type window struct {
	name          string
	width, height int64
}

// TestBrowser does by clicks alone what people do, in a real browser, with the
// program as it is. The folder named by SCANGATE_SCREENSHOTS, if any, gets
// pictures of the pages.
func TestBrowser(t *testing.T) {
	browser := startChromium(t)
	for _, w := range []window{{"desktop", 1280, 800}, {"phone", 360, 740}} {
		for _, tt := range []struct {
			name string
			test func(*testing.T, *tab)
		}{
			{"a known person scans", testKnownPersonScans},
			{"a new person shows their name", testNewPersonShowsName},
			{"a new person keeps their name", testNewPersonKeepsName},
			{"a snapshot visitor scans", testSnapshotVisitor},
			{"by WeChat's own page", testWeChatsPage},
			{"refused on the phone", testRefused},
		} {
			t.Run(w.name+"/"+tt.name, func(t *testing.T) {
				tt.test(t, openTab(t, browser, w))
			})
		}
	}
}

func testKnownPersonScans(t *testing.T, tab *tab) {
	tab.toLogin("known")
	phone := tab.scan("lin")
	phone.waitVisible(`button[value=approve]`)
	phone.screenshot("confirm")
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	phone.screenshot("approved")
	tab.waitText(`#greeting`, "Hello, 林小北!")
	tab.screenshot("greeting")
	tab.click(`#logout-everywhere`)
	tab.click(`#account`)
	tab.waitVisible(`a.qr`)
}

func testNewPersonShowsName(t *testing.T, tab *tab) {
	tab.toLogin("new")
	phone := tab.scan("yueyue")
	phone.waitVisible(`a.primary`)
	phone.screenshot("profile")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.click(`button[value=approve]`)
	tab.waitText(`#greeting`, "Hello, 月月🌙🐰!")
	tab.screenshot("new-greeting")
	tab.click(`#logout`)
	tab.click(`#account`)
	tab.waitVisible(`a.qr`)
}

func testNewPersonKeepsName(t *testing.T, tab *tab) {
	tab.toLogin("nameless")
	phone := tab.scan("wang")
	phone.click(`button.plain`)
	phone.click(`button[value=approve]`)
	tab.waitText(`#greeting`, "Hello, WeChat user!")
}

func testSnapshotVisitor(t *testing.T, tab *tab) {
	tab.toLogin("snapshot")
	phone := tab.scan("zhao")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.waitText(`h1`, "This is a snapshot page")
	phone.screenshot("snapshot")
	phone.click(`a.primary`)
	phone.waitText(`h1`, "Welcome to Example")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=full"]`)
	phone.click(`button[value=approve]`)
	tab.waitText(`#greeting`, "Hello, 赵一!")
}

func testWeChatsPage(t *testing.T, tab *tab) {
	tab.toLogin("website")
	tab.click(`a[href*="with=website"]`)
	tab.waitVisible(`a[href*="person=chen"]`)
	tab.screenshot("wechats-page")
	tab.click(`a[href*="person=chen"]`)
	tab.waitVisible(`a[href*="answer=allow"]`)
	tab.screenshot("wechats-consent")
	tab.click(`a[href*="answer=allow"]`)
	tab.waitText(`#greeting`, "Hello, 陈默!")
	tab.click(`#logout`)
	tab.waitVisible(`#account`)
}

func testRefused(t *testing.T, tab *tab) {
	tab.toLogin("refused")
	phone := tab.scan("lin")
	phone.click(`button[value=deny]`)
	phone.waitText(`h1`, "Refused")
	phone.screenshot("denied")
	tab.waitVisible(`[data-show=denied]`)
	tab.screenshot("refused")
	tab.click(`[data-show=denied] a`)
	tab.waitVisible(`[data-show=waiting]`)
}

// tab is a page in the browser. Its methods fail the test.
type tab struct {
	t       *testing.T
	ctx     context.Context
	window  window
	mayFail bool // the server answers with errors that are to be looked at
}

// openTab opens the program's public page, of a program and with cookies of its
// own.
func openTab(t *testing.T, browser context.Context, w window) *tab {
	t.Helper()
	return openTabAt(t, browser, w, startProgram(t))
}

func openTabAt(t *testing.T, browser context.Context, w window, home string) *tab {
	t.Helper()
	tab := &tab{t: t, window: w}
	tab.attach(chromedp.NewContext(browser, chromedp.WithNewBrowserContext()))
	tab.do("opening the public page", chromedp.Navigate(home))
	return tab
}

// attach makes the context of a target the tab's, in a window of its size, and
// ends it with the test. What the browser complains about, such as a script that
// fails or a style that a page's policy forbids, fails the test.
func (tab *tab) attach(ctx context.Context, stop context.CancelFunc) {
	tab.t.Helper()
	tab.ctx = ctx
	messages := chromedp.Console(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			refused := m.Source == "network" && (tab.mayFail || strings.Contains(m.Text, " 403 ")) // a page that says no, as it should
			if (m.Type == chromedp.ConsoleError || m.IsException()) && !refused {
				tab.t.Errorf("the browser complains of %s: %s", m.URL, m.Text)
			}
		}
	}()
	tab.t.Cleanup(func() {
		stop()
		<-read
	})
	tab.front()
	tab.do("sizing the window", chromedp.EmulateViewport(tab.window.width, tab.window.height))
}

// do is one step, which has to be done in time.
func (tab *tab) do(what string, action chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		ctx, cancel := context.WithTimeout(tab.ctx, time.Second)
		defer cancel()
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		tab.t.Fatalf("%s: %v\nThe page is %s", what, err, text)
	}
}

// until tries until something is so.
func (tab *tab) until(what string, try func(context.Context) (bool, error)) {
	tab.t.Helper()
	tab.do(what, func(ctx context.Context, _ *chromedp.Target) (none chromedp.Void, err error) {
		for {
			done, err := try(ctx)
			if done && err == nil {
				return none, nil
			}
			select {
			case <-ctx.Done():
				return none, errors.Join(ctx.Err(), err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// waitFor waits until a script says true. It asks again and again, for what the
// browser tells of a page by itself can be lost while the page is replaced.
func (tab *tab) waitFor(what, script string) {
	tab.t.Helper()
	tab.until("waiting for "+what, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](script))
	})
}

// seen is what a script calls an element that can be seen.
const seen = `(e => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0)`

func (tab *tab) waitVisible(selector string) {
	tab.t.Helper()
	tab.waitFor(selector, fmt.Sprintf(`[...document.querySelectorAll(%q)].some(%s)`, selector, seen))
}

// waitText waits for an element with exactly this text.
func (tab *tab) waitText(selector, text string) {
	tab.t.Helper()
	script := fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => %s(e) && e.textContent.trim().replace(/\s+/g, " ") === %q)`, selector, seen, text)
	tab.waitFor(selector+" to say "+text, script)
}

// typeInto types a text into a field.
func (tab *tab) typeInto(field, text string) {
	tab.t.Helper()
	tab.click(field)
	tab.do("typing into "+field, chromedp.KeyEvent(text))
}

// click clicks an element, as soon as the page is there, nothing covers the
// element, and it has stood still for a moment: a page that is slow to lay itself
// out has its button elsewhere by the time the mouse comes down.
func (tab *tab) click(selector string, how ...chromedp.MouseOption) {
	tab.t.Helper()
	script := fmt.Sprintf(`(e => {
		if (!e || e.disabled || document.readyState !== "complete") return [];
		e.scrollIntoView({ block: "center", behavior: "instant" });
		const box = e.getClientRects()[0];
		if (!box) return [];
		const at = [box.x + box.width / 2, box.y + box.height / 2];
		return e.contains(document.elementFromPoint(...at)) ? at : [];
	})(document.querySelector(%q))`, selector)
	var at []float64
	tab.until("finding "+selector, func(ctx context.Context) (bool, error) {
		last := at
		var err error
		at, err = chromedp.Run(ctx, chromedp.Evaluate[[]float64](script))
		return len(at) == 2 && slices.Equal(at, last), err
	})
	tab.do("clicking "+selector, chromedp.MouseClickXY(at[0], at[1], how...))
}

// toLogin clicks through to the login page.
func (tab *tab) toLogin(name string) {
	tab.t.Helper()
	tab.waitVisible(`#account`)
	tab.screenshot(name + "-home")
	tab.click(`#account`)
	tab.waitVisible(`a.qr img`)
	tab.screenshot(name + "-login")
}

// scan opens the QR code's link in a new tab, as the phone of a person does, and
// picks the person. It returns the new tab.
func (tab *tab) scan(person string) *tab {
	tab.t.Helper()
	phone := tab.scanAgain()
	phone.waitVisible(`a[href*="person=` + person + `"]`)
	phone.screenshot("people")
	phone.click(`a[href*="person=` + person + `"]`)
	return phone
}

// scanAgain is scan by the person who has been picked before.
func (tab *tab) scanAgain() *tab {
	tab.t.Helper()
	opened := make(chan target.ID, 1)
	mine := chromedp.FromContext(tab.ctx).BrowserContextID
	if err := chromedp.ListenBrowser(tab.ctx, func(event any) {
		if e, ok := event.(*target.EventTargetCreated); ok && e.TargetInfo.BrowserContextID == mine {
			select {
			case opened <- e.TargetInfo.TargetID:
			default: // the first one counts
			}
		}
	}); err != nil {
		tab.t.Fatal(err)
	}
	tab.click(`a.qr`, chromedp.ButtonModifiers(kb.ModifierCtrl))
	var id target.ID
	select {
	case id = <-opened:
	case <-time.After(patience):
		tab.t.Fatal("the QR code's link opens no tab")
	}
	phone := *tab
	phone.attach(chromedp.NewContext(tab.ctx, chromedp.WithTargetID(id)))
	return &phone
}

// front brings the tab to the front, as somebody does who looks at it.
func (tab *tab) front() {
	tab.t.Helper()
	tab.do("bringing the tab to the front", func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, page.BringToFront, cdp.Empty{})
		return chromedp.Void{}, err
	})
}

// screenshot keeps a picture of the whole page, if anybody wants it.
func (tab *tab) screenshot(name string) {
	tab.t.Helper()
	folder := os.Getenv("SCANGATE_SCREENSHOTS")
	if folder == "" {
		return
	}
	tab.front() // for nothing draws a tab in the background
	var picture []byte
	tab.do("taking a picture", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		picture, err = chromedp.FullScreenshot(100)(ctx, target)
		return none, err
	})
	if err := os.WriteFile(filepath.Join(folder, tab.window.name+"-"+name+".png"), picture, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}

// startChromium starts a browser that lasts until the test ends. Without one the
// test is skipped, unless SCANGATE_REQUIRE says that there has to be one.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	path := findChromium()
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "chromium") {
			t.Fatal("there is no chromium, and SCANGATE_REQUIRE names it")
		}
		t.Skip("there is no chromium (or google-chrome) on this machine")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // which root and many containers can't have; all pages are this test's own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "en"),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
