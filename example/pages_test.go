package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// mobileSafari is the User-Agent of a phone's browser other than WeChat's.
const mobileSafari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"

// pageStates are the gate's pages in each of their states.
var pageStates = []struct {
	name   string
	config func(*scangate.Config)
	show   func(*visit)
}{
	{"login", withWebsite, func(v *visit) { v.login() }},
	{"login-brand", withBrand, func(v *visit) { v.login() }},
	{"login-number", withNumber, func(v *visit) { v.login() }},
	{"login-scanned", nil, func(v *visit) { v.login(); v.phoneScans("lin"); v.waitVisible(`[data-show=scanned]`) }},
	{"login-approved", nil, func(v *visit) { v.login(); v.showState("approved") }},
	{"login-denied", nil, func(v *visit) { v.login(); v.phoneAnswers("lin", "deny"); v.waitVisible(`[data-show=denied]`) }},
	{"login-expired", nil, func(v *visit) { v.login(); v.showState("expired") }},
	{"login-offline", nil, func(v *visit) { v.login(); v.showState("offline") }},
	{"login-on-phone", nil, func(v *visit) { v.setUserAgent(mobileSafari); v.login() }},
	{"login-on-phone-scanned", nil, func(v *visit) { v.setUserAgent(mobileSafari); v.login(); v.showState("scanned") }},
	{"login-link", withAccount, func(v *visit) { v.open("/wechat/link?return_to=/account") }},
	{"finish", withProfile, showFinish("yueyue")},
	{"finish-new", nil, showFinish("wang")},
	{"finish-number", withKnownNumber, showFinish("wang")},
	{"finish-link", withAccount, func(v *visit) {
		v.open("/wechat/link?return_to=/account")
		v.phoneAnswers("wang", "approve")
		v.waitVisible(`button[value=deny]`)
	}},
	{"profile", withProfile, func(v *visit) { v.scan("wang") }},
	{"profile-known", withWebsite, func(v *visit) { v.scan("wang") }},
	{"profile-needed", withWebsite, func(v *visit) { v.scan("wang"); v.click(`button.plain`); v.waitVisible(`main:not(:has(form))`) }},
	{"confirm", nil, func(v *visit) { v.scan("lin") }},
	{"confirm-number", withNumber, func(v *visit) { v.scan("lin") }},
	{"confirm-link", withAccount, func(v *visit) { v.scanLink("wang") }},
	{"confirm-link-here", withAccount, func(v *visit) { v.linkHere("wang") }},
	{"done-approved", nil, func(v *visit) { v.scan("lin"); v.answer("approve") }},
	{"done-denied", nil, func(v *visit) { v.scan("lin"); v.answer("deny") }},
	{"done-link-approved", withAccount, func(v *visit) { v.scanLink("wang"); v.answer("approve") }},
	{"done-link-denied-here", withAccount, func(v *visit) { v.linkHere("wang"); v.answer("deny") }},
	{"phone", withPhone, func(v *visit) { v.scan("wang") }},
	{"phone-invalid", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("12345") }},
	{"phone-code", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000") }},
	{"phone-code-wrong", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000"); v.typeCode("000000") }},
	{"phone-other", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000"); v.click(`summary`) }},
	{"error-unknown", nil, func(v *visit) { v.open("/wechat/scan/" + strings.Repeat("A", 26)) }},
	{"error-in-use", nil, func(v *visit) {
		v.startElsewhere("/wechat/login")
		v.phoneScans("lin")
		v.setUserAgent(wechattest.UserAgentPhone)
		v.open(v.scanURL)
	}},
	{"error-denied", nil, func(v *visit) { v.startElsewhere("/wechat/login"); v.phoneAnswers("lin", "deny"); v.open(v.scanURL) }},
	{"error-bad-state", nil, func(v *visit) { v.open("/wechat/callback?code=a&state=b") }},
	{"error-cancelled", withWebsite, func(v *visit) {
		v.login()
		v.click(`a[href*="with=website"]`)
		v.click(`a[href*="person=chen"]`)
		v.click(`a[href*="answer=refuse"]`)
		v.waitVisible(`h1`)
	}},
	{"error-wechat", nil, func(v *visit) {
		v.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125})
		v.openInWeChat("wang")
	}},
	{"error-restart", nil, func(v *visit) {
		v.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029})
		v.openInWeChat("wang")
	}},
	{"error-rejected", func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return errors.New("rejected by the test") }
	}, func(v *visit) { v.openInWeChat("wang") }},
	{"error-not-registered", func(c *scangate.Config) { c.Registration = scangate.RegisterClosed }, func(v *visit) { v.openInWeChat("wang") }},
	{"error-snapshot", withProfile, func(v *visit) {
		v.scan("zhao")
		v.click(`a.primary`)
		v.click(`a[href*="answer=allow"]`)
		v.waitVisible(`.bar`)
	}},
	{"error-too-many", func(c *scangate.Config) { c.Limits.Address = 1 }, func(v *visit) { v.startElsewhere("/wechat/login"); v.open("/wechat/login") }},
	{"error-unavailable", func(c *scangate.Config) { c.Users = brokenUsers{c.Users} }, func(v *visit) { v.openInWeChat("wang") }},
}

