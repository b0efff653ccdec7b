package scangate_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/scscodec"
)

// readSessions is a session store that counts its calls. Its sessions can be listed.
type readSessions struct {
	mapSessions
	count          sync.Mutex
	finds, commits int
}

func (s *readSessions) Find(token string) ([]byte, bool, error) {
	s.count.Lock()
	s.finds++
	s.count.Unlock()
	return s.mapSessions.Find(token)
}

func (s *readSessions) Commit(token string, b []byte, expiry time.Time) error {
	s.count.Lock()
	s.commits++
	s.count.Unlock()
	return s.mapSessions.Commit(token, b, expiry)
}

// All implements [scs.IterableStore].
func (s *readSessions) All() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.m), nil
}

// calls returns how often Find and Commit have been called, and begins to count again.
func (s *readSessions) calls() (finds, commits int) {
	s.count.Lock()
	defer s.count.Unlock()
	finds, commits = s.finds, s.commits
	s.finds, s.commits = 0, 0
	return finds, commits
}

// late is a world with an application of its own: the handler answers /own behind
// RequireWeChat, with its session in a store that counts. The phone is logged in, and its
// session has the value "tea" at "draft".
type late struct {
	*world
	manager *scs.SessionManager
	store   *readSessions
	phone   *browser
	own     func(ctx context.Context, w http.ResponseWriter, r *http.Request)
}

// newLate returns one. A change may set fields of its session manager.
func newLate(t *testing.T, changes ...func(*scs.SessionManager)) *late {
	t.Helper()
	l := &late{manager: ownSessions(), store: &readSessions{mapSessions: mapSessions{m: map[string][]byte{}}}}
	l.manager.Store, l.manager.Codec = l.store, scscodec.Codec{}
	for _, change := range changes {
		change(l.manager)
	}
	l.world = newWorld(t, func(c *scangate.Config) {
		c.Session.Manager = l.manager
		c.OnLogin = func(ctx context.Context, _ scangate.Login) error {
			l.manager.Put(ctx, "draft", "tea")
			return nil
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/", application(l.gate))
	mux.Handle("/own", l.gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.own(r.Context(), w, r) })))
	l.addHost("app.example.com", mux)
	l.phone = l.world.phone("lin")
	l.phone.open("/account")
	l.store.calls()
	return l
}

// serve sends a request that use serves.
func (l *late) serve(use func(ctx context.Context, w http.ResponseWriter, r *http.Request)) answer {
	l.t.Helper()
	l.own = use
	return l.phone.get("/own")
}

// draft returns the value at "draft" as the next request reads it.
func (l *late) draft() string {
	l.t.Helper()
	return l.serve(func(ctx context.Context, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, l.manager.GetString(ctx, "draft"))
	}).body
}

// TestIssue17UnchangedSessionIsReadOnce counts the reads of a request whose handler leaves
// the session alone, or only reads it. Reading it late needs no further read.
func TestIssue17UnchangedSessionIsReadOnce(t *testing.T) {
	l := newLate(t)
	m := l.manager
	for _, c := range []struct {
		name string
		use  func(ctx context.Context) any
		want any
	}{
		{"nothing", func(context.Context) any { return nil }, nil},
		{"UserFromContext", func(ctx context.Context) any { _, ok := scangate.UserFromContext(ctx); return ok }, true},
		{"GetString", func(ctx context.Context) any { return m.GetString(ctx, "draft") }, "tea"},
		{"Exists", func(ctx context.Context) any { return m.Exists(ctx, "draft") }, true},
		{"Keys", func(ctx context.Context) any { return len(m.Keys(ctx)) }, 2},
		{"Status", func(ctx context.Context) any { return m.Status(ctx) }, scs.Unmodified},
		{"Token", func(ctx context.Context) any { return len(m.Token(ctx)) }, 43},
		{"Deadline", func(ctx context.Context) any { return time.Until(m.Deadline(ctx)) > 23*time.Hour }, true},
		{"Load", func(ctx context.Context) any { again, err := m.Load(ctx, ""); return again == ctx && err == nil }, true},
		{"a derived context", func(ctx context.Context) any {
			return m.GetString(context.WithValue(context.WithoutCancel(ctx), &l, 1), "draft")
		}, "tea"},
	} {
		var got any
		a := l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) { got = c.use(ctx) })
		if a.StatusCode != http.StatusOK || len(a.Cookies()) != 0 || got != c.want {
			t.Errorf("%s: status = %d, Set-Cookie = %v, result = %v, want 200, none and %v", c.name, a.StatusCode, a.Cookies(), got, c.want)
		}
		if finds, commits := l.store.calls(); finds != 1 || commits != 0 {
			t.Errorf("%s: the store was read %d times and written %d times, want once and never", c.name, finds, commits)
		}
	}
}

