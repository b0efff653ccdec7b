package scangate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// linkIn returns the link in a reply as WeChat receives it, as a path.
func linkIn(t *testing.T, reply string) string {
	t.Helper()
	_, rest, ok := strings.Cut(reply, `<a href="`+appURL)
	link, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		t.Fatalf("reply %q: no link, want one", reply)
	}
	return link
}

func TestPhoneNumberAfterAScan(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanFollow, sms.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	reply := w.scanCode("lin", s)
	if !strings.HasPrefix(reply, textIgnore) || hasNumber(reply, s.number()) {
		t.Errorf("reply: got %q, want the question without the number", reply)
	}
	page := phone.openLink(w.chatLink("lin"))
	if a := phone.sendCode(page, "13800138000"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("send a code: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	if a := phone.typeCode(page, sms.to("+8613800138000")); a.Request.URL.Path != s.confirmURL() || strings.Contains(a.body, ">"+s.number()+"<") {
		t.Errorf("type the code: at %s, want the confirm page without the number\n%s", a.Request.URL, a.body)
	}
	if a := phone.answer(s, "approve", "number", s.number()); a.StatusCode != http.StatusSeeOther {
		t.Errorf("approve: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, user %q, want %d and a user", a.StatusCode, desktop.user(), http.StatusSeeOther)
	}
	// The next login needs no page.
	w.login(w.desktop(), "lin")
}

// A click on the account's code helps with a simulated WeChat only.
func TestSimulatedCodeIsALink(t *testing.T) {
	for _, simulated := range []bool{false, true} {
		const simulator = "https://wechat.example"
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
			if simulated {
				c.WeChat.Endpoint.Open = simulator
			}
		})
		if simulated {
			w.wechat.CodesAt(simulator)
		}
		page := w.desktop().get("/wechat/login").body
		if got := strings.Contains(page, `<a class="qr" href="`+simulator+`/q/`); got != simulated {
			t.Errorf("simulated %t: the code is a link: %t, want %t\n%s", simulated, got, simulated, page)
		}
		answer := w.desktop().postJSON("/wechat/login", `{}`, &struct{}{}).body
		if got := strings.Contains(answer, `"simulated":true`); got != simulated {
			t.Errorf("simulated %t: POST login answers %s, want simulated %t", simulated, answer, simulated)
		}
	}
}

// Browsers apply form-action to the redirects after a form, too.
func TestChatLinkMayRedirectToWeChat(t *testing.T) {
	for callback, want := range map[string]string{
		"":                                    "form-action 'self' " + openURL + ";",
		"https://login.example.com/relay/app": "form-action 'self' " + openURL + " https://login.example.com;",
	} {
		w := newChatWorld(t, scangate.ScanFollow, withProfile, callbackURL(callback))
		w.scanCode("yueyue", w.desktop().start())
		phone, link := w.phone("yueyue"), w.chatLink("yueyue")
		if policy := phone.get(link).Header.Get("Content-Security-Policy"); !strings.Contains(policy, want) {
			t.Errorf("the page behind the link, CallbackURL %q: Content-Security-Policy = %q, want %q in it", callback, policy, want)
		}
	}
}

// Without its ticket, a login that a chat authorizes is like an unknown one.
func TestChatLinkWithoutItsTicketIsUnknown(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, withProfile)
	s, phone := w.desktop().start(), w.phone("wang")
	w.scanCode("yueyue", s)
	for _, query := range []string{"", "?ticket=", "?ticket=A", "?ticket=A&ticket=A", "?ticket=%zz", "?a;b"} {
		a, unknown := phone.get("/wechat/scan/"+s.ID+query), phone.get("/wechat/scan/"+unknownLoginID+query)
		if a.StatusCode != http.StatusNotFound || a.body != unknown.body {
			t.Errorf("%q: status = %d, want %d and the page of an unknown login", query, a.StatusCode, http.StatusNotFound)
		}
	}
}

func TestEchoOpensThePages(t *testing.T) {
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret, withTerms)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	link := linkIn(t, w.say("lin", s.Digits))
	page := phone.openLink(link)
	if got := w.say("lin", page.find(t, echoPattern)); !strings.HasPrefix(got, "This is your phone.") {
		t.Errorf("the four digits: reply %q, want that it is the phone", got)
	}
	a := phone.open(link)
	if a.Request.URL.Path != s.confirmURL() || strings.Contains(a.body, `name="number"`) {
		t.Errorf("the page reloads: at %s, want the confirm page without a number\n%s", a.Request.URL, a.body)
	}
	if a := phone.answer(s, "approve", "agree", versions); a.StatusCode != http.StatusSeeOther {
		t.Errorf("approve: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("after the approval: state = %q, want approved", got)
	}
	if other := w.phone("lin").post(link, ticketForm(link)); other.StatusCode != http.StatusConflict && other.StatusCode != http.StatusGone {
		t.Errorf("the link in another browser: status = %d, want %d", other.StatusCode, http.StatusConflict)
	}
}

