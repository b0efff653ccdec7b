package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// mobileSafari is a phone's browser that is not WeChat's.
const mobileSafari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"

// sights are the gate's pages in all their states.
var sights = []struct {
	name   string
	config func(*scangate.Config)
	show   func(*visit)
}{
	{"login", withWebsite, func(v *visit) { v.login() }},
	{"login-brand", withBrand, func(v *visit) { v.login() }},
	{"login-number", withNumber, func(v *visit) { v.login() }},
	{"login-scanned", nil, func(v *visit) { v.login(); v.phoneScans("lin"); v.waitVisible(`[data-show=scanned]`) }},
	{"login-approved", nil, func(v *visit) { v.login(); v.say("approved") }},
	{"login-denied", nil, func(v *visit) { v.login(); v.phoneAnswers("lin", "deny"); v.waitVisible(`[data-show=denied]`) }},
	{"login-expired", nil, func(v *visit) { v.login(); v.say("expired") }},
	{"login-offline", nil, func(v *visit) { v.login(); v.say("offline") }},
	{"login-on-phone", nil, func(v *visit) { v.agent(mobileSafari); v.login() }},
	{"login-on-phone-scanned", nil, func(v *visit) { v.agent(mobileSafari); v.login(); v.say("scanned") }},
	{"login-link", withAccount, func(v *visit) { v.open("/wechat/link?return_to=/account") }},
	{"finish", withProfile, showFinish("yueyue")},
	{"finish-nameless", nil, showFinish("wang")},
	{"finish-link", withAccount, func(v *visit) {
		v.open("/wechat/link?return_to=/account")
		v.phoneAnswers("wang", "approve")
		v.waitVisible(`button[value=deny]`)
	}},
	{"profile", withProfile, func(v *visit) { v.scan("wang") }},
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
	{"error-in-use", nil, func(v *visit) { v.asked(); v.phoneScans("lin"); v.agent(wechattest.UserAgentPhone); v.open(v.scanURL) }},
	{"error-denied", nil, func(v *visit) { v.asked(); v.phoneAnswers("lin", "deny"); v.open(v.scanURL) }},
	{"error-bad-state", nil, func(v *visit) { v.open("/wechat/callback?code=a&state=b") }},
	{"error-cancelled", withWebsite, func(v *visit) {
		v.login()
		v.click(`a[href*="with=website"]`)
		v.click(`a[href*="person=chen"]`)
		v.click(`a[href*="answer=refuse"]`)
		v.waitVisible(`h1`)
	}},
	{"error-wechat", nil, func(v *visit) {
		v.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029})
		v.here("wang")
	}},
	{"error-rejected", func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return errors.New("not on Sundays") }
	}, func(v *visit) { v.here("wang") }},
	{"error-not-registered", func(c *scangate.Config) { c.Registration = scangate.RegisterClosed }, func(v *visit) { v.here("wang") }},
	{"error-snapshot", withProfile, func(v *visit) {
		v.scan("zhao")
		v.click(`a.primary`)
		v.click(`a[href*="answer=allow"]`)
		v.waitVisible(`.bar`)
	}},
	{"error-too-many", func(c *scangate.Config) { c.Limits.Address = 1 }, func(v *visit) { v.asked(); v.open("/wechat/login") }},
	{"error-unavailable", func(c *scangate.Config) { c.Users = brokenUsers{c.Users} }, func(v *visit) { v.here("wang") }},
}

func withWebsite(c *scangate.Config) {
	c.Website = wechat.Account{AppID: "wx0000000000000002", Secret: "simulated"}
}
func withProfile(c *scangate.Config) { c.FetchProfile = true }
func withNumber(c *scangate.Config)  { c.MatchNumber = true }

// withBrand makes the pages look as little as can be like the gate's own.
func withBrand(c *scangate.Config) {
	c.AppName, c.Pages.AccentColor = "A rather long name, of a shop 北京图书馆", "#ffc53d"
	c.Pages.Logo = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'%3E%3Crect width='40' height='20' rx='6' fill='%23d4380d'/%3E%3C/svg%3E"
	c.Pages.Logo = strings.ReplaceAll(c.Pages.Logo, " ", "%20")
}

