package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
)

// elsewhere is the time within which a process notices that another one has ended a
// user's sessions.
const elsewhere = 2 * time.Second

// lossyState is a StateStore that loses the record of ended sessions while lost is set.
type lossyState struct {
	failingState
	lost atomic.Bool
}

func (s *lossyState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if s.lost.Load() && strings.HasSuffix(key, ":ends") {
		return nil, 0, scangate.ErrNotFound
	}
	return s.failingState.Load(ctx, key)
}

// processes are the two processes of one application. They share all stores and keep
// users in memory for an hour. The second one reads the state through a store that fails
// or loses records on demand.
type processes struct {
	first, second *world
	manager       *scs.SessionManager
	sessions      *mapSessions
	state         *lossyState
}

func newProcesses(t *testing.T) *processes {
	t.Helper()
	return newProcessesOn(t, scangate.NewMemoryStore())
}

// newProcessesOn is newProcesses with the state in that store.
func newProcessesOn(t *testing.T, shared scangate.StateStore) *processes {
	t.Helper()
	p := &processes{state: &lossyState{}}
	p.manager, p.sessions = plainSessions()
	users := scangate.NewMemoryStore()
	p.state.StateStore = shared
	configure := func(state scangate.StateStore) func(*scangate.Config) {
		return func(c *scangate.Config) {
			c.Users.(*countingUsers).UserStore = users
			c.State, c.Session.Manager = state, p.manager
		}
	}
	p.first = newWorld(t, withUserTTL, configure(shared))
	p.second = newWorld(t, withUserTTL, configure(p.state))
	return p
}

// at returns the browser with its requests going to that process.
func (b *browser) at(w *world) *browser {
	return &browser{t: b.t, agent: b.agent, client: &http.Client{Transport: w.hosts, Jar: b.client.Jar}}
}

// loggedIn returns n desktops, each with a session of another user, and the users' IDs. Both
// processes have all of the users in memory.
func (p *processes) loggedIn(t *testing.T, n int) (desktops []*browser, ids []string) {
	t.Helper()
	phone := p.first.phone("lin")
	phone.open("/account")
	lin := phone.user()
	var deadline time.Time
	var values map[string]any
	for _, stored := range p.sessions.m {
		var err error
		if deadline, values, err = p.manager.Codec.Decode(stored); err != nil {
			t.Fatalf("decoding the session of a login: %v, want no error", err)
		}
	}
	for i := range n {
		user := p.first.knowPhone("", clerk(fmt.Sprint("openid", i)))
		changed := map[string]any{}
		for key, value := range values {
			changed[key] = strings.TrimSuffix(fmt.Sprint(value), " "+lin) + " " + user.ID
		}
		stored, err := p.manager.Codec.Encode(deadline, changed)
		if err != nil {
			t.Fatalf("encoding a session: %v, want no error", err)
		}
		token := fmt.Sprint("token", i)
		_ = p.sessions.Commit(token, stored, deadline)
		desktop := p.first.desktop()
		desktop.setAppCookie("session", token)
		desktops, ids = append(desktops, desktop), append(ids, user.ID)
		if a, b := desktop.at(p.first).user(), desktop.at(p.second).user(); a != user.ID || b != user.ID {
			t.Fatalf("session %d: user %q and %q in the two processes, want %q", i, a, b, user.ID)
		}
	}
	pass(time.Second) // a session that begins in the instant of an end is not ended by it
	return desktops, ids
}

// end ends the sessions of the users in the first process.
func (p *processes) end(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := p.first.gate.EndSessions(t.Context(), id); err != nil {
			t.Fatalf("EndSessions: %v, want no error", err)
		}
	}
}

// checkOut demands that no desktop is logged in at the process.
func checkOut(t *testing.T, when string, w *world, desktops []*browser) {
	t.Helper()
	for i, desktop := range desktops {
		if got := desktop.at(w).user(); got != "" {
			t.Errorf("%s: desktop %d: user %q, want none", when, i, got)
		}
	}
}

