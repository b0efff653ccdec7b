package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scangate/scangate"
)

func createFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyLoad("versions begin at 0", []string{"create/record", "..."}, func(ctx context.Context, good store, key string) ([]byte, int64, error) {
			value, version, err := good.Load(ctx, key)
			return value, version - 1, err
		}),
		faultyCreate("Create overwrites an existing record", []string{"create/exists", "ttl/conflict", "..."}, func(ctx context.Context, good store, key string, value []byte, ttl time.Duration) error {
			_, version, err := good.Load(ctx, key)
			if err != nil {
				return good.Create(ctx, key, value, ttl)
			}
			_ = good.Update(ctx, key, version, value, ttl)
			return scangate.ErrExists
		}),
		{"overlapping calls create a record twice", []string{"create/race"}, func(s *faultyState, good store) {
			var o overlap
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				met := o.detect()
				if err := good.Create(ctx, key, value, ttl); !met || !errors.Is(err, scangate.ErrExists) {
					return err
				}
				return nil
			}
		}},
		faultyLoad("an unknown record is empty", []string{"load/unknown", "..."}, func(ctx context.Context, good store, key string) ([]byte, int64, error) {
			value, version, err := good.Load(ctx, key)
			return value, version, cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func updateFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyUpdate("an empty value is not written", []string{"update/next"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			if len(value) == 0 {
				value, _, _ = good.Load(ctx, key)
			}
			return good.Update(ctx, key, version, value, ttl)
		}),
		faultyUpdate("version 0 means any version", []string{"update/conflict"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			if version == 0 {
				_, version, _ = good.Load(ctx, key)
			}
			return good.Update(ctx, key, version, value, ttl)
		}),
		faultyUpdate("an unknown record is a conflict", []string{"update/unknown", "ttl/over"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			err := good.Update(ctx, key, version, value, ttl)
			return cond(errors.Is(err, scangate.ErrNotFound), scangate.ErrConflict, err)
		}),
	}
}

func overlappingUpdateFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		{"overlapping calls update a version twice", []string{"update/race", "update/none lost", "..."}, func(s *faultyState, good store) {
			var o overlap
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				met := o.detect()
				err := good.Update(ctx, key, version, value, ttl)
				return cond(met && errors.Is(err, scangate.ErrConflict), nil, err)
			}
		}},
		{"overlapping calls for different records fail", []string{"update/apart"}, func(s *faultyState, good store) {
			var o overlap
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if o.detect() && key != "k" {
					return errFault
				}
				return good.Create(ctx, key, value, ttl)
			}
		}},
	}
}

func ttlFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyCreate("records do not expire", []string{"ttl/over", "..."}, func(ctx context.Context, good store, key string, value []byte, _ time.Duration) error {
			return good.Create(ctx, key, value, longTTL)
		}),
		{"Update keeps the first ttl", []string{"ttl/renewed", "ttl/cut"}, func(s *faultyState, good store) {
			var mu sync.Mutex
			until := make(map[string]time.Time)
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				mu.Lock()
				defer mu.Unlock()
				until[key] = time.Now().Add(ttl)
				return good.Create(ctx, key, value, ttl)
			}
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				mu.Lock()
				defer mu.Unlock()
				if left := time.Until(until[key]); left > 0 {
					ttl = left
				}
				return good.Update(ctx, key, version, value, ttl)
			}
		}},
		faultyUpdate("Update does not shorten the ttl", []string{"ttl/cut"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			return good.Update(ctx, key, version, value, max(ttl, longTTL))
		}),
		faultyUpdate("a conflict shortens the ttl", []string{"ttl/conflict"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			err := good.Update(ctx, key, version, value, ttl)
			if errors.Is(err, scangate.ErrConflict) && ttl < longTTL {
				stored, now, _ := good.Load(ctx, key)
				_ = good.Update(ctx, key, now, stored, ttl)
			}
			return err
		}),
	}
}

func addFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyAdd("counters begin at one", []string{"add/counts", "..."}, func(ctx context.Context, good store, key string, window time.Duration) (int64, error) {
			n, err := good.Add(ctx, key, window)
			return n + 1, err
		}),
		{"overlapping calls return the same count", []string{"add/race"}, func(s *faultyState, good store) {
			var o overlap
			s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
				if o.detect() {
					return 1, nil
				}
				return good.Add(ctx, key, window)
			}
		}},
		faultyLoad("a counter is a record", []string{"add/apart"}, func(ctx context.Context, good store, key string) ([]byte, int64, error) {
			value, version, err := good.Load(ctx, key)
			if errors.Is(err, scangate.ErrNotFound) && key == "k" {
				// A counter that exists counts from two on.
				if n, _ := good.Add(ctx, key, 0); n > 1 {
					return []byte("counter"), 1, nil
				}
			}
			return value, version, err
		}),
	}
}

func windowFaults() []stateFault {
	return []stateFault{
		faultyAdd("counters do not expire", []string{"add/anew", "add/first"}, func(ctx context.Context, good scangate.StateStore, key string, _ time.Duration) (int64, error) {
			return good.Add(ctx, key, longTTL)
		}),
		{"each count extends the window", []string{"add/first"}, func(s *faultyState, _ scangate.StateStore) {
			var mu sync.Mutex
			type counter struct {
				n     int64
				until time.Time
			}
			counters := make(map[string]counter)
			s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
				if err := ctx.Err(); err != nil {
					return 0, err
				}
				mu.Lock()
				defer mu.Unlock()
				c := counters[key]
				if !time.Now().Before(c.until) {
					c.n = 0
				}
				c.n, c.until = c.n+1, time.Now().Add(window)
				counters[key] = c
				return c.n, nil
			}
		}},
	}
}
