package scangate

import (
	"context"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/ttlmap"
)

// cachedUsers is how many users Config.UserTTL keeps at most.
const cachedUsers = 1 << 14

// userCache is a UserStore that answers FindByID from memory for a while, with
// one read under way for each user. What this process changes it reads anew.
type userCache struct {
	UserStore
	ttl time.Duration

	mu      sync.Mutex
	users   *ttlmap.Map[User]
	flights map[string]*flight
}

// uncached is a userCache that changes go through, and reads by.
type uncached struct{ *userCache }

// FindByID implements [UserStore].
func (u uncached) FindByID(ctx context.Context, id string) (User, error) {
	return u.UserStore.FindByID(ctx, id)
}

// flight is one read that many may wait for.
type flight struct {
	done  chan struct{}
	user  User
	err   error
	stale bool // the user has been changed since it began
}

func newUserCache(users UserStore, ttl time.Duration) *userCache {
	return &userCache{UserStore: users, ttl: ttl, users: ttlmap.New[User](cachedUsers, nil), flights: make(map[string]*flight)}
}

// FindByID implements [UserStore]. Errors are not kept.
func (c *userCache) FindByID(ctx context.Context, id string) (User, error) {
	c.mu.Lock()
	if e, ok := c.users.Get(id); ok {
		c.mu.Unlock()
		return copyUser(&e.Value), nil
	}
	f, flying := c.flights[id]
	if !flying {
		f = &flight{done: make(chan struct{})}
		c.flights[id] = f
	}
	c.mu.Unlock()
	if !flying {
		c.read(ctx, id, f)
	}
	select {
	case <-f.done:
		if f.err != nil && flying && ctx.Err() == nil {
			return c.UserStore.FindByID(ctx, id) // it may have been the other's context that ended
		}
		return copyUser(&f.user), f.err
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
}

// read ends the flight with what the store says.
func (c *userCache) read(ctx context.Context, id string, f *flight) {
	f.user, f.err = c.UserStore.FindByID(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[id] == f {
		delete(c.flights, id)
	}
	if f.err == nil && !f.stale {
		if c.users.Full() {
			c.users.Evict()
		}
		_ = c.users.Put(id, f.user, time.Now().Add(c.ttl)) // there is room
	}
	close(f.done)
}

// forget makes the next read go to the store.
func (c *userCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users.Remove(id)
	if f, ok := c.flights[id]; ok {
		f.stale = true
		delete(c.flights, id)
	}
}

// LinkWeChat implements [UserStore].
func (c *userCache) LinkWeChat(ctx context.Context, id string, who Identity) error {
	defer c.forget(id)
	return c.UserStore.LinkWeChat(ctx, id, who)
}

// UnlinkWeChat implements [UserStore].
func (c *userCache) UnlinkWeChat(ctx context.Context, id string, who Identity) error {
	defer c.forget(id)
	return c.UserStore.UnlinkWeChat(ctx, id, who)
}

// BindPhone implements [UserStore].
func (c *userCache) BindPhone(ctx context.Context, id, phone string) error {
	defer c.forget(id)
	return c.UserStore.BindPhone(ctx, id, phone)
}

// EndSessions implements [UserStore].
func (c *userCache) EndSessions(ctx context.Context, id string, before time.Time) error {
	defer c.forget(id)
	return c.UserStore.EndSessions(ctx, id, before)
}
