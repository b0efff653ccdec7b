package scangate

import (
	"context"
	"time"
)

// namespace is a StateStore in which one gate's keys are its own: an attempt
// approved at one is nothing to another, whose users are other people.
type namespace struct {
	store  StateStore
	prefix string
}

// Create implements [StateStore].
func (n namespace) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return n.store.Create(ctx, n.prefix+key, value, ttl)
}

// Load implements [StateStore].
func (n namespace) Load(ctx context.Context, key string) ([]byte, int64, error) {
	return n.store.Load(ctx, n.prefix+key)
}

// Update implements [StateStore].
func (n namespace) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return n.store.Update(ctx, n.prefix+key, version, value, ttl)
}

// Wait implements [StateStore].
func (n namespace) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	return n.store.Wait(ctx, n.prefix+key, version)
}

// Add implements [StateStore].
func (n namespace) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	return n.store.Add(ctx, n.prefix+key, window)
}
