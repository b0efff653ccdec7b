package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// TestApprovalAfterADenialRegistersNoUser: the desktop or the phone has denied the login.
// An approval that comes later makes no user of the person.
func TestApprovalAfterADenialRegistersNoUser(t *testing.T) {
	sms := &texts{}
	for name, deny := range map[string]func(desktop, phone *browser, login scan, page answer) answer{
		"by the desktop": func(desktop, _ *browser, login scan, page answer) answer {
			return desktop.post(login.FinishURL, decision(t, page, "deny"))
		},
		"by the phone": func(_, phone *browser, login scan, page answer) answer {
			return phone.post(login.confirmURL(), decision(t, page, "deny"))
		},
	} {
		for mode, options := range map[string][]func(*scangate.Config){"open": nil, "with a number": {sms.withPhone}} {
			w := newWorld(t, options...)
			desktop, phone := w.desktop(), w.phone("lin")
			login := desktop.start()
			page := phone.scan(login)
			if a := deny(desktop, phone, login, page); a.StatusCode != http.StatusSeeOther {
				t.Errorf("%s, %s: deny: status = %d, want 303", name, mode, a.StatusCode)
			}
			if a := phone.post(login.confirmURL(), decision(t, page, "approve")); a.StatusCode != http.StatusGone {
				t.Errorf("%s, %s: approve after the denial: status = %d, want 410", name, mode, a.StatusCode)
			}
			if got := w.users.calls["Register"]; got != 0 {
				t.Errorf("%s, %s: users registered = %d, want 0", name, mode, got)
			}
		}
	}
}

// TestDenialBeforeTheConfirmPage: a person may refuse at an earlier step too.
func TestDenialBeforeTheConfirmPage(t *testing.T) {
	sms := &texts{}
	for name, option := range map[string]func(*scangate.Config){"profile": withProfile, "phone": sms.withPhone} {
		w := newWorld(t, option)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		page := phone.scan(login)
		if a := phone.post(login.confirmURL(), decision(t, page, "deny")); a.StatusCode != http.StatusSeeOther {
			t.Errorf("deny at the step %s: status = %d, want 303", name, a.StatusCode)
		}
		if got := desktop.state(login); got != "denied" {
			t.Errorf("state after a denial at the step %s = %q, want %q", name, got, "denied")
		}
	}
}

// brittleLinks is a user store whose LinkWeChat fails while it is broken.
type brittleLinks struct {
	scangate.UserStore
	broken atomic.Bool
}

func (u *brittleLinks) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if u.broken.Load() {
		return errors.New("the database is away")
	}
	return u.UserStore.LinkWeChat(ctx, id, who)
}

// TestApprovedLinkWhoseStoreFailed: inside WeChat an approved link could not be stored.
// Looking at its page links nothing, denying it is final, and approving it again links.
func TestApprovedLinkWhoseStoreFailed(t *testing.T) {
	for _, c := range []struct {
		name  string
		then  func(phone *browser, page answer) answer
		owner bool // whether lin's WeChat belongs to the user in the end
	}{
		{"HEAD", func(phone *browser, page answer) answer {
			return phone.send(t.Context(), false, http.MethodHead, page.Request.URL.Path, "")
		}, false},
		{"GET", func(phone *browser, page answer) answer { return phone.get(page.Request.URL.Path) }, false},
		{"deny", func(phone *browser, page answer) answer {
			return phone.post(page.Request.URL.Path, decision(t, page, "deny"))
		}, false},
		{"approve again", func(phone *browser, page answer) answer {
			return phone.post(page.Request.URL.Path, decision(t, page, "approve"))
		}, true},
	} {
		users := &brittleLinks{}
		w, user, _ := newLinkWorld(t, func(config *scangate.Config) { users.UserStore, config.Users = config.Users, users })
		phone := w.phone("lin")
		phone.logInAs(user)
		page := phone.open("/wechat/link?return_to=/")
		users.broken.Store(true)
		if a := phone.post(page.Request.URL.Path, decision(t, page, "approve")); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: approve with a failing store: status = %d, want 503", c.name, a.StatusCode)
		}
		users.broken.Store(false)
		a := c.then(phone, page)
		_, err := w.users.FindByWeChat(t.Context(), w.identity("lin"))
		if linked := err == nil; linked != c.owner || a.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: status = %d, linked = %v, want linked: %v", c.name, a.StatusCode, linked, c.owner)
		}
	}
}

// slowRegistration holds the first Register back after it has made the user.
type slowRegistration struct {
	scangate.UserStore
	held             atomic.Bool
	entered, release chan struct{}
}

func (u *slowRegistration) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	user, err := u.UserStore.Register(ctx, who)
	if u.held.CompareAndSwap(false, true) {
		close(u.entered)
		<-u.release
	}
	return user, err
}

// TestRegisteredEventSurvivesARace: of two approvals at once, the slower one has made the
// user. The event is emitted all the same.
func TestRegisteredEventSurvivesARace(t *testing.T) {
	users := &slowRegistration{entered: make(chan struct{}), release: make(chan struct{})}
	w := newWorld(t, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	var slow sync.WaitGroup
	slow.Go(func() {
		_, _ = phone.try(t.Context(), false, http.MethodPost, login.confirmURL(), decision(t, page, "approve").Encode())
	})
	<-users.entered
	phone.post(login.confirmURL(), decision(t, page, "approve"))
	close(users.release)
	slow.Wait()
	if got := w.happened(); !slices.Contains(got, "registered") {
		t.Errorf("events = %v, want registered among them", got)
	}
}

// sharedState strips the prefix with which gates keep their keys apart.
type sharedState struct{ scangate.StateStore }

func (s sharedState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	_, key, _ = strings.Cut(key, ":")
	return s.StateStore.Load(ctx, key)
}

// TestLoginOfAnAccountThatIsNotConfigured: the configuration has changed since the login
// began. The login is unknown then.
func TestLoginOfAnAccountThatIsNotConfigured(t *testing.T) {
	store := scangate.NewMemoryStore()
	login := newWorld(t, func(c *scangate.Config) { c.State = strippedState{store} }).desktop().start()
	w := newWorld(t, func(c *scangate.Config) {
		c.State = sharedState{store}
		c.OfficialAccount = wechat.Account{AppID: "wx0000000000000000", Secret: official.Secret}
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, login.ScanURL, nil)
	recorder := httptest.NewRecorder()
	w.gate.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusNotFound {
		t.Errorf("scan: status = %d, want 404", recorder.Code)
	}
}

// strippedState is sharedState for the gate that creates the records.
type strippedState struct{ *scangate.MemoryStore }

func (s strippedState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, key, _ = strings.Cut(key, ":")
	return s.MemoryStore.Create(ctx, key, value, ttl)
}

// TestRedisErrorQuotesNoPassword: the application's address of Redis cannot be parsed.
func TestRedisErrorQuotesNoPassword(t *testing.T) {
	pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
		return redis.DialURLContext(ctx, "redis://:s3cret/x@127.0.0.1:6379")
	}}
	store, err := scangate.NewRedisStore(pool, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if _, err := store.FindByID(t.Context(), "id"); err == nil || strings.Contains(fmt.Sprint(err), "s3cret") {
		t.Errorf("FindByID: error = %v, want one without the password", err)
	}
}
