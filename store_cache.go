package scangate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/ttlmap"
)

// cachedUsers bounds the users that Config.UserTTL keeps in memory.
const cachedUsers = 1 << 14

// userCache is a UserStore that answers FindByID from memory for a while, and reads a
// user at most once at a time. Changes by this process take effect at once.
type userCache struct {
	UserStore
	ttl time.Duration

	mu      sync.Mutex
	users   *ttlmap.Map[User]
	flights map[string]*flight
}

// flight is one read of the store that many requests may wait for.
type flight struct {
	done  chan struct{}
	user  User
	err   error
	stale bool // the user was changed after the read began
}

func newUserCache(users UserStore, ttl time.Duration) *userCache {
	return &userCache{UserStore: users, ttl: ttl, users: ttlmap.New[User](cachedUsers, nil), flights: make(map[string]*flight)}
}

// FindByID implements [UserStore]. It does not keep errors.
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
			// The error may be that of the other request's context.
			return c.UserStore.FindByID(ctx, id)
		}
		return copyUser(&f.user), f.err
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
}

// errNoRead is the error of a flight whose read has panicked.
var errNoRead = errors.New("the user store returned nothing")

// read ends the flight with what the store returns.
func (c *userCache) read(ctx context.Context, id string, f *flight) {
	f.err = errNoRead
	// Deferred, because the store is the application's code: if it panics, the requests
	// that wait for this flight, and all later ones, would wait for good.
	defer c.land(id, f)
	f.user, f.err = c.UserStore.FindByID(ctx, id)
}

// land releases the requests that wait for the flight, and keeps its user.
func (c *userCache) land(id string, f *flight) {
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
		// Its read may have come before the change: requests that come now must not wait
		// for it.
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

// uncached bypasses the cache for reads; writes still invalidate it.
type uncached struct{ *userCache }

// FindByID implements [UserStore].
func (u uncached) FindByID(ctx context.Context, id string) (User, error) {
	return u.UserStore.FindByID(ctx, id)
}
