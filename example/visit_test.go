package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// site is an application on a server of its own, with a simulated WeChat.
type site struct {
	url    string
	wechat *wechattest.Server
	gate   *scangate.Gate
	app    http.Handler
	// fakeState is a state that the site returns to waiting browsers in place of the true
	// one, or "" for the true one.
	fakeState atomic.Value
	// code is the last one-time code that the gate has sent, if any.
	code atomic.Value
	// intercept, if it is set, gets each request first. It reports whether it has answered.
	intercept atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

// newSite starts a site until the test ends. The option changes its configuration; nil
// changes nothing.
func newSite(t *testing.T, option func(*scangate.Config)) *site {
	t.Helper()
	config := scangate.Config{
		AppName:         "Example",
		OfficialAccount: wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret},
		Users:           scangate.NewMemoryStore(),
		Logger:          slog.New(slog.DiscardHandler),
	}
	if option != nil {
		option(&config)
	}
	var apps []wechattest.App
	if config.OfficialAccount.AppID != "" {
		apps = append(apps, wechattest.App{Account: config.OfficialAccount, Name: "Example"})
	}
	if config.MiniProgram.AppID != "" {
		apps = append(apps, wechattest.App{Account: config.MiniProgram, MiniProgram: true})
	}
	if config.Website.AppID != "" {
		apps = append(apps, wechattest.App{Account: config.Website, Website: true})
	}
	if config.MiniProgram.AppID != "" {
		apps = append(apps, wechattest.App{Account: config.MiniProgram, MiniProgram: true})
	}
	s := &site{wechat: wechattest.NewServer(t, apps...)}
	s.fakeState.Store("")
	if send := config.Phone.SendCode; send != nil {
		config.Phone.SendCode = func(ctx context.Context, phone, code string) error {
			s.code.Store(code)
			return send(ctx, phone, code)
		}
	}
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s.url = "http://" + server.Listener.Addr().String()
	config.PublicURL, config.WeChat.Endpoint = s.url, s.wechat.Endpoint()
	if config.Push.Token != "" {
		s.wechat.CodesAt(s.wechat.URL)
		config.Push.AccountQR = s.wechat.AccountCode(config.OfficialAccount.AppID)
		s.wechat.SetPush(config.OfficialAccount.AppID, wechattest.PushServer{
			URL: s.url + "/wechat/push", Token: config.Push.Token, EncodingAESKey: config.Push.EncodingAESKey,
		})
	}
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	s.gate, s.app = gate, withFront(newApp(gate))
	server.Config.Handler = s.withFakeState(s.app)
	server.Start()
	return s
}

// withFakeState returns a handler in front of the application, which returns the fake
// state if there is one.
func (s *site) withFakeState(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept := s.intercept.Load(); intercept != nil && (*intercept)(w, r) {
			return
		}
		switch fake := s.fakeState.Load().(string); {
		case fake == "" || r.Method != http.MethodGet:
			app.ServeHTTP(w, r)
		case fake == "offline" && strings.HasSuffix(r.URL.Path, "/state"):
			http.Error(w, "the server is down", http.StatusBadGateway)
		case strings.HasSuffix(r.URL.Path, "/state") && r.URL.Query().Get("seen") != fake:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"state": fake})
		case strings.HasSuffix(r.URL.Path, "/state"):
			// The page has seen this state: it waits for another one.
			<-r.Context().Done()
		case fake == "approved":
			// The page would leave for the finish page. With 204 it stays.
			w.WriteHeader(http.StatusNoContent)
		default:
			app.ServeHTTP(w, r)
		}
	})
}

// visit is a browser at a site. It plays the desktop or the phone. The other device is
// another browser on the same site, see startElsewhere and phoneScans.
type visit struct {
	*tab
	*site
	lang    string            // the browser's language
	scanURL string            // the link of the last QR code; empty before the first
	number  int               // the number that startElsewhere's desktop shows
	digits  string            // the digits to send that it shows, if any
	phone   *wechattest.Phone // the simulated phone; nil before its first scan
}

// newVisit opens a browser tab with cookies of its own, for a new site.
func newVisit(t *testing.T, browser *browser, lang string, option func(*scangate.Config)) *visit {
	t.Helper()
	v := &visit{site: newSite(t, option), lang: lang, tab: &tab{t: t, window: windows[0], allowErrors: true}}
	v.attach(browser.open(t))
	v.setUserAgent(wechattest.UserAgentChrome)
	return v
}

// setUserAgent makes the browser behave like another one, in the visit's language.
func (v *visit) setUserAgent(userAgent string) {
	v.t.Helper()
	v.call("setting the User-Agent", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: userAgent, AcceptLanguage: v.lang})
		return err
	})
}

// turnScriptsOff makes the tab run no scripts of pages, those of the test excepted.
func (v *visit) turnScriptsOff() {
	v.t.Helper()
	v.scriptsOff = true
	v.call("turning scripts off", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// call sends a command to the browser.
func (v *visit) call(step string, f func(context.Context) error) {
	v.t.Helper()
	v.do(step, func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) { return chromedp.Void{}, f(ctx) })
}

// evaluate runs a script without a result.
func (v *visit) evaluate(script string) {
	v.t.Helper()
	v.do("running "+script, chromedp.Evaluate[chromedp.Void](script))
}

// open opens a path of the site, or a URL.
func (v *visit) open(target string) {
	v.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = v.url + target
	}
	v.do("opening "+target, chromedp.Navigate(target))
}

