package redistest

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Sessions tests a store of sessions. newStore returns one without sessions.
func Sessions(t *testing.T, newStore func(t *testing.T) scs.Store) {
	t.Run("values", func(t *testing.T) { testSessionValues(t, newStore(t)) })
	t.Run("end", func(t *testing.T) { testSessionEnd(t, newStore(t)) })
	t.Run("many at once", func(t *testing.T) { testManySessions(t, newStore(t)) })
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
