package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// linkingUsers calls a function in LinkWeChat, before the store links.
type linkingUsers struct {
	scangate.UserStore
	before func() error
}

// LinkWeChat implements scangate.UserStore.
func (l *linkingUsers) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if l.before != nil {
		if err := l.before(); err != nil {
			return err
		}
	}
	return l.UserStore.LinkWeChat(ctx, id, who)
}

// approvedLink begins a link at the desktop and approves it on the phone. It also
// returns the phone's form that denies the link.
func approvedLink(t *testing.T, users *linkingUsers) (w *world, desktop, phone *browser, s scan, deny url.Values) {
	t.Helper()
	w = newWorld(t, ownLogin, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
	user := w.knowPhone("", clerk("a"))
	desktop, phone = w.desktop(), w.phone("lin")
	desktop.logInAs(user)
	s = scan{ID: desktop.get("/wechat/link?return_to=/account").find(t, statePattern)}.urls()
	deny = url.Values{"token": {phone.scan(s).find(t, tokenPattern)}, "answer": {"deny"}}
	phone.answer(s, "approve")
	return w, desktop, phone, s, deny
}

// isLinked reports whether lin's identity belongs to a user.
func (w *world) isLinked() bool {
	w.t.Helper()
	_, err := w.users.FindByWeChat(w.t.Context(), w.identity("lin"))
	if err != nil && !errors.Is(err, scangate.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// The desktop, or the phone, declines while the store links the identity.
func TestCaseB14DecliningDuringALink(t *testing.T) {
	for _, device := range []string{"desktop", "phone"} {
		t.Run(device, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := &linkingUsers{}
				w, desktop, phone, s, deny := approvedLink(t, users)
				declined := 0
				users.before = func() error {
					if device == "desktop" {
						declined = desktop.post(s.FinishURL, url.Values{"answer": {"deny"}}).StatusCode
					} else {
						declined = phone.post(s.confirmURL(), deny).StatusCode
					}
					return nil
				}
				finished := desktop.finish(s).StatusCode
				if accepted := declined == http.StatusSeeOther; accepted == w.isLinked() {
					t.Errorf("declining during a link: status = %d, finish: status = %d, linked = %t, want exactly one outcome",
						declined, finished, w.isLinked())
				}
			})
		})
	}
}

// A link that the store could not make is open again: the person may decline or try
// again.
func TestCaseB14FailedLinkIsOpenAgain(t *testing.T) {
	for _, fault := range []string{"an error", "a panic"} {
		for _, next := range []string{"declined", "finished"} {
			t.Run(fault+", then "+next, func(t *testing.T) {
				users := &linkingUsers{}
				w, desktop, _, s, _ := approvedLink(t, users)
				users.before = func() error {
					users.before = nil
					if fault == "a panic" {
						panic("a mistake in the application")
					}
					return errors.New("connection refused")
				}
				if got := desktop.tryPost(s.FinishURL, ""); got != 0 && got != http.StatusServiceUnavailable {
					t.Errorf("finish: status = %d, want a failure", got)
				}
				form := ""
				if next == "declined" {
					form = "answer=deny"
				}
				if got := desktop.tryPost(s.FinishURL, form); got != http.StatusSeeOther {
					t.Errorf("%s after the failure: status = %d, want %d", next, got, http.StatusSeeOther)
				}
				if got, want := w.isLinked(), next == "finished"; got != want {
					t.Errorf("%s after the failure: linked = %t, want %t", next, got, want)
				}
			})
		}
	}
}

// unlinkLater posts an unlinking and returns the channel that gets its status.
func unlinkLater(t *testing.T, desktop *browser, who scangate.Identity) <-chan int {
	t.Helper()
	status := make(chan int, 1)
	go func() { status <- desktop.tryPost("/wechat/unlink", unlinkForm(who).Encode()) }()
	synctest.Wait()
	return status
}

// Unlinking takes long at a slow store. The first request's lock ends, a second request
// takes it, and the end of the first one must not release the second one's lock.
func TestCaseB21LockHasAnOwner(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			user := newTwoIdentities(t)
			desktop := newWorld(t, user.configure).desktop()
			user.users.before = func(ctx context.Context, method string) error {
				if method != "FindByWeChat" {
					return nil
				}
				slow := time.After(35 * time.Second)
				if ignores {
					<-slow
					return nil
				}
				select {
				case <-slow:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			first := unlinkLater(t, desktop, firstIdentity)
			pass(10 * time.Second)
			second := unlinkLater(t, desktop, secondIdentity)
			pass(21 * time.Second)
			third := unlinkLater(t, desktop, secondIdentity)
			pass(6 * time.Second) // the first request has ended by now
			fourth := unlinkLater(t, desktop, firstIdentity)
			got := [4]int{<-first, <-second, <-third, <-fourth}
			if want := [4]int{503, 429, 503, 429}; got != want {
				t.Errorf("four unlinks at a slow store that ignores its context (%t): statuses = %v, want %v", ignores, got, want)
			}
			if left := user.left(t); len(left) != 2 {
				t.Errorf("identities left = %v, want both", left)
			}
		})
	}
}

// The first unlinking removes its identity after its call was given up. The second one
// must not have seen the identity.
func TestCaseB21LateChangeKeepsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := newTwoIdentities(t)
		phone := user.logIn(t, newWorld(t, user.ownSessions(t)))
		user.users.before = func(ctx context.Context, method string) error {
			if method != "UnlinkWeChat" {
				return nil
			}
			user.users.before = nil
			<-ctx.Done()
			time.AfterFunc(5*time.Second, func() {
				_ = user.users.UserStore.UnlinkWeChat(context.Background(), user.id, firstIdentity)
			})
			return ctx.Err()
		}
		first := unlinkLater(t, phone, firstIdentity)
		pass(12 * time.Second)
		second := unlinkLater(t, phone, secondIdentity)
		if got := [2]int{<-first, <-second}; got != [2]int{503, 429} {
			t.Errorf("two unlinks, 12 s apart: statuses = %v, want [503 429]", got)
		}
		pass(20 * time.Second)
		if got := phone.tryPost("/wechat/unlink", unlinkForm(secondIdentity).Encode()); got != http.StatusConflict {
			t.Errorf("unlink of the last identity: status = %d, want %d", got, http.StatusConflict)
		}
		if left := user.left(t); len(left) != 1 {
			t.Errorf("identities left = %v, want one", left)
		}
	})
}
