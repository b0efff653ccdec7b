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
)

// onRedis is an option of newWorld. It keeps everything in Redis.
func onRedis(t *testing.T, addr string) func(*scangate.Config) {
	pool := redisPool(t, addr)
	return func(c *scangate.Config) { c.Users, c.Redis = nil, pool }
}

// twoProcesses returns a world whose requests go to two gates in turn. The gates share
// one Redis and one WeChat, as two processes of an application do.
func twoProcesses(t *testing.T, addr string) *world {
	one := newWorld(t, onRedis(t, addr))
	two := newWorld(t, onRedis(t, addr), func(c *scangate.Config) { c.HTTPClient = &http.Client{Transport: one.hosts} })
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

// tryLogins does n scan logins at once. A login that is not approved within 30 seconds
// is an error: without the bound its desktop would wait until the login expires.
func tryLogins(t *testing.T, w *world, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var logins sync.WaitGroup
	for i := range n {
		desktop, phone := w.desktop(), w.phone([]string{"lin", "wang", "yueyue", "chen"}[i%4])
		logins.Go(func() {
			var login scan
			desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &login)
			outcome := make(chan string, 1)
			go func() { outcome <- desktop.outcome(ctx, login) }()
			phone.scan(login)
			if a := phone.answer(login, "approve"); a.StatusCode != http.StatusSeeOther {
				t.Errorf("approve: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
				cancel()
			}
			if got := <-outcome; got != "approved" {
				t.Errorf("the desktop waits for the login: state = %q, want %q", got, "approved")
			}
			if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther {
				t.Errorf("finish: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
			}
			if desktop.user() == "" {
				t.Error("finish: the desktop is not logged in")
			}
		})
	}
	logins.Wait()
}

// outcome waits until a login is neither waiting nor scanned. It returns the state, or
// the error with which waiting ends.
func (b *browser) outcome(ctx context.Context, login scan) string {
	got := struct{ State string }{"waiting"}
	for got.State == "waiting" || got.State == "scanned" {
		a, err := b.try(ctx, false, http.MethodGet, login.StateURL+"?seen="+got.State, "")
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
		tryLogins(t, twoProcesses(t, miniredis.RunT(t).Addr()), 20)
	})
	t.Run("redis-server", func(t *testing.T) {
		tryLogins(t, twoProcesses(t, startRedis(t).addr), 200)
	})
}

func TestRequestOnRedisCosts(t *testing.T) {
	server := startRedis(t)
	w := newWorld(t, onRedis(t, server.addr))
	phone := w.phone("lin")
	phone.open("/account")
	phone.user() // makes the connections
	server.do("CONFIG", "RESETSTAT")
	for i := range 10 {
		if phone.user() == "" {
			t.Fatalf("request %d: not logged in, want logged in", i+1)
		}
	}
	calls := server.calls()
	delete(calls, "config|resetstat")
	delete(calls, "info")
	delete(calls, "ping")
	if want := map[string]string{"get": "10", "hgetall": "10"}; !maps.Equal(calls, want) {
		t.Errorf("10 requests: commands %v, want %v", calls, want)
	}
}

// TestThreat42RedisAway stops Redis in the middle of a login, and starts it again. No
// browser loses its session or its login.
func TestThreat42RedisAway(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	w := newWorld(t, onRedis(t, server.addr))
	desktop, phone, loggedIn := w.desktop(), w.phone("lin"), w.phone("wang")
	loggedIn.open("/account")
	login := desktop.start()
	callback := phone.callback(login)
	server.kill()
	for name, a := range map[string]answer{
		"login": desktop.get("/wechat/login"), "login JSON": desktop.postJSON("/wechat/login", `{}`, nil),
		"state": desktop.get(login.StateURL), "QR": desktop.get(login.QRURL), "finish": desktop.finish(login),
		"scan": phone.get(login.ScanURL), "callback": phone.get(callback), "confirm": phone.get(login.confirmURL()),
		"gated": loggedIn.get("/account"), "me": loggedIn.get("/wechat/me"), "logout": loggedIn.post("/wechat/logout", nil),
	} {
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s without Redis: status = %d, Retry-After = %q, want 503 and a time", name, a.StatusCode, a.Header.Get("Retry-After"))
		}
		if c := sessionCookie(a); c != nil {
			t.Errorf("%s without Redis: session cookie %v, want it left alone", name, c)
		}
	}
	server.start()
	// Each broken connection in the pools costs at most one error.
	if !within(5*time.Second, func() bool { return loggedIn.get("/account").StatusCode == http.StatusOK }) {
		t.Error("GET /account 5 s after the restart: not logged in, want the session from before")
	}
	if !within(5*time.Second, func() bool { return phone.open(callback).Request.URL.Path == login.confirmURL() }) {
		t.Errorf("callback 5 s after the restart: the phone is not at %s", login.confirmURL())
	}
	phone.answer(login, "approve")
	if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
}

