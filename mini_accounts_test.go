package scangate_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// One person is one user at the service account, the website and the mini program, whichever
// they come by first.
func TestMiniProgramUnionID(t *testing.T) {
	ways := map[string]func(*testing.T, *world) string{
		"mini program": func(t *testing.T, w *world) string {
			phone := w.mini("lin")
			return w.openSession(phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()})).user()
		},
		"website": func(t *testing.T, w *world) string {
			desktop := w.desktop()
			w.wechat.LogIn(t, desktop.client, appURL+"/wechat/login?with=website", "lin")
			return desktop.user()
		},
		"service account": func(t *testing.T, w *world) string {
			phone := w.phone("lin")
			w.wechat.LogIn(t, phone.client, appURL+"/account", "lin")
			return phone.user()
		},
	}
	for _, order := range [][]string{
		{"mini program", "website", "service account"}, {"website", "service account", "mini program"}, {"service account", "mini program", "website"},
	} {
		w := newWorld(t, withMini, withWebsite)
		first := ways[order[0]](t, w)
		for _, way := range order[1:] {
			if got := ways[way](t, w); got != first || got == "" {
				t.Errorf("order %v: user by the %s = %q, want %q", order, way, got, first)
			}
		}
		if user, err := w.users.FindByID(t.Context(), first); err != nil || len(user.Identities) != 3 {
			t.Errorf("order %v: user = %+v, %v, want three identities", order, user, err)
		}
	}
}

// A user of the service account scans with a mini program beside it.
func TestMiniProgramBesideAServiceAccount(t *testing.T) {
	w := newWorld(t, scansMini)
	phone := w.phone("lin")
	w.wechat.LogIn(t, phone.client, appURL+"/account", "lin")
	desktop, program := w.desktop(), w.mini("lin")
	s := desktop.start()
	wantStep(t, "scan", program.enter(s), "confirm")
	if id := approved(t, desktop, s, program.answer(s, "approve")); id != phone.user() {
		t.Errorf("user by the mini program = %q, want %q", id, phone.user())
	}
	// The code in a browser leads to the account's web authorization, for the same login.
	desktop = w.desktop()
	s = desktop.start()
	if a := phone.scan(s); a.Request.URL.Path != s.confirmURL() {
		t.Fatalf("scan by a browser: at %s, want the confirm page\n%s", a.Request.URL, a.body)
	}
	wantProblem(t, "scan by another person's mini program", w.mini("wang").enter(s), http.StatusConflict, "in_use")
	phone.answer(s, "approve")
	if desktop.finish(s); desktop.user() != phone.user() {
		t.Errorf("user by the browser = %q, want %q", desktop.user(), phone.user())
	}
}

func TestMiniProgramLinks(t *testing.T) {
	w, user, desktop := newLinkWorld(t, miniOnly)
	link := desktop.beginLink()
	phone := w.mini("lin")
	a := phone.enter(link)
	wantStep(t, "scan", a, "confirm")
	if !strings.Contains(a.body, `"purpose":"link"`) {
		t.Errorf("scan: %s, want the purpose", a.body)
	}
	wantStep(t, "approve", phone.answer(link, "approve"), "done")
	if a := desktop.finish(link); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	found, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: mini.AppID, OpenID: w.wechat.OpenID("lin", mini.AppID)})
	if err != nil || found.ID != user.ID {
		t.Errorf("user with the WeChat = %+v, %v, want %s", found, err, user.ID)
	}
	other := w.know("wang")
	if err := w.users.LinkWeChat(t.Context(), other.ID, scangate.Identity{AppID: mini.AppID, OpenID: w.wechat.OpenID("wang", mini.AppID)}); err != nil {
		t.Fatalf("link a WeChat: %v", err)
	}
	link, phone = desktop.beginLink(), w.mini("wang")
	phone.enter(link)
	wantProblem(t, "a WeChat of another account", phone.answer(link, "approve"), http.StatusConflict, "identity_taken")
}

