package session

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/ttlmap"
)

// memoryLimit is how many sessions a MemoryStore holds at most.
const memoryLimit = 1 << 18

var _ scs.CtxStore = (*MemoryStore)(nil)

// MemoryStore keeps sessions in memory, by hashes of their tokens: a dump of the memory
// contains no token that is valid. It holds at most 262,144 sessions.
type MemoryStore struct {
	mu       sync.RWMutex
	sessions *ttlmap.Map[[]byte]
}

// NewMemoryStore returns an empty MemoryStore.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{sessions: ttlmap.New[[]byte](memoryLimit, nil)}
}

// hashToken returns the key of a token. Looking up hashes also keeps the time of a look-up
// from revealing how much of a guessed token is right.
func hashToken(token string) [sha256.Size]byte {
	var buffer [64]byte // on the stack; scs's tokens have 43 bytes
	return sha256.Sum256(append(buffer[:0], token...))
}

// Find implements [scs.Store]. It does not find a session that has expired.
func (m *MemoryStore) Find(token string) (b []byte, found bool, err error) {
	key := hashToken(token)
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.sessions.GetBytes(key[:])
	if !ok {
		return nil, false, nil
	}
	return e.Value, true, nil
}

// FindCtx implements [scs.CtxStore]; see Find.
func (m *MemoryStore) FindCtx(_ context.Context, token string) (b []byte, found bool, err error) {
	return m.Find(token)
}

// CommitCtx implements [scs.CtxStore], and obeys [OnlyExisting]. It returns
// [ttlmap.ErrFull] if a new session has no room.
func (m *MemoryStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	key, onlyExisting := hashToken(token), OnlyExisting(ctx, token)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.sessions.GetBytes(key[:]); !found && onlyExisting {
		NoteEnded(ctx, token)
		return nil
	}
	return m.sessions.Put(string(key[:]), b, expiry)
}

// DeleteCtx implements [scs.CtxStore].
func (m *MemoryStore) DeleteCtx(ctx context.Context, token string) error {
	key := hashToken(token)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.sessions.GetBytes(key[:]); !found {
		NoteEnded(ctx, token)
	}
	m.sessions.Remove(string(key[:]))
	return nil
}

// Commit implements [scs.Store]; see CommitCtx.
func (m *MemoryStore) Commit(token string, b []byte, expiry time.Time) error {
	return m.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements [scs.Store].
func (m *MemoryStore) Delete(token string) error { return m.DeleteCtx(context.Background(), token) }

// conditional implements [conditionalStore].
func (m *MemoryStore) conditional() scs.Store { return m }
