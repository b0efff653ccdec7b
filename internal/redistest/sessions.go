package redistest

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/session"
)

// Sessions tests a store of sessions. newStore returns one without sessions.
func Sessions(t *testing.T, newStore func(t *testing.T) scs.Store) {
	t.Run("values", func(t *testing.T) { testSessionValues(t, newStore(t)) })
	t.Run("end", func(t *testing.T) { testSessionEnd(t, newStore(t)) })
	t.Run("many at once", func(t *testing.T) { testManySessions(t, newStore(t)) })
	t.Run("ended meanwhile", func(t *testing.T) { testEndedSession(t, newStore(t)) })
}

// demandSession fails the test unless the store has the session with that value.
func demandSession(t *testing.T, store scs.Store, token string, want []byte) {
	t.Helper()
	got, found, err := store.Find(token)
	if err != nil || !found || !bytes.Equal(got, want) {
		t.Errorf("Find(%.20q) = %.20q, %t, %v, want %.20q", token, got, found, err, want)
	}
}

// demandNoSession fails the test if the store has the session.
func demandNoSession(t *testing.T, store scs.Store, token string) {
	t.Helper()
	if got, found, err := store.Find(token); err != nil || found {
		t.Errorf("Find(%.20q) = %.20q, %t, %v, want nothing", token, got, found, err)
	}
}

func testSessionValues(t *testing.T, store scs.Store) {
	later := time.Now().Add(time.Hour)
	for _, token := range []string{"token", "", "{x}", "}", "\x00\r\n", strings.Repeat("x", 5000)} {
		demandNoSession(t, store, token)
		for _, value := range [][]byte{[]byte("value"), {0, '\r', '\n', 255}, {}, bytes.Repeat([]byte("v"), 100_000)} {
			if err := store.Commit(token, value, later); err != nil {
				t.Fatalf("Commit(%.20q): error = %v, want none", token, err)
			}
			demandSession(t, store, token, value)
		}
		for range 2 { // deleting a session that is gone is not an error
			if err := store.Delete(token); err != nil {
				t.Errorf("Delete(%.20q): error = %v, want none", token, err)
			}
			demandNoSession(t, store, token)
		}
	}
}

func testSessionEnd(t *testing.T, store scs.Store) {
	WallClock(t)
	commit := func(token string, ttl time.Duration) {
		if err := store.Commit(token, []byte("value"), time.Now().Add(ttl)); err != nil {
			t.Fatalf("Commit for %v: error = %v, want none", ttl, err)
		}
	}
	commit("short", 200*time.Millisecond)
	commit("longer", 200*time.Millisecond)
	commit("longer", time.Hour)
	commit("ended", time.Hour)
	commit("ended", -time.Second)
	demandNoSession(t, store, "ended")
	ended := func() bool { _, found, err := store.Find("short"); return err == nil && !found }
	if !Within(Patience, ended) {
		t.Error("a session of 200 ms has not ended")
	}
	demandSession(t, store, "longer", []byte("value"))
}

func testManySessions(t *testing.T, store scs.Store) {
	var work sync.WaitGroup
	for worker := range 8 {
		work.Go(func() {
			for i := range 25 {
				token := strconv.Itoa(worker) + "-" + strconv.Itoa(i)
				if err := store.Commit(token, []byte(token), time.Now().Add(time.Hour)); err != nil {
					t.Errorf("Commit(%q): error = %v, want none", token, err)
				}
				demandSession(t, store, token, []byte(token))
				if i%2 == 0 {
					if err := store.Delete(token); err != nil {
						t.Errorf("Delete(%q): error = %v, want none", token, err)
					}
					demandNoSession(t, store, token)
				}
			}
		})
	}
	work.Wait()
}

// testEndedSession changes the session of a request behind the gate, once while the store
// has it and once after another request has ended it.
func testEndedSession(t *testing.T, store scs.Store) {
	m := session.NewManager(true, store)
	for name, change := range map[string]func(ctx context.Context) error{
		"Put":        func(ctx context.Context) error { m.Put(ctx, "key", "coffee"); return nil },
		"RenewToken": func(ctx context.Context) error { return m.RenewToken(ctx) },
		"RenewToken twice": func(ctx context.Context) error {
			if err := m.RenewToken(ctx); err != nil {
				return err
			}
			return m.RenewToken(ctx)
		},
		"Commit": func(ctx context.Context) error {
			m.Put(ctx, "key", "coffee")
			_, _, err := m.Commit(ctx)
			return err
		},
		"SetDeadline in the past": func(ctx context.Context) error {
			m.SetDeadline(ctx, time.Now().Add(-time.Hour))
			return nil
		},
	} {
		for _, ended := range []bool{false, true} {
			before, after, cookies := changeSession(t, m, change, ended)
			if got := len(cookies) == 0; got != ended {
				t.Errorf("%s, ended before: %t: cookies = %v, want none: %t", name, ended, cookies, ended)
			}
			kept := !ended && name != "SetDeadline in the past"
			if got := hasSession(t, m, after); got != kept {
				t.Errorf("%s, ended before: %t: the session is stored: %t, want %t", name, ended, got, kept)
			}
			if before != after && hasSession(t, m, before) {
				t.Errorf("%s, ended before: %t: the session is stored under its earlier token, want it deleted", name, ended)
			}
		}
	}
}

// changeSession stores a session, and calls change in a request that comes with it. It
// returns the session's token before and after, and the cookies of the answer. With ended,
// another request deletes the session in between.
func changeSession(t *testing.T, m *scs.SessionManager, change func(ctx context.Context) error, ended bool) (before, after string, cookies []*http.Cookie) {
	t.Helper()
	fatal := func(doing string, err error) {
		if err != nil {
			t.Fatalf("%s: error = %v, want none", doing, err)
		}
	}
	other, err := m.Load(t.Context(), "")
	fatal("Load", err)
	m.Put(other, "key", "tea")
	before, _, err = m.Commit(other)
	fatal("Commit", err)
	late := &session.Late{}
	_, _, err = session.Copy(m).Open(t.Context(), late, before, "key")
	fatal("Open", err)
	answer := httptest.NewRecorder()
	w := session.NewWriter(answer, httptest.NewRequestWithContext(late, http.MethodGet, "/", nil), late,
		func(_ http.ResponseWriter, _ *http.Request, err error) { fatal("Save", err) })
	if ended {
		fatal("Destroy", m.Destroy(other))
	}
	fatal("the change", change(late))
	w.Save()
	return before, m.Token(late), answer.Result().Cookies()
}

// hasSession reports whether the manager's store has the session of the token.
func hasSession(t *testing.T, m *scs.SessionManager, token string) bool {
	t.Helper()
	found, err := session.Copy(m).Has(t.Context(), token)
	if err != nil {
		t.Errorf("Has: error = %v, want none", err)
	}
	return found
}
