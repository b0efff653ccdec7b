package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// TestDesktopDeclines has an attacker approve the desktop's login. The finish page names
// the attacker, and the desktop declines.
func TestDesktopDeclines(t *testing.T) {
	for _, c := range []struct {
		name, accept string
		status       int
		location     string
	}{
		{"on the page", "text/html", http.StatusSeeOther, "/wechat/login?return_to=%2Faccount"},
		{"by a script", "application/json", http.StatusNoContent, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			desktop, attacker := w.desktop(), w.phone("wang")
			s := w.approved(desktop, attacker)
			a := desktop.post(s.FinishURL, url.Values{"answer": {"deny"}}, "Accept", c.accept)
			if a.StatusCode != c.status || a.location() != c.location {
				t.Errorf("decline: status = %d, location = %q, want %d to %q", a.StatusCode, a.location(), c.status, c.location)
			}
			if a := desktop.finish(s); a.StatusCode != http.StatusGone || desktop.user() != "" {
				t.Errorf("finish after declining: status = %d, user = %q, want 410 and no user", a.StatusCode, desktop.user())
			}
			if a := desktop.get("/wechat/login?return_to=/account"); a.find(t, statePattern) == s.ID {
				t.Errorf("GET the login page after declining: login %s, want a new login", s.ID)
			}
			if a := attacker.get(s.confirmURL()); !strings.Contains(a.body, "Refused") {
				t.Errorf("GET the confirm page after declining: got\n%s\nwant the word Refused", a.body)
			}
			if got := w.happened(); !slices.Contains(got, "denied") {
				t.Errorf("decline: events = %v, want denied", got)
			}
		})
	}
}

func TestDesktopDeclinesBeforeTheApproval(t *testing.T) {
	desktop := newWorld(t).desktop()
	s := desktop.start()
	a := desktop.post(s.FinishURL, url.Values{"answer": {"deny"}})
	if got := desktop.state(s); a.StatusCode != http.StatusSeeOther || got != "denied" {
		t.Errorf("decline: status = %d, state = %q, want 303 and denied", a.StatusCode, got)
	}
}

func TestAttackerDeclinesForTheDesktop(t *testing.T) {
	w := newWorld(t)
	desktop, attacker := w.desktop(), w.desktop()
	s := desktop.start()
	if a := attacker.post(s.FinishURL, url.Values{"answer": {"deny"}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("decline by another browser: status = %d, want 404", a.StatusCode)
	}
}

func TestDesktopDeclinesALink(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("wang")
	w.scanLogin(desktop, w.phone("lin"))
	s := scan{ID: desktop.get("/wechat/link?return_to=/settings").find(t, statePattern)}.urls()
	phone.scan(s)
	phone.answer(s, "approve")
	if a := desktop.post(s.FinishURL, url.Values{"answer": {"deny"}}); a.location() != "/settings" || desktop.user() == "" {
		t.Errorf("decline a link: status = %d, location = %q, user = %q, want /settings and a user", a.StatusCode, a.location(), desktop.user())
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusGone {
		t.Errorf("finish after declining: status = %d, want 410", a.StatusCode)
	}
}

func TestFinishAfterThePhoneDenied(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	phone.scan(s)
	phone.answer(s, "deny")
	if got := desktop.state(s); got != "denied" {
		t.Errorf("after deny: state = %q, want denied", got)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusGone {
		t.Errorf("finish: status = %d, want 410", a.StatusCode)
	}
	if a := phone.post(s.confirmURL(), url.Values{"answer": {"approve"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("approve without the form's token: status = %d, want 403", a.StatusCode)
	}
	if a := phone.get(s.confirmURL()); !strings.Contains(a.body, "Refused") {
		t.Errorf("GET the confirm page after deny: got\n%s\nwant the word Refused", a.body)
	}
}

func TestOnLoginRefuses(t *testing.T) {
	var got scangate.Login
	w := newWorld(t, func(c *scangate.Config) {
		c.OnLogin = func(_ context.Context, l scangate.Login) error { got = l; return errors.New("not on Sundays") }
	})
	phone := w.phone("lin")
	if a := phone.open("/account"); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "Sundays") || phone.user() != "" {
		t.Errorf("login that OnLogin refuses: status = %d, user = %q, want 403, no user and no cause\n%s", a.StatusCode, phone.user(), a.body)
	}
	openID := w.wechat.OpenID("lin", official.AppID)
	if got.User.ID == "" || got.Profile.OpenID != openID || got.Token.AccessToken == "" {
		t.Errorf("OnLogin: user = %q, openid = %q, access token = %q, want a user, %q and a token",
			got.User.ID, got.Profile.OpenID, got.Token.AccessToken, openID)
	}
}

// disabledUsers is a UserStore in which every user is disabled.
type disabledUsers struct{ scangate.UserStore }

func (d disabledUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	u, err := d.UserStore.FindByID(ctx, id)
	u.Disabled = true
	return u, err
}

func (d disabledUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	u, err := d.UserStore.FindByWeChat(ctx, who)
	u.Disabled = true
	return u, err
}

func TestLoginOfADisabledUser(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Users = disabledUsers{c.Users} })
	if a := w.phone("lin").open("/account"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "disabled") {
		t.Errorf("login of a disabled user: status = %d, want 403 and the word disabled\n%s", a.StatusCode, a.body)
	}
}

// steeredUsers is a UserStore that calls a test's function before some methods. If the
// function returns an error, the method returns it too.
type steeredUsers struct {
	scangate.UserStore
	find     func() error // in FindByWeChat
	register func(scangate.NewUser) error
	link     func() error
}

// steer puts s in front of the configured store.
func (s *steeredUsers) steer(c *scangate.Config) { s.UserStore, c.Users = c.Users, s }

func (s *steeredUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if s.find != nil {
		if err := s.find(); err != nil {
			return scangate.User{}, err
		}
	}
	return s.UserStore.FindByWeChat(ctx, who)
}

func (s *steeredUsers) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if s.register != nil {
		if err := s.register(who); err != nil {
			return scangate.User{}, err
		}
	}
	return s.UserStore.Register(ctx, who)
}

func (s *steeredUsers) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if s.link != nil {
		if err := s.link(); err != nil {
			return err
		}
	}
	return s.UserStore.LinkWeChat(ctx, id, who)
}

