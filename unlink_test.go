package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

func TestUnlink(t *testing.T) {
	w := newWorld(t, withWebsite)
	phone := w.phone("chen")
	w.tapThroughProfile(phone, phone.open("/account"))
	id, form := phone.user(), unlinkForm(w.identity("chen"))
	form.Set("return_to", "/account")
	if a := phone.post("/wechat/unlink", form); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "only way in") {
		t.Errorf("unlinking the last identity: status = %d, want 409 and the reason\n%s", a.StatusCode, a.body)
	}
	if err := w.users.LinkWeChat(t.Context(), id, clerk("a")); err != nil {
		t.Fatalf("LinkWeChat of a second identity: %v, want no error", err)
	}
	other := w.know("wang")
	if a := phone.post("/wechat/unlink", unlinkForm(w.identity("wang"))); a.StatusCode != http.StatusNotFound {
		t.Errorf("unlinking an identity of the user %s: status = %d, want 404", other.ID, a.StatusCode)
	}
	if a := phone.post("/wechat/unlink", form); a.location() != "/account" {
		t.Errorf("unlinking one of two identities: %d to %q, want /account", a.StatusCode, a.location())
	}
	w.checkOwner("chen", "")
	if a := w.desktop().post("/wechat/unlink", form); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("unlinking without a login: status = %d, want 401", a.StatusCode)
	}
}

// twoIdentities is a user with two WeChat identities. The application's own login
// logs the user in, in every browser.
type twoIdentities struct {
	users    *interceptedUsers
	state    scangate.StateStore
	id       string
	sessions *scs.SessionManager // of worlds without the application's own login
}

// firstIdentity and secondIdentity are the user's.
var firstIdentity, secondIdentity = scangate.Identity{AppID: "first", OpenID: "a"}, scangate.Identity{AppID: "second", OpenID: "b"}

// newTwoIdentities registers the user in a store of their own.
func newTwoIdentities(t *testing.T) *twoIdentities {
	t.Helper()
	store := scangate.NewMemoryStore()
	user, err := store.Register(t.Context(), scangate.NewUser{Identity: firstIdentity})
	if err != nil {
		t.Fatalf("Register: %v, want no error", err)
	}
	if err := store.LinkWeChat(t.Context(), user.ID, secondIdentity); err != nil {
		t.Fatalf("LinkWeChat of the second identity: %v, want no error", err)
	}
	return &twoIdentities{users: &interceptedUsers{UserStore: store}, state: store, id: user.ID}
}

// configure is an option of newWorld. All worlds made with it share the stores, as
// the processes of one application do.
func (u *twoIdentities) configure(c *scangate.Config) {
	c.Users, c.State = u.users, u.state
	c.CurrentUser = func(*http.Request) (string, bool) { return u.id, true }
}

// ownSessions is configure without the application's own login: users log in with the
// gate, and the worlds share the sessions.
func (u *twoIdentities) ownSessions(t *testing.T) func(*scangate.Config) {
	t.Helper()
	if u.sessions == nil {
		u.sessions, _ = plainSessions()
	}
	return func(c *scangate.Config) {
		u.configure(c)
		c.CurrentUser, c.Session.Manager = nil, u.sessions
	}
}

// logIn logs the user in. WeChat identifies the user as lin for that login only.
func (u *twoIdentities) logIn(t *testing.T, w *world) *browser {
	t.Helper()
	if err := u.users.LinkWeChat(t.Context(), u.id, w.identity("lin")); err != nil {
		t.Fatalf("LinkWeChat: %v, want no error", err)
	}
	phone := w.phone("lin")
	if phone.open("/account"); phone.user() != u.id {
		t.Fatalf("the phone's user = %q, want %q", phone.user(), u.id)
	}
	if err := u.users.UnlinkWeChat(t.Context(), u.id, w.identity("lin")); err != nil {
		t.Fatalf("UnlinkWeChat: %v, want no error", err)
	}
	return phone
}

// left returns the identities that the user has.
func (u *twoIdentities) left(t *testing.T) []scangate.Identity {
	t.Helper()
	user, err := u.users.UserStore.FindByID(t.Context(), u.id)
	if err != nil {
		t.Fatalf("FindByID: %v, want no error", err)
	}
	return user.Identities
}

// unlinkForm returns the form that the application's page posts to remove an identity.
func unlinkForm(identity scangate.Identity) url.Values {
	return url.Values{"appid": {identity.AppID}, "openid": {identity.OpenID}}
}

