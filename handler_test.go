package scangate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestScanLogin(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")

	page := desktop.open("/account")
	s := scan{ID: page.find(t, statePattern)}
	s.ScanURL, s.StateURL, s.FinishURL = "/wechat/scan/"+s.ID, "/wechat/login/"+s.ID+"/state", "/wechat/login/"+s.ID+"/finish"
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("before the scan: state %q", got)
	}
	confirm := phone.scan(s)
	for _, want := range []string{"Example", "Chrome", "Windows", "192.0.2.1"} {
		if !strings.Contains(confirm.body, want) {
			t.Errorf("the confirm page does not say %q", want)
		}
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after the scan: state %q", got)
	}
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther || a.location() != s.confirmURL() {
		t.Errorf("approve: %d %s", a.StatusCode, a.location())
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("after the approval: state %q", got)
	}
	if a := desktop.get(page.Request.URL.String()); !strings.Contains(a.body, s.FinishURL) {
		t.Errorf("the login page has no form to finish with:\n%s", a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish: %d %s", a.StatusCode, a.location())
	}
	if desktop.user() == "" {
		t.Error("the desktop is not logged in")
	}
	if phone.user() != "" {
		t.Error("the phone is logged in, which only vouched for the desktop")
	}
	want := []string{"started", "scanned", "identified", "registered", "approved", "finished"}
	if got := w.happened(); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestFinishPageNamesTheAccount(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("wang")
	s := desktop.start()
	w.tapThroughProfile(phone, phone.scan(s))
	phone.answer(s, "approve")
	if a := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(a.body, "Wang Wei") {
		t.Errorf("the finish page does not say who it is:\n%s", a.body)
	}
}

// tapThroughProfile follows the profile page to WeChat, and allows it there.
func (w *world) tapThroughProfile(phone *browser, profile answer) answer {
	w.t.Helper()
	consent := phone.open(profile.find(w.t, wechatURLPattern))
	return w.tap(phone, consent, wechattest.Allow)
}

// tap answers a page of WeChat's.
func (w *world) tap(phone *browser, page answer, answer wechattest.Answer) answer {
	w.t.Helper()
	u := *page.Request.URL
	u.RawQuery += "&" + wechattest.AnswerParam + "=" + string(answer)
	return phone.open(u.String())
}

// enterWeChatPage is the qrconnect page that a website login leads to, for
// WeChat to approve or refuse.
func (w *world) websiteCallback(desktop *browser, person string) string {
	w.t.Helper()
	to := desktop.get("/wechat/login?return_to=/account&with=website").Header.Get("Location")
	callback, err := w.wechat.Approve(to, person)
	if err != nil {
		w.t.Fatalf("%s: %v", to, err)
	}
	return callback
}

func TestLoginInsideWeChat(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if a := phone.open("/account"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, "user ") {
		t.Fatalf("opening a gated page in WeChat: %d %s", a.StatusCode, a.body)
	}
	first := phone.user()
	again := w.phone("lin")
	again.open("/account")
	if first == "" || again.user() != first {
		t.Errorf("the same person is %q, then %q", first, again.user())
	}
	if other := w.phone("wang"); other.open("/account").body == "user "+first {
		t.Error("another person is the same user")
	}
}

func TestLoginByWeChatsOwnPage(t *testing.T) {
	for name, option := range map[string]func(*scangate.Config){"website only": withWebsiteOnly, "both accounts": withWebsite} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, option)
			desktop := w.desktop()
			if a := desktop.open(w.websiteCallback(desktop, "lin")); !strings.HasPrefix(a.body, "user ") {
				t.Errorf("after WeChat's page: %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestWaysIn(t *testing.T) {
	const authorize, qrconnect = openURL + "/connect/oauth2/authorize?appid=", openURL + "/connect/qrconnect?appid="
	both, site := []func(*scangate.Config){withWebsite}, []func(*scangate.Config){withWebsiteOnly}
	for _, c := range []struct {
		who, agent string
		options    []func(*scangate.Config)
		target     string
		want       string // beginning of the redirect; empty for our own page
	}{
		{"Chrome, official account", wechattest.UserAgentChrome, nil, "/wechat/login", ""},
		{"Chrome, website", wechattest.UserAgentChrome, site, "/wechat/login", qrconnect + website.AppID},
		{"Chrome, both", wechattest.UserAgentChrome, both, "/wechat/login", ""},
		{"Chrome, both, asking for WeChat's page", wechattest.UserAgentChrome, both, "/wechat/login?with=website", qrconnect + website.AppID},
		{"Chrome, asking for a website that is not configured", wechattest.UserAgentChrome, nil, "/wechat/login?with=website", ""},
		{"WeChat, official account", wechattest.UserAgentPhone, nil, "/wechat/login", authorize + official.AppID},
		{"WeChat, both", wechattest.UserAgentPhone, both, "/wechat/login", authorize + official.AppID},
		{"WeChat, website", wechattest.UserAgentPhone, site, "/wechat/login", qrconnect + website.AppID},
		{"WeChat on a desktop", wechattest.UserAgentDesktopWeChat, nil, "/wechat/login", authorize + official.AppID},
		{"WeCom is not WeChat", wechattest.UserAgentWeCom, nil, "/wechat/login", ""},
		{"no User-Agent", "", nil, "/wechat/login", ""},
	} {
		t.Run(c.who, func(t *testing.T) {
			a := newWorld(t, c.options...).browser(c.agent).get(c.target)
			if got := a.Header.Get("Location"); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got %d %q, want %q", a.StatusCode, got, c.want)
			}
			if c.want == "" && a.StatusCode != http.StatusOK {
				t.Errorf("status %d", a.StatusCode)
			}
		})
	}
}

func TestCallsToWeChat(t *testing.T) {
	for _, c := range []struct {
		name    string
		known   bool
		options []func(*scangate.Config)
		login   func(w *world)
		want    int
	}{
		{"known user, scan", true, nil, (*world).loginByScan, 1},
		{"known user, scan, FetchProfile", true, []func(*scangate.Config){withProfile}, (*world).loginByScan, 1},
		{"known user, inside WeChat, both accounts", true, []func(*scangate.Config){withWebsite}, (*world).loginInside, 1},
		{"new user, scan", false, nil, (*world).loginByScan, 1},
		{"new user, scan, FetchProfile", false, []func(*scangate.Config){withProfile}, (*world).loginByScan, 3},
		{"new user, inside WeChat, FetchProfile", false, []func(*scangate.Config){withProfile}, (*world).loginInside, 3},
		{"new user, website, FetchProfile", false, []func(*scangate.Config){withWebsiteOnly, withProfile}, (*world).loginByWebsite, 2},
		{"new user, website", false, []func(*scangate.Config){withWebsiteOnly}, (*world).loginByWebsite, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.options...)
			if c.known {
				w.know("lin")
			}
			c.login(w)
			if got := w.wechat.TotalCalls(); got != c.want {
				t.Errorf("%d calls, want %d", got, c.want)
			}
		})
	}
}