// login opens the login page.
func (v *visit) login() {
	v.t.Helper()
	v.open("/wechat/login?return_to=/account")
}

// showState makes the login page show a state.
func (v *visit) showState(state string) {
	v.t.Helper()
	v.fakeState.Store(state)
	v.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`) // makes the page poll at once
	v.waitVisible(`[data-show=` + state + `]`)
}

// phoneScans scans a QR code with the simulated phone of a person: the code of
// startElsewhere, or the one on the page. It returns the phone's next page.
func (v *visit) phoneScans(person string) string {
	v.t.Helper()
	if v.scanURL == "" {
		// A page without fetch loads itself again now and then, which ends a script.
		v.until("reading the QR code's link", func(ctx context.Context) (ran bool, err error) {
			v.scanURL, err = chromedp.Run(ctx, chromedp.Evaluate[string](selectAll+`("a.qr")[0].href`))
			return true, err
		})
	}
	if v.phone == nil {
		v.phone = v.wechat.Phone(person, nil, v.wechat.URL)
	}
	resp, err := v.phone.Open(v.t.Context(), v.scanURL)
	// A new person is asked for their profile first.
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

// phoneAnswers scans the QR code and sends the confirm page's form with "approve" or
// "deny".
func (v *visit) phoneAnswers(person, answer string) {
	v.t.Helper()
	token := regexp.MustCompile(`name="token" value="([^"]*)"`).FindStringSubmatch(v.phoneScans(person))
	if token == nil {
		v.t.Fatal("the phone's page has no form with a token")
	}
	form := url.Values{"token": {token[1]}, "answer": {answer}}
	resp, err := v.phone.PostForm(v.t.Context(), strings.Replace(v.scanURL, "/scan/", "/confirm/", 1), form)
	if err != nil {
		v.t.Fatal(err)
	}
	body(v.t, resp)
}

// startElsewhere starts a login on another desktop, with a POST to path. Its QR code's
// link is in v.scanURL.
func (v *visit) startElsewhere(path string) {
	v.t.Helper()
	// A cookie jar of its own: the gate binds the login to that desktop.
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
		Number  int    `json:"match_number"`
		Digits  string `json:"digits"`
	}
	if err := json.Unmarshal([]byte(body(v.t, resp)), &answer); err != nil {
		v.t.Fatal(err)
	}
	v.scanURL, v.number, v.digits = answer.ScanURL, answer.Number, answer.Digits
}

// scan makes the browser the phone of a person, who scans a QR code on another desktop.
func (v *visit) scan(person string) {
	v.t.Helper()
	v.startElsewhere("/wechat/login")
	v.follow(v.scanURL, person)
}

// scanLink is scan with a QR code that links a WeChat to an account.
func (v *visit) scanLink(person string) {
	v.t.Helper()
	v.startElsewhere("/wechat/link")
	v.follow(v.scanURL, person)
}

// linkHere links a WeChat to an account in WeChat's own browser, without a scan.
func (v *visit) linkHere(person string) {
	v.t.Helper()
	v.follow("/wechat/link?return_to=/account", person)
}

// openInWeChat opens the account page in WeChat's own browser.
func (v *visit) openInWeChat(person string) {
	v.t.Helper()
	v.follow("/account", person)
}

// follow opens a page as the phone of a person. On the simulator's page it chooses the
// person.
func (v *visit) follow(target, person string) {
	v.t.Helper()
	v.setUserAgent(wechattest.UserAgentPhone)
	v.open(target)
	v.click(`a[href*="person=` + person + `"]`)
	v.waitVisible(`.brand`)
}

// answer clicks a button of the confirm page, "approve" or "deny".
func (v *visit) answer(answer string) {
	v.t.Helper()
	v.click(`button[value=` + answer + `]`)
	v.waitVisible(`.icon`)
}

// sendCode enters a phone number and waits for the code field or an error.
func (v *visit) sendCode(number string) {
	v.t.Helper()
	v.typeInto(`#phone`, number)
	v.click(`form[action$="/code"] .primary`)
	v.waitVisible(`#code, [role=alert]`)
}

// typeCode enters a wrong verification code.
func (v *visit) typeCode(code string) {
	v.t.Helper()
	v.typeInto(`#code`, code)
	v.click(`.primary`)
	v.waitVisible(`[role=alert]`)
}

// windows are a desktop's and a phone's window.
var windows = []window{{"desktop", 1280, 800}, {"phone", 360, 740}}

// setWindow sizes the window and sets the color scheme: light, dark or forced.
func (v *visit) setWindow(w window, scheme string) {
	v.t.Helper()
	v.window = w
	v.do("sizing the window", chromedp.EmulateViewport(w.width, w.height))
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	if scheme == "forced" {
		features = append(features[1:], &emulation.MediaFeature{Name: "forced-colors", Value: "active"})
	}
	v.call("setting the color scheme", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	})
}

// read returns the result of a script.
func read[T any](v *visit, script string) T {
	v.t.Helper()
	var got T
	v.do("reading the page", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		got, err = chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise)(ctx, target)
		return none, err
	})
	return got
}
