package scangate_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

var whoPattern = regexp.MustCompile(`(?s)<div class="who" id="who">(.*?)</div>`)

const (
	lastUserCookie = "__Host-scangate-last"
	firefox        = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
)

// accountPage returns the page that names the account of an approved login.
func (b *browser) accountPage() answer {
	b.t.Helper()
	return b.get("/wechat/login?return_to=/account")
}

// loseSession ends the session in this browser only, as if its time were over.
func (b *browser) loseSession() {
	b.dropCookie("__Host-session")
	b.dropCookie("__Host-scangate-issued") // otherwise the loss looks like a fault
}

// checkAsked checks whether the page waits for a tap, or lets the script go on at once.
func (a answer) checkAsked(t *testing.T, after string, asked bool) {
	t.Helper()
	if !strings.Contains(a.body, "data-finish") {
		t.Fatalf("%s: status = %d, want the page of the account\n%s", after, a.StatusCode, a.body)
	}
	if got := !strings.Contains(a.body, "data-auto"); got != asked {
		t.Errorf("%s: the page asks: %v, want %v\n%s", after, got, asked, a.body)
	}
}

// accounts are users of whom the page of the account must show differences.
var accounts = map[string]scangate.NewUser{
	"a name":               {Nickname: "林小北"},
	"another name":         {Nickname: "林小南"},
	"a picture":            {AvatarURL: "https://thirdwx.qlogo.cn/mmopen/vi_32/a/132"},
	"another picture":      {AvatarURL: "https://wx.qlogo.cn/mmopen/vi_32/b/132"},
	"a number":             {Phone: "+8613800138000"},
	"another number":       {Phone: "+8613800138001"},
	"nothing":              {},
	"a name and a number":  {Nickname: "林小北", Phone: "+8613800138000"},
	"a name and a picture": {Nickname: "林小北", AvatarURL: "https://wx.qlogo.cn/mmopen/vi_32/b/132"},
}

func TestCaseB04PageTellsAccountsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	check := func(name string, page answer) {
		who := page.find(t, whoPattern)
		if other, ok := seen[who]; ok {
			t.Errorf("the account with %s looks like the one with %s:\n%s", name, other, who)
		}
		seen[who] = name
		if strings.Count(page.body, "autofocus") != 1 || strings.Contains(page.body, "http-equiv") {
			t.Errorf("the account with %s: want one focused button and no refresh:\n%s", name, page.body)
		}
		page.checkAsked(t, name, true)
	}
	for name, account := range accounts {
		w := newWorld(t)
		account.Identity = w.identity("lin")
		if _, err := w.users.Register(t.Context(), account); err != nil {
			t.Fatalf("Register: %v", err)
		}
		desktop := w.desktop()
		w.approved(desktop, w.phone("lin"))
		page := desktop.accountPage()
		check(name, page)
		if strings.Contains(page.body, "New account") || strings.Contains(page.body, "138001") {
			t.Errorf("a known account with %s: want neither \"New account\" nor more than 4 digits\n%s", name, page.body)
		}
	}
	w := newWorld(t)
	desktop := w.desktop()
	w.approved(desktop, w.phone("wang"))
	page := desktop.accountPage()
	check("no history", page)
	if !strings.Contains(page.find(t, whoPattern), "New account") {
		t.Errorf("a new user: want \"New account\"\n%s", page.body)
	}
}