// brittleState is a StateStore whose updates fail while broken is set.
type brittleState struct {
	scangate.StateStore
	broken atomic.Bool
}

func (s *brittleState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if s.broken.Load() {
		return errors.New("the state store has gone")
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

// brittleSessions is a session store that saves nothing while broken is set.
type brittleSessions struct {
	scs.Store
	broken atomic.Bool
}

func (s *brittleSessions) Commit(token string, b []byte, expiry time.Time) error {
	if s.broken.Load() {
		return errors.New("the session store has gone")
	}
	return s.Store.Commit(token, b, expiry)
}

// approved starts a login on the desktop and approves it on the phone.
func (w *world) approved(desktop, phone *browser) scan {
	w.t.Helper()
	s := desktop.start()
	phone.scan(s)
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approve: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	return s
}

// noSession fails the test if the answer or an event shows that a login was finished.
func (w *world) noSession(desktop *browser, a answer) {
	w.t.Helper()
	if sessionCookie(a) != nil || desktop.user() != "" {
		w.t.Errorf("%s: session cookie = %v, user = %q, want none", a.Request.URL.Path, sessionCookie(a), desktop.user())
	}
	if got := w.happened(); slices.Contains(got, "finished") {
		w.t.Errorf("%s: events = %v, want no finished", a.Request.URL.Path, got)
	}
}

func TestDeniedWhileTheDesktopFinishes(t *testing.T) {
	users := &steeredUsers{}
	w := newWorld(t, users.steer)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	phone.answer(s, "approve")
	users.find = func() error { // the gate has already read the approval
		users.find = nil
		if a := phone.postJSON(s.confirmURL(), `{"token":"`+token+`","answer":"deny"}`, nil); a.StatusCode != http.StatusNoContent {
			t.Errorf("deny after the approval: status = %d, want 204\n%s", a.StatusCode, a.body)
		}
		return nil
	}
	a := desktop.finish(s)
	if a.StatusCode != http.StatusGone {
		t.Errorf("finish while the phone denies: status = %d, want 410", a.StatusCode)
	}
	w.noSession(desktop, a)
}

func TestStateStoreFailsAtFinish(t *testing.T) {
	state := &brittleState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	desktop := w.desktop()
	s := w.approved(desktop, w.phone("lin"))
	state.broken.Store(true)
	a := desktop.finish(s)
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("finish: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
	}
	w.noSession(desktop, a)
	state.broken.Store(false)
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish again: status = %d, user = %q, want 303 and a user", a.StatusCode, desktop.user())
	}
}

func TestSessionStoreFailsToSaveTheLogin(t *testing.T) {
	for name, login := range map[string]func(*world) (*browser, answer){
		"scan": func(w *world) (*browser, answer) {
			desktop := w.desktop()
			return desktop, desktop.finish(w.approved(desktop, w.phone("lin")))
		},
		"inside WeChat": func(w *world) (*browser, answer) {
			phone := w.phone("lin")
			return phone, phone.open("/account")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := ownSessions()
			store := &brittleSessions{Store: m.Store}
			m.Store = store
			w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
			store.broken.Store(true)
			b, a := login(w)
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("login: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
			}
			w.noSession(b, a)
			store.broken.Store(false)
			if again := w.phone("lin").open("/account"); !strings.HasPrefix(again.body, "user ") {
				t.Errorf("login after the store has recovered: status = %d, want the account page\n%s", again.StatusCode, again.body)
			}
		})
	}
}

