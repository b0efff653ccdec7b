package scangate_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// exchangeCounter is a transport that records how many exchanges run at once.
type exchangeCounter struct {
	next          http.RoundTripper
	mu            sync.Mutex
	running, most int
}

// RoundTrip implements [http.RoundTripper].
func (c *exchangeCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.add(1)
	defer c.add(-1)
	return c.next.RoundTrip(r)
}

func (c *exchangeCounter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += n
	c.most = max(c.most, c.running)
}

// A callback gives up before its right to exchange a code ends. Otherwise two
// callbacks could ask WeChat at once.
func TestCallbackGivesUpBeforeAnotherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := &exchangeCounter{}
		w := newWorld(t, func(c *scangate.Config) {
			counter.next = c.HTTPClient.Transport
			c.HTTPClient = &http.Client{Transport: counter, Timeout: time.Minute}
		})
		phone := w.phone("lin")
		callback, err := w.wechat.Approve(phone.get("/wechat/login?return_to=/account").Header.Get("Location"), "lin")
		if err != nil {
			t.Fatal(err)
		}
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Hang: true})
		began := time.Now()
		var first sync.WaitGroup
		first.Go(func() {
			a, err := phone.try(t.Context(), false, http.MethodGet, callback, "")
			if took := time.Since(began); err != nil || a.StatusCode != http.StatusBadGateway || took != 8*time.Second {
				t.Errorf("first callback: %v, %v after %v, want 502 after 8s", a.Response, err, took)
			}
		})
		pass(time.Second)
		if a := phone.get(callback); a.StatusCode != http.StatusConflict {
			t.Errorf("second callback: status = %d, want 409 after 5 s", a.StatusCode)
		}
		first.Wait()
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 || counter.most != 1 {
			t.Errorf("%d exchanges, at most %d at once, want 1 and 1", got, counter.most)
		}
	})
}

// loginOfState returns the ID of the login that a trip to WeChat is for.
func loginOfState(t *testing.T, wechatURL string) string {
	t.Helper()
	u, err := url.Parse(wechatURL)
	if err != nil || len(u.Query().Get("state")) < 26 {
		t.Fatalf("no OAuth state in %q: %v", wechatURL, err)
	}
	return u.Query().Get("state")[:26]
}

func TestCancelledCallbacksOfGoneLoginsCountAsGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = limit })
		phone := w.phone("lin")
		callback, err := w.wechat.Refuse(phone.get("/wechat/login").Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Minute) // the store has dropped the login, the phone keeps its key
		for i := range limit {
			if a := phone.get(callback); a.StatusCode != http.StatusNotFound {
				t.Errorf("cancelled callback %d of a login that is gone: status = %d, want 404", i, a.StatusCode)
			}
		}
		if a := phone.get(callback); a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("cancelled callback over the limit: status = %d, want 429", a.StatusCode)
		}
	})
}

// forgeState makes the OAuth state of any login in the name of a browser's own key.
// It fails t unless it can make the state that the gate made for that browser.
func forgeState(t *testing.T, b *browser, genuine, id string) string {
	t.Helper()
	u, _ := url.Parse(appURL)
	var key string
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "__Host-scangate" {
			key = c.Value
		}
	}
	state := func(id string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte("state " + id + "0"))
		return id + "0" + base32.StdEncoding.EncodeToString(mac.Sum(nil)[:20])
	}
	if own := genuine[:26]; state(own) != genuine {
		t.Fatalf("forged state of the browser's own login = %q, want %q: forgeState is out of date", state(own), genuine)
	}
	return state(id)
}