// A mini program's own login may need more than the code.
func TestMiniProgramLoginWithSteps(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, withTerms, sms.withPhone)
	phone := w.mini("lin")
	a := phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()})
	wantStep(t, "login", a, "terms")
	if a.Session != "" || len(a.Token) != 26 || len(a.ID) != 26 || strings.Contains(a.body, "browser") {
		t.Errorf("login: %s, want an ID and a token, and neither a session nor a browser", a.body)
	}
	s := scan{ID: a.ID}
	phone.token = a.Token
	wantStep(t, "terms", phone.answer(s, "approve", "agree", versions), "phone")
	a = phone.number(s, "code", phone.numberCode("13800138000"))
	wantStep(t, "number", a, "done")
	if got := w.openSession(a).user(); got == "" {
		t.Errorf("number: %s, want a session", a.body)
	}
	if again := phone.answer(s, "approve"); again.Session != a.Session {
		t.Errorf("another request: %s, want the same session", again.body)
	}
	wantProblem(t, "code for the login of a mini program", w.mini("wang").enter(s), http.StatusNotFound, "unknown")
}

// The session that an application's LoadAndSave has loaded is another browser's matter.
func TestMiniProgramInsideLoadAndSave(t *testing.T) {
	manager := ownSessions()
	w := newWorld(t, miniOnly, func(c *scangate.Config) { c.Session.Manager = manager })
	w.addHost("app.example.com", manager.LoadAndSave(application(w.gate)))
	desktop, phone := w.desktop(), w.mini("lin")
	desktop.open("/wechat/login")
	a := phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()}, "Cookie", "session="+strings.Repeat("a", 43))
	if got := w.openSession(a).user(); got == "" || a.StatusCode != http.StatusOK {
		t.Errorf("login: status = %d, user = %q, want a user\n%s", a.StatusCode, got, a.body)
	}
}

func TestMiniProgramWeChatFails(t *testing.T) {
	t.Parallel()
	sms := &texts{}
	w := newWorld(t, miniOnly, sms.withPhone)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	enter := func(fault wechattest.Fault) miniAnswer {
		w.wechat.Fail(wechattest.OpSession, 1, fault)
		return phone.enter(s)
	}
	wantProblem(t, "another answer", enter(wechattest.Fault{Body: "<html>", Status: http.StatusBadGateway}), http.StatusBadGateway, "wechat")
	wantProblem(t, "no openid", enter(wechattest.Fault{Edit: func(a map[string]any) { delete(a, "openid") }}), http.StatusBadGateway, "wechat")
	wantProblem(t, "a used code", enter(wechattest.Fault{Errcode: 40163}), http.StatusForbidden, "restart")
	wantProblem(t, "a person of high risk", enter(wechattest.Fault{Errcode: 40226}), http.StatusForbidden, "restart")
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("state after the failures = %q, want waiting", got)
	}
	wantStep(t, "the next code", phone.enter(s), "phone")
	w.wechat.Fail(wechattest.OpPhoneNumber, 1, wechattest.Fault{Errcode: -1})
	w.wechat.Fail(wechattest.OpPhoneNumber, 5, wechattest.Fault{Errcode: 48001})
	wantProblem(t, "no right to numbers", phone.number(s, "code", phone.numberCode("13800138000")), http.StatusBadGateway, "wechat")
	wantStep(t, "a typed number instead", phone.number(s, "phone", "13800138000"), "code")
	wantStep(t, "its code", phone.number(s, "sms", sms.to(mobile)), "confirm")
	w.users.failWith(context.DeadlineExceeded)
	wantProblem(t, "a store that fails", w.mini("wang").post("/wechat/mini/login", map[string]any{"code": w.mini("wang").loginCode()}), http.StatusServiceUnavailable, "unavailable")
	w.users.failWith(nil)
	approved(t, desktop, s, phone.answer(s, "approve"))
	for _, secret := range []string{mini.Secret, phone.token, "13800138000", w.wechat.OpenID("lin", mini.AppID), w.wechat.UnionID("lin")} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("log contains %q:\n%s", secret, w.log.String())
		}
	}
}

