package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestCaseA03RepeatedDecision: the connection is reset after a decision was taken, and
// the phone sends the same form again. It gets the first outcome.
func TestCaseA03RepeatedDecision(t *testing.T) {
	for _, answer := range []string{"approve", "deny"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			desktop, phone := w.desktop(), w.phone("lin")
			login := desktop.start()
			token := phone.scan(login).find(t, tokenPattern)
			form := url.Values{"token": {token}, "answer": {answer}}
			for i := range 3 {
				a := phone.post(login.confirmURL(), form)
				if a.StatusCode != http.StatusSeeOther || a.location() != login.confirmURL() {
					t.Errorf("%s, time %d: status = %d, location = %q, want 303 to the decision", answer, i+1, a.StatusCode, a.location())
				}
			}
			if answer == "approve" {
				desktop.finish(login)
				if a := phone.post(login.confirmURL(), form); a.StatusCode != http.StatusSeeOther {
					t.Errorf("approve after the desktop has finished: status = %d, want 303", a.StatusCode)
				}
			}
			approved, denied := 0, 0
			for _, name := range w.happened() {
				switch name {
				case "approved":
					approved++
				case "denied":
					denied++
				}
			}
			if approved+denied != 1 {
				t.Errorf("%s: %d approved and %d denied events, want one in all", answer, approved, denied)
			}
			pass(2 * time.Minute)
			if a := phone.post(login.confirmURL(), form); a.StatusCode < http.StatusBadRequest {
				t.Errorf("%s two minutes later: status = %d, want an error", answer, a.StatusCode)
			}
		})
	}
}

// TestCaseA03RepeatedWrongCode: the same wrong code again costs no further try.
func TestCaseA03RepeatedWrongCode(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	phone.sendCode(page, mobile)
	for i := range 10 {
		if a := phone.typeCode(page, wrong(sms.to(mobile))); a.StatusCode != http.StatusForbidden {
			t.Errorf("wrong code, time %d: status = %d, want 403", i+1, a.StatusCode)
		}
	}
	if a := phone.typeCode(page, sms.to(mobile)); a.StatusCode != http.StatusOK || phone.user() == "" {
		t.Errorf("right code after one wrong one, repeated: status = %d, user = %q, want a login", a.StatusCode, phone.user())
	}
}

// TestCaseA04OpenedCodeStays: a phone's camera opens the link, without WeChat. The
// desktop keeps its QR code, and can get a new one in every state.
func TestCaseA04OpenedCodeStays(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	first := desktop.start()
	w.desktop().get(first.ScanURL)
	if got := desktop.state(first); got != "waiting" {
		t.Errorf("state after the link was opened = %q, want %q", got, "waiting")
	}
	if a := desktop.get(first.QRURL); a.StatusCode != http.StatusOK {
		t.Errorf("QR code after the link was opened: status = %d, want 200", a.StatusCode)
	}
	w.phone("lin").scan(first)
	if got := desktop.state(first); got != "scanned" {
		t.Errorf("state after WeChat has answered = %q, want %q", got, "scanned")
	}
	var second scan
	if a := desktop.postJSON("/wechat/login/"+first.ID+"/renew", "{}", &second); a.StatusCode != http.StatusCreated || second.ID == first.ID {
		t.Fatalf("renew: status = %d, login = %q, want 201 and another login than %q", a.StatusCode, second.ID, first.ID)
	}
	if got := desktop.start().ID; got != second.ID {
		t.Errorf("login page after renewing: login = %q, want %q", got, second.ID)
	}
	if got := desktop.state(first); got != "expired" {
		t.Errorf("state of the replaced login = %q, want %q", got, "expired")
	}
	w.scanLoginOf(t, desktop, second, "wang")
}

// scanLoginOf completes a login that the desktop has begun.
func (w *world) scanLoginOf(t *testing.T, desktop *browser, login scan, person string) {
	t.Helper()
	phone := w.phone(person)
	phone.scan(login)
	phone.answer(login, "approve")
	if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, user = %q, want a login", a.StatusCode, desktop.user())
	}
}