// withWebsite adds a website application.
func withWebsite(c *scangate.Config) {
	c.Website = wechat.Account{AppID: "wx0000000000000002", Secret: simulatedSecret}
}

// withProfile asks new users for their profile.
func withProfile(c *scangate.Config) { c.FetchProfile = true }

// withNumber makes the person enter the number that the desktop shows.
func withNumber(c *scangate.Config) { c.MatchNumber = true }

// withBrand sets a long name, a light accent color and a logo, which are hard cases for the
// layout and the contrast.
func withBrand(c *scangate.Config) {
	c.AppName, c.Pages.AccentColor = "A rather long name, of a shop 北京图书馆", "#ffc53d"
	c.Pages.Logo = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'%3E%3Crect width='40' height='20' rx='6' fill='%23d4380d'/%3E%3C/svg%3E"
	c.Pages.Logo = strings.ReplaceAll(c.Pages.Logo, " ", "%20")
}

// withAccount makes every browser logged in by the application's own login, to which a
// WeChat can be linked.
func withAccount(c *scangate.Config) {
	user, err := c.Users.Register(context.Background(), scangate.NewUser{
		Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Nickname: "林小北",
	})
	c.CurrentUser = func(*http.Request) (string, bool) { return user.ID, err == nil }
}

// withPhone requires a phone number. The verification codes are lost.
func withPhone(c *scangate.Config) {
	c.Phone.Require = true
	c.Phone.SendCode = func(context.Context, string, string) error { return nil }
}

// withKnownNumber has the application know wang by a number, but not by a name.
func withKnownNumber(c *scangate.Config) {
	wang := scangate.Identity{AppID: c.OfficialAccount.AppID, OpenID: wechattest.New(wechattest.People(), wechattest.App{Account: c.OfficialAccount}).OpenID("wang", c.OfficialAccount.AppID)}
	_, _ = c.Users.Register(context.Background(), scangate.NewUser{Identity: wang, Phone: "+8613800138000"})
}

// brokenUsers is a store of users whose reads fail.
type brokenUsers struct{ scangate.UserStore }

func (brokenUsers) FindByWeChat(context.Context, scangate.Identity) (scangate.User, error) {
	return scangate.User{}, errors.New("no such table")
}

// showFinish returns a function that shows the finish page, where the desktop confirms the
// login of a person.
func showFinish(person string) func(*visit) {
	return func(v *visit) {
		v.login()
		v.phoneAnswers(person, "approve")
		v.waitVisible(`form[data-finish]`)
	}
}

// TestPages shows every page in each of its states and in both languages. It checks the
// language, the width on a narrow phone, and the accessibility with axe-core. If
// SCANGATE_SCREENSHOTS names a folder, the test writes pictures of the pages there.
func TestPages(t *testing.T) {
	browser, axe := startChromium(t), axeCore(t)
	if axe == "" {
		t.Run("accessibility", func(t *testing.T) { t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core") })
	}
	for _, lang := range []string{"zh-CN", "en"} {
		for _, s := range pageStates {
			t.Run(s.name+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, s.config)
				s.show(v)
				for _, scheme := range []string{"light", "dark"} {
					for _, w := range windows {
						v.setWindow(w, scheme)
						v.screenshot(s.name + "-" + lang[:2] + "-" + scheme)
					}
				}
				testText(t, v)
				if axe != "" {
					testAccessibility(t, v, axe)
				}
				testNarrow(t, v)
			})
		}
	}
}

