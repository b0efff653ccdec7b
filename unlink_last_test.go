package scangate_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestCaseD02LastWeChatOfAUserWithAPassword: a user whom the application's own login
// vouches for removes their only WeChat, and adds it again.
func TestCaseD02LastWeChatOfAUserWithAPassword(t *testing.T) {
	w := newWorld(t, ownLogin)
	user := w.know("lin")
	desktop := w.desktop()
	desktop.logInAs(user)
	form := unlinkForm(w.identity("lin"))
	form.Set("return_to", "/settings?tab=login")
	if a := desktop.post("/wechat/unlink", form); a.StatusCode != http.StatusSeeOther || a.location() != "/settings?tab=login" {
		t.Errorf("unlinking the only WeChat: %d to %q, want 303 to return_to\n%s", a.StatusCode, a.location(), a.body)
	}
	w.checkOwner("lin", "")
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	phone.answer(link, "approve")
	desktop.finish(link)
	w.checkOwner("lin", user.ID)
}

// TestCaseD02ErrorsLeadBack: a form that cannot be served leads back to its return_to.
func TestCaseD02ErrorsLeadBack(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	form := unlinkForm(w.identity("lin"))
	form.Set("return_to", "/settings?tab=login")
	for name, c := range map[string]struct {
		browser *browser
		openid  string
		status  int
		want    string
	}{
		"the only WeChat":   {phone, w.identity("lin").OpenID, http.StatusConflict, `href="/settings?tab=login"`},
		"another's WeChat":  {phone, "unknown", http.StatusNotFound, `href="/settings?tab=login"`},
		"without a session": {w.desktop(), w.identity("lin").OpenID, http.StatusUnauthorized, `href="/wechat/login?return_to=%2Fsettings%3Ftab%3Dlogin"`},
	} {
		form.Set("openid", c.openid)
		if a := c.browser.post("/wechat/unlink", form); a.StatusCode != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("unlink, %s: status = %d, want %d and %s in\n%s", name, a.StatusCode, c.status, c.want, a.body)
		}
	}
}

// TestThreat29RemovedWeChatFinishesNoLogin: a thief once added their WeChat to the victim's
// account. The victim ends all sessions. The thief begins a login, and the victim removes
// that WeChat before the thief finishes. Each step of the login that can be under way then
// is tried.
func TestThreat29RemovedWeChatFinishesNoLogin(t *testing.T) {
	for _, c := range []struct{ name, until string }{
		{"identified", "scan"}, {"approved", "approve"}, {"on the page of the account", "page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, ownLogin)
			victim := w.know("wang")
			thief, phone, owner := w.desktop(), w.phone("wang"), w.desktop()
			login := thief.start()
			phone.scan(login)
			if c.until != "scan" {
				phone.answer(login, "approve")
			}
			if c.until == "page" {
				thief.accountPage()
			}
			owner.logInAs(victim)
			if a := owner.post("/wechat/unlink", unlinkForm(w.identity("wang"))); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("unlinking: status = %d, want 303\n%s", a.StatusCode, a.body)
			}
			if c.until == "scan" {
				phone.answer(login, "approve")
			}
			a := thief.finish(login)
			if sessionCookie(a) != nil || thief.user() != "" {
				t.Errorf("finish by a removed WeChat: status = %d, user = %q, want no session", a.StatusCode, thief.user())
			}
			if user, err := w.users.FindByID(t.Context(), victim.ID); err != nil || user.Disabled {
				t.Errorf("the victim's account = %+v, %v, want it as it was", user, err)
			}
		})
	}
}
