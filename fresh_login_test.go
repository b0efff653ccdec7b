package scangate_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// shownNumberPattern finds the number on a login page.
var shownNumberPattern = regexp.MustCompile(`<b data-number>(\d\d)</b>`)

// oldSession is a world in which lin has logged in at a desktop, 15 minutes ago.
type oldSession struct {
	*world
	desktop *browser
	user    scangate.User
	codes   *texts
}

// testOldSession runs test in a synctest bubble.
func testOldSession(t *testing.T, test func(*testing.T, *oldSession), options ...func(*scangate.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &oldSession{codes: &texts{}}
		o.world = newWorld(t, append([]func(*scangate.Config){func(c *scangate.Config) { c.Phone.SendCode = o.codes.send }}, options...)...)
		o.user = o.knowPhone(mobile2, o.identity("lin"))
		o.desktop = o.world.desktop()
		o.scanLogin(o.desktop, o.phone("lin"))
		pass(15 * time.Minute)
		test(t, o)
	})
}

// openFresh opens the page that needs a fresh login, and returns that login.
func (o *oldSession) openFresh(target string) scan {
	o.t.Helper()
	page := o.desktop.open(target)
	if page.Request.URL.Path != "/wechat/login" || page.Request.URL.Query().Get("fresh") != "1" {
		o.t.Fatalf("GET %s: status = %d at %s, want a fresh login's page\n%s", target, page.StatusCode, page.Request.URL, page.body)
	}
	s := scan{ID: page.find(o.t, statePattern)}.urls()
	s.MatchNumber, _ = strconv.Atoi(page.find(o.t, shownNumberPattern))
	return s
}

// checkUnchanged demands that the desktop has its session, and that the user has that
// WeChat and no other.
func (o *oldSession) checkUnchanged(t *testing.T, session string) {
	t.Helper()
	if got := o.session(); got != session || o.desktop.user() != o.user.ID {
		t.Errorf("the desktop's session = %q of the user %q, want %q of %q", got, o.desktop.user(), session, o.user.ID)
	}
	user, err := o.users.FindByWeChat(t.Context(), o.identity("lin"))
	if err != nil || user.ID != o.user.ID || len(user.Identities) != 1 {
		t.Errorf("lin's WeChat belongs to %v, error = %v, want the user %s with one WeChat", user, err, o.user.ID)
	}
}

// session returns the token of the desktop's session.
func (o *oldSession) session() string { return cookieHeader(o.desktop, "__Host-session") }

// TestCaseB20AccountChangesNeedAFreshLogin makes every change of the account with a
// session whose login was 15 minutes ago. Pages lead to a fresh login that leads back,
// scripts get a problem, and nothing changes.
func TestCaseB20AccountChangesNeedAFreshLogin(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		session := o.session()
		form := unlinkForm(o.identity("lin"))
		for name, c := range map[string]struct {
			a    answer
			want string
		}{
			"link":             {o.desktop.get("/wechat/link?return_to=/a"), "/wechat/login?fresh=1&return_to=%2Fwechat%2Flink%3Freturn_to%3D%2Fa"},
			"change of number": {o.desktop.get("/wechat/phone"), "/wechat/login?fresh=1&return_to=%2Fwechat%2Fphone"},
			"unlink":           {o.desktop.post("/wechat/unlink", form, "Referer", appURL+"/account"), "/wechat/login?fresh=1&return_to=%2Faccount"},
		} {
			if c.a.StatusCode != http.StatusSeeOther || c.a.location() != c.want {
				t.Errorf("%s: %d to %q, want 303 to %q", name, c.a.StatusCode, c.a.location(), c.want)
			}
		}
		for name, a := range map[string]answer{
			"link":             o.desktop.postJSON("/wechat/link", `{}`, nil),
			"change of number": o.desktop.get("/wechat/phone", "Accept", "application/json"),
			"unlink":           o.desktop.postJSON("/wechat/unlink", `{"appid":"`+official.AppID+`","openid":"`+o.identity("lin").OpenID+`"}`, nil),
		} {
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `"code":"fresh_login_required","login_url":"/wechat/login?fresh=1"`) {
				t.Errorf("%s by a script: %d %s, want 401, fresh_login_required and the URL", name, a.StatusCode, a.body)
			}
		}
		o.checkUnchanged(t, session)
	})
}