// TestThreat67CachedUserElsewhere ends the sessions of 100 users at one process. All of
// them are out there at once, and at the other process within its time, although 100 are
// more than the record of ended sessions holds.
func TestThreat67CachedUserElsewhere(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 64, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProcesses(t)
				desktops, ids := p.loggedIn(t, n)
				p.end(t, ids...)
				checkOut(t, "at once, in this process", p.first, desktops)
				pass(elsewhere)
				checkOut(t, "2 seconds later, in the other process", p.second, desktops)
			})
		})
	}
}

// checkIn demands that the desktops are logged in at the process.
func checkIn(t *testing.T, w *world, desktops []*browser) {
	t.Helper()
	for i, desktop := range desktops {
		if desktop.at(w).user() == "" {
			t.Errorf("desktop %d: not logged in, want its user", i)
		}
	}
}

// TestThreat67OthersStayInMemory ends the sessions of one user of ten. The other process
// reads only that one again.
func TestThreat67OthersStayInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcesses(t)
		desktops, ids := p.loggedIn(t, 10)
		p.end(t, ids[9])
		pass(time.Minute)
		checkOut(t, "a minute later", p.second, desktops[9:]) // reads the first announcement: all users again
		checkIn(t, p.second, desktops[:9])
		p.end(t, ids[8])
		pass(time.Minute)
		before := p.second.reads()
		checkOut(t, "a minute later", p.second, desktops[8:])
		checkIn(t, p.second, desktops[:8])
		if got := p.second.reads() - before; got != 1 {
			t.Errorf("10 requests after one user's sessions were ended: %d reads of users, want 1", got)
		}
	})
}

// TestThreat67RecordLost loses the record of ended sessions before the other process has
// read it. That process uses none of the users in its memory.
func TestThreat67RecordLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcesses(t)
		desktops, ids := p.loggedIn(t, 10)
		p.end(t, ids[9])
		pass(elsewhere)
		checkIn(t, p.second, desktops[:9])
		p.state.lost.Store(true)
		p.end(t, ids[8])
		before := p.second.reads()
		pass(elsewhere)
		checkOut(t, "2 seconds later", p.second, desktops[8:])
		checkIn(t, p.second, desktops[:8])
		if got := p.second.reads() - before; got != 10 {
			t.Errorf("10 requests after the record was lost: %d reads of users, want 10", got)
		}
	})
}

// TestThreat67StateAway has the state store fail at the other process, which then cannot
// see that sessions have ended. It asks the user store.
func TestThreat67StateAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcesses(t)
		desktops, ids := p.loggedIn(t, 3)
		away := errors.New("connection refused")
		p.state.err.Store(&away)
		p.end(t, ids[0])
		for range 5 {
			pass(elsewhere)
			checkOut(t, "while the state store fails", p.second, desktops[:1])
			checkIn(t, p.second, desktops[1:])
		}
		p.state.err.Store(nil)
		pass(elsewhere)
		checkIn(t, p.second, desktops[1:])
		before := p.second.reads()
		checkIn(t, p.second, desktops[1:])
		if got := p.second.reads() - before; got != 0 {
			t.Errorf("2 requests after the outage: %d reads of users, want none", got)
		}
	})
}

// TestThreat67OnRedis ends the sessions of a user at one of two processes that share a
// Redis.
func TestThreat67OnRedis(t *testing.T) {
	t.Parallel()
	addr := miniredis.RunT(t).Addr()
	first, second := newWorld(t, onRedis(t, addr), withUserTTL), newWorld(t, onRedis(t, addr), withUserTTL)
	phone := first.phone("lin")
	phone.open("/account")
	id := phone.user()
	if id == "" || phone.at(second).user() != id {
		t.Fatalf("user %q and %q in the two processes, want the same", id, phone.at(second).user())
	}
	if err := first.gate.EndSessions(t.Context(), id); err != nil {
		t.Fatalf("EndSessions: %v, want no error", err)
	}
	if got := phone.user(); got != "" {
		t.Errorf("at once, in this process: user %q, want none", got)
	}
	if !within(10*elsewhere, func() bool { return phone.at(second).user() == "" }) {
		t.Errorf("%v later, in the other process: logged in, want logged out", 10*elsewhere)
	}
}

