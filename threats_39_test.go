package scangate_test

// Rows 39 to 44: floods, the state store and malformed requests.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat39FloodOfLogins: the attacker starts 1,000 logins from one address. The gate
// allows 600, writes no session for them, and keeps its memory small.
func TestThreat39FloodOfLogins(t *testing.T) {
	sessions := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store = sessions
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	limited := 0
	for range 1000 {
		if w.desktop().get("/wechat/login").StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if limited != 400 {
		t.Errorf("1,000 logins from one address: answers with %d = %d, want 400", http.StatusTooManyRequests, limited)
	}
	if got := len(sessions.m); got != 0 {
		t.Errorf("1,000 logins from one address: sessions = %d, want 0", got)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("600 open logins: heap grown by %d KiB, want 16,384 KiB at most", grown>>10)
	}
}

// TestThreat39FloodOfCallbacks: the attacker sends one login's callback again and again
// with made-up codes. The exchanges of a login are bounded.
func TestThreat39FloodOfCallbacks(t *testing.T) {
	w := newWorld(t)
	attacker := w.phone("lin")
	callback, _ := url.Parse(attacker.callback(w.desktop().start()))
	for i := range 50 {
		q := callback.Query()
		q.Set("code", fmt.Sprintf("junk%d", i))
		attacker.get("/wechat/callback?" + q.Encode())
	}
	if got := w.wechat.Calls(wechattest.OpExchange); got > 10 {
		t.Errorf("50 callbacks of one login: exchanges = %d, want 10 at most", got)
	}
}

// TestThreat40HoardedLongPolls: the attacker holds many waiting requests open. One
// address may hold a tenth of Config.Limits.Waiting.
func TestThreat40HoardedLongPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Waiting = 100 })
		var waits sync.WaitGroup
		var refused atomic.Int64
		for range 4 {
			attacker := w.desktop()
			login := attacker.start()
			for range 6 {
				waits.Go(func() {
					a, err := attacker.try(t.Context(), false, http.MethodGet, login.StateURL+"?seen=waiting", "")
					if err != nil || a.StatusCode == http.StatusTooManyRequests {
						refused.Add(1)
					}
				})
			}
		}
		waits.Wait()
		if got := refused.Load(); got != 14 {
			t.Errorf("24 waiting requests from one address: refused = %d, want 14", got)
		}
		// The bubble does not end while a goroutine is left in it.
	})
}

// TestThreat40LongPollsOfOneLogin: the attacker holds many waiting requests of one login
// open. A login may have 5 of them, however many its address may have.
func TestThreat40LongPollsOfOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Waiting = 1000 })
		attacker := w.desktop()
		login, other := attacker.start(), w.desktop()
		var waits sync.WaitGroup
		for range 5 {
			waits.Go(func() { attacker.stateSince(login, "waiting") })
		}
		synctest.Wait()
		a := attacker.get(login.StateURL + "?seen=waiting")
		if a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("waiting request 6 of one login: status = %d, want %d", a.StatusCode, http.StatusTooManyRequests)
		}
		if got := other.stateSince(other.start(), "waiting"); got != "waiting" {
			t.Errorf("waiting request of another login: state = %q, want waiting", got)
		}
		waits.Wait()
	})
}

// TestThreat40LongPollWithABody: the attacker announces a body for a waiting request and
// does not send it. The gate refuses bodies there.
func TestThreat40LongPollWithABody(t *testing.T) {
	w := newWorld(t)
	attacker := w.desktop()
	login := attacker.start()
	a := attacker.send(t.Context(), false, http.MethodGet, login.StateURL+"?seen=waiting", "x")
	if a.StatusCode != http.StatusBadRequest {
		t.Errorf("waiting request with a body: status = %d, want %d", a.StatusCode, http.StatusBadRequest)
	}
}

// TestThreat41KeysAsCommands: the attacker sends IDs that would end a key or start a
// command in the state store. They are 404, and the store gets no call.
func TestThreat41KeysAsCommands(t *testing.T) {
	state := &recordingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	attacker := w.desktop()
	for _, id := range []string{"%7D", "%7B%7D", "a%0D%0ADEL%20x", "*", "%00", strings.Repeat("A", 10<<10), strings.Repeat("a", 26), strings.Repeat("%C3%A9", 13), "..%2F.."} {
		for _, target := range []string{"/wechat/scan/" + id, "/wechat/login/" + id + "/state", "/wechat/confirm/" + id, "/wechat/phone/" + id} {
			if got := attacker.get(target).StatusCode; got != http.StatusNotFound {
				t.Errorf("GET %.60s: status = %d, want %d", target, got, http.StatusNotFound)
			}
		}
	}
	if got := state.recorded(); got != "" {
		t.Errorf("after malformed ids: keys and values in the store's calls = %q, want none", got)
	}
}

