package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

// changeKeys makes every method of s use the key that change makes of the given one.
func changeKeys(s *faultyState, good scangate.StateStore, change func(string) string) {
	s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return good.Create(ctx, change(key), value, ttl)
	}
	s.load = func(ctx context.Context, key string) ([]byte, int64, error) { return good.Load(ctx, change(key)) }
	s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
		return good.Update(ctx, change(key), version, value, ttl)
	}
	s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
		return good.Wait(ctx, change(key), version)
	}
	s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
		return good.Add(ctx, change(key), window)
	}
}

func keyFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		{"keys ignore case", []string{"bytes/keys", "bytes/counters"}, func(s *faultyState, good store) {
			changeKeys(s, good, strings.ToLower)
		}},
		{"keys end at NUL", []string{"bytes/keys", "bytes/counters"}, func(s *faultyState, good store) {
			changeKeys(s, good, func(key string) string {
				key, _, _ = strings.Cut(key, "\x00")
				return key
			})
		}},
		faultyAdd("keys of counters ignore case", []string{"bytes/counters"}, func(ctx context.Context, good store, key string, window time.Duration) (int64, error) {
			return good.Add(ctx, strings.ToLower(key), window)
		}),
	}
}

func valueFaults() []stateFault {
	type store = scangate.StateStore
	// returnOverwritten makes Load return a kept value once the test has overwritten it.
	returnOverwritten := func(s *faultyState, good store, kept *memory[string, []byte]) {
		s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
			value, version, err := good.Load(ctx, key)
			return cond(string(kept.get(key)) == "xxx", kept.get(key), value), version, err
		}
	}
	return []stateFault{
		faultyCreate("values are UTF-8", []string{"bytes/values"}, func(ctx context.Context, good store, key string, value []byte, ttl time.Duration) error {
			return good.Create(ctx, key, []byte(strings.ToValidUTF8(string(value), "?")), ttl)
		}),
		{"Create keeps the given slice", []string{"copies/given"}, func(s *faultyState, good store) {
			var kept memory[string, []byte]
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				kept.put(key, value)
				return good.Create(ctx, key, value, ttl)
			}
			returnOverwritten(s, good, &kept)
		}},
		{"Wait returns the stored slice", []string{"copies/returned"}, func(s *faultyState, good store) {
			var kept memory[string, []byte]
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				value, newer, err := good.Wait(ctx, key, version)
				if version == 0 && string(value) == "one" {
					kept.put(key, value)
				}
				return value, newer, err
			}
			returnOverwritten(s, good, &kept)
		}},
	}
}

func waitFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyWait("Wait waits for a higher version", []string{"wait/at once"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			_, now, err := good.Load(ctx, key)
			if err == nil && now < version {
				<-ctx.Done()
				return nil, 0, ctx.Err()
			}
			return good.Wait(ctx, key, version)
		}),
		faultyWait("an update does not wake Wait", []string{"wait/update", "wait/all", "..."}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, now, err := good.Load(ctx, key)
			if err != nil || now != version {
				return value, now, err
			}
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}),
		{"an update wakes one call only", []string{"wait/all", "..."}, func(s *faultyState, good store) {
			var o overlap
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				if _, now, err := good.Load(ctx, key); err == nil && now == version && o.detect() {
					<-ctx.Done()
				}
				return good.Wait(ctx, key, version)
			}
		}},
		faultyWait("Wait returns the value of another version", []string{"wait/follow"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, newer, err := good.Wait(ctx, key, version)
			if string(value) == fmt.Sprint(newer-1) {
				value = []byte("0")
			}
			return value, newer, err
		}),
	}
}

func waitEndFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyWait("Wait returns after a while without a change", []string{"wait/only then", "wait/context", "wait/gone"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			brief, cancel := context.WithTimeout(ctx, shortTTL)
			defer cancel()
			value, newer, err := good.Wait(brief, key, version)
			if err != nil && brief.Err() != nil && ctx.Err() == nil {
				return value, version, nil
			}
			return value, newer, err
		}),
		faultyWait("Wait waits for an unknown record", []string{"wait/unknown", "ttl/over"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, newer, err := good.Wait(ctx, key, version)
			if errors.Is(err, scangate.ErrNotFound) {
				<-ctx.Done()
				err = ctx.Err()
			}
			return value, newer, err
		}),
		faultyWait("the expiry of a record is a change", []string{"wait/gone"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, newer, err := good.Wait(ctx, key, version)
			_, _, load := good.Load(context.WithoutCancel(ctx), key)
			expired := key == "k" && version == 1 && errors.Is(load, scangate.ErrNotFound)
			if err != nil && expired && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, 0, nil
			}
			return value, newer, err
		}),
		faultyWait("a canceled Wait returns no error", []string{"wait/context"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			before := ctx.Err()
			value, newer, err := good.Wait(ctx, key, version)
			return value, newer, cond(before == nil && errors.Is(err, context.Canceled), nil, err)
		}),
	}
}

func stateCallFaults() []stateFault {
	// ignoring returns a fault of Wait, which ignores that its context has ended with
	// the error end.
	ignoring := func(name string, fails []string, end error) stateFault {
		return faultyWait(name, fails, func(ctx context.Context, good scangate.StateStore, key string, version int64) ([]byte, int64, error) {
			if errors.Is(ctx.Err(), end) {
				ctx = context.WithoutCancel(ctx)
			}
			return good.Wait(ctx, key, version)
		})
	}
	return []stateFault{
		ignoring("Wait ignores that its context is canceled", []string{"context/canceled"}, context.Canceled),
		ignoring("Wait ignores its deadline", []string{"context/deadline"}, context.DeadlineExceeded),
	}
}

func stateSecretFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		faultyLoad("errors quote the key", []string{"errors/secrets"}, func(ctx context.Context, good store, key string) ([]byte, int64, error) {
			value, version, err := good.Load(ctx, key)
			if err != nil {
				err = fmt.Errorf("loading %s: %w", key, err)
			}
			return value, version, err
		}),
		faultyCreate("errors quote the value", []string{"errors/secrets"}, func(ctx context.Context, good store, key string, value []byte, ttl time.Duration) error {
			if err := good.Create(ctx, key, value, ttl); err != nil {
				return fmt.Errorf("creating %s: %w", value, err)
			}
			return nil
		}),
	}
}
