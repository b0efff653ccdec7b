package scangate_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// profileOfWang sends the phone back from the trip for the user info with a code that WeChat
// gave to wang, and demands that the gate refuses it and registers no one.
func (w *world) profileOfWang(phone *browser, page answer) {
	w.t.Helper()
	for _, accept := range []string{"text/html", "application/json"} {
		callback, err := w.wechat.Approve(page.find(w.t, wechatURLPattern), "wang")
		if err != nil {
			w.t.Fatalf("consenting to the user info as wang: %v", err)
		}
		if a := phone.get(callback, "Accept", accept); a.StatusCode != http.StatusBadGateway {
			w.t.Errorf("another person's code, %s: status = %d, want 502\n%s", accept, a.StatusCode, a.body)
		}
	}
	if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
		w.t.Errorf("the profile page after that: status = %d, want 200\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", "")
	w.checkOwner("wang", "")
}

// TestProfileOfAnotherPerson has lin identified, and another person consent to the user
// info.
func TestProfileOfAnotherPerson(t *testing.T) {
	t.Run("cross-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		page := phone.scan(login)
		w.profileOfWang(phone, page)
		if a := w.tapThroughProfile(phone, page); a.Request.URL.Path != login.confirmURL() {
			t.Fatalf("lin's own consent: at %s, want %s", a.Request.URL.Path, login.confirmURL())
		}
		phone.answer(login, "approve")
		desktop.finish(login)
		if desktop.user() == "" {
			t.Error("finish: the desktop is not logged in")
		}
		w.checkOwner("lin", desktop.user())
		w.checkOwner("wang", "")
	})
	t.Run("same-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		phone := w.phone("lin")
		page := phone.open("/account")
		w.profileOfWang(phone, page)
		a := phone.submit(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
		if id := phone.user(); id == "" || a.body != "user "+id {
			t.Errorf("after declining the profile: status = %d, user %q, want lin's\n%s", a.StatusCode, id, a.body)
		}
		w.checkOwner("lin", phone.user())
		w.checkOwner("wang", "")
	})
}

// TestDecliningProfileNeedsToken posts the profile form without the token that its
// page holds.
func TestDecliningProfileNeedsToken(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	other := w.phone("lin").scan(w.desktop().start())
	for name, form := range map[string]url.Values{
		"no token":              {},
		"an empty token":        {"token": {""}},
		"another login's token": {"token": {other.find(t, tokenPattern)}},
		"a token given twice":   {"token": {page.find(t, tokenPattern), page.find(t, tokenPattern)}},
	} {
		want := http.StatusForbidden
		if len(form["token"]) > 1 {
			want = http.StatusBadRequest
		}
		if a := phone.post(page.Request.URL.Path, form); a.StatusCode != want {
			t.Errorf("declining the profile with %s: status = %d, want %d", name, a.StatusCode, want)
		}
		if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
			t.Errorf("the profile page after %s: status = %d to %q, want 200", name, a.StatusCode, a.location())
		}
	}
	a := phone.post(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
	if a.StatusCode != http.StatusSeeOther || a.location() != login.confirmURL() {
		t.Errorf("declining the profile with its own token: status = %d to %q, want 303 to %q", a.StatusCode, a.location(), login.confirmURL())
	}
}

// newcomerWorld returns a world with both accounts, in which lin is a user by the website
// application, and her phone, which opens a page inside WeChat for the first time.
func newcomerWorld(t *testing.T, options ...func(*scangate.Config)) (w *world, known scangate.User, phone *browser, profile answer) {
	t.Helper()
	w = newWorld(t, append(options, withWebsite)...)
	known = w.knowPhone("", scangate.Identity{
		AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID), UnionID: w.wechat.UnionID("lin"),
	})
	w.servePending()
	phone = w.phone("lin")
	return w, known, phone, phone.open("/account")
}

// disabledFromStart is a UserStore whose users are disabled when they are looked up by
// their WeChat as well.
type disabledFromStart struct{ disabledUsers }

func (d disabledFromStart) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := d.UserStore.FindByWeChat(ctx, who)
	user.Disabled = true
	return user, err
}

func TestCaseA11PageGivesTheReason(t *testing.T) {
	for _, c := range []struct{ language, reason, choice string }{
		{"en", "so that we recognize you", "I am new here"},
		{"zh-CN", "才能认出你", "我是新用户"},
		{"zh-TW", "才能認出你", "我是新使用者"},
	} {
		_, _, phone, profile := newcomerWorld(t)
		a := phone.get(profile.Request.URL.Path, "Accept-Language", c.language)
		if !strings.Contains(a.body, c.reason) || !strings.Contains(a.body, c.choice) || strings.Contains(a.body, "Not now") {
			t.Errorf("profile page in %s: want %q and %q, not \"Not now\"\n%s", c.language, c.reason, c.choice, a.body)
		}
	}
	// With one account, the unionid decides nothing, and the page asks for a favor.
	w := newWorld(t, withProfile)
	if a := w.phone("lin").open("/account"); !strings.Contains(a.body, "Not now") || strings.Contains(a.body, "I am new here") {
		t.Errorf("profile page with one account: want \"Not now\"\n%s", a.body)
	}
}

