package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
)

// serialUsers is an application's table with one user, whose ID is "1" as in every
// other application's table.
type serialUsers struct{ scangate.UserStore }

func (serialUsers) FindByID(_ context.Context, id string) (scangate.User, error) {
	if id != "1" {
		return scangate.User{}, scangate.ErrNotFound
	}
	return scangate.User{ID: "1"}, nil
}

func (u serialUsers) FindByWeChat(ctx context.Context, _ scangate.Identity) (scangate.User, error) {
	return u.FindByID(ctx, "1")
}

func (serialUsers) LinkWeChat(context.Context, string, scangate.Identity) error { return nil }

func withSerialUsers(c *scangate.Config) { c.Users = serialUsers{} }

// otherSites are applications whose users are others than those of newWorld's.
var otherSites = map[string]func(*scangate.Config){
	"another host":                func(c *scangate.Config) { c.PublicURL = "https://other.example.com" },
	"a host that ends like it":    func(c *scangate.Config) { c.PublicURL = "https://the.app.example.com" },
	"another port":                func(c *scangate.Config) { c.PublicURL = appURL + ":8443" },
	"another base path":           func(c *scangate.Config) { c.BasePath = "/staff" },
	"a base path that begins so":  func(c *scangate.Config) { c.BasePath = "/wechat/staff" },
	"another host and base path":  func(c *scangate.Config) { c.PublicURL, c.BasePath = "https://example.com", "/app/wechat" },
	"a host within the same name": func(c *scangate.Config) { c.PublicURL, c.BasePath = "https://app.example.co", "/m/wechat" },
}

// sameSites are configurations of the same application.
var sameSites = map[string]func(*scangate.Config){
	"another process":   func(*scangate.Config) {},
	"one more account":  withWebsite,
	"capital letters":   func(c *scangate.Config) { c.PublicURL = "https://APP.example.com/" },
	"the default path":  func(c *scangate.Config) { c.BasePath = "/wechat" },
	"another AppSecret": func(c *scangate.Config) { c.OfficialAccount.Secret = "fedcba9876543210fedcba9876543210" },
}

// sharedStores are the ways in which two applications come to share their sessions.
var sharedStores = map[string]func(t *testing.T) func(*scangate.Config){
	"one Redis with the default prefix": func(t *testing.T) func(*scangate.Config) {
		addr := miniredis.RunT(t).Addr()
		return func(c *scangate.Config) { c.Redis = redisPool(t, addr) }
	},
	"one scs store": func(*testing.T) func(*scangate.Config) {
		store := &mapSessions{m: map[string][]byte{}}
		return func(c *scangate.Config) {
			c.Session.Manager = ownSessions()
			c.Session.Manager.Store = store
		}
	},
	"one session manager": func(*testing.T) func(*scangate.Config) {
		m := ownSessions()
		return func(c *scangate.Config) { c.Session.Manager = m }
	},
}

// checkSites logs in at one site, and asks the gate of each of the others who sent the
// request.
func checkSites(t *testing.T, sites map[string]func(*scangate.Config), want error) {
	for sharing, shared := range sharedStores {
		for name, site := range sites {
			t.Run(sharing+", "+name, func(t *testing.T) {
				option := shared(t)
				w := newWorld(t, option, withSerialUsers)
				phone := w.phone("lin")
				last := phone.open("/account")
				other := newWorld(t, option, withSerialUsers, site)
				r := request(t, appURL+"/", last.Request.Header.Get("Cookie"))
				if user, err := w.gate.Check(r); err != nil || user.ID != "1" {
					t.Fatalf("Check at the gate of the login: user %q, %v, want 1", user.ID, err)
				}
				if user, err := other.gate.Check(r); !errors.Is(err, want) {
					t.Errorf("Check at the other gate: user %q, %v, want %v", user.ID, err, want)
				}
			})
		}
	}
}

func TestThreat69SessionOfAnotherGate(t *testing.T) {
	t.Parallel()
	checkSites(t, otherSites, scangate.ErrLoginRequired)
}

func TestCaseB01SameSiteKeepsItsUsers(t *testing.T) {
	t.Parallel()
	checkSites(t, sameSites, nil)
}

func TestCaseB01RedisKeysOfSessionsNameTheSite(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, func(c *scangate.Config) { c.Redis = redisPool(t, server.Addr()) })
	w.phone("lin").open("/account")
	conn, err := redis.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if keys, err := redis.Strings(conn.Do("KEYS", "scangate:session:app.example.com/wechat:*")); err != nil || len(keys) != 1 {
		t.Errorf("keys of sessions: %q, %v of %q, want one that names the site", keys, err, server.Keys())
	}
}

