package state

import (
	"context"
	"time"
)

// prefixed is a Store that puts a prefix before every key.
type prefixed struct {
	store  Store
	prefix string
}

// WithPrefix returns a view of the store in which prefix comes before every key, so
// that gates that share the store cannot use each other's logins.
func WithPrefix(store Store, prefix string) Store { return prefixed{store, prefix} }

// Create implements [Store].
func (p prefixed) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return p.store.Create(ctx, p.prefix+key, value, ttl)
}

// Load implements [Store].
func (p prefixed) Load(ctx context.Context, key string) ([]byte, int64, error) {
	return p.store.Load(ctx, p.prefix+key)
}

// Update implements [Store].
func (p prefixed) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return p.store.Update(ctx, p.prefix+key, version, value, ttl)
}

// Wait implements [Store].
func (p prefixed) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	return p.store.Wait(ctx, p.prefix+key, version)
}

// Add implements [Store].
func (p prefixed) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	return p.store.Add(ctx, p.prefix+key, window)
}
