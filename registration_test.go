package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scangate/scangate"
)

// closed is an option of newWorld. Its gate registers no one.
func closed(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed }

// knowPhone registers a user with that number.
func (w *world) knowPhone(phone string, identity scangate.Identity) scangate.User {
	w.t.Helper()
	u, err := w.users.Register(w.t.Context(), scangate.NewUser{Identity: identity, Phone: phone})
	if err != nil {
		w.t.Fatalf("Register with the number %q: %v, want no error", phone, err)
	}
	return u
}

// identity returns the person's identity at the official account.
func (w *world) identity(person string) scangate.Identity {
	return scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID(person, official.AppID)}
}

// clerk returns an identity that no person in the simulator has. Users whose number the
// application has stored before their first login have such identities.
func clerk(name string) scangate.Identity {
	return scangate.Identity{AppID: "elsewhere", OpenID: name}
}

// checkOwner demands that the identity is the user's; an empty ID means that no
// user has it.
func (w *world) checkOwner(person, id string) {
	w.t.Helper()
	user, err := w.users.FindByWeChat(w.t.Context(), w.identity(person))
	if id == "" && errors.Is(err, scangate.ErrNotFound) {
		return
	}
	if err != nil || user.ID != id {
		w.t.Errorf("%s's WeChat belongs to %q, %v, want %q", person, user.ID, err, id)
	}
}

// checkNumber demands that the number is the user's; an empty ID means that no
// user has it.
func (w *world) checkNumber(phone, id string) {
	w.t.Helper()
	user, err := w.users.FindByPhone(w.t.Context(), phone)
	if id == "" && errors.Is(err, scangate.ErrNotFound) {
		return
	}
	if err != nil || user.ID != id {
		w.t.Errorf("the number %s belongs to %q, %v, want %q", phone, user.ID, err, id)
	}
}

// callback scans the login and returns the URL to which WeChat sends the phone.
func (b *browser) callback(s scan) string {
	b.t.Helper()
	return b.get(b.get(s.ScanURL).Header.Get("Location")).Header.Get("Location")
}

func TestRegisterClosed(t *testing.T) {
	w := newWorld(t, closed)
	if a := w.phone("lin").open("/account"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "no account of yours") {
		t.Errorf("login of a new identity: status = %d, want 403\n%s", a.StatusCode, a.body)
	}
	w.know("wang")
	w.scanLogin(w.desktop(), w.phone("wang"))
}

func TestRegisterClosedSendsNoCode(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, closed, codes.withPhone)
	w.knowPhone(mobile, clerk("a"))
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	if a := phone.scan(login); a.StatusCode != http.StatusForbidden {
		t.Errorf("scan of a new identity: status = %d, want 403", a.StatusCode)
	}
	if a := phone.get("/wechat/phone/" + login.ID); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "<form") {
		t.Errorf("the phone page, opened by hand: status = %d, want 403 and no form\n%s", a.StatusCode, a.body)
	}
	form := url.Values{"phone": {mobile}, "token": {strings.Repeat("A", 32)}}
	if a := phone.post("/wechat/phone/"+login.ID+"/code", form); a.StatusCode != http.StatusForbidden || codes.sent != 0 {
		t.Errorf("asking for a code: status = %d, %d codes sent, want 403 and none", a.StatusCode, codes.sent)
	}
}

// serveJoin adds the application's own registration page, at /join.
func (w *world) serveJoin() {
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.HandleFunc("/join", func(rw http.ResponseWriter, r *http.Request) {
		pending, err := w.gate.Pending(r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusNotFound)
			return
		}
		if r.Method == http.MethodPost {
			if _, err := w.users.Register(r.Context(), scangate.NewUser{Identity: pending.Identity, Nickname: r.FormValue("name")}); err != nil {
				http.Error(rw, err.Error(), http.StatusConflict)
				return
			}
		}
		http.Redirect(rw, r, pending.ContinueURL, http.StatusSeeOther)
	})
	w.hosts = transportWith(w.hosts, mux)
}