// gateValue returns the key and the value that the gate has put in the one session of
// the store, and the session's context.
func gateValue(t *testing.T, m *scs.SessionManager, store *mapSessions) (ctx context.Context, key, value string) {
	t.Helper()
	for token := range store.m {
		ctx, err := m.Load(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range m.Keys(ctx) {
			if strings.HasPrefix(key, "scangate") {
				return ctx, key, m.GetString(ctx, key)
			}
		}
	}
	t.Fatal("no session of the gate's")
	return nil, "", ""
}

// An application may copy values from one key to another.
func TestCaseB01ValueOfAnotherSiteCountsForNothing(t *testing.T) {
	m, store := plainSessions()
	option := func(c *scangate.Config) { c.Session.Manager = m }
	w := newWorld(t, option, withSerialUsers)
	phone := w.phone("lin")
	last := phone.open("/account")
	ctx, key, value := gateValue(t, m, store)
	if !strings.Contains(key, "app.example.com/wechat") || !strings.Contains(value, "app.example.com/wechat") {
		t.Errorf("session: %q = %q, want the site in both", key, value)
	}
	other := newWorld(t, option, withSerialUsers, otherSites["another base path"])
	m.Put(ctx, strings.Replace(key, "/wechat", "/staff", 1), value)
	if _, _, err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	r := request(t, appURL+"/", last.Request.Header.Get("Cookie"))
	if user, err := other.gate.Check(r); !errors.Is(err, scangate.ErrLoginRequired) {
		t.Errorf("Check with the first gate's value in the key of the second: user %q, %v, want %v", user.ID, err, scangate.ErrLoginRequired)
	}
}

// moveBegin changes when the one session of the store began.
func moveBegin(t *testing.T, m *scs.SessionManager, store *mapSessions, by time.Duration) {
	t.Helper()
	ctx, key, value := gateValue(t, m, store)
	fields := strings.SplitN(value, " ", 3)
	micro, err := strconv.ParseInt(fields[1], 36, 64)
	if err != nil {
		t.Fatal(err)
	}
	m.Put(ctx, key, fields[0]+" "+strconv.FormatInt(micro+by.Microseconds(), 36)+" "+fields[2])
	if _, _, err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestCaseB11SessionFromTheFuture(t *testing.T) {
	t.Parallel()
	for by, want := range map[time.Duration]int{
		0: http.StatusOK, 55 * time.Second: http.StatusOK, // clocks differ
		65 * time.Second: http.StatusUnauthorized, time.Hour: http.StatusUnauthorized, 1e5 * time.Hour: http.StatusUnauthorized,
	} {
		m, store := plainSessions()
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
		phone := w.phone("lin")
		phone.open("/account")
		user := phone.user()
		moveBegin(t, m, store, by)
		for _, target := range []string{"/account", "/wechat/me"} {
			if a := phone.get(target, "Accept", "application/json"); a.StatusCode != want {
				t.Errorf("session that begins in %v: GET %s answers %d, want %d", by, target, a.StatusCode, want)
			}
		}
		if want == http.StatusOK {
			continue
		}
		if w.logged("level=WARN", "future") == 0 {
			t.Errorf("session that begins in %v: no warning:\n%s", by, w.log)
		}
		if err := w.users.EndSessions(t.Context(), user, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := phone.user(); got != "" {
			t.Errorf("session that begins in %v, after the end of all sessions: user %q, want none", by, got)
		}
	}
}

// A login replaces a session from the future, with the data that another user left there.
func TestCaseB11LoginReplacesASessionFromTheFuture(t *testing.T) {
	m, store := plainSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	before := desktop.user()
	ctx, _, _ := gateValue(t, m, store)
	m.Put(ctx, "cart", "lin's")
	if _, _, err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	moveBegin(t, m, store, time.Hour)
	w.scanLogin(desktop, w.phone("wang"))
	if got := desktop.user(); got == "" || got == before {
		t.Errorf("after the login of another person: user %q, before %q, want another", got, before)
	}
	if ctx, _, _ := gateValue(t, m, store); m.Exists(ctx, "cart") || len(store.m) != 1 {
		t.Errorf("after the login: cart %q in %d sessions, want none in one", m.GetString(ctx, "cart"), len(store.m))
	}
}
