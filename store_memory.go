package scangate

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/ttlmap"
)

// The bounds of a MemoryStore.
const (
	memoryUsers    = 1 << 20
	memoryRecords  = 1 << 20
	memoryBytes    = 340_000_000 // of all records that may be dropped
	memoryLasting  = 1 << 16     // records that must last, see state.MustLast
	memoryCounters = 1 << 16
)

// recordOverhead is what a record takes in memory besides its key and its value: an
// entry of a map, its place in the map, and its places in two queues. It was measured.
const recordOverhead = 160

// updatedBonus is how much later a record that was updated is dropped than one that was
// not. It is short, because with Config.OnEvent a login is updated when its QR code is opened,
// and an attacker can open the codes of all logins of a flood.
const updatedBonus = time.Minute

var (
	_ UserStore  = (*MemoryStore)(nil)
	_ StateStore = (*MemoryStore)(nil)
)

// MemoryStore keeps users and the state of logins in the process's memory. A [Gate] uses
// it if no other store is configured. It suits one process, development and tests: its
// contents are lost when the process ends.
//
// It holds at most 1,048,576 users; registering another one returns ErrFull.
//
// It holds at most 1,048,576 records in at most 350 MB. When it is full, a new record
// takes the place of the one that was written first. A record that was updated keeps its
// place for a minute longer than one that was not. So the oldest logins go first
// that were never updated. A login is updated when WeChat sends the phone back and, with
// [Config.OnEvent], when its QR code is opened. A gate's locks and quotas are not dropped. There are at most
// 65,536 of them; adding another one returns ErrFull, as does a record that alone takes
// more than 340 MB. It holds at most 65,536 counters; the one that would end first is
// dropped for a new one.
type MemoryStore struct {
	users memoryUserTable
	state memoryState
}

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore {
	m := &MemoryStore{}
	m.users.byID = make(map[string]*User)
	m.users.byOpenID = make(map[Identity]*User)
	m.users.byUnionID = make(map[string]*User)
	m.users.byPhone = make(map[string]*User)
	m.state.limit(memoryRecords)
	m.state.lasting = ttlmap.New(memoryLasting, func(e *ttlmap.Entry[memoryRecord]) { e.Value.wake() })
	m.state.counters = ttlmap.New[int64](memoryCounters, nil)
	return m
}

// memoryUserTable is a table of users with an index for each look-up.
type memoryUserTable struct {
	mu        sync.RWMutex
	byID      map[string]*User
	byOpenID  map[Identity]*User // keys have no UnionID
	byUnionID map[string]*User
	byPhone   map[string]*User
}

// openIDKey returns the identity's key in byOpenID.
func openIDKey(who Identity) Identity {
	return Identity{AppID: who.AppID, OpenID: who.OpenID}
}

// copyUser returns a copy that shares no memory with u.
func copyUser(u *User) User {
	c := *u
	c.Identities = slices.Clone(u.Identities)
	return c
}