func (w *world) loginByScan() {
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := phone.scan(s); strings.Contains(a.Request.URL.Path, "/profile/") {
		w.tapThroughProfile(phone, a)
	}
	phone.answer(s, "approve")
	desktop.finish(s)
	if desktop.user() == "" {
		w.t.Error("not logged in")
	}
}

func (w *world) loginInside() {
	phone := w.phone("lin")
	if a := phone.open("/account"); strings.Contains(a.Request.URL.Path, "/profile/") {
		w.tapThroughProfile(phone, a)
	}
	if phone.user() == "" {
		w.t.Error("not logged in")
	}
}

func (w *world) loginByWebsite() {
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "lin"))
	if desktop.user() == "" {
		w.t.Error("not logged in")
	}
}

func TestProfile(t *testing.T) {
	w := newWorld(t, withProfile)
	for _, c := range []struct {
		person, name string
		go_          func(phone *browser, profile answer) answer
	}{
		{"wang", "Wang Wei", w.tapThroughProfile},
		{"yueyue", "月月🌙🐰", w.tapThroughProfile},
		{"chen", "", func(phone *browser, profile answer) answer {
			return phone.submit(profile.Request.URL.String(), url.Values{"token": {profile.find(t, tokenPattern)}})
		}},
		{"lin", "", func(phone *browser, profile answer) answer { // refuses at WeChat, then here
			consent := phone.open(profile.find(t, wechatURLPattern))
			back := w.tap(phone, consent, wechattest.Refuse)
			return phone.submit(back.Request.URL.String(), url.Values{"token": {back.find(t, tokenPattern)}})
		}},
	} {
		phone := w.phone(c.person)
		if a := c.go_(phone, phone.open("/account")); !strings.HasPrefix(a.body, "user ") {
			t.Errorf("%s: %d %s\n%s", c.person, a.StatusCode, a.Request.URL, a.body)
			continue
		}
		var me struct {
			ID, Nickname string
			AvatarURL    string `json:"avatar_url"`
		}
		if err := json.Unmarshal([]byte(phone.get("/wechat/me").body), &me); err != nil {
			t.Fatal(err)
		}
		if me.ID != phone.user() || me.Nickname != c.name || (me.AvatarURL != "") != (c.name != "") {
			t.Errorf("%s: me is %+v, want the nickname %q", c.person, me, c.name)
		}
	}
}

