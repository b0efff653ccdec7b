package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redistest"
)

// holds returns the number of the server that has a key which contains the text, or -1.
func holds(t *testing.T, servers []*redistest.Server, text string) int {
	t.Helper()
	for i, server := range servers {
		keys, err := redis.Strings(server.Do("KEYS", "*"+text+"*"), nil)
		if err != nil {
			t.Fatalf("keys of server %d: %v", i+1, err)
		}
		if len(keys) > 0 {
			return i
		}
	}
	return -1
}

// checkShare demands that an answer is 503 with Retry-After if its record was on the server
// that is down, and has the usual status otherwise.
func checkShare(t *testing.T, what string, a answer, down bool, usual int) {
	t.Helper()
	if down && (a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "") {
		t.Errorf("%s on the server that is down: status = %d, Retry-After = %q, want %d and a time",
			what, a.StatusCode, a.Header.Get("Retry-After"), http.StatusServiceUnavailable)
	}
	if !down && a.StatusCode != usual {
		t.Errorf("%s on another server: status = %d, want %d\n%s", what, a.StatusCode, usual, a.body)
	}
}

// sharedLogin is a scanned login, and the number of its server.
type sharedLogin struct {
	scannedLogin
	server int
}

// One of three servers crashes. The logins on it get 503, all others are finished. When it
// is back, its logins are finished too.
func TestIssue17LoginsWhileOneServerIsDown(t *testing.T) {
	servers, addrs := startServers(t)
	w := newWorld(t, func(c *scangate.Config) { c.State = shards(t, shardStores(t, "", addrs)) })
	var logins []sharedLogin
	var counts [3]int
	for counts[0] < 4 || counts[1] < 4 || counts[2] < 4 {
		l := sharedLogin{scannedLogin: scannedLogin{desktop: w.desktop(), phone: w.phone("lin")}}
		l.scan = l.desktop.start()
		l.phone.scan(l.scan)
		l.server = holds(t, servers, ":login:"+l.scan.ID)
		counts[l.server]++
		logins = append(logins, l)
	}
	servers[1].Kill()
	for _, l := range logins {
		down := l.server == 1
		checkShare(t, "state", l.desktop.get(l.scan.StateURL), down, http.StatusOK)
		checkShare(t, "QR code", l.desktop.get(l.scan.QRURL), down, http.StatusOK)
		checkShare(t, "login page again", l.desktop.get("/wechat/login"), down, http.StatusOK)
		checkShare(t, "confirm page", l.phone.get(l.scan.confirmURL()), down, http.StatusOK)
		if !down {
			l.complete(t)
		}
	}
	if want := "server 2 of 3: Redis: "; !strings.Contains(w.log.String(), want) {
		t.Errorf("log = %s\nwant a line with %q", w.log.String(), want)
	}
	servers[1].Restart()
	for _, l := range logins {
		if l.server == 1 && within(patience, l.approve) {
			l.finish(t)
		} else if l.server == 1 {
			t.Errorf("approve after the outage: no success within %v", patience)
		}
	}
}

// complete approves and finishes the login.
func (l sharedLogin) complete(t *testing.T) {
	t.Helper()
	if !l.approve() {
		t.Errorf("approve of a login on server %d: not approved, want it approved", l.server+1)
	}
	l.finish(t)
}

// finish ends the login with a session.
func (l sharedLogin) finish(t *testing.T) {
	t.Helper()
	if a := l.desktop.finish(l.scan); a.StatusCode != http.StatusSeeOther || l.desktop.user() == "" {
		t.Errorf("finish of a login on server %d: status = %d, want a session\n%s", l.server+1, a.StatusCode, a.body)
	}
}

// While one of three servers is down, about a third of the new logins get 503. All others go
// from the first page to the session.
func TestIssue17NewLoginsWhileOneServerIsDown(t *testing.T) {
	servers, addrs := startServers(t)
	w := newWorld(t, apart, func(c *scangate.Config) { c.State = shards(t, shardStores(t, "", addrs)) })
	servers[2].Kill()
	const n = 120
	refused := 0
	for range n {
		desktop := w.desktop()
		if a := desktop.get("/wechat/login?return_to=%2Faccount"); a.StatusCode == http.StatusServiceUnavailable {
			refused++
			continue
		}
		w.scanLogin(desktop, w.phone("lin"))
	}
	if refused < n/6 || refused > n/2 {
		t.Errorf("new logins with 503 = %d of %d, want about a third", refused, n)
	}
}