// TestCaseB20FreshLoginLeadsBack logs in again on the way to the link page. The session
// has a new token, keeps its data and its user, and the page opens.
func TestCaseB20FreshLoginLeadsBack(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		old := o.desktop.appCookies()
		login := o.openFresh("/wechat/link?return_to=/account")
		phone := o.phone("lin")
		phone.scan(login)
		phone.answer(login, "approve")
		first, again := o.desktop.finish(login), o.desktop.finish(login)
		if first.location() != "/wechat/link?return_to=/account" || again.location() != first.location() {
			t.Errorf("finish, twice: to %q and %q, want the link page", first.location(), again.location())
		}
		if a, b := sessionCookie(first), sessionCookie(again); a == nil || b == nil || a.Value != b.Value || strings.Contains(cookieText(old), a.Value) {
			t.Errorf("finish, twice: session cookies %v and %v, want one new token", a, b)
		}
		if got := o.desktop.user(); got != o.user.ID {
			t.Errorf("after the fresh login: user %q, want %q", got, o.user.ID)
		}
		if a := o.desktop.get("/wechat/link?return_to=/account"); a.StatusCode != http.StatusOK {
			t.Errorf("the link page after the fresh login: %d to %q, want 200", a.StatusCode, a.location())
		}
		if a := o.desktop.get("/wechat/login?fresh=1&return_to=/account"); a.location() != "/account" {
			t.Errorf("the fresh login's page again: %d to %q, want /account", a.StatusCode, a.location())
		}
		thief := o.world.desktop()
		thief.restoreAppCookies(old)
		if got := thief.user(); got != "" {
			t.Errorf("the session from before: user %q, want none", got)
		}
	})
}

// cookieText returns the cookies' values.
func cookieText(cookies []*http.Cookie) string {
	var values []string
	for _, c := range cookies {
		values = append(values, c.Value)
	}
	return strings.Join(values, " ")
}

// TestCaseB20FreshLoginInsideWeChat opens the link page in WeChat with an old session. The
// fresh login takes no tap, and the page that asks about the link opens.
func TestCaseB20FreshLoginInsideWeChat(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		phone := o.phone("lin")
		phone.open("/account")
		pass(15 * time.Minute)
		if a := phone.open("/wechat/link?return_to=/"); !strings.Contains(a.body, "Add this WeChat") {
			t.Errorf("the link page: status = %d at %s, want the confirm page of a link\n%s", a.StatusCode, a.Request.URL, a.body)
		}
	})
}

// TestCaseB20FreshLoginByAScript begins a fresh login by JSON, with and without a session.
func TestCaseB20FreshLoginByAScript(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		var login, other scan
		if a := o.desktop.postJSON("/wechat/login", `{"fresh":true,"return_to":"/account"}`, &login); a.StatusCode != http.StatusCreated {
			t.Fatalf("POST login: %d %s, want 201", a.StatusCode, a.body)
		}
		if o.desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &other); other.ID == login.ID {
			t.Error("POST login without fresh: the fresh login, want another one")
		}
		phone := o.phone("lin")
		phone.scan(login)
		phone.answer(login, "approve")
		if a := o.desktop.postJSON(login.FinishURL, `{}`, nil); a.StatusCode != http.StatusOK {
			t.Errorf("finish: %d %s, want 200", a.StatusCode, a.body)
		}
		var link scan
		if a := o.desktop.postJSON("/wechat/link", `{}`, &link); a.StatusCode != http.StatusCreated {
			t.Errorf("POST link after a fresh login: %d %s, want 201", a.StatusCode, a.body)
		}
		newcomer := o.world.desktop()
		newcomer.postJSON("/wechat/login", `{"fresh":true,"return_to":"/account"}`, &login)
		o.scanLoginOf(t, newcomer, login, "wang")
	})
}