func TestOwnRegistrationPage(t *testing.T) {
	w := newWorld(t, closed, func(c *scangate.Config) { c.Registration.URL = "/join?lang=zh" })
	w.serveJoin()
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	join := phone.get(phone.callback(login))
	if want := "/join?lang=zh&login=" + login.ID; join.location() != want {
		t.Fatalf("callback: %d to %q, want %q", join.StatusCode, join.location(), want)
	}
	for name, other := range map[string]*browser{"the desktop": desktop, "another phone": w.phone("wang")} {
		if a := other.get("/join?login=" + login.ID); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s opens the page: status = %d, want 404", name, a.StatusCode)
		}
	}
	for _, id := range []string{"", "x", strings.Repeat("A", 26)} {
		if a := phone.get("/join?login=" + id); a.StatusCode != http.StatusNotFound {
			t.Errorf("the page of login %q: status = %d, want 404", id, a.StatusCode)
		}
	}
	if a := phone.open("/join?login=" + login.ID); a.StatusCode != http.StatusForbidden {
		t.Errorf("coming back unregistered: status = %d, want 403\n%s", a.StatusCode, a.body)
	}
	if a := phone.submit("/join", url.Values{"login": {login.ID}, "name": {"Lin"}}); a.Request.URL.Path != login.confirmURL() {
		t.Fatalf("coming back registered: %d at %s, want %s\n%s", a.StatusCode, a.Request.URL, login.confirmURL(), a.body)
	}
	phone.answer(login, "approve")
	desktop.finish(login)
	user, err := w.users.FindByWeChat(t.Context(), w.identity("lin"))
	if err != nil || desktop.user() != user.ID || user.Nickname != "Lin" {
		t.Errorf("finish: logged in as %q, want %+v, %v", desktop.user(), user, err)
	}
	if a := phone.get("/join?login=" + login.ID); a.StatusCode != http.StatusNotFound {
		t.Errorf("the page after the login: status = %d, want 404", a.StatusCode)
	}
}

// TestOpenIDGoesBeforeUnionID logs in with an identity whose OpenID and UnionID belong
// to two users.
func TestOpenIDGoesBeforeUnionID(t *testing.T) {
	w := newWorld(t, withWebsiteOnly)
	byOpenID := w.knowPhone("", scangate.Identity{AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID)})
	w.knowPhone("", scangate.Identity{AppID: "elsewhere", OpenID: "x", UnionID: w.wechat.UnionID("lin")})
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "lin"))
	if got := desktop.user(); got != byOpenID.ID {
		t.Errorf("login: user %q, want the OpenID's, %q", got, byOpenID.ID)
	}
	if got := w.happened(); !strings.Contains(strings.Join(got, " "), "conflict") {
		t.Errorf("login: events = %v, want a conflict", got)
	}
}

func TestSimultaneousFirstLogins(t *testing.T) {
	w := newWorld(t)
	var logins sync.WaitGroup
	users := make([]string, 20)
	for i := range users {
		phone := w.phone("lin")
		logins.Go(func() {
			if _, err := phone.try(t.Context(), true, http.MethodGet, "/account", ""); err == nil {
				users[i] = phone.user()
			}
		})
	}
	logins.Wait()
	for i, id := range users {
		if id == "" || id != users[0] {
			t.Errorf("login %d of %d: user %q, want %q", i+1, len(users), id, users[0])
		}
	}
}

// servePending serves the OpenID that Pending returns for a request, at /pending.
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

// TestPendingWithoutLogin calls Pending without an ID that names a login, and with
// one while the store is unavailable.
func TestPendingWithoutLogin(t *testing.T) {
	state := &failingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	w.servePending()
	phone := w.phone("lin")
	login := w.desktop().start()
	phone.scan(login)
	if a := phone.get("/pending?login=" + login.ID); a.StatusCode != http.StatusOK || a.body != w.identity("lin").OpenID {
		t.Errorf("an identified login: status = %d, openid %q, want 200 and lin's", a.StatusCode, a.body)
	}
	for _, query := range []string{"", "?login=", "?login=x", "?login=" + strings.Repeat("A", 26)} {
		if a := phone.get("/pending" + query); a.StatusCode != http.StatusNotFound {
			t.Errorf("/pending%s: status = %d, want 404 for ErrNotFound", query, a.StatusCode)
		}
	}
	away := errors.New("connection refused")
	state.err.Store(&away)
	if a := phone.get("/pending?login=" + login.ID); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("the store is unavailable: status = %d, want 500 for an error other than ErrNotFound", a.StatusCode)
	}
}

// TestPendingIsForLogins calls Pending with the IDs of a link and of a change of
// number, in the browser that began them.
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

// overtakenUsers runs a function once, before the next look-up of an identity.
type overtakenUsers struct {
	scangate.UserStore
	overtake func()
}

func (u *overtakenUsers) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	if overtake := u.overtake; overtake != nil {
		u.overtake = nil
		overtake()
	}
	return u.UserStore.FindByWeChat(ctx, identity)
}

