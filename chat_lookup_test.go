package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// ownTrip returns the URL at WeChat of a trip for the login, with a state that the browser
// computes by its own key, without the page that would look the person up.
func ownTrip(t *testing.T, b *browser, id string) string {
	t.Helper()
	for _, cookie := range b.appCookies() {
		if cookie.Name == "__Host-scangate" {
			key, _, _ := strings.Cut(cookie.Value, ".")
			state := login.Key(key).OAuthState(login.Trip{ID: id, Kind: login.CrossDevice, Scope: login.ScopeBase})
			return "https://open.weixin.qq.com/connect/oauth2/authorize?appid=" + official.AppID +
				"&redirect_uri=https%3A%2F%2Fapp.example.com%2Fwechat%2Fcallback&response_type=code&scope=snsapi_base&state=" + state + "#wechat_redirect"
		}
	}
	t.Fatal("the browser has no key")
	return ""
}

// A user of the website, whom only the unionid shows, must not become a second user through
// the phone page. The person has unfollowed the account, so the look-up returns nothing.
func TestChatPhonePageNeedsTheLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sms := &texts{}
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, sms.withPhone)
		known, err := w.users.Register(t.Context(), scangate.NewUser{
			Identity: scangate.Identity{AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID), UnionID: w.wechat.UnionID("lin")},
			Phone:    "+8613900139000",
		})
		if err != nil {
			t.Fatal(err)
		}
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		link := linkIn(t, w.push(w.pusher.Event("lin", "SCAN", w.lastScene())))
		synctest.Wait()
		phone.get(link)
		phone.post(link, ticketForm(link))
		callback, err := w.wechat.Approve(ownTrip(t, phone, s.ID), "lin")
		if err != nil {
			t.Fatal(err)
		}
		page := phone.open(callback)
		if page.StatusCode == http.StatusOK && strings.Contains(page.Request.URL.Path, "/phone/") {
			if a := phone.prove(sms, page, "+8613800138000"); a.StatusCode != http.StatusBadGateway {
				t.Errorf("prove a number: status = %d at %s, want 502", a.StatusCode, a.Request.URL)
			}
		}
		desktop.finish(s)
		if _, err := w.users.FindByPhone(t.Context(), "+8613800138000"); !errors.Is(err, scangate.ErrNotFound) || desktop.user() != "" {
			t.Errorf("after the attempt: user of the new number: error = %v, desktop's user = %q, want no user but %q", err, desktop.user(), known.ID)
		}
	})
}

// beginUnknown starts a login in which lin scans the code, while the first look-ups of their
// unionid fail.
func beginUnknown(t *testing.T, w *chatWorld, desktop *browser, failures int) scan {
	t.Helper()
	s := desktop.start()
	followAccount(t, w, "lin")
	w.wechat.Fail(wechattest.OpFollower, failures, wechattest.Fault{Errcode: 45011})
	w.scanCode("lin", s)
	synctest.Wait()
	if got := desktop.state(s); got != "rejected" {
		t.Errorf("failed look-up: state = %q, want rejected", got)
	}
	return s
}

const textRetry = "Please try again in a moment."

// The reply asks the person to try again, so each further answer looks up again.
func TestAnswerLooksUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite)
		desktop := w.desktop()
		s := beginUnknown(t, w, desktop, 2)
		if got := w.say("lin", s.number()); got != textRetry {
			t.Errorf("answer at the second failure: reply %q, want %q", got, textRetry)
		}
		if got := desktop.state(s); got != "rejected" {
			t.Errorf("answer at the second failure: state = %q, want rejected", got)
		}
		if got := w.say("lin", s.number()); got != textApproved {
			t.Errorf("answer after the failures: reply %q, want %q", got, textApproved)
		}
		desktop.finish(s)
		if got := strings.Count(strings.Join(w.happened(), " "), "refused"); desktop.user() == "" || got != 1 {
			t.Errorf("after the login: user %q and %d events of a refusal, want a user and 1", desktop.user(), got)
		}
	})
}

// A wrong number is not a free guess while the person waits for another look-up.
func TestWrongNumberAfterAFailedLookupDenies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite)
		desktop := w.desktop()
		s := beginUnknown(t, w, desktop, 1)
		if got := w.say("lin", s.wrongNumber()); got != textDenied {
			t.Errorf("wrong number: reply %q, want %q", got, textDenied)
		}
		if got := desktop.state(s); got != "denied" {
			t.Errorf("wrong number: state = %q, want denied", got)
		}
	})
}

