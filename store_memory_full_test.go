package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
)

// smallStore is how many records a store of newSmallStore holds.
const smallStore = 1000

// newSmallStore returns a store that is soon full.
func newSmallStore() *scangate.MemoryStore {
	store := scangate.NewMemoryStore()
	store.LimitRecords(smallStore)
	return store
}

// A full store drops the oldest login that no phone has opened. Later logins begin, and
// those under way are finished.
func TestCaseB08OldestUnscannedLoginGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSmallStore()
		w := newWorld(t, func(c *scangate.Config) { c.State = store })
		phone, scanning, approving := w.phone("lin"), w.desktop(), w.desktop()
		scanned, approved := scanning.start(), approving.start()
		confirm := phone.scan(scanned)
		other := w.phone("wang")
		other.scan(approved)
		other.answer(approved, "approve")
		pass(time.Second)
		waiting := w.desktop()
		old := waiting.start()
		pass(time.Second)
		fill(t, store, "", smallStore-6, time.Hour)
		// Each record of a new login takes the place of one of those above.
		for range 4 {
			w.desktop().start()
		}
		if a := waiting.get(old.StateURL); a.StatusCode != http.StatusNotFound {
			t.Errorf("the oldest unscanned login: status = %d, want %d", a.StatusCode, http.StatusNotFound)
		}
		phone.submit(scanned.confirmURL(), map[string][]string{"token": {confirm.find(t, tokenPattern)}, "answer": {"approve"}})
		for name, at := range map[string]struct {
			desktop *browser
			scan
		}{"scanned": {scanning, scanned}, "approved": {approving, approved}} {
			if a := at.desktop.finish(at.scan); a.StatusCode != http.StatusSeeOther || at.desktop.user() == "" {
				t.Errorf("finish of a %s login: status = %d, want a session", name, a.StatusCode)
			}
		}
	})
}

// Finished and denied logins take a place for a minute.
func TestCaseB08EndedLoginsAreDropped(t *testing.T) {
	for _, answer := range []string{"approve", "deny"} {
		t.Run(answer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				desktop, phone := w.desktop(), w.phone("lin")
				s := desktop.start()
				phone.scan(s)
				phone.answer(s, answer)
				desktop.finish(s)
				pass(time.Minute - time.Second)
				if a := desktop.get(s.StateURL); a.StatusCode != http.StatusOK {
					t.Errorf("after 59 s: status = %d, want %d", a.StatusCode, http.StatusOK)
				}
				pass(time.Second)
				if a := desktop.get(s.StateURL); a.StatusCode != http.StatusNotFound {
					t.Errorf("after a minute: status = %d, want %d", a.StatusCode, http.StatusNotFound)
				}
			})
		})
	}
}

// A login keeps its place for 7 minutes after its approval, 10 after it began, and 15 after
// WeChat has answered. Then the store has dropped it.
func TestCaseB08LoginsAreDropped(t *testing.T) {
	for _, c := range []struct {
		state string
		steps func(phone *browser, s scan)
		after time.Duration
	}{
		{"approved", func(phone *browser, s scan) { phone.scan(s); phone.answer(s, "approve") }, 7 * time.Minute},
		{"waiting", func(*browser, scan) {}, 10 * time.Minute},
		{"identified", func(phone *browser, s scan) { phone.scan(s) }, 15 * time.Minute},
	} {
		t.Run(c.state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := scangate.NewMemoryStore()
				w := newWorld(t, func(config *scangate.Config) { config.State = store })
				desktop := w.desktop()
				s := desktop.start()
				c.steps(w.phone("lin"), s)
				pass(c.after - time.Second)
				if a := desktop.get(s.StateURL); a.StatusCode != http.StatusOK {
					t.Errorf("a second before %v: status = %d, want %d", c.after, a.StatusCode, http.StatusOK)
				}
				pass(time.Second)
				if a := desktop.get(s.StateURL); a.StatusCode != http.StatusNotFound {
					t.Errorf("after %v: status = %d, want %d", c.after, a.StatusCode, http.StatusNotFound)
				}
				pass(15*time.Minute - c.after) // the entry that leads from the browser to the login
				fill(t, store, "last", 1, time.Hour)
				if got := store.Records(); got != 1 {
					t.Errorf("records after 15 minutes = %d, want only the one that was added last", got)
				}
			})
		})
	}
}