// TestSimultaneousUnlinksLeaveOneIdentity holds the first request between its check
// and its change until the second one has been answered or is held there too.
func TestSimultaneousUnlinksLeaveOneIdentity(t *testing.T) {
	for _, c := range []struct {
		name      string
		processes int
	}{
		{"in one process", 1},
		{"in two processes", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				user := newTwoIdentities(t)
				worlds := []*world{newWorld(t, user.ownSessions(t)), newWorld(t, user.ownSessions(t))}[:c.processes]
				phone := user.logIn(t, worlds[0])
				release := make(chan struct{})
				user.users.before = func(_ context.Context, method string) error {
					if method == "UnlinkWeChat" {
						<-release
					}
					return nil
				}
				statuses := make(chan int, 2)
				for i, identity := range []scangate.Identity{firstIdentity, secondIdentity} {
					tab := phone.at(worlds[i%c.processes])
					go func() {
						a, err := tab.try(t.Context(), false, http.MethodPost, "/wechat/unlink", unlinkForm(identity).Encode())
						if err != nil {
							t.Errorf("unlink: %v", err)
							statuses <- 0
							return
						}
						statuses <- a.StatusCode
					}()
				}
				synctest.Wait()
				close(release)
				got := []int{<-statuses, <-statuses}
				slices.Sort(got)
				if want := []int{http.StatusSeeOther, http.StatusTooManyRequests}; !slices.Equal(got, want) {
					t.Errorf("two unlinks: statuses = %v, want %v", got, want)
				}
				left := user.left(t)
				if len(left) != 1 {
					t.Fatalf("two unlinks: identities left = %v, want one", left)
				}
				pass(time.Millisecond)
				if got := phone.post("/wechat/unlink", unlinkForm(left[0])).StatusCode; got != http.StatusConflict {
					t.Errorf("unlink of the last identity: status = %d, want %d", got, http.StatusConflict)
				}
			})
		})
	}
}

// TestUnlinkReleasesItsLock checks that a failed request does not block the next one.
func TestUnlinkReleasesItsLock(t *testing.T) {
	t.Run("after a failure of the store", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			user := newTwoIdentities(t)
			desktop := newWorld(t, user.configure).desktop()
			user.users.failIn("UnlinkWeChat", errors.New("connection refused"))
			if got := desktop.post("/wechat/unlink", unlinkForm(firstIdentity)).StatusCode; got != http.StatusServiceUnavailable {
				t.Errorf("unlink: status = %d, want %d", got, http.StatusServiceUnavailable)
			}
			user.users.before = nil
			checkUnlinkSucceeds(t, user, desktop)
		})
	})
	t.Run("after the browser has left", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			user := newTwoIdentities(t)
			desktop := newWorld(t, user.configure).desktop()
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan struct{}) // closed when the browser's call has returned
			user.users.before = func(ctx context.Context, method string) error {
				if method != "UnlinkWeChat" {
					return nil
				}
				leave()
				<-left
				<-ctx.Done()
				return ctx.Err()
			}
			_, err := desktop.try(ctx, false, http.MethodPost, "/wechat/unlink", unlinkForm(firstIdentity).Encode())
			if !errors.Is(err, context.Canceled) {
				t.Errorf("unlink: error = %v, want %v", err, context.Canceled)
			}
			close(left)
			synctest.Wait() // until the handler has returned
			user.users.before = nil
			checkUnlinkSucceeds(t, user, desktop)
		})
	})
}

// checkUnlinkSucceeds unlinks the first identity.
func checkUnlinkSucceeds(t *testing.T, user *twoIdentities, desktop *browser) {
	t.Helper()
	if left := user.left(t); len(left) != 2 {
		t.Errorf("before the next unlink: identities = %v, want two", left)
	}
	pass(time.Millisecond)
	if got := desktop.post("/wechat/unlink", unlinkForm(firstIdentity)).StatusCode; got != http.StatusSeeOther {
		t.Errorf("next unlink: status = %d, want %d", got, http.StatusSeeOther)
	}
	if left := user.left(t); !slices.Equal(left, []scangate.Identity{secondIdentity}) {
		t.Errorf("next unlink: identities = %v, want %v", left, secondIdentity)
	}
}

// TestUnlinkWithoutALockChangesNothing has the state store fail, so that the gate
// cannot take the lock.
func TestUnlinkWithoutALockChangesNothing(t *testing.T) {
	user := newTwoIdentities(t)
	state := &failingState{StateStore: user.state}
	user.state = state
	desktop := newWorld(t, user.configure).desktop()
	away := errors.New("connection refused")
	state.err.Store(&away)
	a := desktop.post("/wechat/unlink", unlinkForm(firstIdentity))
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("unlink: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
	}
	if left := user.left(t); len(left) != 2 {
		t.Errorf("unlink: identities = %v, want two", left)
	}
}
