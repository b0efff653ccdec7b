package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// steeredUsers is a UserStore that runs a test's function before some methods. An
// error of the function is the method's.
type steeredUsers struct {
	scangate.UserStore
	findByID func(id string) error
	register func(scangate.NewUser) error
	link     func() error
}

// steer puts s in front of the configured store.
func (s *steeredUsers) steer(c *scangate.Config) { s.UserStore, c.Users = c.Users, s }

func (s *steeredUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if s.findByID != nil {
		if err := s.findByID(id); err != nil {
			return scangate.User{}, err
		}
	}
	return s.UserStore.FindByID(ctx, id)
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

// approved begins a login on the desktop and approves it on lin's phone.
func (w *world) approved(desktop, phone *browser) scan {
	w.t.Helper()
	s := desktop.start()
	phone.scan(s)
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approving: %d\n%s", a.StatusCode, a.body)
	}
	return s
}

// noSession demands that an answer logs no one in, and that no event of a finished
// login was emitted.
func (w *world) noSession(desktop *browser, a answer) {
	w.t.Helper()
	if sessionCookie(a) != nil || desktop.user() != "" {
		w.t.Errorf("session cookie %v, user %q, want none", sessionCookie(a), desktop.user())
	}
	if got := w.happened(); slices.Contains(got, "finished") {
		w.t.Errorf("events %v, want no finished", got)
	}
}

func TestDeniedWhileTheDesktopFinishes(t *testing.T) {
	users := &steeredUsers{}
	w := newWorld(t, users.steer)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	phone.answer(s, "approve")
	users.findByID = func(string) error { // the gate has seen the approval by now
		users.findByID = nil
		if a := phone.postJSON(s.confirmURL(), `{"token":"`+token+`","answer":"deny"}`, nil); a.StatusCode != http.StatusNoContent {
			t.Errorf("denying after the approval: %d %s, want 204", a.StatusCode, a.body)
		}
		return nil
	}
	a := desktop.finish(s)
	if a.StatusCode != http.StatusGone {
		t.Errorf("finish of a login that the phone denies meanwhile: status = %d, want 410", a.StatusCode)
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
		t.Errorf("finish: status = %d, Retry-After %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
	}
	w.noSession(desktop, a)
	state.broken.Store(false)
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish again: status = %d, user %q, want 303 and a user", a.StatusCode, desktop.user())
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
				t.Errorf("login: status = %d, Retry-After %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
			}
			w.noSession(b, a)
			store.broken.Store(false)
			if again := w.phone("lin"); !strings.HasPrefix(again.open("/account").body, "user ") {
				t.Error("no login once the store is well again")
			}
		})
	}
}

// approvedLink logs wang in on a desktop and approves adding lin's WeChat there.
func (w *world) approvedLink() (desktop *browser, s scan) {
	w.t.Helper()
	desktop = w.desktop()
	phone := w.phone("lin")
	desktop.open(w.websiteCallback(desktop, "wang"))
	desktop.postJSON("/wechat/link", `{"return_to":"/account"}`, &s)
	phone.scan(s)
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approving a link: %d\n%s", a.StatusCode, a.body)
	}
	return desktop, s
}

func TestWeChatTakenBetweenApprovalAndFinish(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, s := w.approvedLink()
	other := w.know("lin")
	if a := desktop.finish(s); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another account") {
		t.Errorf("finish: %d, want 409\n%s", a.StatusCode, a.body)
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != other.ID {
		t.Errorf("FindByWeChat: user %q, %v, want %q", got.ID, err, other.ID)
	}
	if got := w.happened(); slices.Contains(got, "linked") {
		t.Errorf("events %v, want no linked", got)
	}
}

func TestStoreFailsToLinkAtFinish(t *testing.T) {
	users := &steeredUsers{}
	w := newWorld(t, withWebsite, users.steer)
	desktop, s := w.approvedLink()
	users.link = func() error { return errors.New("the database has gone") }
	if a := desktop.finish(s); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "database") {
		t.Errorf("finish: %d, want 503 without the cause\n%s", a.StatusCode, a.body)
	}
	if got := w.happened(); slices.Contains(got, "linked") {
		t.Errorf("events after a failed link %v, want no linked", got)
	}
	users.link = nil
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish again: %d %q, want 303 /account", a.StatusCode, a.location())
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != desktop.user() {
		t.Errorf("FindByWeChat: user %q, %v, want %q", got.ID, err, desktop.user())
	}
	events := w.happened()
	if got := events[len(events)-1]; got != "linked" {
		t.Errorf("events %v, want linked at the end", events)
	}
}

func TestRegisteredEventOnlyForNewUsers(t *testing.T) {
	users := &steeredUsers{}
	var racer scangate.User
	raced := func(who scangate.NewUser) (err error) { // another request registers the person first
		racer, err = users.UserStore.Register(context.Background(), who)
		return err
	}
	failed := func(scangate.NewUser) error { return errors.New("the database has gone") }
	for _, c := range []struct {
		name     string
		known    bool
		register func(scangate.NewUser) error
		status   int // of the approval
		want     int // events
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
				t.Errorf("approving: status = %d, want %d\n%s", a.StatusCode, c.status, a.body)
			}
			desktop.finish(s)
			if racer.ID != "" && desktop.user() != racer.ID {
				t.Errorf("the desktop is logged in as %q, want %q", desktop.user(), racer.ID)
			}
			events := strings.Join(w.happened(), " ")
			if got := strings.Count(events, "registered"); got != c.want {
				t.Errorf("events %q: %d registered, want %d", events, got, c.want)
			}
		})
	}
}