func TestThreat33RedisHoldsNoToken(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, onRedis(t, server.Addr()))
	desktop, phone := w.desktop(), w.phone("lin")
	w.scanLogin(desktop, phone)
	dump := server.Dump() + strings.Join(server.Keys(), " ")
	u, _ := url.Parse(appURL)
	for name, b := range map[string]*browser{"desktop": desktop, "phone": phone} {
		for _, c := range b.client.Jar.Cookies(u) {
			if strings.Contains(dump, c.Value) {
				t.Errorf("after a login: Redis holds the %s's cookie %s, want no cookie", name, c.Name)
			}
		}
	}
}

// scannedLogin is a login between its scan and its approval.
type scannedLogin struct {
	desktop, phone *browser
	scan
}

// newScannedLogin begins a login and scans it.
func newScannedLogin(w *world) scannedLogin {
	l := scannedLogin{desktop: w.desktop(), phone: w.phone("lin")}
	l.desktop.agent = "Mozilla/5.0" // short
	l.desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &l.scan)
	l.phone.scan(l.scan)
	return l
}

// wait waits on the desktop until the login is approved, and tries again while the gate
// answers 503.
func (l scannedLogin) wait(t *testing.T) {
	for seen := "scanned"; seen != "approved"; {
		a, err := l.desktop.try(t.Context(), false, http.MethodGet, l.StateURL+"?seen="+seen, "")
		switch {
		case err != nil:
			t.Errorf("waiting: error = %v, want none", err)
			return
		case a.StatusCode == http.StatusOK:
			seen = strings.TrimSuffix(strings.TrimPrefix(a.body, `{"state":"`), `"}`)
		case a.StatusCode != http.StatusServiceUnavailable:
			t.Errorf("waiting: %d %s, want 200 or 503", a.StatusCode, a.body)
			return
		default:
			pass(100 * time.Millisecond)
		}
	}
}

// approve approves the login on the phone, and reports whether it is approved.
func (l scannedLogin) approve() bool {
	a := l.phone.get(l.confirmURL())
	token := tokenPattern.FindStringSubmatch(a.body)
	if token == nil {
		return strings.Contains(a.body, "Done")
	}
	form := url.Values{"token": {token[1]}, "answer": {"approve"}}
	return l.phone.post(l.confirmURL(), form).StatusCode == http.StatusSeeOther
}

// TestWaitingOnRedisOverAnOutage cuts the subscriptions of waiting desktops, and
// restarts Redis while their logins are approved. Each desktop receives its approval.
func TestWaitingOnRedisOverAnOutage(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	w := twoProcesses(t, server.addr)
	logins := make([]scannedLogin, 50)
	for i := range logins {
		logins[i] = newScannedLogin(w)
	}
	var waits sync.WaitGroup
	for _, l := range logins {
		waits.Go(func() { l.wait(t) })
	}
	server.do("CLIENT", "KILL", "TYPE", "pubsub")
	for i, l := range logins {
		if i == len(logins)/2 {
			server.kill()
			server.start()
		}
		if !within(10*time.Second, l.approve) {
			t.Fatalf("login %d of %d: not approved within 10 s", i+1, len(logins))
		}
	}
	begun := time.Now()
	waits.Wait()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the last desktop received its approval after %v, want at most 2s", took)
	}
	for i, l := range logins {
		if a := l.desktop.finish(l.scan); a.StatusCode != http.StatusSeeOther {
			t.Errorf("finish of login %d: status = %d, want %d", i+1, a.StatusCode, http.StatusSeeOther)
		}
		if a := l.desktop.finish(l.scan); a.StatusCode != http.StatusConflict {
			t.Errorf("second finish of login %d: status = %d, want %d", i+1, a.StatusCode, http.StatusConflict)
		}
	}
}
