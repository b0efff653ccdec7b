package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// ownLogin makes the cookie "own" the application's own login: it holds the user's
// id.
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

// servePending serves the openid that Pending returns for a request, at /pending.
func (w *world) servePending() {
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.HandleFunc("/pending", func(rw http.ResponseWriter, r *http.Request) {
		pending, err := w.gate.Pending(r)
		switch {
		case errors.Is(err, scangate.ErrNotFound):
			rw.WriteHeader(http.StatusNotFound)
		case err != nil:
			rw.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = fmt.Fprint(rw, pending.Identity.OpenID)
		}
	})
	w.hosts = transportWith(w.hosts, mux)
}

// TestPendingWithoutLogin calls Pending without an id that names a login, and with
// one while the store is away.
func TestPendingWithoutLogin(t *testing.T) {
	state := &failingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	w.servePending()
	phone := w.phone("lin")
	s := w.desktop().start()
	phone.scan(s)
	if a := phone.get("/pending?login=" + s.ID); a.StatusCode != http.StatusOK || a.body != w.identity("lin").OpenID {
		t.Errorf("an identified login: status = %d, openid %q, want 200 and lin's", a.StatusCode, a.body)
	}
	for _, query := range []string{"", "?login=", "?login=x", "?login=" + strings.Repeat("A", 26)} {
		if a := phone.get("/pending" + query); a.StatusCode != http.StatusNotFound {
			t.Errorf("/pending%s: status = %d, want 404 for ErrNotFound", query, a.StatusCode)
		}
	}
	away := errors.New("connection refused")
	state.err.Store(&away)
	if a := phone.get("/pending?login=" + s.ID); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("the store is away: status = %d, want 500 for an error other than ErrNotFound", a.StatusCode)
	}
}

// TestPendingIsForLogins calls Pending with the ids of a link and of a change of
// number, in the browser that made them.
func TestPendingIsForLogins(t *testing.T) {
	w := newWorld(t, ownLogin, func(c *scangate.Config) { c.Phone.SendCode = (&texts{}).send })
	w.servePending()
	phone := w.phone("lin")
	phone.logInAs(w.knowPhone("", clerk("a")))
	link := phone.open("/wechat/link?return_to=/account").Request.URL.Path
	phone.open("/account")
	number := phone.open("/wechat/phone").Request.URL.Path
	for path, route := range map[string]string{link: "/wechat/confirm/", number: "/wechat/phone/"} {
		id, ok := strings.CutPrefix(path, route)
		if !ok {
			t.Fatalf("the phone is at %s, want %s", path, route)
		}
		if a := phone.get("/pending?login=" + id); a.StatusCode != http.StatusNotFound {
			t.Errorf("the login at %s: status = %d, openid %q, want 404", route, a.StatusCode, a.body)
		}
	}
}

// TestLinkIsNotOfferedToAnotherUser begins a link in a browser in which another
// user logs in next.
func TestLinkIsNotOfferedToAnotherUser(t *testing.T) {
	w := newWorld(t, ownLogin)
	first, second := w.knowPhone("", clerk("a")), w.knowPhone("", clerk("b"))
	desktop, phone := w.desktop(), w.phone("lin")
	begin := func(user scangate.User) scan {
		t.Helper()
		desktop.logInAs(user)
		return scan{ID: desktop.get("/wechat/link?return_to=/account").find(t, statePattern)}.urls()
	}
	s := begin(first)
	if again := begin(first); again.ID != s.ID {
		t.Errorf("the same user again: login %s, want the open one, %s", again.ID, s.ID)
	}
	other := begin(second)
	if other.ID == s.ID {
		t.Errorf("another user is offered the first user's login %s", s.ID)
	}
	phone.scan(other)
	phone.answer(other, "approve")
	if a := desktop.finish(other); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", second.ID)
}

// TestLoginEndsDuringExchange has a login expire or be declined while the gate
// exchanges its code. WeChat's answer comes too late.
func TestLoginEndsDuringExchange(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(desktop *browser, s scan) wechattest.Fault
		state string
	}{
		{"expires", func(*browser, scan) wechattest.Fault {
			return wechattest.Fault{Delay: 4 * time.Second}
		}, "expired"},
		{"is declined", func(desktop *browser, s scan) wechattest.Fault {
			return wechattest.Fault{Edit: func(map[string]any) { desktop.post(s.FinishURL, url.Values{"answer": {"deny"}}) }}
		}, "denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *scangate.Config) { config.LoginTTL = time.Minute })
				desktop, phone := w.desktop(), w.phone("lin")
				s := desktop.start()
				pass(57 * time.Second)
				callback := phone.callback(s)
				w.wechat.Fail(wechattest.OpExchange, 1, c.fault(desktop, s))
				for _, which := range []string{"the callback", "the callback again"} {
					if a := phone.get(callback); a.StatusCode != http.StatusGone {
						t.Errorf("%s: status = %d to %q, want 410", which, a.StatusCode, a.location())
					}
				}
				if got := desktop.state(s); got != c.state {
					t.Errorf("state = %q, want %q", got, c.state)
				}
				if a := phone.get(s.confirmURL()); strings.Contains(a.body, `value="approve"`) {
					t.Errorf("the phone may still approve:\n%s", a.body)
				}
				if got := w.happened(); slices.Contains(got, "identified") {
					t.Errorf("events = %v, want no identified", got)
				}
			})
		})
	}
}

// overtakenUsers runs a function once, before the next look-up of an identity.
type overtakenUsers struct {
	scangate.UserStore
	overtake func()
}

func (u *overtakenUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if overtake := u.overtake; overtake != nil {
		u.overtake = nil
		overtake()
	}
	return u.UserStore.FindByWeChat(ctx, who)
}

// TestApprovedLoginKeepsItsUser has two requests come back from the application's
// registration page. The person approves after the first. The second finds another
// user, and must not change whom the approval is for.
func TestApprovedLoginKeepsItsUser(t *testing.T) {
	users := &overtakenUsers{}
	w := newWorld(t, closed, func(c *scangate.Config) {
		c.RegisterURL = "/join"
		users.UserStore, c.Users = c.Users, users
	})
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := phone.scan(s); a.Request.URL.Path != "/join" {
		t.Fatalf("scan: the phone is at %s, want /join", a.Request.URL)
	}
	resume := "/wechat/resume/" + s.ID
	first := w.know("lin")
	var second scangate.User
	users.overtake = func() {
		if a := phone.get(resume); a.location() != s.confirmURL() {
			t.Errorf("the first resume: status = %d to %q, want %q", a.StatusCode, a.location(), s.confirmURL())
		}
		phone.answer(s, "approve")
		if err := w.users.UnlinkWeChat(t.Context(), first.ID, w.identity("lin")); err != nil {
			t.Error(err)
		}
		second = w.know("lin")
	}
	if a := phone.get(resume); a.StatusCode != http.StatusSeeOther || a.location() != s.confirmURL() {
		t.Errorf("the second resume: status = %d to %q, want 303 to %q", a.StatusCode, a.location(), s.confirmURL())
	}
	w.checkOwner("lin", second.ID)
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	if got := desktop.user(); got == "" || got != first.ID {
		t.Errorf("the desktop is logged in as %q, want %q", got, first.ID)
	}
}