func TestDeliveredTwice(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []func(*scangate.Config)
		login   func(*world)
	}{
		{"scan", nil, (*world).loginByScan},
		{"inside WeChat", nil, (*world).loginInside},
		{"inside WeChat, FetchProfile", []func(*scangate.Config){withProfile}, (*world).loginInside},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.options...)
				w.wechat.DeliverTwice(true)
				// Slow enough that the second comes while the first is at WeChat.
				w.wechat.Fail(wechattest.OpExchange, 9, wechattest.Fault{Delay: time.Second})
				c.login(w)
				finished := 0
				for _, name := range w.happened() {
					if name == "finished" {
						finished++
					}
				}
				if finished != 1 {
					t.Errorf("%d events say that it is finished", finished)
				}
				want := 1 + len(c.options)
				if got := w.wechat.Calls(wechattest.OpExchange); got != want {
					t.Errorf("%d exchanges, want %d", got, want)
				}
			})
		})
	}
}

func TestCallbackTwiceAtOnce(t *testing.T) {
	for name, person := range map[string]func(*world, *browser) string{
		"inside WeChat": func(w *world, b *browser) string {
			callback, err := w.wechat.Approve(b.get("/wechat/login?return_to=/account").Header.Get("Location"), "lin")
			if err != nil {
				t.Fatal(err)
			}
			return callback
		},
		"website": func(w *world, b *browser) string { return w.websiteCallback(b, "lin") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withWebsite)
			b := w.phone("lin")
			w.know("lin")
			callback := person(w, b)
			var twice sync.WaitGroup
			answers := make([]answer, 2)
			for i := range answers {
				twice.Go(func() { answers[i], _ = b.try(t.Context(), false, http.MethodGet, callback, "") })
			}
			twice.Wait()
			for i, a := range answers {
				if a.Response == nil || a.StatusCode != http.StatusSeeOther || a.location() != "/account" || sessionCookie(a) == nil {
					t.Errorf("callback %d: %+v", i, a.Response)
				}
			}
			if later := b.get(callback); later.StatusCode != http.StatusSeeOther || later.location() != "/account" {
				t.Errorf("a third time: %d %s", later.StatusCode, later.location())
			}
			if b.user() == "" {
				t.Error("not logged in")
			}
			if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
				t.Errorf("%d exchanges, want 1", got)
			}
		})
	}
}

func sessionCookie(a answer) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == "__Host-session" {
			return c
		}
	}
	return nil
}

func TestPhoneThatGoesAwayDuringTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback, err := w.wechat.Approve(phone.get("/wechat/login?return_to=/account").Header.Get("Location"), "lin")
		if err != nil {
			t.Fatal(err)
		}
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := phone.try(ctx, false, http.MethodGet, callback, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the first callback: %v", err)
		}
		if a := phone.open(callback); !strings.HasPrefix(a.body, "user ") {
			t.Errorf("the second callback: %d %s", a.StatusCode, a.body)
		}
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
			t.Errorf("%d exchanges, want 1", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Run("denied on the phone", func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		phone.scan(s)
		phone.answer(s, "deny")
		if got := desktop.state(s); got != "denied" {
			t.Errorf("state %q", got)
		}
		if a := desktop.finish(s); a.StatusCode != http.StatusGone {
			t.Errorf("finish: %d", a.StatusCode)
		}
		if a := phone.post(s.confirmURL(), url.Values{"answer": {"approve"}}); a.StatusCode != http.StatusForbidden {
			t.Errorf("approving without the form's token: %d", a.StatusCode)
		}
		if a := phone.get(s.confirmURL()); !strings.Contains(a.body, "Refused") {
			t.Errorf("the phone sees\n%s", a.body)
		}
	})
	t.Run("cancelled at WeChat, inside WeChat", func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback, err := w.wechat.Refuse(phone.get("/wechat/login?return_to=/account").Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if a := phone.open(callback); !strings.Contains(a.body, "return_to=%2Faccount") || phone.user() != "" {
			t.Errorf("no way back to the login: %d\n%s", a.StatusCode, a.body)
		}
		if a := phone.open(callback + "&code=authdeny"); !strings.Contains(a.body, "You cancelled") {
			t.Errorf("authdeny: %d\n%s", a.StatusCode, a.body)
		}
		if got := w.wechat.TotalCalls(); got != 0 {
			t.Errorf("%d calls", got)
		}
	})
	t.Run("cancelled at WeChat's own page", func(t *testing.T) {
		w := newWorld(t, withWebsiteOnly)
		desktop := w.desktop()
		callback, err := w.wechat.Refuse(desktop.get("/wechat/login").Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if a := desktop.open(callback); !strings.Contains(a.body, "You cancelled") {
			t.Errorf("%d\n%s", a.StatusCode, a.body)
		}
	})
	t.Run("refused by OnLogin", func(t *testing.T) {
		var got scangate.Login
		w := newWorld(t, func(c *scangate.Config) {
			c.OnLogin = func(_ context.Context, l scangate.Login) error { got = l; return errors.New("not on Sundays") }
		})
		phone := w.phone("lin")
		if a := phone.open("/account"); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "Sundays") || phone.user() != "" {
			t.Errorf("%d\n%s", a.StatusCode, a.body)
		}
		if got.User.ID == "" || got.Profile.OpenID != w.wechat.OpenID("lin", official.AppID) || got.Token.AccessToken == "" {
			t.Errorf("OnLogin got the user %q, the openid %q", got.User.ID, got.Profile.OpenID)
		}
	})
	t.Run("disabled", func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Users = barredUsers{c.Users} })
		phone := w.phone("lin")
		if a := phone.open("/account"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "disabled") {
			t.Errorf("%d\n%s", a.StatusCode, a.body)
		}
	})
	t.Run("snapshot user", func(t *testing.T) {
		w := newWorld(t, withProfile)
		phone := w.phone("zhao")
		a := w.tapThroughProfile(phone, phone.open("/account"))
		if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "使用完整服务") {
			t.Errorf("%d\n%s", a.StatusCode, a.body)
		}
		if n := w.users.calls["Register"]; n != 0 {
			t.Errorf("%d registered", n)
		}
	})
}

// barredUsers bars everybody.
type barredUsers struct{ scangate.UserStore }

func (b barredUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	u, err := b.UserStore.FindByID(ctx, id)
	u.Disabled = true
	return u, err
}