// testText checks that the page is in the browser's language and that no text is missing.
func testText(t *testing.T, v *visit) {
	got := read[string](v, `[document.documentElement.lang, document.title, document.body.innerText].join("\n")`)
	// "%!" is a mistake in a format, braces are a template's, and a name with dots is the
	// key of a missing text.
	if !strings.HasPrefix(got, v.lang+"\n") || strings.Contains(got, "%!") || regexp.MustCompile(`[{}]|[a-z]+\.[a-z_]+\.`).MatchString(got) {
		t.Errorf("page text = %s, want language %s and no placeholders", got, v.lang)
	}
}

// testNarrow checks that the page fits into a window of 320 pixels, the width of the
// narrowest phones, without scrolling sideways.
func testNarrow(t *testing.T, v *visit) {
	v.setWindow(window{"narrow", 320, 568}, "light")
	wide := read[[]string](v, `[document.body, ...document.body.querySelectorAll("*")]
		.filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth || e === document.body && e.scrollWidth > innerWidth)
		.map(e => e.outerHTML.slice(0, 200))`)
	if len(wide) > 0 {
		t.Errorf("elements wider than 320 pixels: %q, want none", wide)
	}
}

// testAccessibility checks the page with axe-core: in Chinese on a phone with light colors,
// in English on a desktop with dark colors.
func testAccessibility(t *testing.T, v *visit, axe string) {
	if v.lang == "en" {
		v.setWindow(windows[0], "dark")
	} else {
		v.setWindow(windows[1], "light")
	}
	// The debugger runs the script, so the page's Content-Security-Policy does not apply. It
	// would block the inline styles of axe-core's preloading, which copies the styles of
	// shadow roots.
	v.evaluate(axe + "\n;null")
	found := read[struct {
		Passes     int
		Violations []string
	}](v, `axe.run(document, { preload: !document.querySelector("scangate-login") }).then(r => ({
		passes: r.passes.length,
		violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)),
	}))`)
	for _, violation := range found.Violations {
		t.Errorf("axe-core: %s", violation)
	}
	// A page that axe-core has not looked at has no violations either.
	if found.Passes < 10 {
		t.Errorf("axe-core: %d rules passed, want at least 10", found.Passes)
	}
}

// axeCore returns the script axe.min.js that SCANGATE_AXE names. It returns "" if that is
// not set, unless SCANGATE_REQUIRE names axe.
func axeCore(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SCANGATE_AXE")
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "axe") {
			t.Fatal("SCANGATE_REQUIRE names axe, but SCANGATE_AXE does not name axe.min.js")
		}
		return ""
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}

// TestLoginDoesNotShift checks that the login page's elements keep their places while it
// loads and when its state changes.
func TestLoginDoesNotShift(t *testing.T) {
	browser := startChromium(t)
	for device, agent := range map[string]string{"desktop": wechattest.UserAgentChrome, "phone": mobileSafari} {
		for _, lang := range []string{"zh-CN", "en"} {
			t.Run(device+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, withWebsite)
				v.setUserAgent(agent)
				v.login()
				v.waitVisible(`[data-show=waiting]`)
				testLoadingShift(t, v)
				want := v.places()
				for _, state := range []string{"scanned", "offline", "denied"} {
					v.showState(state)
					for w, got := range v.places() {
						if !slices.Equal(got, want[w]) {
							t.Errorf("%s window, state %s: places = %v, want %v as before", w, state, got, want[w])
						}
					}
					testInsidePanel(t, v, state)
				}
			})
		}
	}
}

// testLoadingShift checks that nothing has moved while the page loaded.
func testLoadingShift(t *testing.T, v *visit) {
	t.Helper()
	// The browser reports layout shifts a moment after they happen. The observer also gets
	// those from before.
	shift := read[float64](v, `new Promise(done => {
		let sum = 0;
		new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.value)).observe({ type: "layout-shift", buffered: true });
		setTimeout(() => done(sum), 300);
	})`)
	if shift > 0 {
		t.Errorf("layout shift while loading = %g, want 0", shift)
	}
}