// TestThreat42StateStoreAway: the state store fails in the middle of a login. Every route
// is 503 with Retry-After, sessions stay, and the login goes on when the store is back.
func TestThreat42StateStoreAway(t *testing.T) {
	state := &failingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, withMini, (&texts{}).sends, func(c *scangate.Config) { c.State = state })
	w.loginInside() // so that the phone needs no page but the confirm page
	calls, login := newRouteCalls(w, "wang")
	calls.callback = calls.phone.callback(login)
	away := errors.New("connection refused")
	state.err.Store(&away)
	// The sessions are in another store.
	for route, answers := range calls.unavailable("GET /me", "POST /logout") {
		checkAway(t, route, answers[0])
	}
	checkAway(t, "callback in another browser", w.phone("chen").get(calls.callback))
	if calls.member.user() == "" {
		t.Error("gated page while the state store fails: the member is not logged in, want a user")
	}
	if got := calls.member.get("/wechat/me").StatusCode; got != http.StatusOK {
		t.Errorf("me while the state store fails: status = %d, want %d", got, http.StatusOK)
	}
	state.err.Store(nil)
	calls.phone.open(calls.callback)
	calls.phone.answer(login, "approve")
	if got := calls.desktop.finish(login).StatusCode; got != http.StatusSeeOther {
		t.Errorf("finish when the state store is back: status = %d, want %d", got, http.StatusSeeOther)
	}
}

// TestThreat43DoubledParameters: the attacker sends a parameter twice, so that a proxy
// and the gate could pick different values. The gate refuses such requests, and makes no
// call to WeChat.
func TestThreat43DoubledParameters(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	callback := phone.callback(login)
	callbackURL, _ := url.Parse(callback)
	for name, a := range map[string]answer{
		"two codes":                  phone.get(callback + "&code=x"),
		"two states":                 phone.get(callback + "&state=" + callbackURL.Query().Get("state")),
		"two return_tos":             desktop.get("/wechat/login?return_to=/a&return_to=/b"),
		"two return_tos in JSON":     desktop.postJSON("/wechat/login", `{"return_to":"/a","return_to":"/b"}`, nil),
		"a broken query":             phone.get("/wechat/callback?code=%zz"),
		"a semicolon":                phone.get("/wechat/callback?code=a;state=b"),
		"a multipart form, no parts": desktop.post("/wechat/logout", nil, "Content-Type", "multipart/form-data; boundary=x"),
	} {
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, http.StatusBadRequest)
		}
	}
	// No phone has authorized the login yet, so its confirm page is unknown.
	answers := url.Values{"answer": {"deny", "approve"}}
	if got := phone.post(login.confirmURL(), answers).StatusCode; got != http.StatusNotFound {
		t.Errorf("two answers before WeChat: status = %d, want %d", got, http.StatusNotFound)
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("after doubled parameters: calls to WeChat = %d, want 0", got)
	}
	answers.Set("token", phone.open(callback).find(t, tokenPattern))
	if got := phone.post(login.confirmURL(), answers).StatusCode; got != http.StatusBadRequest {
		t.Errorf("two answers: status = %d, want %d", got, http.StatusBadRequest)
	}
	if got := desktop.state(login); got != "scanned" {
		t.Errorf("state after two answers = %q, want %q", got, "scanned")
	}
}

// TestThreat44ForgedUserAgent: the attacker claims to be WeChat's browser. The User-Agent
// chooses a page and grants nothing.
func TestThreat44ForgedUserAgent(t *testing.T) {
	w := newWorld(t)
	attacker := w.browser(wechattest.UserAgentPhone + " <script>alert(1)</script>")
	if got := attacker.get("/account").StatusCode; got != http.StatusSeeOther {
		t.Errorf("gated page with WeChat's User-Agent: status = %d, want %d", got, http.StatusSeeOther)
	}
	login := w.desktop().start()
	for _, target := range []string{login.confirmURL(), login.StateURL} {
		if got := attacker.get(target).StatusCode; got != http.StatusNotFound {
			t.Errorf("GET %s with WeChat's User-Agent: status = %d, want %d", target, got, http.StatusNotFound)
		}
	}
	if got := w.happened(); slices.Contains(got, "finished") {
		t.Errorf("events = %v, want no finished login", got)
	}
}