// find returns a copy of the user that look returns. It calls look under the lock.
func (t *memoryUserTable) find(ctx context.Context, look func() *User) (User, error) {
	if err := ctx.Err(); err != nil {
		return User{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	u := look()
	if u == nil {
		return User{}, ErrNotFound
	}
	return copyUser(u), nil
}

// change calls f with the user of that ID, under the lock.
func (t *memoryUserTable) change(ctx context.Context, id string, f func(*User) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.byID[id]
	if u == nil {
		return ErrNotFound
	}
	return f(u)
}

// identityOwner returns the user who has the (AppID, OpenID) or the UnionID, unless that
// user is except.
func (t *memoryUserTable) identityOwner(who Identity, except *User) *User {
	if u := t.byOpenID[openIDKey(who)]; u != nil && u != except {
		return u
	}
	if who.UnionID == "" {
		return nil
	}
	if u := t.byUnionID[who.UnionID]; u != nil && u != except {
		return u
	}
	return nil
}

// index enters an identity of u that no other user has.
func (t *memoryUserTable) index(u *User, who Identity) {
	t.byOpenID[openIDKey(who)] = u
	if who.UnionID != "" {
		t.byUnionID[who.UnionID] = u
	}
}

// FindByID implements [UserStore].
func (m *MemoryStore) FindByID(ctx context.Context, id string) (User, error) {
	t := &m.users
	return t.find(ctx, func() *User { return t.byID[id] })
}

// FindByWeChat implements [UserStore].
func (m *MemoryStore) FindByWeChat(ctx context.Context, who Identity) (User, error) {
	t := &m.users
	return t.find(ctx, func() *User { return t.identityOwner(who, nil) })
}

// FindByPhone implements [UserStore].
func (m *MemoryStore) FindByPhone(ctx context.Context, phone string) (User, error) {
	t := &m.users
	return t.find(ctx, func() *User { return t.byPhone[phone] })
}

// Register implements [UserStore].
func (m *MemoryStore) Register(ctx context.Context, who NewUser) (User, error) {
	if err := ctx.Err(); err != nil {
		return User{}, err
	}
	t := &m.users
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.identityOwner(who.Identity, nil) != nil:
		return User{}, ErrIdentityTaken
	case t.byPhone[who.Phone] != nil:
		return User{}, ErrPhoneTaken
	case len(t.byID) >= memoryUsers:
		return User{}, ErrFull
	}
	u := &User{
		ID:         rand.Text(),
		Nickname:   who.Nickname,
		AvatarURL:  who.AvatarURL,
		Phone:      who.Phone,
		Identities: []Identity{who.Identity},
	}
	t.byID[u.ID] = u
	if u.Phone != "" {
		t.byPhone[u.Phone] = u
	}
	t.index(u, who.Identity)
	return copyUser(u), nil
}

// LinkWeChat implements [UserStore].
func (m *MemoryStore) LinkWeChat(ctx context.Context, id string, who Identity) error {
	t := &m.users
	return t.change(ctx, id, func(u *User) error {
		if t.identityOwner(who, u) != nil {
			return ErrIdentityTaken
		}
		at := slices.IndexFunc(u.Identities, func(i Identity) bool { return i.AppID == who.AppID })
		if at < 0 {
			u.Identities = append(u.Identities, who)
			t.index(u, who)
			return nil
		}
		has := &u.Identities[at]
		switch {
		case has.OpenID != who.OpenID, has.UnionID != "" && who.UnionID != "" && has.UnionID != who.UnionID:
			return ErrIdentityTaken
		case has.UnionID == "":
			has.UnionID = who.UnionID
			t.index(u, who)
		}
		return nil
	})
}

// UnlinkWeChat implements [UserStore].
func (m *MemoryStore) UnlinkWeChat(ctx context.Context, id string, who Identity) error {
	t := &m.users
	return t.change(ctx, id, func(u *User) error {
		if t.byOpenID[openIDKey(who)] != u {
			return nil
		}
		for _, has := range u.Identities {
			delete(t.byOpenID, openIDKey(has))
			delete(t.byUnionID, has.UnionID)
		}
		u.Identities = slices.DeleteFunc(u.Identities, func(has Identity) bool { return openIDKey(has) == openIDKey(who) })
		for _, has := range u.Identities {
			t.index(u, has)
		}
		return nil
	})
}

// BindPhone implements [UserStore].
func (m *MemoryStore) BindPhone(ctx context.Context, id, phone string) error {
	t := &m.users
	return t.change(ctx, id, func(u *User) error {
		if owner := t.byPhone[phone]; owner != nil && owner != u {
			return ErrPhoneTaken
		}
		delete(t.byPhone, u.Phone)
		u.Phone = phone
		if phone != "" {
			t.byPhone[phone] = u
		}
		return nil
	})
}

// EndSessions implements [UserStore].
func (m *MemoryStore) EndSessions(ctx context.Context, id string, before time.Time) error {
	return m.users.change(ctx, id, func(u *User) error {
		if before.After(u.SessionsEndedAt) {
			u.SessionsEndedAt = before
		}
		return nil
	})
}

// Delete deletes the user and frees the identities and the phone number, which ends the
// sessions. It returns ErrNotFound if there is no such user. A gate with [Config.UserTTL]
// may still accept a session for that long: call [Gate.EndSessions] first if that is too
// long.
func (m *MemoryStore) Delete(ctx context.Context, id string) error {
	t := &m.users
	return t.change(ctx, id, func(u *User) error {
		for _, has := range u.Identities {
			delete(t.byOpenID, openIDKey(has))
			delete(t.byUnionID, has.UnionID)
		}
		delete(t.byPhone, u.Phone)
		delete(t.byID, u.ID)
		return nil
	})
}

// memoryState is the StateStore half of a MemoryStore.
type memoryState struct {
	mu       sync.Mutex
	records  *ttlmap.Map[memoryRecord]
	bytes    int // size of all records
	lasting  *ttlmap.Map[memoryRecord]
	counters *ttlmap.Map[int64]
}

// limit makes an empty table of at most n records.
func (s *memoryState) limit(n int) {
	s.records = ttlmap.New(n, func(e *ttlmap.Entry[memoryRecord]) {
		e.Value.wake()
		s.bytes -= recordSize(e.Key, e.Value.value)
	})
}

type memoryRecord struct {
	value   []byte
	version int64
	changed chan struct{} // closed by the next change; nil if no call waits
}

// wake makes waiting calls read the store again.
func (r *memoryRecord) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// recordSize returns what a record takes in memory. The capacity of a clone is the size
// that was allocated for it.
func recordSize(key string, value []byte) int { return len(key) + cap(value) + recordOverhead }

// table returns the table for records of that key.
func (s *memoryState) table(key string) *ttlmap.Map[memoryRecord] {
	if state.MustLast(key) {
		return s.lasting
	}
	return s.records
}

// write puts a record into its table for the time ttl from now.
func (s *memoryState) write(key string, r memoryRecord, ttl time.Duration) error {
	now := time.Now()
	if table := s.table(key); table == s.lasting {
		return table.Put(key, r, now.Add(ttl))
	}
	rank := now
	if r.version > 1 {
		rank = rank.Add(updatedBonus)
	}
	return s.records.PutRanked(key, r, now.Add(ttl), rank)
}

// makeRoom drops records until there is room for another one of that size.
func (s *memoryState) makeRoom(size int) {
	for s.records.Full() || s.bytes+size > memoryBytes && s.records.Len() > 0 {
		s.records.Evict()
	}
}

// Create implements [StateStore].
func (m *MemoryStore) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := memoryRecord{value: bytes.Clone(value), version: 1}
	size := recordSize(key, r.value)
	s := &m.state
	s.mu.Lock()
	defer s.mu.Unlock()
	table := s.table(key)
	if _, ok := table.Get(key); ok {
		return ErrExists
	}
	if table == s.records {
		if size > memoryBytes {
			return ErrFull
		}
		s.makeRoom(size)
		s.bytes += size
	}
	return s.write(key, r, ttl)
}

