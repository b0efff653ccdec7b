package goredis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
)

// open returns a store on the server at addr, which does not log.
func open(t *testing.T, addr, prefix string) *goredis.Store {
	t.Helper()
	return openPatiently(t, goredis.Options{Redis: redis.UniversalOptions{Addrs: []string{addr}}, Prefix: prefix})
}

func TestSessions(t *testing.T) {
	server := redistest.Start(t)
	redistest.Sessions(t, func(t *testing.T) scs.Store { return open(t, server.Addr, rand.Text()).Sessions("site") })
}

// A site's sessions have the keys of a gate on Config.Redis, and no other site sees them.
func TestSessionKeys(t *testing.T) {
	server := miniredis.RunT(t)
	store := open(t, server.Addr(), "app")
	site, other := store.Sessions("app.example.com/wechat"), store.Sessions("app.example.com/other")
	if err := site.Commit("token", []byte("value"), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if keys := server.Keys(); len(keys) != 1 || keys[0] != "app:session:app.example.com/wechat:token" {
		t.Errorf("keys in Redis = %q, want only \"app:session:app.example.com/wechat:token\"", keys)
	}
	if _, found, err := other.Find("token"); found || err != nil {
		t.Errorf("Find at another site = %t, %v, want nothing", found, err)
	}
	if ttl := server.TTL("app:session:app.example.com/wechat:token"); ttl <= 0 || ttl > time.Minute {
		t.Errorf("time to live = %v, want at most a minute", ttl)
	}
}

// After an outage all idle connections are broken. No session is lost to that.
func TestCaseE07SessionsSurviveBrokenConnections(t *testing.T) {
	server := miniredis.RunT(t)
	store := open(t, server.Addr(), "")
	sessions := store.Sessions("site")
	if err := sessions.Commit("token", []byte("value"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Commit": func() error { return sessions.Commit("token", []byte("value"), time.Now().Add(time.Hour)) },
		"Find": func() error {
			_, found, err := sessions.Find("token")
			if err == nil && !found {
				return errors.New("not found")
			}
			return err
		},
		"Delete": func() error { return sessions.Delete("none") },
	} {
		fill(t, store.Single(), 20)
		server.Close()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := call(); err != nil {
			t.Errorf("%s on a broken connection: error = %v, want none", name, err)
		}
	}
}

func TestCaseE07SessionErrorsNameRedis(t *testing.T) {
	server := miniredis.RunT(t)
	sessions := open(t, server.Addr(), "").Sessions("site")
	server.SetError("ERR unknown command 'GET', with args beginning with: 'scangate:session:token'")
	_, _, find := sessions.Find("token")
	for doing, err := range map[string]error{
		"reading": find, "writing": sessions.Commit("token", nil, time.Now().Add(time.Hour)), "deleting": sessions.Delete("token"),
	} {
		if want := "scangate: Redis: " + doing + " a session: ERR unknown command"; err == nil || err.Error() != want {
			t.Errorf("%s a session: error = %v, want %q", doing, err, want)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := sessions.FindCtx(canceled, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("FindCtx after its context: error = %v, want Canceled", err)
	}
}

func TestSessionManager(t *testing.T) {
	server := miniredis.RunT(t)
	store := open(t, server.Addr(), "")
	for publicURL, want := range map[string]string{"https://app.example.com": "__Host-session", "http://localhost:8080": "session"} {
		manager, err := store.SessionManager(publicURL, "")
		if err != nil || manager.Cookie.Name != want || !manager.HashTokenInStore {
			t.Errorf("SessionManager(%q): cookie %q, %v, want %q", publicURL, manager.Cookie.Name, err, want)
		}
	}
	for _, bad := range []string{"", "app.example.com", "ftp://app.example.com", "https://", "https://a b"} {
		if _, err := store.SessionManager(bad, ""); err == nil {
			t.Errorf("SessionManager(%q): error = nil, want one", bad)
		}
	}
	manager, _ := store.SessionManager("https://app.example.com", "")
	server.SetError("LOADING Redis is loading the dataset in memory")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: "token"})
	w := httptest.NewRecorder()
	manager.LoadAndSave(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "LOADING") {
		t.Errorf("request while Redis loads: status = %d, want %d", w.Code, http.StatusServiceUnavailable)
	}
}