// Two phones, and many requests of one, at the same time: one person has the login, and a
// code is exchanged once. At most five requests may wait for one login's exchange.
func TestMiniProgramEntersOnce(t *testing.T) {
	w := newWorld(t, miniOnly)
	s := w.desktop().start()
	phone := w.mini("lin")
	code := phone.loginCode()
	tokens := make([]string, 6)
	var requests sync.WaitGroup
	for i := range tokens {
		requests.Go(func() { tokens[i] = phone.post("/wechat/mini/"+s.ID, map[string]any{"code": code}).Token })
	}
	requests.Wait()
	if got := len(slices.Compact(tokens)); got != 1 || tokens[0] == "" || w.wechat.Calls(wechattest.OpSession) != 1 {
		t.Errorf("6 requests: %d tokens after %d calls, want one token after one call", got, w.wechat.Calls(wechattest.OpSession))
	}
	statuses := make(chan int, 6)
	s = w.desktop().start()
	for i := range 6 {
		phone := w.mini([]string{"lin", "wang"}[i%2])
		requests.Go(func() { statuses <- phone.enter(s).StatusCode })
	}
	requests.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] != 3 || count[http.StatusConflict] != 3 {
		t.Errorf("two persons at the same time: statuses = %v, want 3 of 200 and 3 of 409", count)
	}
}

func TestMiniProgramOnTwoProcesses(t *testing.T) {
	for name, addr := range map[string]func() string{
		"miniredis":    func() string { return miniredis.RunT(t).Addr() },
		"redis-server": func() string { return redistest.Start(t).Addr },
	} {
		t.Run(name, func(t *testing.T) {
			w := twoProcesses(t, addr(), miniOnly)
			for _, person := range []string{"lin", "wang", "lin"} {
				desktop, phone := w.desktop(), w.mini(person)
				s := desktop.start()
				wantStep(t, "scan", phone.enter(s), "confirm")
				wantStep(t, "scan again", phone.enter(s), "confirm")
				id := approved(t, desktop, s, phone.answer(s, "approve"))
				code := phone.loginCode()
				first := phone.post("/wechat/mini/login", map[string]any{"code": code})
				second := phone.post("/wechat/mini/login", map[string]any{"code": code}) // at the other process
				if got := w.openSession(first).user(); got != id || id == "" || second.Session != first.Session {
					t.Errorf("%s: user by mini/login = %q, want %q, and one session for one code", person, got, id)
				}
			}
		})
	}
}

// A test's client is logged in with one call.
func TestMiniProgramHelper(t *testing.T) {
	w := newWorld(t, miniOnly)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("make a cookie jar: %v", err)
	}
	client := &http.Client{Transport: w.hosts, Jar: jar}
	w.wechat.LogInByMiniProgram(t, client, appURL+"/wechat/mini/login", mini.AppID, "lin")
	if got := (&browser{t: t, client: client}).user(); got == "" {
		t.Error("the client is not logged in")
	}
}

// A gate without a mini program has none of its routes.
func TestMiniProgramRoutesNeedOne(t *testing.T) {
	w := newWorld(t)
	phone := w.mini("lin")
	wantProblem(t, "login", phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()}), http.StatusNotFound, "unknown")
	wantProblem(t, "scan", phone.enter(w.desktop().start()), http.StatusNotFound, "unknown")
}

// The code in a browser, without an account that has web authorization.
func TestMiniProgramCodeInABrowser(t *testing.T) {
	w := newWorld(t, miniOnly)
	desktop := w.desktop()
	s := desktop.start()
	for name, b := range map[string]*browser{"WeChat": w.phone("lin"), "Chrome": w.desktop()} {
		for lang, want := range map[string]string{"en": "mini program of Example", "zh": "Example 小程序", "zh-Hant": "Example 小程式"} {
			a := b.get(s.ScanURL + "?lang=" + lang)
			if a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" || !strings.Contains(a.body, want) || strings.Contains(a.body, openURL) {
				t.Errorf("scan in %s: status = %d, want 200 with %q and no way to WeChat's page\n%s", name, a.StatusCode, want, a.body)
			}
		}
	}
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("state = %q, want waiting", got)
	}
	if _, err := scangate.New(scangate.Config{PublicURL: appURL, MiniProgram: mini, OfficialAccount: wechat.Account{AppID: official.AppID}}); err == nil {
		t.Error("New with an official account without a Secret, and without Push: no error, want one")
	}
}