func TestMatchNumber(t *testing.T) {
	for _, c := range []struct {
		name   string
		number func(right int) string
		want   string
	}{
		{"right", func(n int) string { return fmt.Sprint(n) }, "approved"},
		{"wrong", func(n int) string { return fmt.Sprint((n-10+1)%90 + 10) }, "denied"},
		{"none", func(int) string { return "" }, "denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withNumber)
			desktop, phone := w.desktop(), w.phone("lin")
			s := desktop.start()
			if a := phone.scan(s); strings.Contains(a.body, fmt.Sprintf(">%d<", s.MatchNumber)) {
				t.Error("the phone shows the number that it has to type")
			}
			phone.answer(s, "approve", "number", c.number(s.MatchNumber))
			if got := desktop.state(s); got != c.want {
				t.Errorf("state %q, want %q", got, c.want)
			}
		})
	}
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := phone.scan(s); s.MatchNumber < 10 || !strings.Contains(a.body, fmt.Sprintf(">%d<", s.MatchNumber)) {
		t.Errorf("without MatchNumber the phone does not show %d", s.MatchNumber)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		waiting := make(chan string, 1)
		go func() { waiting <- desktop.stateSince(s, "waiting") }()
		for range 12 {
			if got := <-waiting; got == "expired" {
				break
			}
			go func() { waiting <- desktop.stateSince(s, "waiting") }()
		}
		if got := desktop.state(s); got != "expired" {
			t.Errorf("state %q after 5 minutes", got)
		}
		for name, a := range map[string]answer{"scan": phone.get(s.ScanURL), "finish": desktop.finish(s), "QR code": desktop.get(s.QRURL)} {
			if a.StatusCode != http.StatusGone {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
		pass(time.Hour)
		if a := phone.get(s.ScanURL); a.StatusCode != http.StatusNotFound {
			t.Errorf("scan an hour later: %d", a.StatusCode)
		}
	})
}

func TestExpiryOnceIdentified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		pass(4 * time.Minute)
		phone.scan(s)
		pass(9 * time.Minute)
		if got := desktop.state(s); got != "scanned" {
			t.Fatalf("state %q 9 minutes after the scan", got)
		}
		page := phone.get(s.confirmURL())
		pass(2 * time.Minute)
		form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
		if a := phone.post(s.confirmURL(), form); a.StatusCode != http.StatusGone {
			t.Errorf("approving 11 minutes after the scan: %d", a.StatusCode)
		}
		if a := phone.get(s.confirmURL()); a.StatusCode != http.StatusGone {
			t.Errorf("the confirm page: %d", a.StatusCode)
		}
	})
}

func TestSameBrowserGetsItsLoginBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, other := w.desktop(), w.desktop()
		first := desktop.start()
		if second := desktop.start(); second.ID != first.ID {
			t.Error("a second tab got another login")
		}
		if other.start().ID == first.ID {
			t.Error("another browser got the same login")
		}
		if a := desktop.get("/wechat/login?return_to=/other"); a.find(t, statePattern) == first.ID {
			t.Error("another return_to got the same login")
		}
		pass(2*time.Minute + time.Second)
		renewed := desktop.start()
		if renewed.ID == first.ID {
			t.Error("an unscanned QR code is not renewed after 2 minutes")
		}
		w.phone("lin").scan(renewed)
		pass(2*time.Minute + time.Second)
		if desktop.start().ID != renewed.ID {
			t.Error("a scanned login is taken away from its phone")
		}
		if got := w.wechat.TotalCalls(); got != 1 {
			t.Errorf("%d calls", got)
		}
	})
}

func TestTwoTabs(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	one, two := desktop.start(), desktop.start()
	phone.scan(one)
	phone.answer(one, "approve")
	if a := desktop.finish(one); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the first tab: %d", a.StatusCode)
	}
	if a := desktop.finish(two); a.StatusCode != http.StatusConflict {
		t.Errorf("the second tab: %d", a.StatusCode)
	}
	if a := desktop.get("/wechat/login?return_to=/account"); a.location() != "/account" {
		t.Errorf("the second tab's way on: %d %q", a.StatusCode, a.location())
	}
	// Inside WeChat, two tabs have two trips to WeChat under way.
	phone = w.phone("wang")
	var callbacks []string
	for _, to := range []string{"/account", "/other"} {
		callback, err := w.wechat.Approve(phone.get("/wechat/login?return_to="+to).Header.Get("Location"), "wang")
		if err != nil {
			t.Fatal(err)
		}
		callbacks = append(callbacks, callback)
	}
	for i, to := range []string{"/account", "/other"} {
		if a := phone.get(callbacks[i]); a.location() != to {
			t.Errorf("tab %d: %d %q, want %q", i, a.StatusCode, a.location(), to)
		}
	}
}