// TestCaseA08ReplacedCode: the desktop has a newer code. The phone that scans or
// approves the older one gets a page that explains it, and a login without a waiting page
// cannot be approved.
func TestCaseA08ReplacedCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		first := desktop.start()
		pass(2*time.Minute + time.Second)
		second := desktop.start()
		if second.ID == first.ID {
			t.Fatal("login page after 2:01: the same login, want a new one")
		}
		if a := phone.scan(first); a.StatusCode != http.StatusGone || !strings.Contains(a.body, "newer code") {
			t.Errorf("scan of the replaced code: status = %d, want 410 and %q in\n%s", a.StatusCode, "newer code", a.body)
		}
		w.scanLoginOf(t, desktop, second, "wang")
	})
	t.Run("after the scan", replacedAfterTheScan)
}

// replacedAfterTheScan renews the code between the scan and the answer. Neither the answer nor
// the page of the replaced login goes on.
func replacedAfterTheScan(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	first := desktop.start()
	token := phone.scan(first).find(t, tokenPattern)
	var second scan
	desktop.postJSON("/wechat/login/"+first.ID+"/renew", "{}", &second)
	if second.ID == first.ID || second.ID == "" {
		t.Fatalf("renew: login = %q, want another one than %q", second.ID, first.ID)
	}
	for doing, a := range map[string]answer{
		"approve the replaced login": phone.post(first.confirmURL(), url.Values{"token": {token}, "answer": {"approve"}}),
		"open its confirm page":      phone.get(first.confirmURL()),
	} {
		if a.StatusCode != http.StatusGone || !strings.Contains(a.body, "newer code") {
			t.Errorf("%s: status = %d, want 410 and %q in\n%s", doing, a.StatusCode, "newer code", a.body)
		}
	}
	if got := desktop.state(first); got != "expired" {
		t.Errorf("state of the replaced login = %q, want expired", got)
	}
	w.noSession(desktop, desktop.finish(first))
	w.scanLoginOf(t, desktop, second, "wang")
}

// TestCaseA10OldCallback: a logged-in browser opens the callback of its login again,
// later and later. It goes on, without a call to WeChat.
func TestCaseA10OldCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		if a := phone.get(callback); a.location() != "/account" {
			t.Fatalf("callback: location = %q, want /account", a.location())
		}
		calls := w.wechat.TotalCalls()
		for _, c := range []struct {
			after time.Duration
			to    string
		}{{50 * time.Second, "/account"}, {70 * time.Second, "/"}, {40 * time.Minute, "/"}, {24 * time.Hour, "/"}} {
			pass(c.after)
			if a := phone.get(callback); a.StatusCode != http.StatusSeeOther || a.location() != c.to {
				t.Errorf("callback after another %v: status = %d, location = %q, want 303 to %s", c.after, a.StatusCode, a.location(), c.to)
			}
		}
		if a := phone.get("/wechat/callback?code=c&state=made-up"); a.location() != "/" {
			t.Errorf("callback with a foreign state: location = %q, want /", a.location())
		}
		if got := w.wechat.TotalCalls(); got != calls {
			t.Errorf("calls to WeChat: %d more, want none", got-calls)
		}
	})
}

// TestCaseB18FiveCallbacksOneSession: the callback of one direct login comes five times in
// a minute, each time without the session's cookie. There is one session, and each answer
// sets its cookie.
func TestCaseB18FiveCallbacksOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, store := plainSessions()
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		tokens := map[string]bool{}
		for i := range 5 {
			a := phone.get(callback)
			for _, c := range a.Cookies() {
				if c.Name == manager.Cookie.Name {
					tokens[c.Value] = true
				}
			}
			if a.location() != "/account" || phone.user() == "" || len(tokens) != 1 {
				t.Errorf("callback %d: to %q, user %q, %d tokens so far, want /account, a user and one token", i+1, a.location(), phone.user(), len(tokens))
			}
			phone.dropCookie(manager.Cookie.Name)
			pass(10 * time.Second)
		}
		if got := len(store.m); got != 1 {
			t.Errorf("five callbacks: %d sessions, want 1", got)
		}
	})
}

// TestCaseA14PhoneIsSentBack: a phone scans a code that is used, expired or unknown. Its
// page does not offer to log the phone in.
func TestCaseA14PhoneIsSentBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop := w.desktop()
		used := w.scanLogin(desktop, w.phone("lin"))
		denied := w.desktop().start()
		refusing := w.phone("wang")
		refusing.scan(denied)
		refusing.answer(denied, "deny")
		expired := w.desktop().start()
		pass(6 * time.Minute)
		for name, target := range map[string]string{
			"used": used.ScanURL, "denied": denied.ScanURL, "expired": expired.ScanURL,
			"unknown": "/wechat/scan/" + strings.Repeat("A", 26), "malformed": "/wechat/scan/x",
		} {
			a := w.phone("chen").get(target)
			if strings.Contains(a.body, `href="/wechat/login`) || !strings.Contains(a.body, "scan again") || !strings.Contains(a.body, "data-close") {
				t.Errorf("%s code: want no login for the phone, %q and a button that closes the page in\n%s", name, "scan again", a.body)
			}
		}
	})
}

