package scangate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// decision returns the form of the confirm page with that choice.
func decision(t testing.TB, page answer, choice string) url.Values {
	t.Helper()
	return url.Values{"token": {page.find(t, tokenPattern)}, "answer": {choice}}
}

func TestProfile(t *testing.T) {
	w := newWorld(t, withProfile)
	for _, c := range []struct {
		person, nickname string
		next             func(phone *browser, profile answer) answer
	}{
		{"wang", "Wang Wei", w.tapThroughProfile},
		{"yueyue", "月月🌙🐰", w.tapThroughProfile},
		{"chen", "", func(phone *browser, profile answer) answer { // skips it on the gate's page
			return phone.submit(profile.Request.URL.String(), url.Values{"token": {profile.find(t, tokenPattern)}})
		}},
		{"lin", "", func(phone *browser, profile answer) answer { // refuses at WeChat, then skips it
			consent := phone.open(profile.find(t, wechatURLPattern))
			back := w.tap(phone, consent, wechattest.Refuse)
			return phone.submit(back.Request.URL.String(), url.Values{"token": {back.find(t, tokenPattern)}})
		}},
	} {
		phone := w.phone(c.person)
		if a := c.next(phone, phone.open("/account")); !strings.HasPrefix(a.body, "user ") {
			t.Errorf("login of %s: status = %d at %s, want a user\n%s", c.person, a.StatusCode, a.Request.URL, a.body)
			continue
		}
		var me struct {
			ID, Nickname string
			AvatarURL    string `json:"avatar_url"`
		}
		a := phone.get("/wechat/me")
		if err := json.Unmarshal([]byte(a.body), &me); err != nil {
			t.Fatalf("GET me of %s: status = %d, body = %s, error = %v", c.person, a.StatusCode, a.body, err)
		}
		if id := phone.user(); me.ID != id || me.Nickname != c.nickname || (me.AvatarURL != "") != (c.nickname != "") {
			t.Errorf("GET me of %s: got %+v, want the ID %q, the nickname %q, and an avatar only with a nickname", c.person, me, id, c.nickname)
		}
	}
}

// TestUnionIDInTheUserInfoOnly covers a WeChat whose answer to the exchange has no
// unionid. Only its answer with the user info may have one.
func TestUnionIDInTheUserInfoOnly(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(info map[string]any)
		same bool // whether the login ends as the user of the other account
	}{
		{"the user's unionid", func(map[string]any) {}, true},
		{"no unionid", func(info map[string]any) { delete(info, "unionid") }, false},
		{"another unionid", func(info map[string]any) { info["unionid"] = "another" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			known := w.knowPhone("", scangate.Identity{
				AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID), UnionID: w.wechat.UnionID("lin"),
			})
			w.wechat.Fail(wechattest.OpExchange, 2, wechattest.Fault{Edit: func(token map[string]any) { delete(token, "unionid") }})
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: c.edit})
			phone := w.phone("lin")
			w.tapThroughProfile(phone, phone.open("/account"))
			if got := phone.user(); got == "" || (got == known.ID) != c.same {
				t.Errorf("login: user = %q, want the other account's user %q: %v", got, known.ID, c.same)
			}
			user, err := w.users.FindByWeChat(t.Context(), w.identity("lin"))
			if err != nil || user.ID != phone.user() {
				t.Errorf("FindByWeChat: user = %q, error = %v, want %q", user.ID, err, phone.user())
			}
			if want := map[bool]int{true: 2, false: 1}[c.same]; len(user.Identities) != want {
				t.Errorf("FindByWeChat: identities = %v, want %d", user.Identities, want)
			}
		})
	}
}

func TestAvatarURLOfUpTo1024Bytes(t *testing.T) {
	const limit = 1024
	// address returns a URL of that many bytes.
	address := func(scheme string, size int) string {
		return scheme + strings.Repeat("a", size-len(scheme))
	}
	for _, c := range []struct{ name, in, want string }{
		{"https, 1,024 bytes", address("https://", limit), address("https://", limit)},
		{"https, 1,025 bytes", address("https://", limit+1), ""},
		{"http, 1,023 bytes", address("http://", limit-1), address("https://", limit)},
		{"http, 1,024 bytes", address("http://", limit), ""}, // 1,025 bytes as https
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(info map[string]any) { info["headimgurl"] = c.in }})
			phone := w.phone("lin")
			w.tapThroughProfile(phone, phone.open("/account"))
			user, err := w.users.FindByID(t.Context(), phone.user())
			if err != nil || user.AvatarURL != c.want {
				t.Errorf("FindByID: avatar URL of %d bytes, error = %v, want %d bytes", len(user.AvatarURL), err, len(c.want))
			}
		})
	}
}