func TestCaseB04PicturesOfWeChatOnly(t *testing.T) {
	t.Parallel()
	const allowed = "img-src 'self' data: https://thirdwx.qlogo.cn https://wx.qlogo.cn;"
	for picture, shown := range map[string]bool{
		"https://thirdwx.qlogo.cn/mmopen/vi_32/a/132": true,
		"http://wx.qlogo.cn/mmopen/a/0":               true,
		"https://evil.example/track.png":              false,
		"https://wx.qlogo.cn.evil.example/a":          false,
		"https://wx.qlogo.cn@evil.example/a":          false,
		"javascript:alert(1)":                         false,
		"":                                            false,
	} {
		w := newWorld(t)
		if _, err := w.users.Register(t.Context(), scangate.NewUser{Identity: w.identity("lin"), AvatarURL: picture}); err != nil {
			t.Fatalf("Register: %v", err)
		}
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		confirm := phone.scan(login)
		phone.answer(login, "approve")
		page := desktop.accountPage()
		csp := page.Header.Get("Content-Security-Policy")
		if strings.Contains(page.body, "<i aria-hidden=\"true\">?<img src=") != shown || strings.Contains(csp, allowed) != shown {
			t.Errorf("account with the picture %q: shown and allowed, want %v\n%s\n%s", picture, shown, csp, page.body)
		}
		for _, a := range []answer{confirm, phone.get(login.confirmURL())} {
			if csp := a.Header.Get("Content-Security-Policy"); strings.Contains(csp, "qlogo") {
				t.Errorf("GET %s: Content-Security-Policy = %q, want no other host", a.Request.URL.Path, csp)
			}
		}
	}
}

func TestCaseB04NothingBeforeConsent(t *testing.T) {
	w := newWorld(t)
	_, err := w.users.Register(t.Context(), scangate.NewUser{
		Identity: w.identity("lin"), Nickname: "林小北", Phone: mobile, AvatarURL: "https://wx.qlogo.cn/mmopen/a/132",
	})
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.scan(login)
	for _, a := range []answer{desktop.accountPage(), desktop.get(login.StateURL + "?seen=none"), desktop.finish(login)} {
		for _, secret := range []string{"林", "8000", "qlogo"} {
			if strings.Contains(a.body+a.Header.Get("Content-Security-Policy"), secret) {
				t.Errorf("%s before the consent: got %q, want nothing of the person\n%s", a.Request.URL.Path, secret, a.body)
			}
		}
	}
}

// TestCaseB04LastUser logs lin in, and changes what the desktop remembers of it before
// lin's next login. Only the browser's last user is not asked.
func TestCaseB04LastUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		between func(w *world, desktop *browser)
		asked   bool
	}{
		"no change":           {func(*world, *browser) {}, false},
		"the session ended":   {func(_ *world, desktop *browser) { desktop.loseSession() }, false},
		"logout":              {func(_ *world, desktop *browser) { desktop.post("/wechat/logout", nil) }, true},
		"another's login":     {func(w *world, desktop *browser) { desktop.loseSession(); w.scanLogin(desktop, w.phone("wang")) }, true},
		"another's and lin's": {func(w *world, desktop *browser) { loginsOf(w, desktop, "wang", "lin") }, false},
		"another's cookie":    {func(w *world, desktop *browser) { copyLastUser(desktop, openedBy(w, "wang")) }, true},
		"another value":       {func(_ *world, desktop *browser) { desktop.setAppCookie(lastUserCookie, strings.Repeat("A", 58)) }, true},
		"a short value":       {func(_ *world, desktop *browser) { desktop.setAppCookie(lastUserCookie, "A") }, true},
		"a browser's update": {func(_ *world, desktop *browser) {
			desktop.agent = strings.Replace(desktop.agent, "Chrome/", "Chrome/9", 1)
		}, false},
		"in another browser": {func(_ *world, desktop *browser) { desktop.agent = firefox }, true},
		"all sessions ended": {func(w *world, _ *browser) { w.endSessions("lin") }, true},
		"another's sessions": {func(w *world, _ *browser) { w.know("wang"); w.endSessions("wang") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.know("lin")
			desktop, phone := w.desktop(), w.phone("lin")
			login := w.approved(desktop, phone)
			desktop.accountPage().checkAsked(t, "first login", true)
			desktop.finish(login)
			c.between(w, desktop)
			desktop.loseSession()
			login = w.approved(desktop, phone)
			desktop.accountPage().checkAsked(t, name, c.asked)
			if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther {
				t.Errorf("finish: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
			}
		})
	}
}

// loginsOf logs the persons in on the desktop, one after the other.
func loginsOf(w *world, desktop *browser, persons ...string) {
	for _, person := range persons {
		desktop.loseSession()
		w.scanLogin(desktop, w.phone(person))
	}
}

