package scangate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// ownLogin is an option of newWorld. It makes the cookie "own" the application's own
// login: it holds the user's ID.
func ownLogin(c *scangate.Config) {
	c.CurrentUser = func(r *http.Request) (string, bool) {
		cookie, err := r.Cookie("own")
		if err != nil {
			return "", false
		}
		return cookie.Value, true
	}
}

// logInAs sets the application's own login.
func (b *browser) logInAs(user scangate.User) {
	u, _ := url.Parse(appURL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "own", Value: user.ID, Path: "/", Secure: true}})
}

// newLinkWorld returns a world with the application's own login, and a desktop on which
// a user is logged in by that.
func newLinkWorld(t *testing.T, options ...func(*scangate.Config)) (*world, scangate.User, *browser) {
	t.Helper()
	w := newWorld(t, append(options, ownLogin)...)
	user := w.knowPhone("", clerk("a"))
	desktop := w.desktop()
	desktop.logInAs(user)
	return w, user, desktop
}

// beginLink opens the link page and returns its login.
func (b *browser) beginLink() scan {
	b.t.Helper()
	return scan{ID: b.get("/wechat/link?return_to=/account").find(b.t, statePattern)}.urls()
}

// urls fills in the URLs of a login whose ID was read from a page.
func (s scan) urls() scan {
	s.ScanURL, s.StateURL, s.FinishURL = "/wechat/scan/"+s.ID, "/wechat/login/"+s.ID+"/state", "/wechat/login/"+s.ID+"/finish"
	return s
}

func TestLinkOnDesktop(t *testing.T) {
	w, user, desktop := newLinkWorld(t)
	link := desktop.beginLink()
	phone := w.phone("lin")
	if a := phone.scan(link); !strings.Contains(a.body, "Add this WeChat") {
		t.Fatalf("the confirm page does not offer to add the WeChat:\n%s", a.body)
	}
	phone.answer(link, "approve")
	if a := desktop.finish(link); a.location() != "/account" || sessionCookie(a) != nil {
		t.Errorf("finish: %d to %q, session cookie %v, want /account and no session", a.StatusCode, a.location(), sessionCookie(a))
	}
	w.scanLogin(desktop, w.phone("lin"))
	if got := desktop.user(); got != user.ID {
		t.Errorf("login with the linked WeChat: user %q, want %q", got, user.ID)
	}
}

func TestLinkInsideWeChat(t *testing.T) {
	w, user, _ := newLinkWorld(t)
	phone := w.phone("lin")
	phone.logInAs(user)
	page := phone.open("/wechat/link?return_to=/")
	if !strings.Contains(page.body, "Add this WeChat") {
		t.Fatalf("the confirm page does not offer to add the WeChat:\n%s", page.body)
	}
	w.checkOwner("lin", "")
	a := phone.submit(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}})
	if a.body != "public" {
		t.Errorf("approve: %d at %s, want the page at /\n%s", a.StatusCode, a.Request.URL, a.body)
	}
	w.checkOwner("lin", user.ID)
}

func TestLinkDeniedOnThePhone(t *testing.T) {
	w, _, desktop := newLinkWorld(t)
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	phone.answer(link, "deny")
	w.checkOwner("lin", "")
	if got := desktop.state(link); got != "denied" {
		t.Errorf("deny: state = %q, want denied", got)
	}
}

func TestLinkOfAnotherUsersWeChat(t *testing.T) {
	w, _, desktop := newLinkWorld(t)
	owner := w.know("lin")
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	if a := phone.answer(link, "approve"); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another account") {
		t.Errorf("approve: status = %d, want 409 and the reason\n%s", a.StatusCode, a.body)
	}
	if got := desktop.state(link); got != "rejected" {
		t.Errorf("approve: state = %q, want rejected", got)
	}
	w.checkOwner("lin", owner.ID)
}

// The WeChat is removed from the other account, and the person approves again.
func TestLinkAfterTheOtherAccountHasRemovedTheWeChat(t *testing.T) {
	w, user, desktop := newLinkWorld(t)
	owner := w.know("lin")
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	phone.answer(link, "approve")
	if err := w.users.UnlinkWeChat(t.Context(), owner.ID, w.identity("lin")); err != nil {
		t.Fatalf("remove the WeChat: %v", err)
	}
	if a := phone.answer(link, "approve"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("approve again: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	if a := desktop.finish(link); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", user.ID)
}

func TestLinkNeedsALogin(t *testing.T) {
	w, _, _ := newLinkWorld(t)
	if got := w.desktop().get("/wechat/link").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("GET link without a login: status = %d, want 401", got)
	}
}

func TestDisabledUserCannotLink(t *testing.T) {
	users := &changingUsers{}
	w, _, desktop := newLinkWorld(t, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	phone.answer(link, "approve")
	users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
	unlink := url.Values{"appid": {"a"}, "openid": {"a"}}
	for name, a := range map[string]answer{
		"finish": desktop.finish(link), "begin": desktop.get("/wechat/link"), "unlink": desktop.post("/wechat/unlink", unlink),
	} {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a disabled user: status = %d, want 403", name, a.StatusCode)
		}
	}
	w.checkOwner("lin", "")
}

// TestLinkIsNotALogin finishes a link after another user has logged in.
func TestLinkIsNotALogin(t *testing.T) {
	w, _, desktop := newLinkWorld(t)
	link := desktop.beginLink()
	phone := w.phone("lin")
	phone.scan(link)
	phone.answer(link, "approve")
	desktop.dropCookie("own")
	desktop.logInAs(scangate.User{ID: "another user"})
	if a := desktop.finish(link); a.StatusCode != http.StatusForbidden || desktop.user() != "" {
		t.Errorf("finish: status = %d, user %q, want 403 and no user", a.StatusCode, desktop.user())
	}
}

// TestLinkIsNotOfferedToAnotherUser begins a link in a browser in which another
// user logs in next.
func TestLinkIsNotOfferedToAnotherUser(t *testing.T) {
	w, first, desktop := newLinkWorld(t)
	second := w.knowPhone("", clerk("b"))
	phone := w.phone("lin")
	link := desktop.beginLink()
	if again := desktop.beginLink(); again.ID != link.ID {
		t.Errorf("%s begins again: login %s, want the open one, %s", first.ID, again.ID, link.ID)
	}
	desktop.logInAs(second)
	other := desktop.beginLink()
	if other.ID == link.ID {
		t.Errorf("another user begins: login %s, which is the first user's, want a new one", other.ID)
	}
	phone.scan(other)
	phone.answer(other, "approve")
	if a := desktop.finish(other); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", second.ID)
}
