package scangate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// onRedis makes gates keep everything in Redis. Each has a pool of its own.
func onRedis(t *testing.T, addr string) func(*scangate.Config) {
	return func(c *scangate.Config) { c.Users, c.Redis = nil, redisPool(t, addr) }
}

// twoProcesses returns a world with two gates that keep everything in one Redis.
func twoProcesses(t *testing.T, addr string, options ...func(*scangate.Config)) *world {
	return sharedProcesses(t, append(options, onRedis(t, addr))...)
}

// sharedProcesses returns a world with two gates that share one WeChat and the stores of the
// options, like two processes of an application. Requests to the application go to either in
// turn.
func sharedProcesses(t *testing.T, options ...func(*scangate.Config)) *world {
	one := newWorld(t, options...)
	two := newWorld(t, append(options, func(c *scangate.Config) { c.WeChat.HTTPClient = &http.Client{Transport: one.hosts} })...)
	var mu sync.Mutex
	turn := 0
	hosts := one.hosts
	one.hosts = roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		turn++
		to := hosts
		if turn%2 == 0 && r.URL.Host == "app.example.com" {
			to = two.hosts
		}
		mu.Unlock()
		return to.RoundTrip(r)
	})
	return one
}

// scanLogins makes n scan logins at the same time. Each desktop waits by long polls. A
// login that is not approved within 30 seconds is an error: without that bound its
// browser would wait until the login expires.
func scanLogins(t *testing.T, w *world, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var logins sync.WaitGroup
	for i := range n {
		desktop, phone := w.desktop(), w.phone([]string{"lin", "wang", "yueyue", "chen"}[i%4])
		logins.Go(func() {
			var s scan
			desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &s)
			outcome := make(chan string, 1)
			go func() { outcome <- desktop.outcome(ctx, s) }()
			phone.scan(s)
			if a := phone.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
				t.Errorf("login %d: approve: status = %d, want %d", i, a.StatusCode, http.StatusSeeOther)
				cancel()
			}
			if got := <-outcome; got != "approved" {
				t.Errorf("login %d: state at the desktop = %q, want %q", i, got, "approved")
			}
			if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
				t.Errorf("login %d: finish: status = %d, want %d", i, a.StatusCode, http.StatusSeeOther)
			}
			if desktop.user() == "" {
				t.Errorf("login %d: the desktop is not logged in", i)
			}
		})
	}
	logins.Wait()
}

// outcome waits until a login is neither waiting nor scanned, and returns its state,
// or why the browser cannot learn it.
func (b *browser) outcome(ctx context.Context, s scan) string {
	got := struct{ State string }{"waiting"}
	for got.State == "waiting" || got.State == "scanned" {
		a, err := b.try(ctx, false, http.MethodGet, s.StateURL+"?seen="+got.State, "")
		if err != nil {
			return err.Error()
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != http.StatusOK {
			return fmt.Sprintf("status %d: %s", a.StatusCode, a.body)
		}
	}
	return got.State
}

func TestTwoProcesses(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) {
		scanLogins(t, twoProcesses(t, miniredis.RunT(t).Addr()), 20)
	})
	t.Run("redis-server", func(t *testing.T) {
		scanLogins(t, twoProcesses(t, redistest.Start(t).Addr), crowd(20, 200))
	})
}

func TestRequestOnRedisCosts(t *testing.T) {
	server := redistest.Start(t)
	w := newWorld(t, onRedis(t, server.Addr))
	phone := w.phone("lin")
	phone.open("/account")
	phone.user() // makes the connections
	server.Do("CONFIG", "RESETSTAT")
	for range 10 {
		if phone.user() == "" {
			t.Fatal("the phone is not logged in")
		}
	}
	calls := server.Calls()
	delete(calls, "config|resetstat")
	delete(calls, "info")
	delete(calls, "ping")
	if want := map[string]string{"get": "10", "hgetall": "10"}; !maps.Equal(calls, want) {
		t.Errorf("10 requests: commands = %v, want %v", calls, want)
	}
}