// An attacker cannot make a full store drop the quotas of codes, or the lock of an
// unlinking.
func TestCaseB08QuotasAndLocksAreNotDropped(t *testing.T) {
	store := newSmallStore()
	gate := state.WithPrefix(store, "gate:")
	quota := state.Quota{Key: state.QuotaKey("number"), Max: 1, Window: time.Hour}
	if err := state.Reserve(t.Context(), gate, quota); err != nil {
		t.Fatal(err)
	}
	lock := state.LockKey("unlink:user")
	if err := gate.Create(t.Context(), lock, []byte("owner"), time.Hour); err != nil {
		t.Fatal(err)
	}
	fill(t, store, "", 2*smallStore, time.Hour)
	if err := state.Reserve(t.Context(), gate, quota); !errors.As(err, new(*state.QuotaError)) {
		t.Errorf("a second use of the quota: error = %v, want a QuotaError", err)
	}
	if err := gate.Create(t.Context(), lock, nil, time.Hour); !errors.Is(err, scangate.ErrExists) {
		t.Errorf("taking the lock again: error = %v, want %v", err, scangate.ErrExists)
	}
}

// fill creates n records, named by the prefix and their numbers.
func fill(t *testing.T, store *scangate.MemoryStore, prefix string, n int, ttl time.Duration) {
	t.Helper()
	for i := range n {
		if err := store.Create(t.Context(), prefix+strconv.Itoa(i), nil, ttl); err != nil {
			t.Fatalf("Create of record %d of %d: error = %v, want none", i+1, n, err)
		}
	}
}

// heap returns the bytes of the heap in use.
func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// startLogin begins a login as a browser of its own does.
func startLogin(ctx context.Context, logins *login.Store, returnTo string) (*login.Login, error) {
	return logins.Start(ctx, login.NewSlot(login.Request{
		Kind: login.CrossDevice, AppID: official.AppID, ReturnTo: returnTo, Initiator: login.NewKey().Digest(),
		Origin: login.Origin{Browser: "Chrome", System: "Windows", Address: "192.0.2.100"},
	}))
}

// A flood of logins, with the longest return_to or with a short one, takes at most
// 350 MB. The store has room for as many of them as docs/performance.md promises.
func TestCaseB08FloodOfLoginsTakes350MB(t *testing.T) {
	for _, c := range []struct {
		name, returnTo string
		small, large   int // logins
		room           int // logins
	}{
		{"short", "/account", 20_000, 1_000_000, 509_000},
		{"long", "/" + strings.Repeat("%E4", 682), 20_000, 200_000, 123_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := scangate.NewMemoryStore()
			logins := login.NewStore(state.WithPrefix(store, "0123456789ab:"), 5*time.Minute)
			before, n := heap(), crowd(c.small, c.large)
			for range n {
				if _, err := startLogin(t.Context(), logins, c.returnTo); err != nil {
					t.Fatal(err)
				}
			}
			took, count, size := heap()-before, store.Records(), store.RecordBytes()
			t.Logf("%d logins with %s return_to: %d records, %d bytes in the heap, %d a login, %d by the store's account",
				n, c.name, count, took, took/(count/2), size)
			if took > 350_000_000 {
				t.Errorf("heap of a flood of %d logins = %d bytes, want at most 350 MB", n, took)
			}
			// The store counts at least what its records take, so that its bound holds.
			if took > size*350/340 {
				t.Errorf("heap = %d bytes, want at most 350/340 of the %d that the store counts", took, size)
			}
			if room := min(maxRecords/2, 340_000_000/(size/(count/2))); room < c.room*99/100 || room > c.room*101/100 {
				t.Errorf("room for logins with a %s return_to = %d, want %d", c.name, room, c.room)
			}
			runtime.KeepAlive(store)
		})
	}
}