// places returns the places and sizes of the login page's elements, by the name of the
// window.
func (v *visit) places() map[string][]float64 {
	v.t.Helper()
	at := make(map[string][]float64)
	for _, w := range append(windows, window{"narrow", 320, 568}) {
		v.setWindow(w, "light")
		at[w.name] = read[[]float64](v, `["main", "h1", ".number", ".stage", ".timer"].flatMap(s => { const r = document.querySelector(s).getBoundingClientRect(); return [r.x, r.y + scrollY, r.width, r.height] })`)
	}
	return at
}

// testInsidePanel checks that the texts of a state fit into their panel, which has a fixed
// height.
func testInsidePanel(t *testing.T, v *visit, state string) {
	t.Helper()
	outside := read[[]string](v, `(() => { const panel = document.querySelector(".status > div:not([hidden])"); if (!panel) return []; const p = panel.getBoundingClientRect();
		return [...panel.children].filter(e => { const r = e.getBoundingClientRect(); return r.top < p.top || r.bottom > p.bottom }).map(e => e.outerHTML) })()`)
	if len(outside) > 0 {
		t.Errorf("state %s: elements outside the panel: %q, want none", state, outside)
	}
}

// TestWithoutScript logs in with a browser that runs no scripts.
func TestWithoutScript(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.call("disabling scripts", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	desktop.login()
	desktop.waitVisible(`[data-show=waiting]`)
	desktop.phoneScans("lin")
	desktop.waitVisible(`[data-show=scanned]`)
	desktop.phoneAnswers("lin", "approve")
	desktop.confirmAccount()
	desktop.waitVisible(`#greeting`)
}

// TestFinishPage gives each answer on the finish page, which names the person who has
// scanned and asks the desktop's user to confirm.
func TestFinishPage(t *testing.T) {
	browser := startChromium(t)
	t.Run("the page waits, and the next one of the same user does not", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		showFinish("wang")(desktop)
		desktop.wantTrue(`document.activeElement.matches("form[data-finish]:not([data-auto]) .primary")`)
		desktop.confirmAccount()
		desktop.waitVisible(`#greeting`)
		desktop.call("deleting the session", func(ctx context.Context) error {
			for _, name := range []string{"session", "scangate-issued"} {
				if _, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: desktop.url}); err != nil {
					return err
				}
			}
			return nil
		})
		desktop.login()
		desktop.scanURL = "" // the next code's
		desktop.phoneAnswers("wang", "approve")
		desktop.waitVisible(`#greeting`)
	})
	t.Run("a picture that does not load leaves the letter", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", withProfile)
		showFinish("wang")(desktop)
		desktop.waitFor("the hidden picture", `document.querySelector(".who img").hidden && document.querySelector(".who i").innerText === "W"`)
	})
	t.Run("the desktop refuses another person", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		showFinish("wang")(desktop)
		desktop.click(`button[value=deny]`)
		desktop.waitVisible(`[data-show=waiting]`)
		if got := read[string](desktop, `document.querySelector("a.qr").href`); got == desktop.scanURL {
			t.Error("QR code after the refusal: got the one that was scanned, want a new one")
		}
		desktop.open("/account")
		desktop.waitVisible(`a.qr`) // the desktop is not logged in
	})
	t.Run("the desktop does not link a WeChat", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", withAccount)
		desktop.open("/wechat/link?return_to=/")
		desktop.phoneAnswers("wang", "approve")
		desktop.waitVisible(`button[value=deny]`)
		desktop.click(`button[value=deny]`)
		desktop.waitVisible(`#account`)
	})
}

// TestCopyLink copies the link that the login page shows to a phone outside WeChat.
func TestCopyLink(t *testing.T) {
	phone := newVisit(t, startChromium(t), "en", nil)
	phone.setUserAgent(mobileSafari)
	phone.login()
	phone.click(`[data-copy]`)
	phone.waitText(`button`, "Copied")
	if got := read[string](phone, `getSelection().toString() || document.querySelector("#link").value`); !strings.HasPrefix(got, phone.url+"/wechat/scan/") {
		t.Errorf("copied link = %q, want %s/wechat/scan/...", got, phone.url)
	}
}

// TestExpiredGetsFocus renews an expired QR code with the Enter key, without a click.
func TestExpiredGetsFocus(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.login()
	desktop.showState("expired")
	desktop.fakeState.Store("")
	desktop.do("pressing Enter", chromedp.KeyEvent("\r"))
	desktop.waitVisible(`[data-show=waiting]`)
}