func TestThreat42RedisAway(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	w := newWorld(t, onRedis(t, server.Addr), withMini, (&texts{}).sends)
	w.loginInside() // so that the phone needs no page but the confirm page
	calls, s := newRouteCalls(w, "wang")
	desktop, phone, member := calls.desktop, calls.phone, calls.member
	callback := phone.callback(s)
	calls.callback = callback
	server.Kill()
	answers := calls.unavailable()
	answers["gated page"] = []answer{member.get("/account")}
	for name, list := range answers {
		checkAway(t, name, list[0])
		for _, c := range list[0].Cookies() {
			if c.Name == "__Host-session" {
				t.Errorf("%s while Redis is down: the session cookie is set, want no change", name)
			}
		}
	}
	server.Restart()
	// Each broken connection in the pools may cost one error.
	if !within(patience, func() bool { return member.get("/account").StatusCode == http.StatusOK }) {
		t.Error("after the outage the member is logged out, want the session from before")
	}
	if !within(patience, func() bool { return phone.open(callback).Request.URL.Path == s.confirmURL() }) {
		t.Error("after the outage the callback does not lead to the confirm page")
	}
	phone.answer(s, "approve")
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish after the outage: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
}

func TestThreat33RedisHoldsNoToken(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, onRedis(t, server.Addr()))
	desktop, phone := w.desktop(), w.phone("lin")
	w.scanLogin(desktop, phone)
	dump := server.Dump() + strings.Join(server.Keys(), " ")
	u, _ := url.Parse(appURL)
	for _, b := range []*browser{desktop, phone} {
		for _, c := range b.client.Jar.Cookies(u) {
			if strings.Contains(dump, c.Value) {
				t.Errorf("Redis holds the value of the cookie %s, want only hashes", c.Name)
			}
		}
	}
}

// scannedLogin is a login that waits for the phone's consent.
type scannedLogin struct {
	desktop, phone *browser
	scan           scan
}

// waitForApproval polls as a page does until the login is approved. A poll may fail with
// 503.
func (l scannedLogin) waitForApproval(t *testing.T) {
	for seen := "scanned"; seen != "approved"; {
		a, err := l.desktop.try(t.Context(), false, http.MethodGet, l.scan.StateURL+"?seen="+seen, "")
		switch {
		case err != nil:
			t.Errorf("poll: error = %v, want an answer", err)
			return
		case a.StatusCode == http.StatusOK:
			seen = strings.TrimSuffix(strings.TrimPrefix(a.body, `{"state":"`), `"}`)
		case a.StatusCode != http.StatusServiceUnavailable:
			t.Errorf("poll: status = %d, want %d or %d: %s", a.StatusCode, http.StatusOK, http.StatusServiceUnavailable, a.body)
			return
		default:
			pass(100 * time.Millisecond)
		}
	}
}

// approve loads the confirm page and submits it. It reports whether the login is
// approved.
func (l scannedLogin) approve() bool {
	a := l.phone.get(l.scan.confirmURL())
	m := tokenPattern.FindStringSubmatch(a.body)
	if m == nil {
		return strings.Contains(a.body, "Done")
	}
	form := url.Values{"token": {m[1]}, "answer": {"approve"}}
	return l.phone.post(l.scan.confirmURL(), form).StatusCode == http.StatusSeeOther
}

// The listening connections are killed, and Redis crashes while logins are approved.
// Every desktop that waits still learns of its approval.
func TestWaitingOnRedisOverAnOutage(t *testing.T) {
	wallClock(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	w := twoProcesses(t, server.Addr)
	logins := make([]scannedLogin, crowd(10, 50))
	for i := range logins {
		l := scannedLogin{desktop: w.desktop(), phone: w.phone("lin")}
		l.desktop.agent = "Mozilla/5.0" // short
		l.desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &l.scan)
		l.phone.scan(l.scan)
		logins[i] = l
	}
	var waits sync.WaitGroup
	for _, l := range logins {
		waits.Go(func() { l.waitForApproval(t) })
	}
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	for i, l := range logins {
		if i == len(logins)/2 {
			server.Kill()
			server.Restart()
		}
		if !within(patience, l.approve) {
			t.Fatalf("login %d is not approved within %v", i, patience)
		}
	}
	begun := time.Now()
	waits.Wait()
	if took := time.Since(begun); took > patience {
		t.Errorf("the last desktop learned of its approval after %v, want at most %v", took, patience)
	}
	for i, l := range logins {
		// A desktop that lost the answer asks again, and gets the same session.
		first, second := l.desktop.finish(l.scan), l.desktop.finish(l.scan)
		for n, a := range []answer{first, second} {
			if a.StatusCode != http.StatusSeeOther {
				t.Errorf("login %d: finish %d: status = %d, want %d", i, n+1, a.StatusCode, http.StatusSeeOther)
			}
		}
		if got, want := sessionCookie(second), sessionCookie(first); got == nil || want == nil || got.Value != want.Value {
			t.Errorf("login %d: second finish: cookie = %v, want %v of the first", i, got, want)
		}
	}
}