func TestProfileAfterAScan(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, withProfile)
	desktop, phone := w.desktop(), w.phone("yueyue")
	s := desktop.start()
	w.scanCode("yueyue", s)
	page := phone.openLink(w.chatLink("yueyue"))
	if page.Request.URL.Path != "/wechat/profile/"+s.ID {
		t.Fatalf("the link: at %s, want the profile page", page.Request.URL)
	}
	resp, err := w.wechat.Phone("yueyue", w.hosts, openURL).Open(t.Context(), page.find(t, wechatURLPattern))
	if err != nil {
		t.Fatalf("open WeChat's page: %v", err)
	}
	_ = resp.Body.Close()
	if a := phone.submit("/wechat/profile/"+s.ID, url.Values{"token": {page.find(t, tokenPattern)}}); a.Request.URL.Path != s.confirmURL() {
		t.Errorf("not now: at %s, want the confirm page", a.Request.URL)
	}
	// The person may answer in the chat as well, now that no page is missing.
	if got := w.say("yueyue", s.number()); got != textApproved {
		t.Errorf("answer: reply %q, want %q", got, textApproved)
	}
}

func TestLinkAWeChatInAChat(t *testing.T) {
	var user scangate.User
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
		c.CurrentUser = func(*http.Request) (string, bool) { return user.ID, true }
	})
	var err error
	if user, err = w.users.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "other", OpenID: "o"}}); err != nil {
		t.Fatal(err)
	}
	desktop := w.desktop()
	var s scan
	if a := desktop.postJSON("/wechat/link", `{"return_to":"/account"}`, &s); a.StatusCode != http.StatusCreated {
		t.Fatalf("link: status = %d, want %d", a.StatusCode, http.StatusCreated)
	}
	w.scanCode("wang", s)
	phone := w.phone("wang")
	if a := phone.openLink(w.chatLink("wang")); a.Request.URL.Path != s.confirmURL() {
		t.Fatalf("the link: at %s, want the confirm page\n%s", a.Request.URL, a.body)
	}
	if a := phone.answer(s, "approve", "number", s.number()); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("approve: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	other := w.desktop()
	w.login(other, "wang")
	if got := other.user(); got != user.ID {
		t.Errorf("login by the added WeChat: user %q, want %q", got, user.ID)
	}
}

func TestRegisterURLAfterAScan(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
		c.Registration.Mode, c.Registration.URL = scangate.RegisterClosed, "/join"
	})
	s := w.desktop().start()
	w.scanCode("wang", s)
	phone := w.phone("wang")
	a := phone.openLink(w.chatLink("wang"))
	if a.Request.URL.Path != "/join" || a.Request.URL.Query().Get("login") != s.ID {
		t.Errorf("the link: at %s, want the application's page", a.Request.URL)
	}
}

func TestNotRegisteredInAChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed })
	desktop := w.desktop()
	s := desktop.start()
	if got := w.scanCode("wang", s); !strings.Contains(got, "account") || desktop.state(s) != "rejected" {
		t.Errorf("scan: reply %q, state %q, want a refusal and rejected", got, desktop.state(s))
	}
	for _, text := range []string{s.number(), "0"} {
		if got := w.say("wang", text); got == textApproved {
			t.Errorf("answer %q: reply %q, want no approval", text, got)
		}
	}
	user := w.know("lin")
	desktop = w.desktop()
	w.login(desktop, "lin")
	if got := desktop.user(); got != user.ID {
		t.Errorf("a known person: user %q, want %q", got, user.ID)
	}
}

// With a website application, one person must not become two users: the account asks for
// the unionid after its reply.
func TestUnionIDOfAChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, withWebsite)
	known, err := w.users.Register(t.Context(), scangate.NewUser{
		Identity: scangate.Identity{AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID), UnionID: w.wechat.UnionID("lin")},
	})
	if err != nil {
		t.Fatal(err)
	}
	desktop := w.desktop()
	w.login(desktop, "lin")
	if got := desktop.user(); got != known.ID {
		t.Errorf("login by the account: user %q, want %q of the website", got, known.ID)
	}
	if got := w.wechat.Calls(wechattest.OpFollower); got != 1 {
		t.Errorf("%d calls of user/info, want 1", got)
	}
	w.login(w.desktop(), "lin") // by the openid
	if got := w.wechat.Calls(wechattest.OpFollower); got != 1 {
		t.Errorf("%d calls of user/info after a second login, want 1", got)
	}
	w.wechat.Fail(wechattest.OpFollower, 1, wechattest.Fault{Errcode: 50002})
	desktop = w.desktop()
	s := desktop.start()
	w.scanCode("wang", s)
	if got := desktop.stateSince(s, "scanned"); got != "rejected" {
		t.Errorf("failed user/info for a new person: state %q, want rejected", got)
	}
	// The answer looks up again. TestAnswerLooksUpAgain has an answer at another failure.
	if got := w.say("wang", s.number()); got != textApproved {
		t.Errorf("answer after the failure: reply %q, want %q", got, textApproved)
	}
}