// While 700 logins begin in each second at a full store, and most of them are never
// scanned, all those that a phone scans within two minutes are finished.
func TestCaseB08SevenHundredLoginsASecond(t *testing.T) {
	t.Parallel()
	endWithin(t, 10*time.Minute)
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		fillRecords(t, store, time.Hour)
		pass(time.Second)
		logins := login.NewStore(state.WithPrefix(store, "0123456789ab:"), 5*time.Minute)
		const scanAfter, finishAfter = 110, 130 // seconds
		var kept, approved []*login.Login
		for second := range crowd(140, 1800) {
			for i := range 700 {
				l, err := startLogin(t.Context(), logins, "/account")
				if err != nil {
					t.Fatalf("second %d: beginning a login: error = %v, want none", second, err)
				}
				if i == 0 {
					kept = append(kept, l)
				}
			}
			if second >= scanAfter {
				l, err := approve(t.Context(), logins, kept[second-scanAfter])
				if err != nil {
					t.Fatalf("second %d: approving a login: error = %v, want none", second, err)
				}
				approved = append(approved, l)
			}
			if second >= finishAfter {
				if _, err := logins.Finish(t.Context(), approved[second-finishAfter], time.Now()); err != nil {
					t.Fatalf("second %d: finishing a login: error = %v, want none", second, err)
				}
			}
			pass(time.Second)
		}
	})
}

// approve takes a login from the scan to the approval.
func approve(ctx context.Context, logins *login.Store, l *login.Login) (*login.Login, error) {
	l, err := logins.Scan(ctx, l)
	if err != nil {
		return nil, err
	}
	l, err = logins.Exchange(ctx, l, login.NewKey(), login.ScopeBase, "code", func(context.Context, *login.Login) (login.Person, error) {
		return login.Person{UserID: "user"}, nil
	})
	if err != nil {
		return nil, err
	}
	return logins.Approve(ctx, l)
}

// A record that alone exceeds the store's bytes is refused, and drops no other one.
func TestCaseB08HugeRecordIsRefused(t *testing.T) {
	t.Parallel()
	store := scangate.NewMemoryStore()
	fill(t, store, "", 1, time.Hour)
	huge := make([]byte, 340_000_001)
	if err := store.Create(t.Context(), "huge", huge, time.Hour); !errors.Is(err, scangate.ErrFull) {
		t.Errorf("Create of a huge record: error = %v, want %v", err, scangate.ErrFull)
	}
	if err := store.Update(t.Context(), "0", 1, huge, time.Hour); !errors.Is(err, scangate.ErrFull) {
		t.Errorf("Update to a huge record: error = %v, want %v", err, scangate.ErrFull)
	}
	if _, version, err := store.Load(t.Context(), "0"); version != 1 || err != nil {
		t.Errorf("Load of the other record: version = %d, error = %v, want 1 and none", version, err)
	}
}

// A waiting call of a record that is dropped ends.
func TestCaseB08WaitOfADroppedRecordEnds(t *testing.T) {
	store := newSmallStore()
	fill(t, store, "", 1, time.Hour)
	ended := make(chan error, 1)
	go func() {
		_, _, err := store.Wait(t.Context(), "0", 1)
		ended <- err
	}()
	fill(t, store, "more ", smallStore, time.Hour)
	if err := <-ended; !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Wait for a dropped record: error = %v, want %v", err, scangate.ErrNotFound)
	}
}

// The counters of 200,000 senders of messages leave room for logins.
func TestThreat49CountersLeaveRoomForLogins(t *testing.T) {
	t.Parallel()
	store := scangate.NewMemoryStore()
	w := newWorld(t, func(c *scangate.Config) { c.State = store })
	for i := range 200_000 {
		if _, err := store.Add(t.Context(), "message "+strconv.Itoa(i), time.Hour); err != nil {
			t.Fatalf("Add to counter %d: error = %v, want none", i, err)
		}
	}
	w.scanLogin(w.desktop(), w.phone("lin"))
}