// The attacker has the ID of another browser's direct login. The key that signs
// the state is the attacker's own, so the signature is right.
func TestForgedStateOfADirectLogin(t *testing.T) {
	w := newWorld(t)
	phone, attacker := w.phone("lin"), w.phone("wang")
	id := loginOfState(t, phone.get("/wechat/login?return_to=/account").Header.Get("Location"))
	own, err := url.Parse(attacker.get("/wechat/login").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	forged := forgeState(t, attacker, own.Query().Get("state"), id)
	unknown := forgeState(t, attacker, own.Query().Get("state"), strings.Repeat("A", 26))
	for _, code := range []string{"", "&code=authdeny", "&code=" + strings.Repeat("c", 32)} {
		a := attacker.get("/wechat/callback?state=" + forged + code)
		if want := attacker.get("/wechat/callback?state=" + unknown + code); a.StatusCode != http.StatusNotFound || a.body != want.body {
			t.Errorf("callback%s with a forged state: %d\n%s\nwant 404 and the page of an unknown login", code, a.StatusCode, a.body)
		}
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("%d calls to WeChat, want 0", got)
	}
}

func TestDirectLoginHasNoConfirmPage(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	confirm := strings.Replace(page.Request.URL.Path, "/phone/", "/confirm/", 1)
	token := page.find(t, tokenPattern)
	refused := func(when string) {
		t.Helper()
		if a := phone.get(confirm); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: GET %s: status = %d, want 404", when, confirm, a.StatusCode)
		}
		for _, answer := range []string{"approve", "deny"} {
			if a := phone.post(confirm, url.Values{"token": {token}, "answer": {answer}}); a.StatusCode != http.StatusNotFound {
				t.Errorf("%s: POST %s %s: status = %d, want 404", when, confirm, answer, a.StatusCode)
			}
		}
	}
	refused("before the code")
	if a := phone.prove(s, page, mobile); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("proving the number: %d, want the account page\n%s", a.StatusCode, a.body)
	}
	refused("after the login")
}

func TestApprovalBeforeThePhoneStep(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
	if a := phone.post(login.confirmURL(), form); a.StatusCode != http.StatusSeeOther || a.location() != "/wechat/phone/"+login.ID {
		t.Errorf("approving before the phone step: %d %q, want 303 to the phone step", a.StatusCode, a.location())
	}
	if got, n := desktop.state(login), w.users.calls["Register"]; got != "scanned" || n != 0 {
		t.Errorf("state = %q, %d users registered, want %q and 0", got, n, "scanned")
	}
	if a := desktop.finish(login); a.StatusCode != http.StatusConflict || desktop.user() != "" {
		t.Errorf("finish: status = %d, user %q, want 409 and no user", a.StatusCode, desktop.user())
	}
}

// While a callback asks WeChat for the user info, an approval must not register a
// person whom the configuration does not admit.
func TestApprovalDuringTheProfileRoundRegistersNoOne(t *testing.T) {
	s := &texts{}
	for name, mode := range map[string]func(*scangate.Config){"closed": closed, "by phone": s.byPhone} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, withProfile, mode)
				desktop, phone := w.desktop(), w.phone("lin")
				login := desktop.start()
				page := phone.scan(login)
				callback, err := w.wechat.Approve(page.find(t, wechatURLPattern), "lin")
				if err != nil {
					t.Fatal(err)
				}
				w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: 2 * time.Second})
				var round sync.WaitGroup
				round.Go(func() { _, _ = phone.try(t.Context(), false, http.MethodGet, callback, "") })
				pass(time.Second)
				form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
				if a := phone.post(login.confirmURL(), form); a.StatusCode != http.StatusSeeOther || a.location() != "/wechat/profile/"+login.ID {
					t.Errorf("approving during the profile round: status = %d, location = %q, want 303 to the profile page", a.StatusCode, a.location())
				}
				round.Wait()
				if n := w.users.calls["Register"]; n != 0 {
					t.Errorf("%d calls of Register, want 0", n)
				}
				if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
					t.Errorf("FindByWeChat: error = %v, want %v", err, scangate.ErrNotFound)
				}
			})
		})
	}
}

func TestAnswersThatAreNeitherYesNorNo(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	for _, answers := range [][]string{nil, {""}, {"yes"}, {"true"}, {"Approve"}, {" approve"}, {"approved"}, {"denied"}, {"approve", "approve"}} {
		if a := phone.post(s.confirmURL(), url.Values{"token": {token}, "answer": answers}); a.StatusCode != http.StatusBadRequest {
			t.Errorf("answer %q: status = %d, want 400", answers, a.StatusCode)
		}
	}
	if a := phone.postJSON(s.confirmURL(), `{"token":"`+token+`","answer":true}`, nil); a.StatusCode != http.StatusBadRequest {
		t.Errorf("answer true as JSON: status = %d, want 400", a.StatusCode)
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("state = %q, want %q", got, "scanned")
	}
	if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther || desktop.state(s) != "approved" {
		t.Errorf("approving after all: %d, state %q, want 303 and approved", a.StatusCode, desktop.state(s))
	}
}
