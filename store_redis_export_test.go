package scangate

import "time"

// SetTimes makes the store less patient: limit is for one call, ping between
// signs of life. It is for a store that has not been used yet.
func (r *RedisStore) SetTimes(limit, ping time.Duration) { r.limit, r.ping = limit, ping }

// Listen begins to listen, as the first Wait does, but with nobody who waits.
func (r *RedisStore) Listen() {
	r.waits.mu.Lock()
	defer r.waits.mu.Unlock()
	r.waits.started = true
	r.waits.start()
}

// Idle reports whether no call is under way.
func (r *RedisStore) Idle() bool { return r.pool.ActiveCount() == r.pool.IdleCount() }