// approvedLink logs wang in on a desktop, starts linking there, and approves it in
// lin's WeChat.
func (w *world) approvedLink() (desktop *browser, s scan) {
	w.t.Helper()
	desktop = w.desktop()
	phone := w.phone("lin")
	desktop.open(w.websiteCallback(desktop, "wang"))
	desktop.postJSON("/wechat/link", `{"return_to":"/account"}`, &s)
	phone.scan(s)
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approve a link: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	return desktop, s
}

func TestWeChatTakenBetweenApprovalAndFinish(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, s := w.approvedLink()
	other := w.know("lin")
	if a := desktop.finish(s); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another account") {
		t.Errorf("finish: status = %d, want 409 and \"another account\"\n%s", a.StatusCode, a.body)
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != other.ID {
		t.Errorf("FindByWeChat: user = %q, error = %v, want %q", got.ID, err, other.ID)
	}
	if got := w.happened(); slices.Contains(got, "linked") {
		t.Errorf("finish: events = %v, want no linked", got)
	}
}

func TestStoreFailsToLinkAtFinish(t *testing.T) {
	users := &steeredUsers{}
	w := newWorld(t, withWebsite, users.steer)
	desktop, s := w.approvedLink()
	users.link = func() error { return errors.New("the database has gone") }
	if a := desktop.finish(s); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "database") {
		t.Errorf("finish: status = %d, want 503 without the cause\n%s", a.StatusCode, a.body)
	}
	if got := w.happened(); slices.Contains(got, "linked") {
		t.Errorf("finish with a failed link: events = %v, want no linked", got)
	}
	users.link = nil
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish again: status = %d, location = %q, want 303 to /account", a.StatusCode, a.location())
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != desktop.user() {
		t.Errorf("FindByWeChat: user = %q, error = %v, want %q", got.ID, err, desktop.user())
	}
	events := w.happened()
	if got := events[len(events)-1]; got != "linked" {
		t.Errorf("finish again: events = %v, want linked at the end", events)
	}
}

func TestRegisteredEventOnlyForNewUsers(t *testing.T) {
	users := &steeredUsers{}
	var racer scangate.User
	raced := func(who scangate.NewUser) (err error) { // registers the person before the gate does
		racer, err = users.UserStore.Register(context.Background(), who)
		return err
	}
	failed := func(scangate.NewUser) error { return errors.New("the database has gone") }
	for _, c := range []struct {
		name     string
		known    bool
		register func(scangate.NewUser) error
		status   int // of the approval
		want     int // the number of registered events
	}{
		{"new", false, nil, http.StatusSeeOther, 1},
		{"known", true, nil, http.StatusSeeOther, 0},
		{"registered by another request", false, raced, http.StatusSeeOther, 0},
		{"the store fails", false, failed, http.StatusServiceUnavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, users.steer)
			if c.known {
				w.know("lin")
			}
			users.register, racer = c.register, scangate.User{}
			desktop, phone := w.desktop(), w.phone("lin")
			s := desktop.start()
			phone.scan(s)
			if a := phone.answer(s, "approve"); a.StatusCode != c.status {
				t.Errorf("approve: status = %d, want %d\n%s", a.StatusCode, c.status, a.body)
			}
			desktop.finish(s)
			if racer.ID != "" && desktop.user() != racer.ID {
				t.Errorf("finish: user = %q, want %q", desktop.user(), racer.ID)
			}
			events := strings.Join(w.happened(), " ")
			if got := strings.Count(events, "registered"); got != c.want {
				t.Errorf("finish: events = %q, %d of them registered, want %d", events, got, c.want)
			}
		})
	}
}