// TestSnapshotUser has a person to whom WeChat shows a snapshot of the page. Their
// openid is not real, so the gate must not register it.
func TestSnapshotUser(t *testing.T) {
	w := newWorld(t, withProfile)
	phone := w.phone("zhao")
	a := w.tapThroughProfile(phone, phone.open("/account"))
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "使用完整服务") {
		t.Errorf("login of a snapshot user: status = %d, want 403 and the name of WeChat's button\n%s", a.StatusCode, a.body)
	}
	if n := w.users.calls["Register"]; n != 0 {
		t.Errorf("login of a snapshot user: %d calls of Register, want 0", n)
	}
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
				t.Errorf("scan: the confirm page shows the number %d, want it typed from the desktop", s.MatchNumber)
			}
			phone.answer(s, "approve", "number", c.number(s.MatchNumber))
			if got := desktop.state(s); got != c.want {
				t.Errorf("approve with number %q for %d: state = %q, want %q", c.number(s.MatchNumber), s.MatchNumber, got, c.want)
			}
		})
	}
}

func TestConfirmPageShowsTheMatchNumber(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := phone.scan(s); s.MatchNumber < 10 || !strings.Contains(a.body, fmt.Sprintf(">%d<", s.MatchNumber)) {
		t.Errorf("scan without Config.MatchNumber: the confirm page is\n%s\nwant the number %d, at least 10", a.body, s.MatchNumber)
	}
}

// TestNoMatchNumberOnASingleDevice links a WeChat in WeChat's own browser. No other
// screen shows a number there.
func TestNoMatchNumberOnASingleDevice(t *testing.T) {
	for _, choice := range []string{"approve", "deny"} {
		t.Run(choice, func(t *testing.T) {
			user := ""
			w := newWorld(t, withNumber, func(c *scangate.Config) {
				c.CurrentUser = func(*http.Request) (string, bool) { return user, true }
			})
			user = w.knowPhone("", clerk("a")).ID
			phone := w.phone("lin")
			page := phone.open("/wechat/link?return_to=/settings")
			if strings.Contains(page.body, `name="number"`) || strings.Contains(page.body, "192.0.2.1") {
				t.Errorf("GET link: got\n%s\nwant neither a field for a number nor the phone's own address", page.body)
			}
			a := phone.post(page.Request.URL.Path, decision(t, page, choice))
			if choice == "approve" {
				if a.location() != "/settings" {
					t.Errorf("approve: status = %d, location = %q, want /settings\n%s", a.StatusCode, a.location(), a.body)
				}
				return
			}
			if a = phone.get(page.Request.URL.Path); !strings.Contains(a.body, `href="/settings"`) || !strings.Contains(a.body, "not added") {
				t.Errorf("GET the confirm page after deny: got\n%s\nwant \"not added\" and a link to /settings", a.body)
			}
		})
	}
}

// TestDonePageHidesTheReturnTo decides on the phone. The page after that must not reveal
// where the desktop goes.
func TestDonePageHidesTheReturnTo(t *testing.T) {
	for _, choice := range []string{"approve", "deny"} {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		phone.scan(s)
		phone.answer(s, choice)
		if a := phone.get(s.confirmURL()); strings.Contains(a.body, "/account") || strings.Contains(a.body, "<a ") {
			t.Errorf("GET the confirm page after %s: got\n%s\nwant no link and no return_to", choice, a.body)
		}
	}
}

func TestSameDeviceLoginHasNoConfirmPage(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	confirm := strings.Replace(page.Request.URL.Path, "/phone/", "/confirm/", 1)
	refused := func(when string) {
		t.Helper()
		if a := phone.get(confirm); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: GET %s: status = %d, want 404", when, confirm, a.StatusCode)
		}
		for _, choice := range []string{"approve", "deny"} {
			if a := phone.post(confirm, decision(t, page, choice)); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: POST %s %s: status = %d, want 404", when, confirm, choice, a.StatusCode)
			}
		}
	}
	refused("before the code")
	if a := phone.prove(s, page, mobile); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("prove the number: status = %d, want the account page\n%s", a.StatusCode, a.body)
	}
	refused("after the login")
}

