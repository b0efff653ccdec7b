package scangate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/ttlmap"
)

// cachedUsers bounds the users that Config.UserTTL keeps in memory.
const cachedUsers = 1 << 14

// The times of reading what other processes have announced.
const (
	// endsInterval is how often a busy process reads it. One request then waits for the
	// read, for at most endsTime, and the others go on.
	endsInterval = time.Second
	endsTime     = 500 * time.Millisecond
	// endsTrusted is how long a read is good for: how late a process notices that another
	// one has ended a user's sessions. Without a newer read it uses no user in memory.
	endsTrusted = 2 * time.Second
)

// userCache is a UserStore that answers FindByID from memory for a while, and reads a
// user at most once at a time. Changes by this process take effect at once. If another
// process ends a user's sessions, that takes effect within endsTrusted.
type userCache struct {
	UserStore
	ttl  time.Duration
	ends *state.Ring // the users whose sessions a process has ended

	mu      sync.Mutex
	users   *ttlmap.Map[User]
	flights map[string]*flight

	lastEnd string    // the place in ends up to which it was read
	readAt  time.Time // when that read began
	readDue time.Time // when the next read is to begin
}

// flight is one read of the store that many requests may wait for.
type flight struct {
	done  chan struct{}
	began time.Time
	user  User
	err   error
	stale bool // the user was changed after the read began
}

func newUserCache(users UserStore, ttl time.Duration, ends *state.Ring) *userCache {
	c := &userCache{UserStore: users, ttl: ttl, ends: ends}
	c.clear()
	c.readAt = time.Now() // nothing is in memory that an end could concern
	return c
}

// FindByID implements [UserStore]. It does not keep errors.
func (c *userCache) FindByID(ctx context.Context, id string) (User, error) {
	now := time.Now()
	c.mu.Lock()
	if !now.Before(c.readDue) {
		c.readDue = now.Add(endsInterval)
		c.mu.Unlock()
		c.readEnds(ctx, now)
		c.mu.Lock()
	}
	if e, ok := c.users.Get(id); ok && now.Sub(c.readAt) < endsTrusted {
		c.mu.Unlock()
		return copyUser(&e.Value), nil
	}
	f, flying := c.flights[id]
	if flying && now.Sub(f.began) >= endsTrusted {
		f.stale, flying = true, false // another process may have ended the user's sessions since
	}
	if !flying {
		f = &flight{done: make(chan struct{}), began: now}
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

// readEnds forgets the users whose sessions other processes have ended, or all users if
// it cannot find out which. If the state store fails, it changes nothing: the last read
// is not good for long.
func (c *userCache) readEnds(ctx context.Context, began time.Time) {
	// Not the request's own limit, because the result is for all requests.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsTime)
	defer cancel()
	entries, err := c.ends.Load(ctx)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ended, known := entries.Since(c.lastEnd)
	if !known {
		c.clear()
	}
	for _, id := range ended {
		c.drop(id)
	}
	c.lastEnd = entries.Last()
	if began.After(c.readAt) {
		c.readAt = began
	}
}

// clear drops all users. The caller holds the lock, or is the constructor.
func (c *userCache) clear() {
	for _, f := range c.flights {
		f.stale = true
	}
	c.users, c.flights = ttlmap.New[User](cachedUsers, nil), make(map[string]*flight)
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
	c.drop(id)
}

// drop is forget for a caller that holds the lock.
func (c *userCache) drop(id string) {
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