func TestTwoCodesWithOneState(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	to := phone.get("/wechat/login?return_to=/account").Header.Get("Location")
	for range 2 {
		callback, err := w.wechat.Approve(to, "lin")
		if err != nil {
			t.Fatal(err)
		}
		if a := phone.get(callback); a.location() != "/account" {
			t.Errorf("%d %q\n%s", a.StatusCode, a.location(), a.body)
		}
	}
	if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
		t.Errorf("%d exchanges, want 1", got)
	}
}

func TestFailedExchangeLeavesTheLoginOpen(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029, Errmsg: "invalid code"})
	if a := phone.scan(s); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="/wechat/scan/`+s.ID) {
		t.Fatalf("%d\n%s", a.StatusCode, a.body)
	}
	if a := phone.scan(s); a.Request.URL.Path != s.confirmURL() {
		t.Errorf("trying again: %d %s", a.StatusCode, a.Request.URL)
	}
}

func TestBrowserThatKeepsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback, err := w.wechat.Approve(phone.get("/wechat/login").Header.Get("Location"), "lin")
		if err != nil {
			t.Fatal(err)
		}
		if a := phone.get(callback); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("callback: %d", a.StatusCode)
		}
		phone.dropCookie("__Host-session")
		if a := phone.get("/wechat/login"); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "cookies") {
			t.Errorf("sent round in a circle: %d %s", a.StatusCode, a.Header.Get("Location"))
		}
		pass(time.Minute)
		if a := phone.get("/wechat/login"); a.StatusCode != http.StatusSeeOther {
			t.Errorf("a minute later: %d", a.StatusCode)
		}
	})
}

func (b *browser) dropCookie(name string) {
	u, _ := url.Parse(appURL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", Secure: true, MaxAge: -1}})
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name string
		form url.Values
		left bool // the other browser's session
	}{
		{"here", nil, true},
		{"everywhere", url.Values{"everywhere": {"true"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				here, there := w.phone("lin"), w.phone("lin")
				here.open("/account")
				there.open("/account")
				pass(time.Minute)
				u, _ := url.Parse(appURL)
				old := here.client.Jar.Cookies(u)
				if a := here.post("/wechat/logout", c.form); a.StatusCode != http.StatusSeeOther || a.location() != "/" {
					t.Errorf("%d %q", a.StatusCode, a.location())
				}
				if a := here.get("/account"); a.StatusCode != http.StatusSeeOther {
					t.Errorf("still logged in: %d", a.StatusCode)
				}
				here.client.Jar.SetCookies(u, secure(old))
				if a := here.get("/account"); a.StatusCode != http.StatusSeeOther {
					t.Errorf("the old cookie is somebody: %d", a.StatusCode)
				}
				if got := there.get("/account").StatusCode == http.StatusOK; got != c.left {
					t.Errorf("the other browser is logged in: %v, want %v", got, c.left)
				}
				if there.open("/account"); there.user() == "" {
					t.Error("can't log in again")
				}
			})
		})
	}
}

// secure makes cookies that a jar gave back fit for giving to it again.
func secure(cookies []*http.Cookie) []*http.Cookie {
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	return cookies
}

func TestLogoutEndsLoginsUnderWay(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	callback, err := w.wechat.Approve(phone.get("/wechat/login").Header.Get("Location"), "lin")
	if err != nil {
		t.Fatal(err)
	}
	phone.get(callback)
	phone.post("/wechat/logout", nil)
	if a := phone.get(callback); a.StatusCode != http.StatusBadRequest || phone.user() != "" {
		t.Errorf("the callback in the history logs in again: %d", a.StatusCode)
	}
}