// TestCaseB20FreshLoginIsNotWeaker types a wrong number in a fresh login. It is denied,
// as any other login is.
func TestCaseB20FreshLoginIsNotWeaker(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		session := o.session()
		login := o.openFresh("/wechat/link")
		phone := o.phone("lin")
		phone.scan(login)
		phone.answer(login, "approve", "number", strconv.Itoa(login.MatchNumber%90+10))
		if got := o.desktop.state(login); got != "denied" {
			t.Errorf("a wrong number: state = %q, want denied", got)
		}
		o.checkUnchanged(t, session)
		again := o.openFresh("/wechat/link")
		phone.scan(again)
		phone.answer(again, "approve", "number", strconv.Itoa(again.MatchNumber))
		if a := o.desktop.finish(again); a.location() != "/wechat/link" {
			t.Errorf("finish with the right number: %d to %q, want the link page", a.StatusCode, a.location())
		}
	}, withNumber)
}

// TestCaseB20MissingNumberAndOldLogin requires a phone number from a user whose login is
// old. The fresh login binds the number, and leads to the page without asking again.
func TestCaseB20MissingNumberAndOldLogin(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		if err := o.users.BindPhone(t.Context(), o.user.ID, ""); err != nil { // the application removes it
			t.Fatalf("BindPhone: %v, want no error", err)
		}
		login := o.openFresh("/account")
		phone := o.phone("lin")
		phone.prove(o.codes, phone.scan(login), mobile)
		phone.answer(login, "approve")
		if a := o.desktop.finish(login); a.location() != "/account" || o.desktop.user() != o.user.ID {
			t.Errorf("finish: %d to %q, user %q, want /account and %q", a.StatusCode, a.location(), o.desktop.user(), o.user.ID)
		}
		o.checkNumber(mobile, o.user.ID)
	}, func(c *scangate.Config) { c.Phone.Require = true })
}

// TestCaseB20CurrentUserDecides changes the account of a user for whom the application
// vouches. The gate asks for no login of its own.
func TestCaseB20CurrentUserDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, user, desktop := newLinkWorld(t)
		pass(time.Hour)
		link := desktop.beginLink()
		phone := w.phone("lin")
		phone.scan(link)
		phone.answer(link, "approve")
		desktop.finish(link)
		w.checkOwner("lin", user.ID)
		if a := desktop.post("/wechat/unlink", unlinkForm(w.identity("lin"))); a.location() != "/" {
			t.Errorf("unlink: %d to %q, want 303 to /", a.StatusCode, a.location())
		}
		w.checkOwner("lin", "")
	})
}

// TestFreshLoginHasNoLoop opens the link page around the moment from which it needs a
// fresh login. Every page that it leads to is one that a person can use.
func TestFreshLoginHasNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		pass(13*time.Minute + 55*time.Second)
		for range 20 {
			for _, target := range []string{"/wechat/link", "/wechat/login?fresh=1&return_to=/wechat/link"} {
				if a := desktop.open(target); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "data-state-url") {
					t.Errorf("GET %s: status = %d at %s, want a page with a QR code", target, a.StatusCode, a.Request.URL)
				}
			}
			pass(5 * time.Second)
		}
		stranger := w.desktop()
		if a := stranger.open("/wechat/login?fresh=1&return_to=/account"); a.StatusCode != http.StatusOK {
			t.Errorf("the fresh login's page without a session: status = %d at %s, want a login page", a.StatusCode, a.Request.URL)
		}
	})
}

// TestFreshLoginOfABrowserWithAnotherUser approves a fresh login, and then wang logs in at
// the desktop. The fresh login does not replace wang's session.
func TestFreshLoginOfABrowserWithAnotherUser(t *testing.T) {
	testOldSession(t, func(t *testing.T, o *oldSession) {
		login := o.openFresh("/wechat/link")
		phone, other := o.phone("lin"), o.world.desktop()
		phone.scan(login)
		phone.answer(login, "approve")
		o.scanLogin(other, o.phone("wang"))
		u, _ := url.Parse(appURL)
		for _, c := range other.client.Jar.Cookies(u) {
			if c.Name == "__Host-session" {
				o.desktop.setAppCookie(c.Name, c.Value)
			}
		}
		if a := o.desktop.finish(login); a.StatusCode != http.StatusForbidden || o.desktop.user() != other.user() {
			t.Errorf("finish: status = %d, user %q, want 403 and wang, %q", a.StatusCode, o.desktop.user(), other.user())
		}
	})
}