// lateUsers delays the result of one read.
type lateUsers struct {
	scangate.UserStore
	armed   atomic.Bool
	release chan struct{}
}

func (u *lateUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	user, err := u.UserStore.FindByID(ctx, id)
	if u.armed.CompareAndSwap(true, false) {
		<-u.release
	}
	return user, err
}

// TestCaseB19EndSessionsAtOnce ends the sessions of a user in memory, while a read of
// that user is under way. Every request that comes afterwards is refused.
func TestCaseB19EndSessionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &lateUsers{release: make(chan struct{})}
		w := newWorld(t, withUserTTL, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
		phone, tablet := w.phone("lin"), w.phone("lin")
		phone.open("/account")
		tablet.open("/account")
		id := phone.user()
		pass(time.Hour) // until the user is no longer in memory
		users.armed.Store(true)
		early := make(chan int)
		go func() { early <- tablet.tryGet("/account") }()
		synctest.Wait()
		if err := w.gate.EndSessions(t.Context(), id); err != nil {
			t.Fatalf("EndSessions: %v, want no error", err)
		}
		if got := phone.user(); got != "" {
			t.Errorf("EndSessions while a read is under way: user %q, want none", got)
		}
		close(users.release)
		<-early
		if phone.user() != "" || tablet.user() != "" {
			t.Errorf("after that read: phone %q, tablet %q, want no users", phone.user(), tablet.user())
		}
		pass(time.Second)
		if phone.open("/account"); phone.user() != id {
			t.Errorf("a new login: user %q, want %q", phone.user(), id)
		}
	})
}

// TestCaseB19EndSessionsEndsLoginsUnderWay ends the sessions of a user whose login on a
// desktop is approved.
func TestCaseB19EndSessionsEndsLoginsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withUserTTL)
		desktop, phone := w.desktop(), w.phone("lin")
		user := w.know("lin")
		login := desktop.start()
		phone.scan(login)
		phone.answer(login, "approve")
		pass(time.Second)
		if err := w.gate.EndSessions(t.Context(), user.ID); err != nil {
			t.Fatalf("EndSessions: %v, want no error", err)
		}
		if got := desktop.finish(login).StatusCode; got != http.StatusGone || desktop.user() != "" {
			t.Errorf("finish: status = %d, user %q, want %d and none", got, desktop.user(), http.StatusGone)
		}
	})
}

// TestEndSessionsErrors calls EndSessions for an unknown user, and with each of the stores
// failing.
func TestEndSessionsErrors(t *testing.T) {
	users, state := &interceptedUsers{}, &failingState{}
	w := newWorld(t, users.wrap, func(c *scangate.Config) { state.StateStore, c.State = scangate.NewMemoryStore(), state })
	user := w.know("lin")
	if err := w.gate.EndSessions(t.Context(), "unknown"); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("EndSessions of an unknown user: error = %v, want %v", err, scangate.ErrNotFound)
	}
	away := errors.New("connection refused")
	state.err.Store(&away)
	if err := w.gate.EndSessions(t.Context(), user.ID); !errors.Is(err, away) || !strings.HasPrefix(err.Error(), "scangate: announcing") {
		t.Errorf("EndSessions while the state store fails: error = %v, want its error", err)
	}
	state.err.Store(nil)
	users.failIn("EndSessions", away)
	if err := w.gate.EndSessions(t.Context(), user.ID); !errors.Is(err, away) {
		t.Errorf("EndSessions while the user store fails: error = %v, want its error", err)
	}
}