func TestMe(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if a := phone.get("/wechat/me"); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `"login_required"`) {
		t.Errorf("nobody: %d %s", a.StatusCode, a.body)
	}
	phone.open("/account")
	var me map[string]any
	if err := json.Unmarshal([]byte(phone.get("/wechat/me").body), &me); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id", "nickname", "avatar_url", "phone_bound", "logged_in_at"} {
		if _, ok := me[key]; !ok {
			t.Errorf("no %q in %v", key, me)
		}
	}
	if len(me) != 5 {
		t.Errorf("me is %v", me)
	}
}

func TestJSONLogin(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	var got map[string]any
	a := desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &got)
	if a.StatusCode != http.StatusCreated || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	for _, key := range []string{"id", "scan_url", "qr_url", "state_url", "finish_url", "match_number", "expires_at", "website_url"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %q in %v", key, got)
		}
	}
	s := desktop.start()
	phone := w.phone("chen")
	phone.submit(phone.scan(s).Request.URL.String(), url.Values{"token": {phone.scan(s).find(t, tokenPattern)}})
	phone.answer(s, "approve")
	var done struct {
		ReturnTo string `json:"return_to"`
	}
	if a := desktop.postJSON(s.FinishURL, `{}`, &done); a.StatusCode != http.StatusOK || done.ReturnTo != "/account" {
		t.Errorf("finish: %d %s", a.StatusCode, a.body)
	}
	var inside scan
	if a := w.phone("lin").postJSON("/wechat/login", `{}`, &inside); a.StatusCode != http.StatusCreated || !strings.HasPrefix(inside.RedirectURL, openURL) {
		t.Errorf("inside WeChat: %d %s", a.StatusCode, a.body)
	}
	for name, body := range map[string]string{"no JSON": "return_to=/", "no object": "[]", "no string": `{"return_to":1}`} {
		if a := desktop.postJSON("/wechat/login", body, nil); a.StatusCode != http.StatusBadRequest || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestQRCode(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	s := desktop.start()
	if a := desktop.get(s.QRURL); a.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(a.body, "<svg ") || len(a.body) > 10<<10 {
		t.Errorf("%d %s, %d bytes", a.StatusCode, a.Header.Get("Content-Type"), len(a.body))
	}
	png := strings.Replace(s.QRURL, "svg", "png", 1)
	if a := desktop.get(png); a.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(a.body, "\x89PNG") {
		t.Errorf("%d %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
}

func TestWaiting(t *testing.T) {
	t.Run("ends with the next state", func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		news := make(chan string)
		for _, step := range []struct {
			seen, want string
			do         func()
		}{
			{"waiting", "scanned", func() { phone.scan(s) }},
			{"scanned", "approved", func() { phone.answer(s, "approve") }},
		} {
			go func() { news <- desktop.stateSince(s, step.seen) }()
			step.do()
			if got := <-news; got != step.want {
				t.Errorf("after %s: %q, want %q", step.seen, got, step.want)
			}
		}
	})
	t.Run("ends after 25 seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			desktop := w.desktop()
			s := desktop.start()
			begun := time.Now()
			if got := desktop.stateSince(s, "waiting"); got != "waiting" || time.Since(begun) != 25*time.Second {
				t.Errorf("%q after %v", got, time.Since(begun))
			}
		})
	})
	t.Run("is bounded for one login", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			desktop := w.desktop()
			s := desktop.start()
			var waits sync.WaitGroup
			for range 5 {
				waits.Go(func() { desktop.stateSince(s, "waiting") })
			}
			if synctest.Wait(); w.gate.Waiting() != 5 {
				t.Errorf("%d wait", w.gate.Waiting())
			}
			synctest.Wait()
			if a := desktop.get(s.StateURL + "?seen=waiting"); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
				t.Errorf("the sixth: %d", a.StatusCode)
			}
			waits.Wait()
			if got := desktop.stateSince(s, "waiting"); got != "waiting" {
				t.Errorf("after they have gone: %q", got)
			}
		})
	})
	t.Run("is bounded for a process", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *scangate.Config) { c.Limits.Waiting = 1 })
			one, two := w.desktop(), w.desktop()
			first, second := one.start(), two.start()
			var waits sync.WaitGroup
			waits.Go(func() { one.stateSince(first, "waiting") })
			synctest.Wait()
			if a := two.get(second.StateURL + "?seen=waiting"); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("the second: %d", a.StatusCode)
			}
			waits.Wait()
		})
	})
	t.Run("ends with Close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			desktop := w.desktop()
			s := desktop.start()
			begun := time.Now()
			news := make(chan string)
			go func() { news <- desktop.stateSince(s, "waiting") }()
			synctest.Wait()
			_ = w.gate.Close()
			if got := <-news; got != "waiting" || time.Since(begun) != 0 {
				t.Errorf("%q after %v", got, time.Since(begun))
			}
			if a := desktop.get(s.StateURL + "?seen=waiting"); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("after Close: %d", a.StatusCode)
			}
		})
	})
}

