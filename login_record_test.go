package scangate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// loginRecords is a StateStore that lets a test replace the records of logins.
type loginRecords struct {
	scangate.StateStore
	mu   sync.Mutex
	keys []string // of logins, the oldest first
}

func (l *loginRecords) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(key, ":login:") {
		l.keys = append(l.keys, key)
	}
	return l.StateStore.Create(ctx, key, value, ttl)
}

// edit applies change to the latest login's record.
func (l *loginRecords) edit(t *testing.T, change func([]byte) []byte) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) == 0 {
		t.Fatal("the gate has stored no login")
	}
	key := l.keys[len(l.keys)-1]
	value, version, err := l.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load of the login: %v", err)
	}
	if err := l.Update(t.Context(), key, version, change(value), time.Hour); err != nil {
		t.Fatalf("Update of the login: %v", err)
	}
}

// text returns a text as a record holds it, after its length.
func text(s string) string { return string(binary.AppendUvarint(nil, uint64(len(s)))) + s }

// leased returns the part of a record that holds a callback's lease: the state that a
// failed exchange returns to, and the lease's end.
func leased(from string) string {
	return "\x02" + text(from) + string(binary.AppendVarint(nil, time.Now().Add(time.Minute).UnixNano()))
}

// replaced returns a change that replaces the last occurrence of each part, which
// has to be there.
func replaced(t *testing.T, pairs ...string) func([]byte) []byte {
	return func(value []byte) []byte {
		t.Helper()
		for i := 0; i+1 < len(pairs); i += 2 {
			at := bytes.LastIndex(value, []byte(pairs[i]))
			if at < 0 {
				t.Fatalf("the record does not hold %q: %q", pairs[i], value)
			}
			value = slices.Concat(value[:at], []byte(pairs[i+1]), value[at+len(pairs[i]):])
		}
		return value
	}
}

// These are parts of a record, in the order of its fields: first kind, purpose and
// state, later the target user, their name, the lease and the person.
var (
	waitingLogin    = text("cross") + text("") + text("waiting")
	identifiedLogin = text("cross") + text("") + text("identified")
	noLease         = noTarget + "\x00"
	noTarget        = text("") + text("")
	lin             = "\x02" + text(official.AppID) // the person follows
)

// checkUnknown demands that a login is unknown to every request about it, and that
// finishing it begins no session.
func checkUnknown(t *testing.T, desktop *browser, login scan) {
	t.Helper()
	for name, a := range map[string]answer{
		"state": desktop.get(login.StateURL), "finish": desktop.finish(login), "scan": desktop.get(login.ScanURL),
	} {
		if a.StatusCode != http.StatusNotFound || sessionCookie(a) != nil {
			t.Errorf("%s of a damaged login: status = %d, session cookie %v, want %d and none", name, a.StatusCode, sessionCookie(a), http.StatusNotFound)
		}
	}
	if got := desktop.user(); got != "" {
		t.Errorf("after a damaged login: user %q, want none", got)
	}
}

// TestDamagedWaitingLogin stores records whose parts do not fit together. Each is an
// unknown login.
func TestDamagedWaitingLogin(t *testing.T) {
	t.Parallel()
	end := noLease + "\x00\x00" // no person, no code
	kind, purpose, state := text("cross"), text(""), text("waiting")
	for _, c := range []struct {
		name  string
		pairs []string
	}{
		{"unknown kind", []string{waitingLogin, text("cruss") + purpose + state}},
		{"empty kind", []string{waitingLogin, text("") + purpose + state}},
		{"unknown purpose", []string{waitingLogin, kind + text("admin") + state}},
		{"link for no user", []string{waitingLogin, kind + text("link") + state}},
		{"phone for no user", []string{waitingLogin, kind + text("phone") + state}},
		{"unknown state", []string{waitingLogin, kind + purpose + text("admitted")}},
		{"empty state", []string{waitingLogin, kind + purpose + text("")}},
		{"identified without a person", []string{waitingLogin, identifiedLogin}},
		{"approved without a person", []string{waitingLogin, kind + purpose + text("approved")}},
		{"finished without a person", []string{waitingLogin, kind + purpose + text("finished")}},
		{"exchanging without a lease", []string{waitingLogin, kind + purpose + text("exchanging")}},
		{"leased when finished", []string{
			waitingLogin, kind + purpose + text("exchanging"), end, noTarget + leased("finished") + "\x00\x00",
		}},
		{"leased when identified, without a person", []string{
			waitingLogin, kind + purpose + text("exchanging"), end, noTarget + leased("identified") + "\x00\x00",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := &loginRecords{StateStore: scangate.NewMemoryStore()}
			w := newWorld(t, func(config *scangate.Config) { config.State = records })
			desktop := w.desktop()
			login := desktop.start()
			records.edit(t, replaced(t, c.pairs...))
			checkUnknown(t, desktop, login)
		})
	}
}