// Sessions on the server that is down get 503, all others are served. No cookie is removed,
// so all users are logged in when the server is back.
func TestIssue17SessionsWhileOneServerIsDown(t *testing.T) {
	servers, addrs := startServers(t)
	w := newWorld(t, func(c *scangate.Config) {
		for _, addr := range addrs {
			c.Session.Redis = append(c.Session.Redis, redisPool(t, addr))
		}
	})
	members, counts := make(map[*browser]int), [3]int{}
	for counts[0] < 4 || counts[1] < 4 || counts[2] < 4 {
		before := sessionKeys(servers)
		phone := w.phone("lin")
		phone.open("/account")
		for i, after := range sessionKeys(servers) {
			if after > before[i] {
				members[phone] = i
				counts[i]++
			}
		}
	}
	servers[0].Kill()
	for phone, server := range members {
		a := phone.get("/account")
		checkShare(t, "page", a, server == 0, http.StatusOK)
		if sessionCookie(a) != nil {
			t.Errorf("page of a member on server %d: the session cookie is set, want no change", server+1)
		}
	}
	if a := w.desktop().get("/"); a.StatusCode != http.StatusOK {
		t.Errorf("public page: status = %d, want %d", a.StatusCode, http.StatusOK)
	}
	for _, want := range []string{"server 1 of 3: Redis: ", `msg="scangate: Redis for sessions went away" server="1 of 3"`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("log = %s\nwant a line with %q", w.log.String(), want)
		}
	}
	servers[0].Restart()
	for phone, server := range members {
		if !within(patience, func() bool { return phone.get("/account").StatusCode == http.StatusOK }) {
			t.Errorf("after the outage: a member with a session on server %d is logged out, want the session from before", server+1)
		}
	}
}

// sessionKeys returns how many sessions each server has.
func sessionKeys(servers []*redistest.Server) (counts [3]int) {
	for i, server := range servers {
		keys, _ := redis.Strings(server.Do("KEYS", "scangate:session:*"), nil)
		counts[i] = len(keys)
	}
	return counts
}

// Ping asks every server, for logins and for sessions.
func TestIssue17PingAsksAllServers(t *testing.T) {
	servers, addrs := startServers(t)
	w := newWorld(t, onShards(t, addrs))
	if err := w.gate.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v, want no error", err)
	}
	for i, server := range servers {
		server.Kill()
		err := w.gate.Ping(t.Context())
		checkErrorText(t, "Ping", err)
		name := []string{"server 1 of 3: ", "server 2 of 3: ", "server 3 of 3: "}[i]
		for _, want := range []string{"Config.State: " + name, "Config.Session.Manager.Store: " + name} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Ping while server %d is down: %v, want %q", i+1, err, want)
			}
		}
		server.Restart()
		if !within(patience, func() bool { return w.gate.Ping(t.Context()) == nil }) {
			t.Errorf("Ping after the outage of server %d: %v, want no error", i+1, w.gate.Ping(t.Context()))
		}
	}
}

// The announcements of ended sessions are on one server. While it is down, no user in memory
// counts, and ending sessions fails. The other requests are served.
func TestIssue17EndedSessionsReachOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := make([]*failingState, 3)
		for i := range servers {
			servers[i] = &failingState{StateStore: scangate.NewMemoryStore()}
		}
		p := newProcessesOn(t, shards(t, servers))
		desktops, ids := p.loggedIn(t, 2)
		p.end(t, ids[0])
		pass(elsewhere)
		checkOut(t, "2 seconds later, in the other process", p.second, desktops[:1])

		away := errors.New("connection refused")
		failed := 0
		for _, server := range servers {
			server.err.Store(&away)
			pass(elsewhere)
			before := p.second.reads()
			for range 3 {
				if got := desktops[1].at(p.second).user(); got != ids[1] {
					t.Errorf("page while one server is down: user = %q, want %q", got, ids[1])
				}
			}
			if p.second.reads()-before == 3 {
				failed++
				if err := p.first.gate.EndSessions(t.Context(), ids[1]); !errors.Is(err, away) {
					t.Errorf("EndSessions while the server of the announcements is down: error = %v, want %v", err, away)
				}
			}
			server.err.Store(nil)
		}
		if failed != 1 {
			t.Errorf("servers whose outage makes every request read the user = %d, want 1", failed)
		}
	})
}

// hangingState is a store whose Add fails after 3 seconds, as that of a RedisStore does if
// the server does not answer.
type hangingState struct {
	scangate.StateStore
	calls atomic.Int32
}

func (s *hangingState) Add(ctx context.Context, _ string, _ time.Duration) (int64, error) {
	s.calls.Add(1)
	select {
	case <-time.After(3 * time.Second):
		return 0, errors.New("no answer")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// While no server answers, Add tries each once and returns an error.
func TestIssue17CountingWhileAllServersHang(t *testing.T) {
	for n := 2; n <= 5; n++ {
		synctest.Test(t, func(t *testing.T) {
			servers := make([]*hangingState, n)
			for i := range servers {
				servers[i] = &hangingState{}
			}
			state := shards(t, servers)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			begun := time.Now()
			_, err := state.Add(ctx, "key", time.Minute)
			if took, limit := time.Since(begun), time.Duration(n)*3*time.Second; err == nil || took > limit {
				t.Errorf("Add at %d hanging servers: error = %v after %v, want one within %v", n, err, took, limit)
			}
			for i, server := range servers {
				if got := server.calls.Load(); got > 1 {
					t.Errorf("calls of server %d of %d = %d, want at most one", i+1, n, got)
				}
			}
		})
	}
}
