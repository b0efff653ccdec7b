package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// interceptedUsers calls before with the method's name, and returns its error
// instead of calling the store. A nil before calls the store.
type interceptedUsers struct {
	scangate.UserStore
	before func(ctx context.Context, method string) error
}

// wrap is an option of newWorld.
func (u *interceptedUsers) wrap(c *scangate.Config) { u.UserStore, c.Users = c.Users, u }

// failIn makes the method return err.
func (u *interceptedUsers) failIn(method string, err error) {
	u.before = func(_ context.Context, called string) error {
		if called == method {
			return err
		}
		return nil
	}
}

// call returns the error of before, if there is one.
func (u *interceptedUsers) call(ctx context.Context, method string) error {
	if u.before == nil {
		return nil
	}
	return u.before(ctx, method)
}

func (u *interceptedUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if err := u.call(ctx, "FindByID"); err != nil {
		return scangate.User{}, err
	}
	return u.UserStore.FindByID(ctx, id)
}

func (u *interceptedUsers) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	if err := u.call(ctx, "FindByWeChat"); err != nil {
		return scangate.User{}, err
	}
	return u.UserStore.FindByWeChat(ctx, identity)
}

func (u *interceptedUsers) UnlinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	if err := u.call(ctx, "UnlinkWeChat"); err != nil {
		return err
	}
	return u.UserStore.UnlinkWeChat(ctx, id, identity)
}

func (u *interceptedUsers) EndSessions(ctx context.Context, id string, before time.Time) error {
	if err := u.call(ctx, "EndSessions"); err != nil {
		return err
	}
	return u.UserStore.EndSessions(ctx, id, before)
}

// TestFailedLogoutEverywhereKeepsTheSession checks that a browser whose other
// sessions could not be ended keeps its own, so that the user can try again.
func TestFailedLogoutEverywhereKeepsTheSession(t *testing.T) {
	for _, c := range []struct{ name, method, accept string }{
		{"EndSessions fails, by the page", "EndSessions", "text/html"},
		{"EndSessions fails, by a script", "EndSessions", "application/json"},
		{"the user cannot be read", "FindByID", "text/html"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := &interceptedUsers{}
				w := newWorld(t, users.wrap)
				phone, tablet := w.phone("lin"), w.phone("lin")
				phone.open("/account")
				tablet.open("/account")
				pass(time.Second)
				everywhere := url.Values{"everywhere": {"true"}}
				users.failIn(c.method, errors.New("connection refused"))
				failed := phone.post("/wechat/logout", everywhere, "Accept", c.accept)
				if failed.StatusCode != http.StatusServiceUnavailable || failed.Header.Get("Retry-After") == "" {
					t.Errorf("logout: status = %d, Retry-After = %q, want 503 and a time", failed.StatusCode, failed.Header.Get("Retry-After"))
				}
				if cookies := failed.Cookies(); len(cookies) != 0 {
					t.Errorf("logout: Set-Cookie = %v, want none", cookies)
				}
				if got := w.happened(); slices.Contains(got, "logged_out") {
					t.Errorf("logout: events = %v, want no logged_out", got)
				}
				users.before = nil
				if phone.user() == "" || tablet.user() == "" {
					t.Errorf("after the failure: phone = %q, tablet = %q, want both logged in", phone.user(), tablet.user())
				}
				if got := phone.post("/wechat/logout", everywhere).StatusCode; got != http.StatusSeeOther {
					t.Errorf("second logout: status = %d, want %d", got, http.StatusSeeOther)
				}
				if phone.user() != "" || tablet.user() != "" {
					t.Errorf("after the second logout: phone = %q, tablet = %q, want neither logged in", phone.user(), tablet.user())
				}
			})
		})
	}
}