// TestCaseA18RefusedPhone: the person cannot log in. The desktop learns that, and goes on
// with a new code; the newcomer is not welcomed first.
func TestCaseA18RefusedPhone(t *testing.T) {
	sms := &texts{}
	for name, c := range map[string]struct {
		options []func(*scangate.Config)
		refuse  func(w *world, phone *browser, login scan) answer
	}{
		"closed registration": {[]func(*scangate.Config){closed, withProfile}, func(_ *world, phone *browser, login scan) answer {
			return phone.scan(login)
		}},
		"unknown number": {[]func(*scangate.Config){sms.byPhone, withProfile}, func(_ *world, phone *browser, login scan) answer {
			return phone.prove(sms, phone.scan(login), mobile)
		}},
		"disabled user": {[]func(*scangate.Config){func(c *scangate.Config) { c.Users = blockedUsers{c.Users} }}, func(w *world, phone *browser, login scan) answer {
			w.know("lin")
			return phone.scan(login)
		}},
	} {
		w := newWorld(t, c.options...)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		a := c.refuse(w, phone, login)
		if a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "Welcome") {
			t.Errorf("%s: status at the phone = %d, want 403 without a welcome:\n%s", name, a.StatusCode, a.body)
		}
		if got := desktop.state(login); got != "rejected" {
			t.Errorf("%s: state at the desktop = %q, want %q", name, got, "rejected")
		}
		if got := desktop.start().ID; got == login.ID {
			t.Errorf("%s: the login page offers the refused login, want a new one", name)
		}
	}
}

// blockedUsers disables every user.
type blockedUsers struct{ scangate.UserStore }

func (u blockedUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := u.UserStore.FindByWeChat(ctx, who)
	user.Disabled = true
	return user, err
}

// TestCaseA20HangingExchange: WeChat does not answer, and the callback comes three times
// at once. There is one call, and three pages within 8 seconds; the code is not
// exchanged again.
func TestCaseA20HangingExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		w.wechat.Fail(wechattest.OpExchange, 10, wechattest.Fault{Hang: true})
		began := time.Now()
		var callbacks sync.WaitGroup
		for range 3 {
			callbacks.Go(func() {
				a, err := phone.try(t.Context(), false, http.MethodGet, callback, "")
				if err != nil || a.StatusCode < 400 || time.Since(began) > 8*time.Second {
					t.Errorf("callback: %v, error = %v after %v, want a page within 8 s", a.Response, err, time.Since(began))
				}
			})
		}
		callbacks.Wait()
		if a := phone.get(callback); a.StatusCode != http.StatusBadGateway {
			t.Errorf("the same callback later: status = %d, want 502", a.StatusCode)
		}
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
			t.Errorf("exchanges = %d, want 1", got)
		}
	})
}

// TestCaseB15ForeignStateIsAGuess: callbacks with made-up states are counted.
func TestCaseB15ForeignStateIsAGuess(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 100 })
	attacker := w.desktop()
	known := w.desktop().start()
	var answers [2]answer
	for i, id := range []string{known.ID, strings.Repeat("A", 26)} {
		answers[i] = attacker.get("/wechat/callback?code=c&state=" + id + "0" + strings.Repeat("B", 32))
	}
	if answers[0].StatusCode != http.StatusBadRequest || answers[0].body != answers[1].body {
		t.Errorf("callbacks for a known and an unknown login: got\n%s\nand\n%s\nwant the same", answers[0].body, answers[1].body)
	}
	last := answer{}
	for range 200 {
		last = attacker.get("/wechat/callback?code=c&state=made-up")
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("callback 202 with a made-up state: status = %d, want 429", last.StatusCode)
	}
}

// endingUsers ends the sessions of a user while the gate reads that user.
type endingUsers struct {
	scangate.UserStore
	armed atomic.Bool
}

func (u *endingUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := u.UserStore.FindByWeChat(ctx, who)
	if u.armed.CompareAndSwap(true, false) {
		if err := u.EndSessions(ctx, user.ID, time.Now()); err != nil {
			return user, err
		}
	}
	return user, err
}

