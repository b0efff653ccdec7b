package scangate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// slowUsers takes a second for each FindByID, and counts them.
type slowUsers struct {
	UserStore
	mu    sync.Mutex
	reads int
}

func (s *slowUsers) FindByID(ctx context.Context, id string) (User, error) {
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return s.UserStore.FindByID(ctx, id)
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
}

// cachedUser is a user in a cache of a minute, before a slow store.
type cachedUser struct {
	slow  *slowUsers
	cache *userCache
	id    string
}

// newCachedUser returns the user behind a cache that shares the state with others.
func newCachedUser(slow *slowUsers, shared StateStore, id string) *cachedUser {
	return &cachedUser{slow, newUserCache(slow, time.Minute, state.NewRing(shared, "ends")), id}
}

// testCachedUser runs test in a synctest bubble.
func testCachedUser(t *testing.T, test func(*testing.T, *cachedUser)) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowUsers{UserStore: NewMemoryStore()}
		user, err := slow.Register(t.Context(), NewUser{Identity: Identity{AppID: "a", OpenID: "o"}})
		if err != nil {
			t.Fatalf("Register: %v, want no error", err)
		}
		test(t, newCachedUser(slow, NewMemoryStore(), user.ID))
	})
}

// read returns the cached user, and demands that the store has been read that often by
// then.
func (c *cachedUser) read(t *testing.T, reads int) User {
	t.Helper()
	got, err := c.cache.FindByID(t.Context(), c.id)
	if err != nil || c.slow.reads != reads {
		t.Errorf("FindByID: %v after %d reads of the store, want no error and %d", err, c.slow.reads, reads)
	}
	return got
}

func TestUserCacheReadsOnceInItsTime(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		var together sync.WaitGroup
		for range 100 {
			together.Go(func() { _, _ = c.cache.FindByID(t.Context(), c.id) })
		}
		together.Wait()
		c.read(t, 1)
		<-time.After(time.Minute)
		c.read(t, 2)
	})
}

func TestUserCacheSeesChangesOfThisProcess(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		c.read(t, 1)
		if err := c.cache.BindPhone(t.Context(), c.id, "+8613800138000"); err != nil {
			t.Fatalf("BindPhone: %v, want no error", err)
		}
		if got := c.read(t, 2); got.Phone == "" {
			t.Error("FindByID after BindPhone: no number, want the new one")
		}
	})
}

func TestUserCacheReturnsCopies(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		for _, from := range []string{"the store", "the cache"} {
			c.read(t, 1).Identities[0].OpenID = "changed"
			if got := c.read(t, 1).Identities[0].OpenID; got != "o" {
				t.Errorf("FindByID after the result from %s was changed: openid %q, want o", from, got)
			}
		}
	})
}

// TestUncachedReadsTheStore reads through uncached, as logins do.
func TestUncachedReadsTheStore(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		c.read(t, 1)
		if got, err := (uncached{c.cache}).FindByID(t.Context(), c.id); err != nil || got.ID != c.id || c.slow.reads != 2 {
			t.Errorf("FindByID of uncached: user %q, %v after %d reads of the store, want %q after 2", got.ID, err, c.slow.reads, c.id)
		}
	})
}

// TestUserCacheDropsAReadFromBeforeAChange changes the user while a read is under way.
// The cache must not keep that read's result.
func TestUserCacheDropsAReadFromBeforeAChange(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = c.cache.FindByID(t.Context(), c.id) })
		synctest.Wait()
		if err := c.cache.EndSessions(t.Context(), c.id, time.Now()); err != nil {
			t.Fatalf("EndSessions: %v, want no error", err)
		}
		reading.Wait()
		if got := c.read(t, 2); got.SessionsEndedAt.IsZero() {
			t.Error("FindByID after EndSessions: SessionsEndedAt is zero, want its time")
		}
	})
}

// TestUserCacheReadSurvivesItsFirstCaller ends the context of the caller whose read
// another caller waits for.
func TestUserCacheReadSurvivesItsFirstCaller(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := c.cache.FindByID(short, c.id); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("FindByID with a short deadline: error = %v, want %v", err, context.DeadlineExceeded)
			}
		})
		synctest.Wait()
		if _, err := c.cache.FindByID(t.Context(), c.id); err != nil {
			t.Errorf("FindByID while the other caller's deadline passes: error = %v, want none", err)
		}
		reading.Wait()
	})
}

func TestUserCacheReturnsMisses(t *testing.T) {
	testCachedUser(t, func(t *testing.T, c *cachedUser) {
		for i := range 2 {
			if _, err := c.cache.FindByID(t.Context(), "unknown"); !errors.Is(err, ErrNotFound) {
				t.Errorf("FindByID of an unknown user, call %d: error = %v, want %v", i+1, err, ErrNotFound)
			}
			if c.slow.reads != i+1 {
				t.Errorf("FindByID of an unknown user, call %d: %d reads of the store, want %d: misses are not kept", i+1, c.slow.reads, i+1)
			}
		}
	})
}
