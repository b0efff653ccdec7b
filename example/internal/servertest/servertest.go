// Package servertest tests that the gate does the same behind every router: the
// same logins, and behind the gate all that a handler may do elsewhere. Each of
// the example's servers calls [Run] in its own tests.
package servertest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// Build returns an application around a gate, with the gate at /wechat/, and
// behind it
//
//	/account            a page with a form that logs out
//	/test/items/{id}    which answers with the id, as the router tells it
//	each of the routes  for all methods
type Build func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler

// TakenOver is the name of a test that an application fails behind scs's own
// LoadAndSave, which saves a session when the connection is given back.
const TakenOver = "a session is saved before its connection is taken over"

// Run runs all tests against the application, on a server that listens, but for
// those named.
func Run(t *testing.T, build Build, except ...string) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *site)
	}{
		{"strangers stay outside", testStrangers},
		{"no spelling of a path gets past the gate", testSpellings},
		{"a scan logs in the browser, and not the phone", testScan},
		{"inside WeChat it takes no scan", testInWeChat},
		{"WeChat's own page logs in", testWebsite},
		{"no on the phone is no", testDenied},
		{"no on WeChat's page is no", testCancelled},
		{"logging out ends the session", testLogout},
		{"what handlers put in the session stays", testSession},
		{"the router's parameters get through", testParameters},
		{"a stream arrives as it is written", testStream},
		{"a connection can be taken over", testHijack},
		{TakenOver, testHijackedSession},
	} {
		if !slices.Contains(except, tt.name) {
			t.Run(tt.name, func(t *testing.T) { tt.test(t, start(t, build, 0)) })
		}
	}
	t.Run("WriteTimeout cuts a handler, and no browser that waits", func(t *testing.T) {
		testWriteTimeout(t, start(t, build, time.Second))
	})
}

// site is an application on a server of its own, beside a WeChat that fails the
// test when the protocol is broken.
type site struct {
	url     string
	wechat  *wechattest.Server
	polled  chan struct{} // gets one for each browser that begins to wait
	release chan struct{} // lets go of the streams
	cut     chan error    // why the endless answer ended
}

// The accounts of every site.
func accounts() (official, website wechat.Account) {
	return wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"},
		wechat.Account{AppID: "wx0000000000000002", Secret: "simulated"}
}

// start serves the application until the test ends. Sessions have an
// IdleTimeout, with which scs saves them after each request, and so forgives
// nothing.
func start(t *testing.T, build Build, writeTimeout time.Duration) *site {
	t.Helper()
	official, website := accounts()
	s := &site{
		wechat:  wechattest.NewServer(t, wechattest.App{Account: official}, wechattest.App{Account: website, Website: true}),
		polled:  make(chan struct{}, 10),
		release: make(chan struct{}),
		cut:     make(chan error, 1),
	}
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s.url = "http://" + server.Listener.Addr().String()
	sessions := scs.New()
	sessions.Store = memstore.NewWithCleanupInterval(0) // starts no goroutine
	sessions.IdleTimeout = time.Hour
	log := &logs{}
	gate, err := scangate.New(scangate.Config{
		PublicURL:       s.url,
		OfficialAccount: official,
		Website:         website,
		Endpoint:        s.wechat.Endpoint(),
		Session:         scangate.Session{Manager: sessions},
		Users:           s.users(t),
		Logger:          slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gate.Close() // never fails
		if text := log.String(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
			t.Errorf("the gate complains:\n%s", text)
		}
	})
	server.Config.WriteTimeout = writeTimeout
	server.Config.Handler = s.watch(build(gate, sessions, s.routes(sessions)))
	server.Start()
	return s
}

// users returns a table of users who are known at both accounts already, so that
// the gate has nothing to ask them.
func (s *site) users(t *testing.T) scangate.UserStore {
	t.Helper()
	users := scangate.NewMemoryStore()
	official, website := accounts()
	for _, person := range wechattest.People() {
		at := func(account wechat.Account) scangate.Identity {
			return scangate.Identity{AppID: account.AppID, OpenID: s.wechat.OpenID(person.ID, account.AppID)}
		}
		user, err := users.Register(t.Context(), scangate.NewUser{Identity: at(official), Nickname: person.Nickname})
		if err == nil {
			err = users.LinkWeChat(t.Context(), user.ID, at(website))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return users
}

// watch tells of the browsers that begin to wait.
func (s *site) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/state") {
			select {
			case s.polled <- struct{}{}:
			default:
			}
		}
		next.ServeHTTP(w, r)
	})
}

// logs is a log that requests write and the test reads.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