func TestApprovalBeforeThePhoneStep(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	a := phone.post(login.confirmURL(), decision(t, page, "approve"))
	if want := "/wechat/phone/" + login.ID; a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("approve before the phone step: status = %d, location = %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
	if got, n := desktop.state(login), w.users.calls["Register"]; got != "scanned" || n != 0 {
		t.Errorf("approve before the phone step: state = %q, %d calls of Register, want scanned and 0", got, n)
	}
	if a := desktop.finish(login); a.StatusCode != http.StatusConflict || desktop.user() != "" {
		t.Errorf("finish: status = %d, user = %q, want 409 and no user", a.StatusCode, desktop.user())
	}
}

// TestApprovalDuringTheProfileRoundRegistersNoOne approves while the callback asks
// WeChat for the user info. The configuration does not admit the person, so the approval
// must not register them.
func TestApprovalDuringTheProfileRoundRegistersNoOne(t *testing.T) {
	s := &texts{}
	for name, mode := range map[string]func(*scangate.Config){"closed": closed, "by phone": s.byPhone} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, withProfile, withWebsite, mode)
				desktop, phone := w.desktop(), w.phone("lin")
				login := desktop.start()
				page := phone.scan(login)
				consent := page.find(t, wechatURLPattern)
				callback, err := w.wechat.Approve(consent, "lin")
				if err != nil {
					t.Fatalf("approve %s: %v", consent, err)
				}
				w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: 2 * time.Second})
				var exchange sync.WaitGroup
				exchange.Go(func() { _, _ = phone.try(t.Context(), false, http.MethodGet, callback, "") })
				pass(time.Second)
				a := phone.post(login.confirmURL(), decision(t, page, "approve"))
				if want := "/wechat/profile/" + login.ID; a.StatusCode != http.StatusSeeOther || a.location() != want {
					t.Errorf("approve during the exchange for the user info: status = %d, location = %q, want 303 to %q", a.StatusCode, a.location(), want)
				}
				exchange.Wait()
				if n := w.users.calls["Register"]; n != 0 {
					t.Errorf("after the exchange for the user info: %d calls of Register, want 0", n)
				}
				if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
					t.Errorf("FindByWeChat: error = %v, want %v", err, scangate.ErrNotFound)
				}
			})
		})
	}
}

func TestAnswersThatAreNeitherYesNorNo(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	for _, answers := range [][]string{nil, {""}, {"yes"}, {"true"}, {"Approve"}, {" approve"}, {"approved"}, {"denied"}, {"approve", "approve"}} {
		if a := phone.post(s.confirmURL(), url.Values{"token": {token}, "answer": answers}); a.StatusCode != http.StatusBadRequest {
			t.Errorf("POST the answer %q: status = %d, want 400", answers, a.StatusCode)
		}
	}
	if a := phone.postJSON(s.confirmURL(), `{"token":"`+token+`","answer":true}`, nil); a.StatusCode != http.StatusBadRequest {
		t.Errorf("POST the answer true as JSON: status = %d, want 400", a.StatusCode)
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after refused answers: state = %q, want scanned", got)
	}
	a := phone.answer(s, "approve")
	if got := desktop.state(s); a.StatusCode != http.StatusSeeOther || got != "approved" {
		t.Errorf("approve: status = %d, state = %q, want 303 and approved", a.StatusCode, got)
	}
}

func TestMultipartAnswer(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	for _, doubled := range [][]string{
		{"token", token, "answer", "approve", "answer", "deny"},
		{"token", token, "answer", "approve", "answer", "approve"},
		{"token", token, "token", token, "answer", "approve"},
	} {
		if a := phone.postMultipart(t, s.confirmURL(), doubled...); a.StatusCode != http.StatusBadRequest {
			t.Errorf("POST multipart %q: status = %d, want 400", doubled, a.StatusCode)
		}
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after refused answers: state = %q, want scanned", got)
	}
	if a := phone.postMultipart(t, s.confirmURL(), "token", token, "answer", "approve"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("POST multipart answer: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("after the answer: state = %q, want approved", got)
	}
}
