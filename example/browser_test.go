package main

import (
	"context"
	"fmt"
	"os"
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

// patience is the longest time that a test waits for a page or a process. Most waits end
// within a second or two.
const patience = time.Minute

// window is the size of a browser window, in CSS pixels.
type window struct {
	name          string
	width, height int64
}

// TestBrowser logs in to the program with a real browser, by clicks only, in a wide or a
// narrow window. A long run has both. If SCANGATE_SCREENSHOTS names a folder, the tests
// write pictures of the pages there.
func TestBrowser(t *testing.T) {
	browser := startChromium(t)
	for i, tt := range []struct {
		name string
		test func(*testing.T, *tab)
	}{
		{"a known person logs in", testKnownPersonScans},
		{"a new person shares their name", testNewPersonSharesName},
		{"a new person claims to be new", testNewPersonSaysSo},
		{"a snapshot user has to open the full page", testSnapshotUser},
		{"a person scans on WeChat's own page", testWeChatsPage},
		{"a person refuses the login", testRefused},
	} {
		for _, w := range turns(i, windows...) {
			t.Run(w.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				tt.test(t, openTab(t, browser, w))
			})
		}
	}
}

func testKnownPersonScans(t *testing.T, desktop *tab) {
	desktop.toLogin("known")
	phone := desktop.scan("lin")
	phone.waitVisible(`button[value=approve]`)
	phone.screenshot("confirm")
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	phone.screenshot("approved")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 林小北!")
	desktop.screenshot("greeting")
	desktop.click(`#logout-everywhere`)
	// The account page leads to the login again.
	desktop.click(`#account`)
	desktop.waitVisible(`a.qr`)
}

func testNewPersonSharesName(t *testing.T, desktop *tab) {
	desktop.toLogin("new")
	phone := desktop.scan("yueyue")
	phone.waitVisible(`a.primary`)
	phone.screenshot("profile")
	// The gate's page first, then WeChat's consent, then the confirm page.
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 月月🌙🐰!")
	desktop.screenshot("new-greeting")
	desktop.click(`#logout`)
	desktop.click(`#account`)
	desktop.waitVisible(`a.qr`)
}

func testNewPersonSaysSo(t *testing.T, desktop *tab) {
	desktop.toLogin("new-here")
	phone := desktop.scan("wang")
	phone.click(`button.plain`) // "I am new here"
	phone.waitText(`h1`, "One more step")
	phone.screenshot("new-here-needed")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, Wang Wei!")
}

func testSnapshotUser(t *testing.T, desktop *tab) {
	desktop.toLogin("snapshot")
	phone := desktop.scan("zhao")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=allow"]`)
	// WeChat's snapshot page has consented to a placeholder user. The gate asks the
	// person to open the full page.
	phone.waitText(`h1`, "This is a snapshot page")
	phone.screenshot("snapshot")
	phone.click(`a.primary`)
	phone.waitText(`h1`, "Have you used Example before?")
	phone.click(`a.primary`)
	phone.click(`a[href*="answer=full"]`)
	phone.click(`button[value=approve]`)
	phone.waitText(`h1`, "Done")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 赵一!")
}

func testWeChatsPage(t *testing.T, desktop *tab) {
	desktop.toLogin("website")
	desktop.click(`a[href*="with=website"]`)
	desktop.waitVisible(`a[href*="person=chen"]`)
	desktop.screenshot("wechats-page")
	desktop.click(`a[href*="person=chen"]`)
	desktop.waitVisible(`a[href*="answer=allow"]`)
	desktop.screenshot("wechats-consent")
	desktop.click(`a[href*="answer=allow"]`)
	desktop.waitText(`#greeting`, "Hello, 陈默!")
	desktop.click(`#logout`)
	desktop.waitVisible(`#account`)
}

func testRefused(t *testing.T, desktop *tab) {
	desktop.toLogin("refused")
	phone := desktop.scan("lin")
	phone.click(`button[value=deny]`)
	phone.waitText(`h1`, "Refused")
	phone.screenshot("denied")
	desktop.front() // hidden tabs do not poll
	desktop.waitVisible(`[data-show=denied]`)
	desktop.screenshot("refused")
	desktop.click(`[data-show=denied] button`) // starts a new login
	desktop.waitVisible(`[data-show=waiting]`)
}

// tab is a tab of the browser. Its methods fail the test if a step takes longer than
// patience.
type tab struct {
	t       *testing.T
	ctx     context.Context // chromedp keeps the target in it
	browser *browser
	window  window
	// allowErrors accepts error statuses of the server, which the browser writes to its
	// console.
	allowErrors bool
	scriptsOff  bool // the pages run no scripts
}

// openTab starts the program and opens its public page in a tab with cookies of its own.
func openTab(t *testing.T, browser *browser, w window) *tab {
	t.Helper()
	return openTabAt(t, browser, w, startProgram(t))
}

