package scangate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowUsers takes a second for a read, and counts them.
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

func TestUserCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		slow := &slowUsers{UserStore: NewMemoryStore()}
		cache := newUserCache(slow, time.Minute)
		user, err := slow.Register(ctx, NewUser{Identity: Identity{AppID: "a", OpenID: "o"}})
		if err != nil {
			t.Fatal(err)
		}
		read := func(reads int) User {
			t.Helper()
			got, err := cache.FindByID(ctx, user.ID)
			if err != nil || slow.reads != reads {
				t.Errorf("%d reads, want %d; %v", slow.reads, reads, err)
			}
			return got
		}
		var together sync.WaitGroup
		for range 100 {
			together.Go(func() { _, _ = cache.FindByID(ctx, user.ID) })
		}
		together.Wait()
		read(1)
		<-time.After(time.Minute)
		read(2)

		if err := cache.BindPhone(ctx, user.ID, "+8613800138000"); err != nil {
			t.Fatal(err)
		}
		if got := read(3); got.Phone == "" {
			t.Error("a change by this process is not seen")
		}
		read(3).Identities[0].OpenID = "changed"
		if got := read(3); got.Identities[0].OpenID != "o" {
			t.Error("what a read returned is what is kept")
		}
		if got, err := (uncached{cache}).FindByID(ctx, user.ID); err != nil || got.ID != user.ID || slow.reads != 4 {
			t.Errorf("a login's read comes from memory: %d reads, %v", slow.reads, err)
		}

		// A change while a read is under way.
		cache.forget(user.ID)
		together.Go(func() { _, _ = cache.FindByID(ctx, user.ID) })
		synctest.Wait()
		if err := cache.EndSessions(ctx, user.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		together.Wait()
		if got := read(6); got.SessionsEndedAt.IsZero() {
			t.Error("a read from before the change is kept")
		}

		// One whose context ends takes nobody with it, and misses are not kept.
		cache.forget(user.ID)
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		together.Go(func() {
			if _, err := cache.FindByID(short, user.ID); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		if _, err := cache.FindByID(ctx, user.ID); err != nil {
			t.Errorf("another's context ended: %v", err)
		}
		together.Wait()
		for range 2 {
			if _, err := cache.FindByID(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
				t.Errorf("%v", err)
			}
		}
	})
}
