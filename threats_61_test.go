package scangate_test

// Row 61: the attacker answers a victim's fresh login.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// registered returns how many users the gate and the test have registered.
func (w *world) registered() int {
	w.users.mu.Lock()
	defer w.users.mu.Unlock()
	return w.users.calls["Register"]
}

// formToken returns the token that the gate would put into a form for the browser. A
// browser can compute it from its own cookie.
func (b *browser) formToken(s scan) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(cookieHeader(b, "__Host-scangate"), "__Host-scangate="), ".")
	m := hmac.New(sha256.New, []byte(value))
	m.Write([]byte("form " + s.ID))
	return base32.StdEncoding.EncodeToString(m.Sum(nil)[:20])
}

// checkRefused has the attacker's phone answer the login in every way. Each time it is
// refused, the desktop is shown that, and the victim keeps session and WeChat.
func (o *oldSession) checkRefused(t *testing.T, attacker *browser, login scan) {
	t.Helper()
	session, users := o.session(), o.registered()
	if a := attacker.scan(login); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "does not belong to the account") {
		t.Errorf("scan by the attacker: status = %d at %s, want 403 and the reason\n%s", a.StatusCode, a.Request.URL, a.body)
	}
	form := url.Values{"token": {attacker.formToken(login)}, "answer": {"approve"}}
	for _, route := range []string{"confirm", "profile", "phone"} {
		if a := attacker.post("/wechat/"+route+"/"+login.ID, form); a.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s by the attacker: status = %d, want 403\n%s", route, a.StatusCode, a.body)
		}
	}
	if got := o.desktop.state(login); got != "rejected" {
		t.Errorf("the desktop's state = %q, want %q", got, "rejected")
	}
	if a := o.desktop.finish(login); a.StatusCode != http.StatusConflict || sessionCookie(a) != nil {
		t.Errorf("finish: status = %d, session cookie %v, want 409 and none", a.StatusCode, sessionCookie(a))
	}
	o.checkUnchanged(t, session)
	if got := o.registered(); got != users {
		t.Errorf("users registered: %d more, want none", got-users)
	}
}

// TestThreat61AnotherPersonScans: the attacker scans the QR code of a victim's fresh login,
// with a WeChat that has an account or none. The victim can log in afterwards.
func TestThreat61AnotherPersonScans(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]func(*scangate.Config){
		"open registration":   nil,
		"with user info":      {withProfile},
		"by phone":            {func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterByPhone }},
		"closed registration": {closed, func(c *scangate.Config) { c.Registration.URL = "/join" }},
		"a required number":   {func(c *scangate.Config) { c.Phone.Require = true }},
	} {
		t.Run(name, func(t *testing.T) {
			testOldSession(t, func(t *testing.T, o *oldSession) {
				o.know("wang")
				for _, person := range []string{"wang", "yueyue"} {
					o.checkRefused(t, o.phone(person), o.openFresh("/wechat/link"))
				}
				login := o.openFresh("/wechat/link")
				phone := o.phone("lin")
				phone.scan(login)
				phone.answer(login, "approve")
				if a := o.desktop.finish(login); a.location() != "/wechat/link" {
					t.Errorf("the victim's own answer: %d to %q, want the link page", a.StatusCode, a.location())
				}
			}, options...)
		})
	}
}

// TestThreat61AnotherPersonOnWeChatsPage: the attacker answers on WeChat's own QR page, to
// which the victim's browser went for a fresh login.
func TestThreat61AnotherPersonOnWeChatsPage(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		session, users := o.session(), o.registered()
		for _, person := range []string{"wang", "lin"} {
			// lin has never used the website application: without a unionid it is
			// another WeChat.
			callback := o.approvedCallback(o.desktop, person, "/wechat/login?fresh=1&with=website&return_to=/account")
			if a := o.desktop.get(callback); a.StatusCode != http.StatusForbidden || sessionCookie(a) != nil {
				t.Errorf("callback of %s: status = %d, session cookie %v, want 403 and none\n%s", person, a.StatusCode, sessionCookie(a), a.body)
			}
		}
		o.checkUnchanged(t, session)
		if got := o.registered(); got != users {
			t.Errorf("users registered: %d more, want none", got-users)
		}
	}, withWebsite)
}

// TestThreat61UnionIDNotYetKnown: with two accounts, only the user info may show that a
// person is the target. A person who does not give it cannot continue.
func TestThreat61UnionIDNotYetKnown(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		login := o.openFresh("/wechat/link")
		attacker := o.phone("chen")
		page := attacker.scan(login)
		if !strings.HasPrefix(page.Request.URL.Path, "/wechat/profile/") {
			t.Fatalf("scan: at %s, want the profile page\n%s", page.Request.URL, page.body)
		}
		session, users := o.session(), o.registered()
		form := url.Values{"token": {page.find(t, tokenPattern)}}
		page = attacker.submit(page.Request.URL.Path, form)
		if path := page.Request.URL.Path; !strings.HasPrefix(path, "/wechat/profile/") {
			t.Errorf("\"I am new here\": at %s, want the profile page that explains it\n%s", page.Request.URL, page.body)
		}
		if a := o.tapThroughProfile(attacker, page); a.StatusCode != http.StatusForbidden {
			t.Errorf("another person's user info: status = %d at %s, want 403\n%s", a.StatusCode, a.Request.URL, a.body)
		}
		if got := o.desktop.state(login); got != "rejected" {
			t.Errorf("another person's user info: state = %q, want %q", got, "rejected")
		}
		o.checkUnchanged(t, session)
		if got := o.registered(); got != users {
			t.Errorf("users registered: %d more, want none", got-users)
		}
	}, withWebsite)
}

// TestThreat61TargetByUnionID: the victim has an account by the website application only,
// and scans the gate's QR code. The user info has the unionid of that account.
func TestThreat61TargetByUnionID(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		desktop := o.world.desktop()
		desktop.get(o.approvedCallback(desktop, "yueyue", "/wechat/login?with=website&return_to=/account"))
		yueyue := desktop.user()
		if yueyue == "" {
			t.Fatal("yueyue is not logged in")
		}
		pass(20 * time.Minute)
		login := scan{ID: desktop.open("/wechat/link").find(t, statePattern)}.urls()
		phone := o.phone("yueyue")
		page := phone.scan(login)
		if a := o.tapThroughProfile(phone, page); a.Request.URL.Path != login.confirmURL() {
			t.Errorf("user info: status = %d at %s, want the confirm page\n%s", a.StatusCode, a.Request.URL, a.body)
		}
		phone.answer(login, "approve")
		if a := desktop.finish(login); a.location() != "/wechat/link" || desktop.user() != yueyue {
			t.Errorf("finish: %d to %q, user %q, want the link page and %q", a.StatusCode, a.location(), desktop.user(), yueyue)
		}
	}, withWebsite)
}