// TestThreat71SessionsEndedBetweenReadAndFinish: "everywhere" happens after finish has
// read the user, and before the login is finished. The session does not outlive it.
func TestThreat71SessionsEndedBetweenReadAndFinish(t *testing.T) {
	users := &endingUsers{}
	w := newWorld(t, func(c *scangate.Config) { users.UserStore = c.Users; c.Users = users })
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.scan(login)
	phone.answer(login, "approve")
	users.armed.Store(true)
	desktop.finish(login)
	if got := desktop.user(); got != "" || users.armed.Load() {
		t.Errorf("user after the sessions were ended = %q, want none", got)
	}
}

// TestCaseE03DeadLoginIsNotOfferedAgain: sessions are ended while a login is approved.
// "Try again" leads to a new login.
func TestCaseE03DeadLoginIsNotOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		user := w.know("lin")
		login := desktop.start()
		phone.scan(login)
		phone.answer(login, "approve")
		pass(time.Second)
		if err := w.users.EndSessions(t.Context(), user.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		if a := desktop.finish(login); a.StatusCode != http.StatusGone {
			t.Errorf("finish: status = %d, want 410", a.StatusCode)
		}
		if got := desktop.start().ID; got == login.ID {
			t.Error("login page after the refusal: the same login, want a new one")
		}
	})
}

// TestCaseE04StoreFailuresAreNotWeChats: the user store fails during ten callbacks. They
// do not count as codes that WeChat rejected.
func TestCaseE04StoreFailuresAreNotWeChats(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	w.users.failWith(errors.New("the database is away"))
	for i := range 12 {
		if a := phone.scan(login); a.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("callback %d with a failing store: status = %d, want 503", i+1, a.StatusCode)
		}
	}
	w.users.failWith(nil)
	if a := phone.scan(login); a.Request.URL.Path != login.confirmURL() {
		t.Errorf("callback with the store back: page = %s, want the confirm page", a.Request.URL)
	}
}

// TestCaseE01PersonCannotBeStored: the state store fails after WeChat has vouched for the
// person. The gate tries again, because the code cannot be exchanged again. If the store
// stays away, the phone can come with another code 9 seconds after the first.
func TestCaseE01PersonCannotBeStored(t *testing.T) {
	for _, c := range []struct {
		name   string
		away   time.Duration // how long the store is away after the exchange
		status int
	}{
		{"for a moment", 300 * time.Millisecond, http.StatusSeeOther},
		{"for long", 3 * time.Second, http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := &brittleState{StateStore: scangate.NewMemoryStore()}
				w := newWorld(t, func(config *scangate.Config) { config.State = state })
				desktop, phone := w.desktop(), w.phone("lin")
				login := desktop.start()
				callback := phone.callback(login)
				w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Edit: func(map[string]any) {
					state.broken.Store(true)
					time.AfterFunc(c.away, func() { state.broken.Store(false) })
				}})
				began := time.Now()
				a := phone.get(callback)
				if took := time.Since(began); a.StatusCode != c.status || took > 5*time.Second {
					t.Errorf("callback: status = %d after %v, want %d within 5 s", a.StatusCode, took, c.status)
				}
				if c.status != http.StatusSeeOther {
					pass(9*time.Second - time.Since(began)) // the lease could not be given back, and ends
				}
				if page := phone.scan(login); page.Request.URL.Path != login.confirmURL() {
					t.Errorf("scan again: at %s, want the confirm page", page.Request.URL)
				}
				if got := w.wechat.Calls(wechattest.OpExchange); got > 2 {
					t.Errorf("exchanges = %d, want at most 2", got)
				}
			})
		})
	}
}

// TestCaseE02SessionCannotBeWritten: the session store fails at the end of a login. The same
// browser asks again and is logged in.
func TestCaseE02SessionCannotBeWritten(t *testing.T) {
	m := ownSessions()
	store := &brittleSessions{Store: m.Store}
	m.Store = store
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	desktop := w.desktop()
	login := w.approved(desktop, w.phone("lin"))
	store.broken.Store(true)
	for range 2 {
		if a := desktop.finish(login); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("finish: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
		}
	}
	store.broken.Store(false)
	if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish again: status = %d, user = %q, want 303 and a user", a.StatusCode, desktop.user())
	}
}