// Load implements [StateStore].
func (m *MemoryStore) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s := &m.state
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.table(key).Get(key)
	if !ok {
		return nil, 0, ErrNotFound
	}
	return bytes.Clone(e.Value.value), e.Value.version, nil
}

// Update implements [StateStore].
func (m *MemoryStore) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := memoryRecord{value: bytes.Clone(value), version: version + 1}
	s := &m.state
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.table(key).Get(key)
	switch {
	case !ok:
		return ErrNotFound
	case e.Value.version != version:
		return ErrConflict
	case recordSize(key, r.value) > memoryBytes:
		return ErrFull
	}
	e.Value.wake()
	grown := cap(r.value) - cap(e.Value.value)
	if s.table(key) == s.records {
		s.bytes += grown
	}
	// First the record itself, or it could be the one that is dropped.
	err := s.write(key, r, ttl)
	if grown > 0 {
		for s.bytes > memoryBytes && s.records.Len() > 1 {
			s.records.Evict()
		}
	}
	return err
}

// Wait implements [StateStore].
func (m *MemoryStore) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	for {
		value, newer, err := m.Load(ctx, key)
		if err != nil || newer != version {
			return value, newer, err
		}
		select {
		case <-m.state.changed(key, version):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// changed returns a channel that is closed when the record of that key no longer has
// that version. It is closed already if the record has another one now.
func (s *memoryState) changed(key string, version int64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.table(key).Get(key)
	if !ok || e.Value.version != version {
		now := make(chan struct{})
		close(now)
		return now
	}
	if e.Value.changed == nil {
		e.Value.changed = make(chan struct{})
	}
	return e.Value.changed
}

// Add implements [StateStore].
func (m *MemoryStore) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s := &m.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.counters.Get(key); ok {
		e.Value++
		return e.Value, nil
	}
	if s.counters.Full() {
		// Not ErrFull: a flood from many addresses would lock all other clients out.
		s.counters.Evict()
	}
	return 1, s.counters.Put(key, 1, time.Now().Add(window))
}
