package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// panicOnce returns a function that panics in its first call and does nothing in later
// ones.
func panicOnce() func() {
	var called atomic.Bool
	return func() {
		if !called.Swap(true) {
			panic("a mistake in the application")
		}
	}
}

// panicIn makes the method panic in its next call.
func (u *interceptedUsers) panicIn(method string) {
	boom := panicOnce()
	u.before = func(_ context.Context, called string) error {
		if called == method {
			boom()
		}
		return nil
	}
}

// tryGet sends a GET to a handler that may panic. It returns the status, or 0 after a
// panic.
func (b *browser) tryGet(target string) int {
	b.t.Helper()
	a, err := b.try(b.t.Context(), false, http.MethodGet, target, "")
	if err != nil {
		return 0
	}
	return a.StatusCode
}

// tryPost is tryGet for a form.
func (b *browser) tryPost(target, form string) int {
	b.t.Helper()
	a, err := b.try(b.t.Context(), false, http.MethodPost, target, form)
	if err != nil {
		return 0
	}
	return a.StatusCode
}

// The store's FindByID panics once, in the first of several requests that share one read
// of the user.
func TestCaseB05PanickingReadCostsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &interceptedUsers{}
		w := newWorld(t, withUserTTL, users.wrap)
		phone := w.phone("lin")
		phone.open("/account")
		pass(time.Hour) // until the user is no longer in memory
		boom := panicOnce()
		users.before = func(context.Context, string) error {
			pass(time.Second) // while the other requests join
			boom()
			return nil
		}
		statuses := make([]int, 5)
		var requests sync.WaitGroup
		for i := range statuses {
			requests.Go(func() { statuses[i] = phone.tryGet("/account") })
		}
		requests.Wait()
		failed := 0
		for _, status := range statuses {
			if status != http.StatusOK {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("5 requests, of which one makes FindByID panic: statuses = %v, want one failure", statuses)
		}
		if got := phone.tryGet("/account"); got != http.StatusOK {
			t.Errorf("the next request: status = %d, want %d", got, http.StatusOK)
		}
	})
}

// A panic while a code is exchanged gives the lease back, so that the repeated callback
// does not wait for the lease to end.
func TestCaseB05PanicGivesTheLeaseBack(t *testing.T) {
	for _, method := range []string{"FindByWeChat", "the transport"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := &interceptedUsers{}
				transport := &panickingTransport{}
				w := newWorld(t, users.wrap, func(c *scangate.Config) {
					transport.RoundTripper = c.WeChat.HTTPClient.Transport
					c.WeChat.HTTPClient = &http.Client{Transport: transport}
				})
				phone := w.phone("lin")
				s := w.desktop().start()
				callback := phone.callback(s)
				if users.panicIn(method); method == "the transport" {
					transport.boom = panicOnce()
				}
				if got := phone.tryGet(callback); got != 0 {
					t.Fatalf("callback: status = %d, want a panic", got)
				}
				begun := time.Now()
				phone.tryGet(callback)
				if took := time.Since(begun); took != 0 {
					t.Errorf("the callback again: %v, want an answer at once", took)
				}
				if got := phone.scan(s); got.Request.URL.Path != s.confirmURL() {
					t.Errorf("the scan again: at %s, want %s", got.Request.URL.Path, s.confirmURL())
				}
			})
		})
	}
}

// panickingTransport calls boom before each call to WeChat.
type panickingTransport struct {
	http.RoundTripper
	boom func()
}

// RoundTrip implements http.RoundTripper.
func (p *panickingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.boom != nil {
		p.boom()
	}
	return p.RoundTripper.RoundTrip(r)
}

func TestCaseB05PanicReleasesTheUnlinkLock(t *testing.T) {
	for _, method := range []string{"FindByWeChat", "UnlinkWeChat"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				user := newTwoIdentities(t)
				desktop := newWorld(t, user.configure).desktop()
				user.users.panicIn(method)
				if got := desktop.tryPost("/wechat/unlink", unlinkForm(firstIdentity).Encode()); got != 0 {
					t.Fatalf("unlink: status = %d, want a panic", got)
				}
				checkUnlinkSucceeds(t, user, desktop)
			})
		})
	}
}

// A sender that panics has not sent a code: the person may ask for one at once.
func TestCaseB05PanicRefundsTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom, sms := panicOnce(), &texts{}
		w := newWorld(t, func(c *scangate.Config) {
			c.Phone.Require, c.Phone.CodeLimit = true, 1
			c.Phone.SendCode = func(ctx context.Context, number, code string) error {
				boom()
				return sms.send(ctx, number, code)
			}
		})
		phone := w.phone("lin")
		page := phone.open("/account")
		form := "phone=13800138000&token=" + page.find(t, tokenPattern)
		if got := phone.tryPost(page.Request.URL.Path+"/code", form); got != 0 {
			t.Fatalf("sending a code: status = %d, want a panic", got)
		}
		if a := phone.prove(sms, phone.get(page.Request.URL.Path), mobile); a.body == "" || phone.user() == "" {
			t.Errorf("the next code: status = %d, want a login\n%s", a.StatusCode, a.body)
		}
	})
}