// TestDamagedIdentifiedLogin does the same to a login whose person is known.
func TestDamagedIdentifiedLogin(t *testing.T) {
	exchanging := text("cross") + text("") + text("exchanging")
	for _, c := range []struct {
		name  string
		pairs []string
	}{
		{"unknown kind", []string{identifiedLogin, text("cruss") + text("") + text("identified")}},
		{"exchanging without a lease", []string{identifiedLogin, exchanging}},
		{"leased when waiting, with a person", []string{
			identifiedLogin, exchanging, noLease + lin, noTarget + leased("waiting") + lin,
		}},
		{"leased when approved", []string{
			identifiedLogin, exchanging, noLease + lin, noTarget + leased("approved") + lin,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := &loginRecords{StateStore: scangate.NewMemoryStore()}
			w := newWorld(t, func(config *scangate.Config) { config.State = records })
			desktop := w.desktop()
			login := desktop.start()
			phone := w.phone("lin")
			phone.scan(login)
			records.edit(t, replaced(t, c.pairs...))
			checkUnknown(t, desktop, login)
			if a := phone.get(login.confirmURL()); a.StatusCode != http.StatusNotFound {
				t.Errorf("confirm page of a damaged login: status = %d, want %d", a.StatusCode, http.StatusNotFound)
			}
		})
	}
}

// TestEditedLoginIsKnown edits records in the same way, with parts that do fit
// together. Each is a login.
func TestEditedLoginIsKnown(t *testing.T) {
	t.Parallel()
	exchanging := text("cross") + text("") + text("exchanging")
	for _, c := range []struct {
		name  string
		scan  bool
		pairs []string
		want  string // the state that the desktop is shown
	}{
		{"waiting", false, nil, "waiting"},
		{"scanned", false, []string{waitingLogin, text("cross") + text("") + text("scanned")}, "waiting"},
		{"denied", false, []string{waitingLogin, text("cross") + text("") + text("denied")}, "denied"},
		{"link for a user", false, []string{
			waitingLogin, text("cross") + text("link") + text("waiting"), noLease + "\x00\x00", text("user") + text("") + "\x00\x00\x00",
		}, "waiting"},
		{"phone for a user", false, []string{
			waitingLogin, text("cross") + text("phone") + text("waiting"), noLease + "\x00\x00", text("user") + text("") + "\x00\x00\x00",
		}, "waiting"},
		{"leased when waiting", false, []string{
			waitingLogin, exchanging, noLease + "\x00\x00", noTarget + leased("waiting") + "\x00\x00",
		}, "waiting"},
		{"leased when scanned", false, []string{
			waitingLogin, exchanging, noLease + "\x00\x00", noTarget + leased("scanned") + "\x00\x00",
		}, "waiting"},
		{"identified", true, nil, "scanned"},
		{"leased when identified", true, []string{
			identifiedLogin, exchanging, noLease + lin, noTarget + leased("identified") + lin,
		}, "scanned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := &loginRecords{StateStore: scangate.NewMemoryStore()}
			w := newWorld(t, func(config *scangate.Config) { config.State = records })
			desktop := w.desktop()
			login := desktop.start()
			if c.scan {
				w.phone("lin").scan(login)
			}
			records.edit(t, replaced(t, c.pairs...))
			if got := desktop.state(login); got != c.want {
				t.Errorf("state of an edited login: %q, want %q", got, c.want)
			}
		})
	}
}