// TestApprovedLoginNeverBecomesAnothersUser has two requests come back from the application's
// registration page. The person approves after the first. The second finds another
// user. The approval must not become the second user's. The first user does not have the
// WeChat any more, so the approval ends.
func TestApprovedLoginNeverBecomesAnothersUser(t *testing.T) {
	users := &overtakenUsers{}
	w := newWorld(t, closed, func(c *scangate.Config) {
		c.Registration.URL = "/join"
		users.UserStore, c.Users = c.Users, users
	})
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	if a := phone.scan(login); a.Request.URL.Path != "/join" {
		t.Fatalf("scan: the phone is at %s, want /join", a.Request.URL)
	}
	resume := "/wechat/resume/" + login.ID
	first := w.know("lin")
	var second scangate.User
	users.overtake = func() {
		if a := phone.get(resume); a.location() != login.confirmURL() {
			t.Errorf("the first resume: status = %d to %q, want %q", a.StatusCode, a.location(), login.confirmURL())
		}
		phone.answer(login, "approve")
		if err := w.users.UnlinkWeChat(t.Context(), first.ID, w.identity("lin")); err != nil {
			t.Errorf("UnlinkWeChat from the first user: %v, want no error", err)
		}
		second = w.know("lin")
	}
	if a := phone.get(resume); a.StatusCode != http.StatusSeeOther || a.location() != login.confirmURL() {
		t.Errorf("the second resume: status = %d to %q, want 303 to %q", a.StatusCode, a.location(), login.confirmURL())
	}
	w.checkOwner("lin", second.ID)
	if a := desktop.finish(login); a.StatusCode != http.StatusGone {
		t.Errorf("finish: status = %d, want 410\n%s", a.StatusCode, a.body)
	}
	if got := desktop.user(); got != "" {
		t.Errorf("finish: the desktop is logged in as %q, want no user", got)
	}
}

// pendingUsers is a user store of an application that registers persons as disabled, until
// an operator admits them.
type pendingUsers struct {
	scangate.UserStore
	pending atomic.Bool
}

func (u *pendingUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := u.UserStore.FindByWeChat(ctx, who)
	user.Disabled = u.pending.Load()
	return user, err
}

func (u *pendingUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	user, err := u.UserStore.FindByID(ctx, id)
	user.Disabled = u.pending.Load()
	return user, err
}

func (u *pendingUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	user, err := u.UserStore.FindByPhone(ctx, phone)
	user.Disabled = u.pending.Load()
	return user, err
}

// A person whom the application has registered as disabled is refused when they return, and
// gets no phone page.
func TestResumeOfADisabledUser(t *testing.T) {
	users, codes := &pendingUsers{}, &texts{}
	w := newWorld(t, closed, codes.withPhone, func(c *scangate.Config) {
		c.Registration.URL = "/join"
		users.UserStore, c.Users = c.Users, users
	})
	w.serveJoin()
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.get(phone.callback(login))
	w.know("lin")
	users.pending.Store(true)
	if a := phone.open("/wechat/resume/" + login.ID); a.StatusCode != http.StatusForbidden || desktop.state(login) != "rejected" {
		t.Errorf("resume: status = %d at %s, state = %q, want 403 and rejected", a.StatusCode, a.Request.URL.Path, desktop.state(login))
	}
	users.pending.Store(false) // the operator admits the person
	if a := phone.open("/wechat/resume/" + login.ID); a.StatusCode != http.StatusOK {
		t.Errorf("resume after the admission: status = %d at %s, want a page\n%s", a.StatusCode, a.Request.URL.Path, a.body)
	}
}

// The proved number of a disabled user links no WeChat: it would be in as soon as the user
// is enabled again.
func TestNumberOfADisabledUser(t *testing.T) {
	for name, option := range map[string]func(*texts, *scangate.Config){"open": (*texts).withPhone, "by phone": (*texts).byPhone} {
		t.Run(name, func(t *testing.T) {
			users, codes := &pendingUsers{}, &texts{}
			w := newWorld(t, func(c *scangate.Config) {
				option(codes, c)
				users.UserStore, c.Users = c.Users, users
			})
			owner := w.knowPhone(mobile, clerk("a"))
			users.pending.Store(true)
			phone := w.phone("lin")
			a := phone.prove(codes, phone.open("/account"), mobile)
			users.pending.Store(false)
			after, err := w.users.FindByID(t.Context(), owner.ID)
			if err != nil || len(after.Identities) != 1 || phone.user() != "" {
				t.Errorf("prove the number: status = %d, identities = %v, error = %v, user = %q, want one identity and no user", a.StatusCode, after.Identities, err, phone.user())
			}
		})
	}
}