// openTabAt opens a page in a tab with cookies of its own.
func openTabAt(t *testing.T, browser *browser, w window, home string) *tab {
	t.Helper()
	tab := &tab{t: t, browser: browser, window: w}
	tab.attach(browser.open(t))
	tab.do("opening the public page", chromedp.Navigate(home))
	return tab
}

// attach connects the tab to a browser target and sizes its window. It closes the target
// when the test ends. An error on the browser's console fails the test, for example a
// script's exception or a style that the page's Content-Security-Policy forbids.
func (tab *tab) attach(ctx context.Context, stop context.CancelFunc) {
	tab.t.Helper()
	tab.ctx = ctx
	console, endConsole := context.WithCancel(ctx)
	messages := chromedp.Console(console)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			// The browser also reports error statuses. A refusal, status 403, is
			// part of several tests. No simulated person has a real picture, and the
			// policy of some pages blocks pictures.
			expected := m.Source == "network" && (tab.allowErrors || strings.Contains(m.Text, " 403 ") || strings.Contains(m.URL, ".qlogo.cn/")) ||
				strings.Contains(m.Text, ".qlogo.cn/")
			if (m.Type == chromedp.ConsoleError || m.IsException()) && !expected {
				tab.t.Errorf("browser console: error at %s: %s", m.URL, m.Text)
			}
		}
	}()
	tab.t.Cleanup(func() {
		endConsole()
		<-read // the goroutine must not use t after the test
		stop()
	})
	tab.front()
	tab.do("sizing the window", chromedp.EmulateViewport(tab.window.width, tab.window.height))
}

// do does one step. The name of the step is for the failure message.
func (tab *tab) do(step string, action chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		// The first ctx may be done. Show what the page looks like instead.
		ctx, cancel := context.WithTimeout(tab.ctx, time.Second)
		defer cancel()
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		tab.t.Fatalf("%s: %v\npage: %s", step, err, text)
	}
}