// TestRecordThatIsNotALogin replaces a whole record while a browser waits for its
// login. The login becomes unknown.
func TestRecordThatIsNotALogin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"of another format", func(b []byte) []byte { b[0]++; return b }},
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"with a byte more", func(b []byte) []byte { return append(b, 0) }},
		{"JSON", func([]byte) []byte { return []byte(`{"kind":"scan","state":"approved"}`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := &loginRecords{StateStore: scangate.NewMemoryStore()}
			w := newWorld(t, func(config *scangate.Config) { config.State = records })
			desktop := w.desktop()
			login := desktop.start()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			waited := make(chan string, 1)
			go func() {
				a, err := desktop.try(ctx, false, http.MethodGet, login.StateURL+"?seen=waiting", "")
				if err != nil {
					waited <- err.Error()
					return
				}
				waited <- a.Status
			}()
			if !within(10*time.Second, func() bool { return w.gate.Waiting() == 1 }) {
				t.Fatal("no request waits after 10 s, want one")
			}
			records.edit(t, c.change)
			if got, want := <-waited, "404 Not Found"; got != want {
				t.Errorf("state while waiting: %s, want %s", got, want)
			}
			checkUnknown(t, desktop, login)
		})
	}
}

// TestCallbackOfDamagedLogin calls back to a login whose kind is unknown. The gate does
// not exchange the code.
func TestCallbackOfDamagedLogin(t *testing.T) {
	records := &loginRecords{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(config *scangate.Config) { config.State = records })
	desktop, phone := w.desktop(), w.phone("lin")
	callback := phone.callback(desktop.start())
	scanned := text("") + text("scanned")
	records.edit(t, replaced(t, text("cross")+scanned, text("cruss")+scanned))
	if a := phone.get(callback); a.StatusCode != http.StatusNotFound {
		t.Errorf("callback of a damaged login: status = %d, want %d", a.StatusCode, http.StatusNotFound)
	}
	for _, event := range w.happened() {
		if event == string(scangate.EventIdentified) {
			t.Errorf("callback of a damaged login: event %q, want none", event)
		}
	}
}

// TestLoginPageAfterItsRecordIsGone reopens the login page after the browser's login
// has expired in the store. Its record lasts for 10 minutes, and the entry that names
// it for 15.
func TestLoginPageAfterItsRecordIsGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		begin func(desktop *browser) string // returns the login's ID
	}{
		{"by the page", func(desktop *browser) string {
			return desktop.get("/wechat/login?return_to=/account").find(desktop.t, statePattern)
		}},
		{"by a script", func(desktop *browser) string { return desktop.start().ID }},
	} {
		for _, after := range []time.Duration{10*time.Minute + time.Second, 14*time.Minute + 59*time.Second, 16 * time.Minute} {
			t.Run(c.name+" after "+after.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					desktop := w.desktop()
					gone := scan{ID: c.begin(desktop)}.urls()
					pass(after)
					if got := desktop.get(gone.StateURL).StatusCode; got != http.StatusNotFound {
						t.Errorf("state of the first login: status = %d, want %d", got, http.StatusNotFound)
					}
					fresh := c.begin(desktop)
					if fresh == gone.ID {
						t.Errorf("login page reopened: login = %s, want another one", fresh)
					}
					if again := c.begin(desktop); again != fresh {
						t.Errorf("login page reopened again: login = %s, want %s", again, fresh)
					}
					login := scan{ID: fresh}.urls()
					phone := w.phone("lin")
					phone.scan(login)
					phone.answer(login, "approve")
					if got := desktop.finish(login).StatusCode; got != http.StatusSeeOther || desktop.user() == "" {
						t.Errorf("finish of the new login: status = %d, user = %q, want %d and a user", got, desktop.user(), http.StatusSeeOther)
					}
				})
			})
		}
	}
}