// withAccount has somebody logged in by the application's own means.
func withAccount(c *scangate.Config) {
	user, err := c.Users.Register(context.Background(), scangate.NewUser{
		Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Nickname: "林小北",
	})
	c.CurrentUser = func(*http.Request) (string, bool) { return user.ID, err == nil }
}

func withPhone(c *scangate.Config) {
	c.Phone.Require = true
	c.Phone.SendCode = func(context.Context, string, string) error { return nil }
}

// brokenUsers is a table of users that can't be read.
type brokenUsers struct{ scangate.UserStore }

func (brokenUsers) FindByWeChat(context.Context, scangate.Identity) (scangate.User, error) {
	return scangate.User{}, errors.New("no such table")
}

func showFinish(person string) func(*visit) {
	return func(v *visit) {
		v.login()
		v.phoneAnswers(person, "approve")
		v.waitVisible(`form[data-auto]`)
		v.evaluate(`dispatchEvent(new Event("keydown"))`) // which stays the form
	}
}

// site is an application beside a WeChat, for its pages to be looked at.
type site struct {
	url    string
	wechat *wechattest.Server
	lie    atomic.Value // the state that waiting browsers are told in place of the true one
}

func newSite(t *testing.T, option func(*scangate.Config)) *site {
	t.Helper()
	config := scangate.Config{
		AppName:         "Example",
		OfficialAccount: wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"},
		Users:           scangate.NewMemoryStore(),
		Logger:          slog.New(slog.DiscardHandler),
	}
	if option != nil {
		option(&config)
	}
	apps := []wechattest.App{{Account: config.OfficialAccount}}
	if config.Website.AppID != "" {
		apps = append(apps, wechattest.App{Account: config.Website, Website: true})
	}
	s := &site{wechat: wechattest.NewServer(t, apps...)}
	s.lie.Store("")
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s.url = "http://" + server.Listener.Addr().String()
	config.PublicURL, config.Endpoint = s.url, s.wechat.Endpoint()
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	app := newApp(gate)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch lie := s.lie.Load().(string); {
		case lie == "" || r.Method != http.MethodGet:
			app.ServeHTTP(w, r)
		case lie == "offline" && strings.HasSuffix(r.URL.Path, "/state"):
			http.Error(w, "away", http.StatusBadGateway)
		case strings.HasSuffix(r.URL.Path, "/state") && r.URL.Query().Get("seen") != lie:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"state": lie})
		case strings.HasSuffix(r.URL.Path, "/state"):
			<-r.Context().Done() // no news
		case lie == "approved":
			w.WriteHeader(http.StatusNoContent) // and the browser stays where it is
		default:
			app.ServeHTTP(w, r)
		}
	})
	server.Start()
	return s
}

// visit is a browser at a site.
type visit struct {
	*tab
	*site
	lang    string
	scanURL string
	phone   *wechattest.Phone
}

func newVisit(t *testing.T, browser context.Context, lang string, option func(*scangate.Config)) *visit {
	t.Helper()
	v := &visit{site: newSite(t, option), lang: lang, tab: &tab{t: t, window: windows[0], mayFail: true}}
	v.attach(chromedp.NewContext(browser, chromedp.WithNewBrowserContext()))
	v.agent(wechattest.UserAgentChrome)
	return v
}

// agent makes the browser another one.
func (v *visit) agent(userAgent string) {
	v.t.Helper()
	v.call("changing the browser", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent, AcceptLanguage: v.lang})
		return err
	})
}

// call is a command to the browser.
func (v *visit) call(what string, f func(context.Context) error) {
	v.t.Helper()
	v.do(what, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) { return chromedp.Void{}, f(ctx) })
}

func (v *visit) evaluate(script string) {
	v.t.Helper()
	v.do("running "+script, chromedp.Evaluate[chromedp.Void](script))
}

func (v *visit) open(target string) {
	v.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = v.url + target
	}
	v.do("opening "+target, chromedp.Navigate(target))
}