// until calls try every 50 ms until it returns true without an error.
func (tab *tab) until(step string, try func(context.Context) (bool, error)) {
	tab.t.Helper()
	tab.do(step, func(ctx context.Context, _ *chromedp.Target) (none chromedp.Void, err error) {
		for {
			done, err := try(ctx)
			if done && err == nil {
				return none, nil
			}
			select {
			case <-ctx.Done():
				if err == nil {
					return none, ctx.Err()
				}
				return none, fmt.Errorf("%w; %w", ctx.Err(), err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// waitFor waits until a script returns true.
func (tab *tab) waitFor(condition, script string) {
	tab.t.Helper()
	// Polling, because the browser's own events can be lost while it loads another page.
	tab.until("waiting for "+condition, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](script))
	})
}

// isVisible is a JavaScript function that reports whether an element is visible. Chromium 80
// has no checkVisibility.
const isVisible = `(e => e.getClientRects().length > 0 && (e.checkVisibility ? e.checkVisibility({ visibilityProperty: true }) : getComputedStyle(e).visibility === "visible"))`

// selectAll is a JavaScript function that returns the elements that a selector matches, in
// the page and in the shadow roots of scangate-login.
const selectAll = `(s => [document, ...[...document.querySelectorAll("scangate-login")].map(e => e.shadowRoot).filter(Boolean)].flatMap(r => [...r.querySelectorAll(s)]))`

// scriptsRan is a JavaScript expression that reports whether the page's scripts have run. They
// begin when the page is parsed, and so after its elements are there.
const scriptsRan = `performance.timing.domContentLoadedEventEnd > 0`

// waitVisible waits until an element is visible and the scripts of its page have run.
func (tab *tab) waitVisible(selector string) {
	tab.t.Helper()
	tab.waitFor(selector, fmt.Sprintf(`%s && %s(%q).some(%s)`, scriptsRan, selectAll, selector, isVisible))
}

// waitText is waitVisible for an element with exactly this text, apart from white space.
func (tab *tab) waitText(selector, text string) {
	tab.t.Helper()
	script := fmt.Sprintf(`%s && %s(%q).some(e => %s(e) && e.textContent.trim().replace(/\s+/g, " ") === %q)`, scriptsRan, selectAll, selector, isVisible, text)
	tab.waitFor(selector+" with the text "+text, script)
}

// typeInto types a text into a field.
func (tab *tab) typeInto(field, text string) {
	tab.t.Helper()
	tab.click(field)
	// A field keeps a refused text. The new text replaces it.
	tab.do("selecting what "+field+" has", chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
	tab.do("typing into "+field, chromedp.KeyEvent(text))
}

// click clicks the center of an element. It waits until the page is loaded, the element
// is enabled, nothing covers it, and it has not moved for 50 ms. If the element moves
// before the mouse arrives, the page does not see the click, and click tries again.
func (tab *tab) click(selector string, how ...chromedp.MouseOption) {
	tab.t.Helper()
	find := fmt.Sprintf(`(%s)(%s(%q).find(e => e.getClientRects().length > 0))`, aim, selectAll, selector)
	for missed := true; missed; {
		var at []float64
		tab.until("finding "+selector, func(ctx context.Context) (bool, error) {
			last := at
			var err error
			at, err = chromedp.Run(ctx, chromedp.Evaluate[[]float64](find))
			return len(at) == 2 && slices.Equal(at, last), err
		})
		tab.do("clicking "+selector, chromedp.MouseClickXY(at[0], at[1], how...))
		if tab.scriptsOff {
			return // no listener could note the click
		}
		tab.until("clicking "+selector, func(ctx context.Context) (bool, error) {
			var err error
			// A page without aimed is the next one, to which the click has led.
			missed, err = chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(window.aimed) && !aimed.hit`))
			return true, err
		})
	}
}

// aim is a JavaScript function that returns the place of an element, if it can be clicked
// there. Until the next click it hides the mouse from the page, except on the element.
const aim = `e => {
	if (!e || e.disabled || document.readyState !== "complete") return [];
	e.scrollIntoView({ block: "center", behavior: "instant" });
	const box = e.getClientRects()[0];
	if (!box) return [];
	const at = [box.x + box.width / 2, box.y + box.height / 2];
	if (!e.contains(e.getRootNode().elementFromPoint(...at))) return [];
	if (window.aimed) aimed.end();
	const events = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
	const guard = event => {
		const hit = event.composedPath().includes(e);
		if (!hit) {
			event.preventDefault();
			event.stopImmediatePropagation();
		}
		if (event.type !== "click") return;
		window.aimed.hit = hit;
		window.aimed.end(); // a click on a label is followed by one on its field
	};
	for (const type of events) addEventListener(type, guard, true);
	window.aimed = { hit: false, end: () => { for (const type of events) removeEventListener(type, guard, true) } };
	return at;
}`

// toLogin opens the login page from the public page. The name is for the screenshots.
func (tab *tab) toLogin(name string) {
	tab.t.Helper()
	tab.waitVisible(`#account`)
	tab.screenshot(name + "-home")
	tab.click(`#account`)
	tab.waitVisible(`a.qr img`)
	tab.screenshot(name + "-login")
}

// confirmAccount confirms that the account on the finish page, or in scangate-login, is the
// right one.
func (tab *tab) confirmAccount() {
	tab.t.Helper()
	tab.front() // hidden tabs do not poll
	tab.click(`form[data-finish] .primary, div.answers .primary`)
}

// scan opens the link of the QR code in a new tab, which is the phone. On the simulator's
// page it chooses the person. It returns the new tab.
func (tab *tab) scan(person string) *tab {
	tab.t.Helper()
	phone := tab.scanAgain()
	phone.waitVisible(`a[href*="person=` + person + `"]`)
	phone.screenshot("people")
	phone.click(`a[href*="person=` + person + `"]`)
	return phone
}

// scanAgain is scan for the person chosen before, whom the simulator remembers.
func (tab *tab) scanAgain() *tab {
	tab.t.Helper()
	return tab.opensTab(`a.qr`)
}

// opensTab clicks a link, and returns the new tab in which it opens.
func (tab *tab) opensTab(selector string) *tab {
	tab.t.Helper()
	opened := make(chan target.ID, 1)
	// Tests share the browser: ignore tabs of other tests.
	own := chromedp.FromContext(tab.ctx).BrowserContextID
	if err := chromedp.ListenBrowser(tab.ctx, func(event any) {
		if e, ok := event.(*target.EventTargetCreated); ok && e.TargetInfo.BrowserContextID == own {
			select {
			case opened <- e.TargetInfo.TargetID:
			default: // keep the first one
			}
		}
	}); err != nil {
		tab.t.Fatal(err)
	}
	// With Ctrl the browser opens a link in a new tab.
	tab.click(selector, chromedp.ButtonModifiers(kb.ModifierCtrl))
	var id target.ID
	select {
	case id = <-opened:
	case <-time.After(patience):
		tab.t.Fatalf("clicking %s: no new tab after %v", selector, patience)
	}
	phone := *tab
	ctx, stop := chromedp.NewContext(tab.ctx, chromedp.WithTargetID(id))
	chromedp.FromContext(ctx).BrowserContextID = own
	phone.attach(ctx, stop)
	return &phone
}

// front brings the tab to the front.
func (tab *tab) front() {
	tab.t.Helper()
	tab.do("bringing the tab to the front", func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, page.BringToFront, cdp.Empty{})
		return chromedp.Void{}, err
	})
}

// screenshot writes a picture of the whole page, if SCANGATE_SCREENSHOTS is set.
func (tab *tab) screenshot(name string) {
	tab.t.Helper()
	folder := os.Getenv("SCANGATE_SCREENSHOTS")
	if folder == "" {
		return
	}
	tab.front() // the browser does not draw tabs in the background
	var picture []byte
	tab.do("taking a picture", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		picture, err = chromedp.FullScreenshot(100)(ctx, target)
		return none, err
	})
	if err := os.WriteFile(filepath.Join(folder, tab.window.name+"-"+name+".png"), picture, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}