func TestOnePersonByBothAccounts(t *testing.T) {
	w := newWorld(t, withWebsite)
	byWebsite := func() string {
		desktop := w.desktop()
		desktop.open(w.websiteCallback(desktop, "wang"))
		return desktop.user()
	}
	inside := func() string {
		phone := w.phone("wang")
		if a := phone.open("/account"); strings.Contains(a.Request.URL.Path, "/profile/") {
			w.tapThroughProfile(phone, a)
		}
		return phone.user()
	}
	first := byWebsite()
	for i, got := range []string{inside(), byWebsite(), inside()} {
		if first == "" || got != first {
			t.Errorf("login %d: user %q, want %q", i, got, first)
		}
	}
	user, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID("wang", official.AppID)})
	if err != nil || len(user.Identities) != 2 {
		t.Errorf("identities %v, %v", user.Identities, err)
	}
}

func TestStoreFailure(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	w.users.failWith(errors.New("the database has gone"))
	for _, target := range []string{"/account", "/wechat/login", "/wechat/me"} {
		a := phone.get(target)
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || strings.Contains(a.body, "database") {
			t.Errorf("%s: %d %s", target, a.StatusCode, a.body)
		}
	}
	w.users.failWith(nil)
	if phone.user() == "" {
		t.Error("logged out by it")
	}
}

func TestWeChatAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault wechattest.Fault
	}{
		{"hangs", wechattest.Fault{Hang: true}},
		{"busy", wechattest.Fault{Errcode: -1, Errmsg: "system error"}},
		{"secret is wrong", wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret"}},
		{"HTML", wechattest.Fault{Body: "<html>"}},
		{"500", wechattest.Fault{Status: http.StatusInternalServerError}},
		{"redirect", wechattest.Fault{Location: "https://elsewhere.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.wechat.Fail(wechattest.OpExchange, 9, c.fault)
				begun := time.Now()
				a := w.phone("lin").open("/account")
				if a.StatusCode != http.StatusBadGateway || time.Since(begun) > 6*time.Second {
					t.Errorf("%d after %v", a.StatusCode, time.Since(begun))
				}
				if !strings.Contains(a.body, "return_to=%2Faccount") {
					t.Errorf("no way on:\n%s", a.body)
				}
				if n := w.users.total(); n != 0 {
					t.Errorf("%d calls to the user store", n)
				}
			})
		})
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	w := newWorld(t, withProfile, func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return nil }
	})
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret"})
	phone := w.phone("wang")
	phone.open("/account")
	to := phone.get("/wechat/login").Header.Get("Location")
	callback, err := w.wechat.Approve(to, "wang")
	if err != nil {
		t.Fatal(err)
	}
	phone.open(callback)
	phone.get(callback + "x")
	u, _ := url.Parse(callback)
	secrets := []string{official.Secret, u.Query().Get("code"), u.Query().Get("state")}
	for _, c := range phone.client.Jar.Cookies(&url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}) {
		secrets = append(secrets, c.Value)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, w.log)
		}
	}
	if !strings.Contains(w.log.String(), "40125") {
		t.Errorf("the log does not say what WeChat said:\n%s", w.log)
	}
}