func (v *visit) login() {
	v.t.Helper()
	v.open("/wechat/login?return_to=/account")
}

// say has waiting browsers told a state.
func (v *visit) say(state string) {
	v.t.Helper()
	v.lie.Store(state)
	v.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`) // asks again at once
	v.waitVisible(`[data-show=` + state + `]`)
}

// phoneScans has somebody scan the QR code that the page shows, or that asked
// returned.
func (v *visit) phoneScans(person string) string {
	v.t.Helper()
	if v.scanURL == "" {
		v.do("reading the QR code's link", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
			v.scanURL, err = chromedp.Evaluate[string](`document.querySelector("a.qr").href`)(ctx, target)
			return none, err
		})
	}
	if v.phone == nil {
		v.phone = v.wechat.Phone(person, nil, v.wechat.URL)
	}
	resp, err := v.phone.Open(v.t.Context(), v.scanURL)
	if err == nil && strings.Contains(resp.Request.URL.Path, "/profile/") {
		link := regexp.MustCompile(`href="(http[^"]*)"`).FindStringSubmatch(body(v.t, resp))
		resp, err = v.phone.Open(v.t.Context(), strings.ReplaceAll(link[1], "&amp;", "&"))
		if err == nil {
			resp, err = v.phone.Tap(v.t.Context(), resp, wechattest.Allow)
		}
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return body(v.t, resp)
}

// phoneAnswers has somebody scan and answer.
func (v *visit) phoneAnswers(person, answer string) {
	v.t.Helper()
	token := regexp.MustCompile(`name="token" value="([^"]*)"`).FindStringSubmatch(v.phoneScans(person))
	if token == nil {
		v.t.Fatal("the phone is shown no form")
	}
	form := url.Values{"token": {token[1]}, "answer": {answer}}
	resp, err := v.phone.PostForm(v.t.Context(), strings.Replace(v.scanURL, "/scan/", "/confirm/", 1), form)
	if err != nil {
		v.t.Fatal(err)
	}
	body(v.t, resp)
}

// asked has a desktop elsewhere ask to be logged in.
func (v *visit) asked() {
	v.t.Helper()
	v.ask("/wechat/login")
}

func (v *visit) ask(path string) {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+path, strings.NewReader(`{"return_to":"/account"}`))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", wechattest.UserAgentChrome)
	resp, err := (&http.Client{Jar: jar}).Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	var answer struct {
		ScanURL string `json:"scan_url"`
	}
	if err := json.Unmarshal([]byte(body(v.t, resp)), &answer); err != nil {
		v.t.Fatal(err)
	}
	v.scanURL = answer.ScanURL
}

// scan makes the browser the phone that scans another one's QR code.
func (v *visit) scan(person string) {
	v.t.Helper()
	v.asked()
	v.follow(v.scanURL, person)
}

// scanLink is scan for adding a WeChat to an account.
func (v *visit) scanLink(person string) {
	v.t.Helper()
	v.ask("/wechat/link")
	v.follow(v.scanURL, person)
}

// linkHere adds a WeChat to an account in WeChat's own browser.
func (v *visit) linkHere(person string) {
	v.t.Helper()
	v.follow("/wechat/link?return_to=/account", person)
}

// here opens a page in WeChat's own browser.
func (v *visit) here(person string) {
	v.t.Helper()
	v.follow("/account", person)
}

// follow opens a page, as the phone of a person who is new to WeChat's page.
func (v *visit) follow(target, person string) {
	v.t.Helper()
	v.agent(wechattest.UserAgentPhone)
	v.open(target)
	v.click(`a[href*="person=` + person + `"]`)
	v.waitVisible(`.brand`)
}

func (v *visit) answer(answer string) {
	v.t.Helper()
	v.click(`button[value=` + answer + `]`)
	v.waitVisible(`.icon`)
}

func (v *visit) sendCode(number string) {
	v.t.Helper()
	v.typeInto(`#phone`, number)
	v.click(`form[action$="/code"] .primary`)
	v.waitVisible(`#code, [role=alert]`)
}