// A person who scans the code again gets the question, after the look-up has succeeded.
func TestScanLooksUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite)
		desktop := w.desktop()
		s := beginUnknown(t, w, desktop, 1)
		pass(2 * time.Second) // events of one second count as one
		w.scanCode("lin", s)
		synctest.Wait()
		if got := desktop.state(s); got != "scanned" {
			t.Errorf("second scan: state = %q, want scanned", got)
		}
		pass(2 * time.Second)
		if got := w.scanCode("lin", s); got == textRetry {
			t.Errorf("third scan: reply %q, want the question", got)
		}
	})
}

// The page behind the link in the chat looks up again too.
func TestPageLooksUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, withTerms)
		desktop, phone := w.desktop(), w.phone("lin")
		s := beginUnknown(t, w, desktop, 1)
		phone.openLink(w.chatLink("lin"))
		if a := phone.answer(s, "approve", "number", s.number(), "agree", versions); a.StatusCode != http.StatusSeeOther {
			t.Errorf("approve: status = %d, want 303\n%s", a.StatusCode, a.body)
		}
		if got := desktop.state(s); got != "approved" {
			t.Errorf("approve: state = %q, want approved", got)
		}
	})
}

// A look-up that fails late does not refuse a person whom another one has found.
func TestLateFailureOfALookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, withTerms)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		followAccount(t, w, "lin")
		w.wechat.Fail(wechattest.OpFollower, 1, wechattest.Fault{Hang: true})
		w.scanCode("lin", s)
		synctest.Wait()
		phone.openLink(w.chatLink("lin")) // looks up, and succeeds
		pass(10 * time.Second)
		if got := desktop.state(s); got != "scanned" {
			t.Errorf("after the first look-up has timed out: state = %q, want scanned", got)
		}
		phone.answer(s, "approve", "number", s.number(), "agree", versions)
		if got := desktop.state(s); got != "approved" {
			t.Errorf("approve: state = %q, want approved", got)
		}
	})
}

// TestThreat55LookupsOfATicket: each post of a ticket's form would ask WeChat again, while
// the look-up returns nothing.
func TestThreat55LookupsOfATicket(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanFollow, withWebsite, sms.withPhone)
	w.desktop().start()
	phone := w.phone("lin")
	link := linkIn(t, w.push(w.pusher.Event("lin", "SCAN", w.lastScene())))
	limited := 0
	for range 100 {
		if phone.post(link, ticketForm(link)).StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if calls := w.wechat.Calls(wechattest.OpFollower); calls > 25 || limited < 70 {
		t.Errorf("100 posts: %d calls of user/info and %d answers of 429, want at most 25 and at least 70", calls, limited)
	}
}

// Messages whose Handle is slow must not take the places of look-ups.
func TestSlowHandleLeavesLookups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, withWebsite, func(c *scangate.Config) {
			c.Push.Handle = func(ctx context.Context, _ wechat.Message) (wechat.Reply, error) {
				select {
				case <-time.After(3 * time.Second):
				case <-ctx.Done():
				}
				return wechat.Reply{}, nil
			}
		})
		followAccount(t, w, "wang")
		followAccount(t, w, "lin")
		pass(10 * time.Second)
		desktop := w.desktop()
		s := desktop.start()
		scanned := w.pusher.Event("lin", "SCAN", w.lastScene())
		var flood sync.WaitGroup
		for range 256 {
			message := w.pusher.Text("wang", "hello")
			flood.Go(func() { w.pusher.Deliver(t.Context(), message) })
		}
		pass(100 * time.Millisecond)
		w.push(scanned)
		pass(5 * time.Second)
		w.say("lin", s.number())
		if got := desktop.state(s); got != "approved" {
			t.Errorf("after the right number: state = %q, want approved", got)
		}
		flood.Wait()
	})
}

// failingLogin is a state store in which one change of one login fails.
type failingLogin struct {
	scangate.StateStore
	id atomic.Pointer[string]
}

func (s *failingLogin) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if id := s.id.Load(); id != nil && strings.HasSuffix(key, *id) && s.id.CompareAndSwap(id, nil) {
		return errors.New("connection refused")
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

// The older login of a person ends even if the store fails at that moment, because the
// message is repeated.
func TestNewerScanEndsTheOlderLoginAfterAFailure(t *testing.T) {
	t.Parallel()
	state := &failingLogin{StateStore: scangate.NewMemoryStore()}
	w := newChatWorld(t, scangate.ScanFollow, withTerms, func(c *scangate.Config) { c.State = state })
	older, newer := w.desktop(), w.desktop()
	first := older.start()
	w.scanCode("lin", first)
	second := newer.start()
	state.id.Store(&first.ID)
	w.scanCode("lin", second)
	if got := older.state(first); got != "expired" {
		t.Errorf("state of the older login = %q, want expired", got)
	}
}
