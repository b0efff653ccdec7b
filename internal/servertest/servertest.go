// Package servertest tests that the gate works the same behind every router. It does
// the same logins with each. It also checks that handlers behind the gate lose no
// ability: they can read and write the session, flush and hijack. Each of the
// example's servers calls [Run] in its tests.
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

// Build returns an application that serves the gate at /wechat/ and, behind the gate,
//
//	/account            a page with a form that logs out
//	/test/items/{id}    the ID, as the router's parameter
//	each of the routes  for all methods
type Build func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler

// SavedBeforeHijack is the name of a test. An application with scs's own LoadAndSave
// around its handlers fails it, because LoadAndSave saves the session of a hijacked
// connection only after the handler has returned.
const SavedBeforeHijack = "the session is saved before a handler hijacks the connection"

// Run runs the tests against the application on a real server. It leaves out the
// tests named in except.
func Run(t *testing.T, build Build, except ...string) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *site)
	}{
		{"requests without a login are refused", testLoggedOut},
		{"no spelling of a path bypasses the gate", testSpellings},
		{"a scan logs in the desktop and not the phone", testScan},
		{"in WeChat's browser no scan is needed", testInWeChat},
		{"WeChat's own page logs in", testWebsite},
		{"refusing on the phone ends the login", testDenied},
		{"refusing on WeChat's page ends the login", testCancelled},
		{"logging out ends the session", testLogout},
		{"the session keeps what handlers put into it", testSession},
		{"handlers see the router's parameters", testParameters},
		{"a stream arrives while the handler writes it", testStream},
		{"a handler can hijack the connection", testHijack},
		{SavedBeforeHijack, testHijackedSession},
	} {
		// Each test gets a site of its own, so that none depends on another.
		if !slices.Contains(except, tt.name) {
			t.Run(tt.name, func(t *testing.T) { tt.test(t, start(t, build, 0)) })
		}
	}
	t.Run("WriteTimeout cuts off a handler, but no waiting browser", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it waits for a WriteTimeout of 1 s to pass on the wall clock")
		}
		testWriteTimeout(t, start(t, build, time.Second))
	})
}

// site is an application on a server of its own, with a simulated WeChat that fails
// the test if the gate breaks the protocol.
type site struct {
	url        string // without a path
	wechat     *wechattest.Server
	polled     chan struct{} // receives a value when a browser starts to wait
	release    chan struct{} // each value lets one stream continue
	endlessErr chan error    // receives the error that ended the endless route
}

// accounts returns the two WeChat accounts of every site.
func accounts() (official, website wechat.Account) {
	return wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"},
		wechat.Account{AppID: "wx0000000000000002", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
}

// start serves the application until the test ends. A writeTimeout of 0 means none.
func start(t *testing.T, build Build, writeTimeout time.Duration) *site {
	t.Helper()
	official, website := accounts()
	s := &site{
		wechat: wechattest.NewServer(t, wechattest.App{Account: official}, wechattest.App{Account: website, Website: true}),
		// Buffered, so that the handlers never wait for a test that does not read.
		polled:     make(chan struct{}, 10),
		release:    make(chan struct{}),
		endlessErr: make(chan error, 1),
	}
	// Not started yet: the gate needs the server's address first.
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s.url = "http://" + server.Listener.Addr().String()
	log := &syncBuffer{}
	sessions := newSessions()
	gate, err := scangate.New(scangate.Config{
		PublicURL:       s.url,
		OfficialAccount: official,
		Website:         website,
		WeChat:          scangate.WeChat{Endpoint: s.wechat.Endpoint()},
		Session:         scangate.Session{Manager: sessions},
		Users:           s.users(t),
		Logger:          slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gate.Close() // never fails
		// The gate warns if a router or a middleware breaks its assumptions.
		if text := log.String(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
			t.Errorf("the gate logged a warning or an error, want none:\n%s", text)
		}
	})
	server.Config.WriteTimeout = writeTimeout
	server.Config.Handler = s.watch(build(gate, sessions, s.routes(sessions)))
	server.Start()
	return s
}

// newSessions returns a session manager with an IdleTimeout. With one, scs saves the
// session after every request, changed or not. That is the harder case for the gate.
func newSessions() *scs.SessionManager {
	sessions := scs.New()
	// scs.New's own store has a goroutine that a test cannot stop. This one has not.
	sessions.Store = memstore.NewWithCleanupInterval(0)
	sessions.IdleTimeout = time.Hour
	return sessions
}

// users returns a store with every person of the simulator as a user.
func (s *site) users(t *testing.T) scangate.UserStore {
	t.Helper()
	users := scangate.NewMemoryStore()
	official, website := accounts()
	// Each person is registered at both accounts. A new person would have to answer
	// more questions, which other tests cover.
	for _, person := range wechattest.People() {
		identity := func(account wechat.Account) scangate.Identity {
			return scangate.Identity{AppID: account.AppID, OpenID: s.wechat.OpenID(person.ID, account.AppID)}
		}
		user, err := users.Register(t.Context(), scangate.NewUser{Identity: identity(official), Nickname: person.Nickname})
		if err == nil {
			err = users.LinkWeChat(t.Context(), user.ID, identity(website))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return users
}

// watch signals s.polled whenever a browser asks for the state of a login.
func (s *site) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/state") {
			select {
			case s.polled <- struct{}{}:
			default: // full: this test does not read the channel
			}
		}
		next.ServeHTTP(w, r)
	})
}

// syncBuffer is a buffer that handlers write to while the test reads it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns the text written so far.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