func (v *visit) typeCode(code string) {
	v.t.Helper()
	v.typeInto(`#code`, code)
	v.click(`.primary`)
	v.waitVisible(`[role=alert]`)
}

var windows = []window{{"desktop", 1280, 800}, {"phone", 360, 740}}

// look sizes the window and chooses a color scheme.
func (v *visit) look(w window, scheme string) {
	v.t.Helper()
	v.window = w
	v.do("sizing the window", chromedp.EmulateViewport(w.width, w.height))
	v.call("choosing a color scheme", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	})
}

// TestPages looks at every page, in every state and both languages: it has to be
// in its language, no wider than the narrowest phone, and without anything that
// axe-core finds. The folder named by SCANGATE_SCREENSHOTS, if any, gets pictures.
func TestPages(t *testing.T) {
	browser, axe := startChromium(t), axeCore(t)
	if axe == "" {
		t.Run("accessibility", func(t *testing.T) { t.Skip("SCANGATE_AXE does not name the file axe.min.js of axe-core") })
	}
	for _, lang := range []string{"zh-CN", "en"} {
		for _, s := range sights {
			t.Run(s.name+"/"+lang, func(t *testing.T) {
				v := newVisit(t, browser, lang, s.config)
				s.show(v)
				for _, scheme := range []string{"light", "dark"} {
					for _, w := range windows {
						v.look(w, scheme)
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

// testText fails if a text is missing, or not filled in.
func testText(t *testing.T, v *visit) {
	got := read[string](v, `[document.documentElement.lang, document.title, document.body.innerText].join("\n")`)
	if !strings.HasPrefix(got, v.lang+"\n") || strings.Contains(got, "%!") || regexp.MustCompile(`[{}]|[a-z]+\.[a-z_]+\.`).MatchString(got) {
		t.Errorf("the page says %s", got)
	}
}

// testNarrow fails if somebody with a small phone has to scroll sideways.
func testNarrow(t *testing.T, v *visit) {
	v.look(window{"narrow", 320, 568}, "light")
	wide := read[[]string](v, `[document.body, ...document.body.querySelectorAll("*")]
		.filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth || e === document.body && e.scrollWidth > innerWidth)
		.map(e => e.outerHTML.slice(0, 200))`)
	if len(wide) > 0 {
		t.Errorf("wider than 320 pixels: %q", wide)
	}
}

// testAccessibility has axe-core look at a page: a light phone's in Chinese, a
// dark desktop's in English. The debugger runs it, whom the page's policy does
// not bind.
func testAccessibility(t *testing.T, v *visit, axe string) {
	if v.lang == "en" {
		v.look(windows[0], "dark")
	} else {
		v.look(windows[1], "light")
	}
	v.evaluate(axe + "\n;null")
	found := read[struct {
		Passes     int
		Violations []string
	}](v, `axe.run().then(r => ({
		passes: r.passes.length,
		violations: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + " " + n.failureSummary)),
	}))`)
	for _, violation := range found.Violations {
		t.Error(violation)
	}
	if found.Passes < 10 {
		t.Errorf("axe-core has seen %d rules kept: it has not looked", found.Passes)
	}
}

// axeCore returns the program that SCANGATE_AXE names, or nothing if it does not
// and need not: SCANGATE_REQUIRE says whether it has to.
func axeCore(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SCANGATE_AXE")
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "axe") {
			t.Fatal("SCANGATE_AXE names no axe.min.js, and SCANGATE_REQUIRE asks for it")
		}
		return ""
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}

// read returns what a script says.
func read[T any](v *visit, script string) T {
	v.t.Helper()
	var got T
	v.do("reading the page", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		got, err = chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise)(ctx, target)
		return none, err
	})
	return got
}

// TestLoginKeepsStill sees that nothing on the login page moves when its state
// changes.
func TestLoginKeepsStill(t *testing.T) {
	browser := startChromium(t)
	for _, agent := range []string{wechattest.UserAgentChrome, mobileSafari} {
		for _, lang := range []string{"zh-CN", "en"} {
			v := newVisit(t, browser, lang, withWebsite)
			v.agent(agent)
			v.login()
			v.waitVisible(`[data-show=waiting]`)
			if shift := read[float64](v, `new Promise(done => {
				let sum = 0;
				new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.value)).observe({ type: "layout-shift", buffered: true });
				setTimeout(() => done(sum), 300);
			})`); shift > 0 {
				t.Errorf("%s: things move while the page loads: a shift of %g", lang, shift)
			}
			places := func() map[string][]float64 {
				at := make(map[string][]float64)
				for _, w := range append(windows, window{"narrow", 320, 568}) {
					v.look(w, "light")
					at[w.name] = read[[]float64](v, `["main", "h1", ".number", ".stage", ".timer"].flatMap(s => { const r = document.querySelector(s).getBoundingClientRect(); return [r.x, r.y + scrollY, r.width, r.height] })`)
				}
				return at
			}
			want := places()
			for _, state := range []string{"scanned", "offline", "denied"} {
				v.say(state)
				for w, got := range places() {
					if !slices.Equal(got, want[w]) {
						t.Errorf("%s, %s, %s: %v, want %v", lang, w, state, got, want[w])
					}
				}
				inside := read[[]string](v, `(() => { const panel = document.querySelector(".status > div:not([hidden])"); const p = panel.getBoundingClientRect();
					return [...panel.children].filter(e => { const r = e.getBoundingClientRect(); return r.top < p.top || r.bottom > p.bottom }).map(e => e.outerHTML) })()`)
				if len(inside) > 0 {
					t.Errorf("%s, %s: out of place: %q", lang, state, inside)
				}
			}
		}
	}
}

// TestWithoutScript logs in by a page that may run no script.
func TestWithoutScript(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.call("switching scripts off", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	v.login()
	v.waitVisible(`[data-show=waiting]`)
	v.phoneScans("lin")
	v.waitVisible(`[data-show=scanned]`)
	v.phoneAnswers("lin", "approve")
	v.click(`form button.primary`)
	v.waitVisible(`#greeting`)
}

// TestFinishPage has both answers given to "Logging in as ...".
func TestFinishPage(t *testing.T) {
	browser := startChromium(t)
	t.Run("by itself", func(t *testing.T) {
		v := newVisit(t, browser, "en", nil)
		v.login()
		v.phoneAnswers("wang", "approve")
		v.waitVisible(`#greeting`)
	})
	t.Run("not me", func(t *testing.T) {
		v := newVisit(t, browser, "en", nil)
		showFinish("wang")(v)
		v.click(`button[value=deny]`)
		v.waitVisible(`[data-show=waiting]`)
		if got := read[string](v, `document.querySelector("a.qr").href`); got == v.scanURL {
			t.Error("the QR code that somebody else scanned is shown again")
		}
		v.open("/account")
		v.waitVisible(`a.qr`) // nobody is logged in
	})
	t.Run("a WeChat is not added without a tap", func(t *testing.T) {
		v := newVisit(t, browser, "en", withAccount)
		v.open("/wechat/link?return_to=/")
		v.phoneAnswers("wang", "approve")
		v.waitVisible(`button[value=deny]`)
		if read[bool](v, `document.querySelector("[data-auto]") !== null`) {
			t.Error("the form is sent by itself")
		}
		v.click(`button[value=deny]`)
		v.waitVisible(`#account`)
	})
}

// TestCopyLink copies the link that a phone outside WeChat is given.
func TestCopyLink(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.agent(mobileSafari)
	v.login()
	v.click(`[data-copy]`)
	v.waitText(`button`, "Copied")
	if got := read[string](v, `getSelection().toString() || document.querySelector("#link").value`); !strings.HasPrefix(got, v.url+"/wechat/scan/") {
		t.Errorf("the link is %q", got)
	}
}

// TestExpiredGetsFocus has the keyboard renew a QR code.
func TestExpiredGetsFocus(t *testing.T) {
	v := newVisit(t, startChromium(t), "en", nil)
	v.login()
	v.say("expired")
	v.lie.Store("")
	v.do("pressing Enter", chromedp.KeyEvent("\r"))
	v.waitVisible(`[data-show=waiting]`)
}