// TestIssue17LateChangesAreSaved changes the session in a handler, and reads it in the next
// request.
func TestIssue17LateChangesAreSaved(t *testing.T) {
	deadline := time.Now().Add(5 * time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name   string
		change func(m *scs.SessionManager, ctx context.Context) error
		draft  string
		user   bool
	}{
		{"Put", func(m *scs.SessionManager, ctx context.Context) error { m.Put(ctx, "draft", "coffee"); return nil }, "coffee", true},
		{"Pop", func(m *scs.SessionManager, ctx context.Context) error { m.PopString(ctx, "draft"); return nil }, "", true},
		{"Remove", func(m *scs.SessionManager, ctx context.Context) error { m.Remove(ctx, "draft"); return nil }, "", true},
		{"SetDeadline", func(m *scs.SessionManager, ctx context.Context) error { m.SetDeadline(ctx, deadline); return nil }, "tea", true},
		{"RenewToken", func(m *scs.SessionManager, ctx context.Context) error { return m.RenewToken(ctx) }, "tea", true},
		{"Clear", func(m *scs.SessionManager, ctx context.Context) error { return m.Clear(ctx) }, "", false},
		{"Destroy", func(m *scs.SessionManager, ctx context.Context) error { return m.Destroy(ctx) }, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLate(t)
			var before, after time.Time
			a := l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
				before = l.manager.Deadline(ctx)
				if err := c.change(l.manager, ctx); err != nil {
					t.Errorf("%s: error = %v, want none", c.name, err)
				}
				after = l.manager.Deadline(ctx)
			})
			if cookie := sessionCookie(a); cookie == nil || (cookie.MaxAge < 0) != (c.name == "Destroy") {
				t.Errorf("%s: session cookie = %v, want one, which Destroy removes", c.name, cookie)
			}
			if c.name == "SetDeadline" && !after.Equal(deadline) || c.name == "Put" && !after.Equal(before) {
				t.Errorf("%s: deadline = %v, then %v, want a change by SetDeadline alone", c.name, before, after)
			}
			if got := l.phone.user() != ""; got != c.user {
				t.Errorf("after %s: a user is logged in: %t, want %t", c.name, got, c.user)
			}
			if got := l.draft(); c.user && got != c.draft {
				t.Errorf("after %s: draft = %q, want %q", c.name, got, c.draft)
			}
		})
	}
}

// TestIssue17ApplicationCommits saves the session in the handler, with the application's
// own manager.
func TestIssue17ApplicationCommits(t *testing.T) {
	l := newLate(t)
	l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
		before := l.manager.Token(ctx)
		l.manager.Put(ctx, "draft", "coffee")
		token, _, err := l.manager.Commit(ctx)
		if err != nil || token != before {
			t.Errorf("Commit: the token is another one: %t, error = %v, want the same token", token != before, err)
		}
		if _, commits := l.store.calls(); commits != 1 {
			t.Errorf("Commit: the store was written %d times, want once", commits)
		}
	})
	if got := l.draft(); got != "coffee" {
		t.Errorf("next request: draft = %q, want coffee", got)
	}
}

// TestIssue17Iterate lists the stored sessions in a handler.
func TestIssue17Iterate(t *testing.T) {
	l := newLate(t)
	l.world.phone("wang").open("/account")
	drafts := map[string]int{}
	l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
		err := l.manager.Iterate(ctx, func(ctx context.Context) error {
			drafts[l.manager.GetString(ctx, "draft")]++
			return nil
		})
		if got := l.manager.GetString(ctx, "draft"); err != nil || got != "tea" {
			t.Errorf("Iterate: error = %v, then draft = %q, want none and tea", err, got)
		}
	})
	if want := map[string]int{"tea": 2}; !maps.Equal(drafts, want) {
		t.Errorf("Iterate: drafts = %v, want %v", drafts, want)
	}
}

// TestIssue17ConcurrentUse uses the session from many goroutines of a handler. The first of
// them makes scs decode it.
func TestIssue17ConcurrentUse(t *testing.T) {
	const goroutines = 16
	l := newLate(t)
	l.serve(func(ctx context.Context, w http.ResponseWriter, _ *http.Request) {
		var all sync.WaitGroup
		for i := range goroutines {
			all.Go(func() {
				if got := l.manager.GetString(ctx, "draft"); got != "tea" {
					t.Errorf("goroutine %d: draft = %q, want tea", i, got)
				}
				l.manager.Put(ctx, fmt.Sprint("goroutine ", i), i)
				_, _ = scangate.UserFromContext(ctx)
			})
		}
		all.Wait()
		_, _ = io.WriteString(w, "done")
	})
	l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
		if got := len(l.manager.Keys(ctx)); got != goroutines+2 {
			t.Errorf("next request: %d values in the session, want %d and the two from before", got, goroutines)
		}
	})
}

// TestIssue17SessionAfterTheHandler lets a goroutine of a handler use the session while the
// request ends, and after it.
func TestIssue17SessionAfterTheHandler(t *testing.T) {
	l := newLate(t)
	begin, ended := make(chan struct{}), make(chan string)
	l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
		go func() {
			close(begin)
			ended <- l.manager.GetString(ctx, "draft")
		}()
		<-begin
	})
	if got := <-ended; got != "tea" {
		t.Errorf("after the handler: draft = %q, want tea", got)
	}
}

