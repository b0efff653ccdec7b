package scangate_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/scscodec"
)

// jsonCodec is an application's own codec.
type jsonCodec struct{}

type jsonSession struct {
	Deadline time.Time
	Values   map[string]any
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonSession{deadline, values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s jsonSession
	err := json.Unmarshal(b, &s)
	return s.Deadline, s.Values, err
}

// damagedWorld is a world with a phone whose session is damaged.
type damagedWorld struct {
	*world
	manager *scs.SessionManager
	store   *mapSessions
	phone   *browser
	user    string // the session's user
}

// newDamagedWorld returns one whose sessions use the codec.
func newDamagedWorld(t *testing.T, codec scs.Codec) *damagedWorld {
	t.Helper()
	store := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store, m.Codec = store, codec
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	user := phone.user()
	if user == "" || len(store.m) != 1 {
		t.Fatalf("login: user %q with %d sessions, want a user with one", user, len(store.m))
	}
	damaged := &damagedWorld{w, m, store, phone, user}
	damaged.damage()
	return damaged
}

// damage overwrites all stored sessions.
func (d *damagedWorld) damage() {
	for token := range d.store.m {
		d.store.m[token] = []byte("\x00\x02a record of another version")
	}
}

// warnings returns how often the gate has logged a damaged session.
func (d *damagedWorld) warnings() int {
	n := 0
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, "damaged session") {
			n++
		}
	}
	return n
}

// forEachCodec runs the test with the codecs of the gate, of scs and of an application.
func forEachCodec(t *testing.T, test func(*testing.T, *damagedWorld)) {
	for name, codec := range map[string]scs.Codec{"scscodec": scscodec.Codec{}, "gob": scs.GobCodec{}, "own": jsonCodec{}} {
		t.Run(name, func(t *testing.T) { test(t, newDamagedWorld(t, codec)) })
	}
}

// TestDamagedSessionIsNoSession sends requests with a damaged session. The gate treats
// them as requests without a session, and logs each.
func TestDamagedSessionIsNoSession(t *testing.T) {
	forEachCodec(t, func(t *testing.T, w *damagedWorld) {
		for i, c := range []struct {
			target, accept string
			status         int
			location       string
		}{
			{"/account", "text/html", http.StatusSeeOther, "/wechat/login?return_to=%2Faccount"},
			{"/account", "application/json", http.StatusUnauthorized, ""},
			{"/wechat/me", "application/json", http.StatusUnauthorized, ""},
			{"/wechat/link", "text/html", http.StatusSeeOther, "/wechat/login?return_to=%2Fwechat%2Flink"},
			{"/wechat/phone", "application/json", http.StatusUnauthorized, ""},
		} {
			a := w.phone.get(c.target, "Accept", c.accept)
			if a.StatusCode != c.status || a.location() != c.location {
				t.Errorf("GET %s as %s: %d to %q, want %d to %q", c.target, c.accept, a.StatusCode, a.location(), c.status, c.location)
			}
			if len(a.Cookies()) != 0 {
				t.Errorf("GET %s: cookies %v, want none: reading changes nothing", c.target, a.Cookies())
			}
			if got := w.warnings(); got != i+1 {
				t.Errorf("GET %s: %d warnings so far, want %d", c.target, got, i+1)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/", nil)
		for _, c := range w.phone.client.Jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		if _, err := w.gate.Check(r); !errors.Is(err, scangate.ErrLoginRequired) {
			t.Errorf("Check: error = %v, want %v", err, scangate.ErrLoginRequired)
		}
	})
}

func TestLogoutOfADamagedSession(t *testing.T) {
	for _, form := range []url.Values{nil, {"everywhere": {"true"}}} {
		forEachCodec(t, func(t *testing.T, w *damagedWorld) {
			a := w.phone.post("/wechat/logout", form)
			if a.StatusCode != http.StatusSeeOther || a.location() != "/" {
				t.Errorf("logout: %d to %q, want %d to /", a.StatusCode, a.location(), http.StatusSeeOther)
			}
			if c := sessionCookie(a); c == nil || c.MaxAge >= 0 {
				t.Errorf("logout: session cookie %v, want it removed", c)
			}
			// A process of another version may be able to read the record.
			if got := len(w.store.m); got != 0 {
				t.Errorf("logout: %d sessions are stored, want none", got)
			}
			if got := w.warnings(); got != 1 {
				t.Errorf("logout: %d warnings, want 1", got)
			}
		})
	}
}

func TestLoginReplacesADamagedSession(t *testing.T) {
	forEachCodec(t, func(t *testing.T, w *damagedWorld) {
		if a := w.phone.open("/wechat/login?return_to=/account"); a.StatusCode != http.StatusOK || a.body != "user "+w.user {
			t.Errorf("login: %d %q, want %d and user %s", a.StatusCode, a.body, http.StatusOK, w.user)
		}
		if got := len(w.store.m); got != 1 {
			t.Errorf("login: %d sessions are stored, want the new one alone", got)
		}
		if got := w.phone.user(); got != w.user {
			t.Errorf("the next request: user %q, want %q", got, w.user)
		}
	})
}

func TestScanLoginReplacesADamagedSession(t *testing.T) {
	store := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store = store
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	desktop, phone := w.desktop(), w.phone("lin")
	w.scanLogin(desktop, phone)
	for token := range store.m {
		store.m[token] = []byte("damaged")
	}
	w.scanLogin(desktop, phone)
	if got := desktop.user(); got == "" || len(store.m) != 1 {
		t.Errorf("second login: user %q with %d sessions, want a user with one", got, len(store.m))
	}
}

// TestGateSharesTheSessionOfLoadAndSave mounts the gate inside LoadAndSave. The gate works
// on a copy of the session manager: the application's own keeps its codec. The gate
// changes the session that LoadAndSave has loaded.
func TestGateSharesTheSessionOfLoadAndSave(t *testing.T) {
	m := ownSessions()
	codec := m.Codec
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	if m.Codec != codec {
		t.Errorf("after New: the application's codec is %T, want %T", m.Codec, codec)
	}
	w.hosts = transportWith(w.hosts, m.LoadAndSave(application(w.gate)))
	phone := w.phone("lin")
	saved := 0
	// The gate's copy keeps the store from before, so this counts LoadAndSave alone.
	m.Store = &countedCommits{Store: m.Store, n: &saved}
	a := phone.open("/account")
	if phone.user() == "" || sessionCookie(a) != nil || saved != 1 {
		t.Errorf("login inside LoadAndSave: user %q, saved %d times by the application, want a user and once", phone.user(), saved)
	}
	a = phone.post("/wechat/logout", nil)
	if c := sessionCookie(a); phone.user() != "" || c == nil || c.MaxAge >= 0 {
		t.Errorf("logout inside LoadAndSave: user %q, session cookie %v, want none and it removed", phone.user(), c)
	}
}

// countedCommits counts the sessions that are saved.
type countedCommits struct {
	scs.Store
	n *int
}

func (c *countedCommits) Commit(token string, b []byte, expiry time.Time) error {
	*c.n++
	return c.Store.Commit(token, b, expiry)
}