// Hooks that panic in a request that waits, or is about to, leave its place free.
func TestCaseB05PanicFreesThePlaces(t *testing.T) {
	var boom atomic.Bool
	panics := func() {
		if boom.Load() {
			panic("a mistake in the application")
		}
	}
	state := &panickingState{StateStore: scangate.NewMemoryStore(), panics: panics}
	w := newWorld(t, func(c *scangate.Config) {
		c.State = state
		c.Limits.Waiting = 5
		c.ClientIP = func(*http.Request) netip.Addr {
			if boom.Load() && state.inWait == nil {
				panic("a mistake in the application")
			}
			return netip.MustParseAddr("192.0.2.1")
		}
	})
	desktop := w.desktop()
	s := desktop.start()
	for _, hook := range []string{"ClientIP", "Wait"} {
		boom.Store(true)
		if hook == "Wait" {
			state.inWait = panics
		}
		for range 10 {
			if got := desktop.tryGet(s.StateURL + "?seen=waiting"); got != 0 {
				t.Fatalf("state while %s panics: status = %d, want a panic", hook, got)
			}
		}
		boom.Store(false)
		if got := w.gate.Waiting(); got != 0 {
			t.Errorf("waiting requests after panics in %s = %d, want 0", hook, got)
		}
	}
}

// panickingState calls a function in Wait.
type panickingState struct {
	scangate.StateStore
	panics, inWait func()
}

// Wait implements scangate.StateStore.
func (p *panickingState) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	if p.inWait != nil {
		p.inWait()
	}
	return p.StateStore.Wait(ctx, key, version)
}

// Each event's hook panics in turn. The same request works when it is repeated, or the
// next page shows that it has worked.
func TestCaseB05PanicInOnEventCostsOneRequest(t *testing.T) {
	for _, name := range []scangate.EventName{
		scangate.EventStarted, scangate.EventScanned, scangate.EventIdentified, scangate.EventRegistered,
		scangate.EventApproved, scangate.EventFinished,
	} {
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				boom := panicOnce()
				w := newWorld(t, func(c *scangate.Config) {
					c.OnEvent = func(_ context.Context, e scangate.Event) {
						if e.Name == name {
							boom()
						}
					}
				})
				begun := time.Now()
				if err := stumble(w); err != nil {
					t.Errorf("login after a panic at the event %s: %v", name, err)
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("login after a panic at the event %s: %v, want no waiting", name, took)
				}
			})
		})
	}
}

// stumble logs in by a scan and repeats each request that panics.
func stumble(w *world) error {
	desktop, phone := w.desktop(), w.phone("lin")
	ctx := w.t.Context()
	twice := func(b *browser, follow bool, method, target, form string) answer {
		a, err := b.try(ctx, follow, method, target, form)
		if err != nil {
			a, _ = b.try(ctx, follow, method, target, form)
		}
		return a
	}
	page := twice(desktop, false, http.MethodGet, "/wechat/login?return_to=/account", "")
	s := scan{ID: page.find(w.t, statePattern)}.urls()
	confirm := twice(phone, true, http.MethodGet, appURL+"/wechat/scan/"+s.ID, "")
	form := "answer=approve&token=" + confirm.find(w.t, tokenPattern)
	if a := twice(phone, false, http.MethodPost, s.confirmURL(), form); a.Response == nil {
		return errors.New("approve: two panics, want one")
	} else if a.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("approve: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
	}
	if a := twice(desktop, false, http.MethodPost, s.FinishURL, ""); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		return fmt.Errorf("finish: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
	}
	return nil
}

// The look-up of a unionid runs beside requests, where no server recovers a panic of the
// application's store. It must not end the process, and the answer looks up again.
func TestCaseB05PanicInALookupCostsOneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users, calls := &interceptedUsers{}, atomic.Int64{}
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, users.wrap)
		users.before = func(_ context.Context, method string) error {
			if method == "FindByWeChat" && calls.Add(1) == 2 { // the first is the scan's own
				panic("a mistake in the application")
			}
			return nil
		}
		desktop := w.desktop()
		s := desktop.start()
		w.scanCode("lin", s)
		synctest.Wait()
		if got := calls.Load(); got != 2 {
			t.Fatalf("look-ups after the scan = %d, want 2", got)
		}
		if got := w.say("lin", s.number()); got != textApproved || desktop.state(s) != "approved" {
			t.Errorf("number after a look-up that panicked: reply %q, state %q, want %q and approved", got, desktop.state(s), textApproved)
		}
		if got := w.log.String(); !strings.Contains(got, "a look-up panicked") {
			t.Errorf("log = %s, want the panic", got)
		}
	})
}
