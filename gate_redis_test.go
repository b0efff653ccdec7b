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

// onRedis keeps everything in Redis.
func onRedis(t *testing.T, addr string) func(*scangate.Config) {
	pool := redisPool(t, addr)
	return func(c *scangate.Config) { c.Users, c.Redis = nil, pool }
}

// twoProcesses returns two worlds that share one Redis and one WeChat, as two
// processes of an application do: requests to the first go to either, in turn.
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

// tryLogins does scan logins at once, each with a wait at either process. A login
// that is not approved within 30 seconds is an error: without the bound its browser
// would wait until the login expires.
func tryLogins(t *testing.T, w *world, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var logins sync.WaitGroup
	for i := range n {
		d, p := w.desktop(), w.phone([]string{"lin", "wang", "yueyue", "chen"}[i%4])
		logins.Go(func() {
			var s scan
			d.postJSON("/wechat/login", `{"return_to":"/account"}`, &s)
			news := make(chan string, 1)
			go func() { news <- d.outcome(ctx, s) }()
			p.scan(s)
			if a := p.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
				t.Errorf("approving: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
				cancel()
			}
			if got := <-news; got != "approved" {
				t.Errorf("the desktop waits for the login: state %q, want %q", got, "approved")
			}
			if a := d.finish(s); a.StatusCode != http.StatusSeeOther {
				t.Errorf("finish: %d", a.StatusCode)
			}
			if d.user() == "" {
				t.Error("not logged in")
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
		tryLogins(t, twoProcesses(t, miniredis.RunT(t).Addr()), 20)
	})
	t.Run("redis-server", func(t *testing.T) {
		tryLogins(t, twoProcesses(t, startRedis(t).addr), 200)
	})
}

func TestRequestOnRedisCosts(t *testing.T) {
	server := startRedis(t)
	w := newWorld(t, onRedis(t, server.addr))
	p := w.phone("lin")
	p.open("/account")
	p.user() // connections are made
	server.do("CONFIG", "RESETSTAT")
	for range 10 {
		if p.user() == "" {
			t.Fatal("not logged in")
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

func TestThreat42RedisAway(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	w := newWorld(t, onRedis(t, server.addr))
	d, p, in := w.desktop(), w.phone("lin"), w.phone("wang")
	in.open("/account")
	s := d.start()
	callback := p.callback(s)
	server.kill()
	for name, a := range map[string]answer{
		"login": d.get("/wechat/login"), "login JSON": d.postJSON("/wechat/login", `{}`, nil), "state": d.get(s.StateURL), "QR": d.get(s.QRURL),
		"scan": p.get(s.ScanURL), "callback": p.get(callback), "confirm": p.get(s.confirmURL()), "finish": d.finish(s),
		"gated": in.get("/account"), "me": in.get("/wechat/me"), "logout": in.post("/wechat/logout", nil),
	} {
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		for _, c := range a.Cookies() {
			if c.Name == "__Host-session" {
				t.Errorf("%s: the session's cookie is changed", name)
			}
		}
	}
	server.start()
	// The pools find their broken connections one by one, each at a cost of one
	// error at most.
	if !within(5*time.Second, func() bool { return in.get("/account").StatusCode == http.StatusOK }) {
		t.Error("somebody was logged out")
	}
	if !within(5*time.Second, func() bool { return p.open(callback).Request.URL.Path == s.confirmURL() }) {
		t.Error("the login does not go on")
	}
	p.answer(s, "approve")
	if a := d.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("finish: %d\n%s", a.StatusCode, a.body)
	}
}

func TestThreat33RedisHoldsNoToken(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, onRedis(t, server.Addr()))
	d, p := w.desktop(), w.phone("lin")
	w.scanLogin(d, p)
	dump := server.Dump() + strings.Join(server.Keys(), " ")
	u, _ := url.Parse(appURL)
	for _, b := range []*browser{d, p} {
		for _, c := range b.client.Jar.Cookies(u) {
			if strings.Contains(dump, c.Value) {
				t.Errorf("Redis holds the cookie %s", c.Name)
			}
		}
	}
}

func TestWaitingOnRedisOverAnOutage(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	w := twoProcesses(t, server.addr)
	type login struct {
		d, p *browser
		s    scan
	}
	logins := make([]login, 50)
	for i := range logins {
		l := login{d: w.desktop(), p: w.phone("lin")}
		l.d.agent = "Mozilla/5.0" // short
		l.d.postJSON("/wechat/login", `{"return_to":"/account"}`, &l.s)
		l.p.scan(l.s)
		logins[i] = l
	}
	var waits sync.WaitGroup
	for _, l := range logins {
		waits.Go(func() {
			for seen := "scanned"; seen != "approved"; {
				a, err := l.d.try(t.Context(), false, http.MethodGet, l.s.StateURL+"?seen="+seen, "")
				switch {
				case err != nil:
					t.Error(err)
					return
				case a.StatusCode == http.StatusOK:
					seen = strings.TrimSuffix(strings.TrimPrefix(a.body, `{"state":"`), `"}`)
				case a.StatusCode != http.StatusServiceUnavailable:
					t.Errorf("waiting: %d %s", a.StatusCode, a.body)
					return
				default:
					pass(100 * time.Millisecond)
				}
			}
		})
	}
	server.do("CLIENT", "KILL", "TYPE", "pubsub")
	for i, l := range logins {
		if i == len(logins)/2 {
			server.kill()
			server.start()
		}
		approved := within(10*time.Second, func() bool {
			a := l.p.get(l.s.confirmURL())
			m := tokenPattern.FindStringSubmatch(a.body)
			if m == nil {
				return strings.Contains(a.body, "Done")
			}
			form := url.Values{"token": {m[1]}, "answer": {"approve"}}
			return l.p.post(l.s.confirmURL(), form).StatusCode == http.StatusSeeOther
		})
		if !approved {
			t.Fatalf("login %d can't be approved", i)
		}
	}
	begun := time.Now()
	waits.Wait()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the last browser was told %v after its approval", took)
	}
	for _, l := range logins {
		if a := l.d.finish(l.s); a.StatusCode != http.StatusSeeOther {
			t.Errorf("finish: %d", a.StatusCode)
		}
		if a := l.d.finish(l.s); a.StatusCode != http.StatusConflict {
			t.Errorf("finish again: %d", a.StatusCode)
		}
	}
}