// openedBy returns the browser of a person who has logged in inside WeChat.
func openedBy(w *world, person string) *browser {
	phone := w.phone(person)
	phone.open("/account")
	return phone
}

// copyLastUser makes the browser remember the user whom the other browser remembers.
func copyLastUser(to, from *browser) {
	for _, c := range from.appCookies() {
		if c.Name == lastUserCookie {
			to.setAppCookie(c.Name, c.Value)
		}
	}
}

// endSessions ends all sessions of a person.
func (w *world) endSessions(person string) {
	w.t.Helper()
	user, err := w.users.FindByWeChat(w.t.Context(), w.identity(person))
	if err == nil {
		err = w.users.EndSessions(w.t.Context(), user.ID, time.Now())
	}
	if err != nil {
		w.t.Fatalf("end the sessions of %s: %v", person, err)
	}
}

// TestCaseB04LastUserOnOneDevice: each login that begins a session is remembered, also one
// that no page of the gate's has asked about.
func TestCaseB04LastUserOnOneDevice(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "wang"))
	desktop.loseSession()
	phone := w.phone("wang")
	login := desktop.start()
	w.tapThroughProfile(phone, phone.scan(login)) // finds the user of the website
	phone.answer(login, "approve")
	desktop.accountPage().checkAsked(t, "after a login on WeChat's page", false)
}

func TestCaseB04NewUserAndLinkAreAlwaysAsked(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	w.tapThroughProfile(phone, phone.scan(login))
	phone.answer(login, "approve")
	page := desktop.accountPage()
	page.checkAsked(t, "a new user", true)
	if !strings.Contains(page.body, "New account") {
		t.Errorf("a new user: want \"New account\"\n%s", page.body)
	}
	desktop, _ = newWorld(t, withWebsite).approvedLink()
	desktop.get("/wechat/link?return_to=/account").checkAsked(t, "the last user links a WeChat", true)
}

func TestLastUserCookie(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	desktop.loseSession()
	for _, c := range desktop.finish(w.approved(desktop, w.phone("lin"))).Cookies() {
		if c.Name != lastUserCookie {
			continue
		}
		checkCookie(t, c)
		if c.MaxAge != 30*24*60*60 || strings.Contains(c.Value, desktop.user()) && len(desktop.user()) > 3 {
			t.Errorf("Set-Cookie: %v, want 30 days and nothing of the user", c)
		}
		if len(c.Value) != 58 {
			t.Errorf("Set-Cookie: %d characters, want a random value and a MAC of 58", len(c.Value))
		}
		return
	}
	t.Errorf("finish: no cookie %s, want one", lastUserCookie)
}

// TestLastUserWithoutHTTPS has the name without its prefix, which browsers accept with
// https only.
func TestLastUserWithoutHTTPS(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.PublicURL, c.InsecureHTTP = "http://app.example.com", true })
	phone := w.browser(wechattest.UserAgentPhone)
	a := phone.get("http://app.example.com/wechat/login?return_to=/account")
	callback, err := w.wechat.Approve(a.Header.Get("Location"), "lin")
	if err != nil {
		t.Fatalf("approve: %v", err)
	}
	for _, c := range phone.get(callback).Cookies() {
		if c.Name == "scangate-last" && !c.Secure {
			return
		}
	}
	t.Error("callback without https: no cookie scangate-last, want one that is not Secure")
}

func TestAccountPageOfADisabledUser(t *testing.T) {
	users := &changingUsers{UserStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.Users = users })
	desktop := w.desktop()
	w.approved(desktop, w.phone("lin"))
	users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
	if a := desktop.accountPage(); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "disabled") {
		t.Errorf("page of the account: status = %d, want %d and the reason\n%s", a.StatusCode, http.StatusForbidden, a.body)
	}
	if a := desktop.accountPage(); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "data-state-url") {
		t.Errorf("the login page after that: status = %d, want a new code\n%s", a.StatusCode, a.body)
	}
}