// TestIssue17EndedSessionIsNotRevived ends the session while a handler runs, which changes
// the session afterwards.
func TestIssue17EndedSessionIsNotRevived(t *testing.T) {
	for name, end := range map[string]func(l *late, user scangate.User) error{
		"logout": func(l *late, _ scangate.User) error {
			if a := l.phone.post("/wechat/logout", nil); a.StatusCode != http.StatusSeeOther {
				return fmt.Errorf("logout: status = %d, want 303", a.StatusCode)
			}
			return nil
		},
		"EndSessions": func(l *late, user scangate.User) error { return l.gate.EndSessions(l.t.Context(), user.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLate(t)
			cookies := l.phone.appCookies()
			l.serve(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
				user, _ := scangate.UserFromContext(ctx)
				if err := end(l, user); err != nil {
					t.Error(err)
				}
				l.manager.Put(ctx, "draft", "coffee")
			})
			l.phone.restoreAppCookies(cookies)
			if got := l.phone.user(); got != "" {
				t.Errorf("after %s in another tab: user = %q, want none", name, got)
			}
			if got := len(l.store.m); name == "logout" && got != 0 {
				t.Errorf("after %s in another tab: %d sessions are stored, want none", name, got)
			}
		})
	}
}

// TestIssue17OtherRecords reads sessions that only decoding can check. They are read once
// as well.
func TestIssue17OtherRecords(t *testing.T) {
	gob.Register(time.Duration(0))
	for name, change := range map[string]func(l *late, values map[string]any) ([]byte, error){
		"of scs's default codec": func(_ *late, values map[string]any) ([]byte, error) {
			return scs.GobCodec{}.Encode(time.Now().Add(time.Hour), values)
		},
		"with a value of gob's": func(_ *late, values map[string]any) ([]byte, error) {
			values["duration"] = time.Hour
			return scscodec.Codec{}.Encode(time.Now().Add(time.Hour), values)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLate(t)
			for token, record := range l.store.m {
				_, values, err := scscodec.Codec{}.Decode(record)
				if err == nil {
					l.store.m[token], err = change(l, values)
				}
				if err != nil {
					t.Fatalf("rewrite the session: %v", err)
				}
			}
			if got := l.draft(); got != "tea" {
				t.Errorf("a session %s: draft = %q, want tea", name, got)
			}
			if finds, _ := l.store.calls(); finds != 1 {
				t.Errorf("a session %s: the store was read %d times, want once", name, finds)
			}
		})
	}
}

// TestIssue17DamagedSessionIsReadOnce damages the session. The request is refused, as in
// case B16, without a second read, and the handler does not run.
func TestIssue17DamagedSessionIsReadOnce(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":             func(b []byte) []byte { return b[:len(b)-1] },
		"longer":          func(b []byte) []byte { return append(b, 0) },
		"another version": func(b []byte) []byte { b[1]++; return b },
		"no record":       func([]byte) []byte { return nil },
	} {
		l := newLate(t)
		for token, record := range l.store.m {
			l.store.m[token] = damage(record)
		}
		a := l.serve(func(context.Context, http.ResponseWriter, *http.Request) {
			t.Errorf("%s: the handler runs, want the request refused", name)
		})
		if finds, _ := l.store.calls(); a.StatusCode != http.StatusSeeOther || len(a.Cookies()) != 0 || finds != 1 {
			t.Errorf("%s: status = %d, Set-Cookie = %v, %d reads, want 303, none and one", name, a.StatusCode, a.Cookies(), finds)
		}
	}
}

// TestIssue17IdleTimeoutLoadsAtOnce sets an idle timeout, with which scs saves each session
// that it has loaded.
func TestIssue17IdleTimeoutLoadsAtOnce(t *testing.T) {
	l := newLate(t, func(m *scs.SessionManager) { m.IdleTimeout = time.Hour })
	a := l.serve(func(context.Context, http.ResponseWriter, *http.Request) {})
	if _, commits := l.store.calls(); commits != 1 || sessionCookie(a) == nil {
		t.Errorf("with IdleTimeout: the store was written %d times, session cookie = %v, want once and one", commits, sessionCookie(a))
	}
}

// TestIssue17ManagerOfTheApplication checks that New leaves the application's manager as
// it is.
func TestIssue17ManagerOfTheApplication(t *testing.T) {
	l := newLate(t)
	if l.manager.Store != scs.Store(l.store) || l.manager.Codec != (scscodec.Codec{}) {
		t.Errorf("after New: Store = %T, Codec = %T, want those of the application", l.manager.Store, l.manager.Codec)
	}
}

// TestIssue17StoreFails fails the one read of a request.
func TestIssue17StoreFails(t *testing.T) {
	failing := &failingSessions{}
	l := newLate(t, func(m *scs.SessionManager) { failing.Store, m.Store = m.Store, failing })
	failing.err = errors.New("connection refused")
	if a := l.serve(nil); a.StatusCode != http.StatusServiceUnavailable || len(a.Cookies()) != 0 {
		t.Errorf("while the store fails: status = %d, Set-Cookie = %v, want 503 and none", a.StatusCode, a.Cookies())
	}
	failing.err = nil
	if got := l.draft(); got != "tea" {
		t.Errorf("after the failure: draft = %q, want tea", got)
	}
}