// TestCaseA11NoSecondUser has a user of the website application choose "I am new here".
// Only the unionid shows that they are not.
func TestCaseA11NoSecondUser(t *testing.T) {
	for name, option := range map[string]func(*scangate.Config){"profile": withProfile, "no profile": func(*scangate.Config) {}} {
		w, known, phone, profile := newcomerWorld(t, option)
		needed := phone.submit(profile.Request.URL.Path, url.Values{"token": {profile.find(t, tokenPattern)}})
		if needed.StatusCode != http.StatusOK || !strings.Contains(needed.body, "One more step") || strings.Contains(needed.body, "<form") {
			t.Fatalf("%s, \"I am new here\": status = %d, want a page that explains the next step and offers no other\n%s", name, needed.StatusCode, needed.body)
		}
		w.checkOwner("lin", "")
		a := w.tapThroughProfile(phone, needed)
		if a.body != "user "+known.ID {
			t.Errorf("%s: status = %d, body = %q, want the user %s", name, a.StatusCode, a.body, known.ID)
		}
		w.checkOwner("lin", known.ID)
		if got := w.users.calls["Register"]; got != 1 {
			t.Errorf("%s: Register was called %d times, want once, by the test", name, got)
		}
	}
}

// TestCaseA11RefusedInWeChat has the person refuse WeChat's question for the user info.
func TestCaseA11RefusedInWeChat(t *testing.T) {
	w, _, phone, profile := newcomerWorld(t)
	refused := w.tap(phone, phone.open(profile.find(t, wechatURLPattern)), wechattest.Refuse)
	if refused.StatusCode != http.StatusOK || !strings.Contains(refused.body, "you can&#39;t log in here") || strings.Contains(refused.body, "<form") {
		t.Errorf("refused in WeChat: status = %d, want a page that explains it\n%s", refused.StatusCode, refused.body)
	}
	w.checkOwner("lin", "")
	if a := w.tapThroughProfile(phone, refused); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("allowed in the end: status = %d, want a user\n%s", a.StatusCode, a.body)
	}
}

// TestCaseA11DisabledUser has a disabled user of the website application try every way to
// a new account inside WeChat.
func TestCaseA11DisabledUser(t *testing.T) {
	for name, try := range map[string]func(w *world, phone *browser, profile answer) answer{
		"the user info": func(w *world, phone *browser, profile answer) answer { return w.tapThroughProfile(phone, profile) },
		"I am new here": func(w *world, phone *browser, profile answer) answer {
			return w.tapThroughProfile(phone, phone.submit(profile.Request.URL.Path, url.Values{"token": {profile.find(w.t, tokenPattern)}}))
		},
		"another scope in the address": func(w *world, phone *browser, profile answer) answer {
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Errcode: 48001}) // as WeChat answers a token of that scope
			return phone.open(strings.Replace(profile.find(w.t, wechatURLPattern), "snsapi_userinfo", "snsapi_base", 1))
		},
		"the page of the registration": func(w *world, phone *browser, profile answer) answer {
			_, id, _ := strings.Cut(profile.Request.URL.Path, "/profile/")
			return phone.open("/pending?login=" + id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, phone, profile := newcomerWorld(t)
			enabled := w.users.UserStore
			w.users.UserStore = disabledFromStart{disabledUsers{enabled}}
			a := try(w, phone, profile)
			w.users.UserStore = enabled // otherwise a second user would be disabled as well
			if a.StatusCode < 400 || phone.user() != "" {
				t.Errorf("status = %d, user = %q, want an error and none\n%s", a.StatusCode, phone.user(), a.body)
			}
			if got := w.users.calls["Register"]; got != 1 {
				t.Errorf("Register was called %d times, want once, by the test", got)
			}
		})
	}
}

// TestCaseA11WithoutUnionID has WeChat return no unionid at all: the person is new, as far
// as anyone can find out.
func TestCaseA11WithoutUnionID(t *testing.T) {
	w := newWorld(t, withWebsite)
	phone := w.phone("chen")
	if a := w.tapThroughProfile(phone, phone.open("/account")); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("allowed without a unionid: status = %d, want a user\n%s", a.StatusCode, a.body)
	}
	// Its user info must have come: without it the unionid is not known.
	w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Status: http.StatusInternalServerError})
	w.wechat.Fail(wechattest.OpExchange, 2, wechattest.Fault{Edit: func(token map[string]any) { delete(token, "unionid") }})
	other := w.phone("lin")
	if a := w.tapThroughProfile(other, other.open("/account")); a.StatusCode != http.StatusBadGateway || other.user() != "" {
		t.Errorf("without the user info: status = %d, user = %q, want %d and none\n%s", a.StatusCode, other.user(), http.StatusBadGateway, a.body)
	}
}
