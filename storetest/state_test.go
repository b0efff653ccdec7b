package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// faultyState is a good store but for the methods that are set.
type faultyState struct {
	scangate.StateStore
	create func(ctx context.Context, key string, value []byte, ttl time.Duration) error
	load   func(ctx context.Context, key string) ([]byte, int64, error)
	update func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error
	wait   func(ctx context.Context, key string, version int64) ([]byte, int64, error)
	add    func(ctx context.Context, key string, window time.Duration) (int64, error)
}

func (s *faultyState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.create != nil {
		return s.create(ctx, key, value, ttl)
	}
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *faultyState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if s.load != nil {
		return s.load(ctx, key)
	}
	return s.StateStore.Load(ctx, key)
}

func (s *faultyState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if s.update != nil {
		return s.update(ctx, key, version, value, ttl)
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func (s *faultyState) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	if s.wait != nil {
		return s.wait(ctx, key, version)
	}
	return s.StateStore.Wait(ctx, key, version)
}

func (s *faultyState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if s.add != nil {
		return s.add(ctx, key, window)
	}
	return s.StateStore.Add(ctx, key, window)
}

// stateFault breaks one rule of a good store; see userFault.
type stateFault struct {
	name  string
	fails []string
	set   func(s *faultyState, good scangate.StateStore)
}

func (f stateFault) store() scangate.StateStore {
	good := scangate.NewMemoryStore()
	s := &faultyState{StateStore: good}
	f.set(s, good)
	return s
}

func TestStateFindsFaults(t *testing.T) {
	caught := make(map[string]bool)
	for _, f := range stateFaults() {
		t.Run(f.name, func(t *testing.T) {
			demand(t, stateFailures(t, f.store), f.fails)
		})
		for _, name := range f.fails {
			caught[name] = true
		}
	}
	for _, c := range stateCases() {
		if !caught[c.name] {
			t.Errorf("no fault makes the case %q fail", c.name)
		}
	}
}

func stateFaults() []stateFault {
	return slices.Concat(createFaults(), updateFaults(), ttlFaults(), bytesFaults(), waitFaults(), addFaults(), stateCallFaults())
}

func createFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		{"versions begin at 0", []string{"create/record", "..."}, func(s *faultyState, good store) {
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				return value, version - 1, err
			}
		}},
		{"what exists is overwritten", []string{"create/exists", "ttl/conflict", "..."}, func(s *faultyState, good store) {
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				_, version, err := good.Load(ctx, key)
				if err != nil {
					return good.Create(ctx, key, value, ttl)
				}
				_ = good.Update(ctx, key, version, value, ttl)
				return scangate.ErrExists
			}
		}},
		{"calls that cross create a record twice", []string{"create/race"}, func(s *faultyState, good store) {
			var c crossing
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				met := c.crosses()
				if err := good.Create(ctx, key, value, ttl); !met || !errors.Is(err, scangate.ErrExists) {
					return err
				}
				return nil
			}
		}},
		{"what is unknown is empty", []string{"load/unknown", "..."}, func(s *faultyState, good store) {
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				return value, version, cond(errors.Is(err, scangate.ErrNotFound), nil, err)
			}
		}},
	}
}

func updateFaults() []stateFault {
	type store = scangate.StateStore
	update := func(name string, fails []string, update func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error) stateFault {
		return stateFault{name, fails, func(s *faultyState, good store) {
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				return update(ctx, good, key, version, value, ttl)
			}
		}}
	}
	return []stateFault{
		update("an empty value is not written", []string{"update/next"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			if len(value) == 0 {
				value, _, _ = good.Load(ctx, key)
			}
			return good.Update(ctx, key, version, value, ttl)
		}),
		update("version 0 is any", []string{"update/conflict"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			if version == 0 {
				_, version, _ = good.Load(ctx, key)
			}
			return good.Update(ctx, key, version, value, ttl)
		}),
		update("what is unknown is a conflict", []string{"update/unknown", "ttl/over"}, func(ctx context.Context, good store, key string, version int64, value []byte, ttl time.Duration) error {
			err := good.Update(ctx, key, version, value, ttl)
			return cond(errors.Is(err, scangate.ErrNotFound), scangate.ErrConflict, err)
		}),
		{"calls that cross update a version twice", []string{"update/race", "update/none lost", "..."}, func(s *faultyState, good store) {
			var c crossing
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				met := c.crosses()
				err := good.Update(ctx, key, version, value, ttl)
				return cond(met && errors.Is(err, scangate.ErrConflict), nil, err)
			}
		}},
		{"calls for many keys block each other out", []string{"update/apart"}, func(s *faultyState, good store) {
			var c crossing
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if c.crosses() && key != "k" {
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
		{"records stay", []string{"ttl/over", "..."}, func(s *faultyState, good store) {
			s.create = func(ctx context.Context, key string, value []byte, _ time.Duration) error {
				return good.Create(ctx, key, value, ages)
			}
		}},
		{"records stay as long as they had at first", []string{"ttl/renewed", "ttl/cut"}, func(s *faultyState, good store) {
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
		{"records stay no less than they had at first", []string{"ttl/cut"}, func(s *faultyState, good store) {
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				return good.Update(ctx, key, version, value, max(ttl, ages))
			}
		}},
		{"a conflict cuts the time", []string{"ttl/conflict"}, func(s *faultyState, good store) {
			s.update = func(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
				err := good.Update(ctx, key, version, value, ttl)
				if errors.Is(err, scangate.ErrConflict) && ttl < ages {
					had, now, _ := good.Load(ctx, key)
					_ = good.Update(ctx, key, now, had, ttl)
				}
				return err
			}
		}},
	}
}

// keyed changes the keys of all methods.
func keyed(s *faultyState, good scangate.StateStore, change func(string) string) {
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

func bytesFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		{"keys have no case", []string{"bytes/keys", "bytes/counters"}, func(s *faultyState, good store) {
			keyed(s, good, strings.ToLower)
		}},
		{"keys end at NUL", []string{"bytes/keys", "bytes/counters"}, func(s *faultyState, good store) {
			keyed(s, good, func(key string) string {
				key, _, _ = strings.Cut(key, "\x00")
				return key
			})
		}},
		{"counters have no case", []string{"bytes/counters"}, func(s *faultyState, good store) {
			s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
				return good.Add(ctx, strings.ToLower(key), window)
			}
		}},
		{"values are text", []string{"bytes/values"}, func(s *faultyState, good store) {
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				return good.Create(ctx, key, []byte(strings.ToValidUTF8(string(value), "?")), ttl)
			}
		}},
		{"values given are kept", []string{"copies/given"}, func(s *faultyState, good store) {
			var kept memory[string, []byte]
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				kept.put(key, value)
				return good.Create(ctx, key, value, ttl)
			}
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				return cond(string(kept.get(key)) == "xxx", kept.get(key), value), version, err
			}
		}},
		{"what Wait returns is what is kept", []string{"copies/returned"}, func(s *faultyState, good store) {
			var kept memory[string, []byte]
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				value, newer, err := good.Wait(ctx, key, version)
				if version == 0 && string(value) == "one" {
					kept.put(key, value)
				}
				return value, newer, err
			}
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				return cond(string(kept.get(key)) == "xxx", kept.get(key), value), version, err
			}
		}},
	}
}

func waitFaults() []stateFault {
	type store = scangate.StateStore
	wait := func(name string, fails []string, wait func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error)) stateFault {
		return stateFault{name, fails, func(s *faultyState, good store) {
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				return wait(ctx, good, key, version)
			}
		}}
	}
	return []stateFault{
		wait("Wait waits for a version above the one given", []string{"wait/at once"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			_, now, err := good.Load(ctx, key)
			if err == nil && now < version {
				<-ctx.Done()
				return nil, 0, ctx.Err()
			}
			return good.Wait(ctx, key, version)
		}),
		wait("no update wakes", []string{"wait/update", "wait/all", "..."}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, now, err := good.Load(ctx, key)
			if err != nil || now != version {
				return value, now, err
			}
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}),
		{"an update wakes one", []string{"wait/all", "..."}, func(s *faultyState, good store) {
			var c crossing
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				if _, now, err := good.Load(ctx, key); err == nil && now == version && c.crosses() {
					<-ctx.Done()
				}
				return good.Wait(ctx, key, version)
			}
		}},
		wait("Wait returns after a while", []string{"wait/only then", "wait/context", "wait/gone"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			brief, cancel := context.WithTimeout(ctx, moments)
			defer cancel()
			value, newer, err := good.Wait(brief, key, version)
			if err != nil && brief.Err() != nil && ctx.Err() == nil {
				return value, version, nil
			}
			return value, newer, err
		}),
		wait("Wait waits for an unknown record", []string{"wait/unknown", "ttl/over"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, newer, err := good.Wait(ctx, key, version)
			if errors.Is(err, scangate.ErrNotFound) {
				<-ctx.Done()
				err = ctx.Err()
			}
			return value, newer, err
		}),
		{"a record that goes is a change", []string{"wait/gone"}, func(s *faultyState, good store) {
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				value, newer, err := good.Wait(ctx, key, version)
				if _, _, gone := good.Load(context.WithoutCancel(ctx), key); err != nil && key == "k" && version == 1 && errors.Is(gone, scangate.ErrNotFound) && ctx.Err() == context.DeadlineExceeded {
					return nil, 0, nil
				}
				return value, newer, err
			}
		}},
		wait("a wait that is canceled is an empty record", []string{"wait/context"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			began := ctx.Err()
			value, newer, err := good.Wait(ctx, key, version)
			return value, newer, cond(began == nil && errors.Is(err, context.Canceled), nil, err)
		}),
		wait("Wait returns the value of another version", []string{"wait/follow"}, func(ctx context.Context, good store, key string, version int64) ([]byte, int64, error) {
			value, newer, err := good.Wait(ctx, key, version)
			if string(value) == fmt.Sprint(newer-1) {
				value = []byte("0")
			}
			return value, newer, err
		}),
	}
}

func addFaults() []stateFault {
	type store = scangate.StateStore
	return []stateFault{
		{"counters begin at one", []string{"add/counts", "..."}, func(s *faultyState, good store) {
			s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
				n, err := good.Add(ctx, key, window)
				return n + 1, err
			}
		}},
		{"calls that cross count one", []string{"add/race"}, func(s *faultyState, good store) {
			var c crossing
			s.add = func(ctx context.Context, key string, window time.Duration) (int64, error) {
				if c.crosses() {
					return 1, nil
				}
				return good.Add(ctx, key, window)
			}
		}},
		{"a counter is a record", []string{"add/apart"}, func(s *faultyState, good store) {
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				if errors.Is(err, scangate.ErrNotFound) && key == "k" {
					if n, _ := good.Add(ctx, key, 0); n > 1 {
						return []byte(fmt.Sprint(n)), 1, nil
					}
				}
				return value, version, err
			}
		}},
		{"counters count on", []string{"add/anew", "add/first"}, func(s *faultyState, good store) {
			s.add = func(ctx context.Context, key string, _ time.Duration) (int64, error) {
				return good.Add(ctx, key, ages)
			}
		}},
		{"each count prolongs the window", []string{"add/first"}, func(s *faultyState, good store) {
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

func stateCallFaults() []stateFault {
	type store = scangate.StateStore
	deaf := func(name string, fails []string, end error) stateFault {
		return stateFault{name, fails, func(s *faultyState, good store) {
			s.wait = func(ctx context.Context, key string, version int64) ([]byte, int64, error) {
				if errors.Is(ctx.Err(), end) {
					ctx = context.WithoutCancel(ctx)
				}
				return good.Wait(ctx, key, version)
			}
		}}
	}
	return []stateFault{
		deaf("a context that was canceled is used", []string{"context/canceled"}, context.Canceled),
		deaf("a context that is too late is used", []string{"context/deadline"}, context.DeadlineExceeded),
		{"errors quote the key", []string{"errors/secrets"}, func(s *faultyState, good store) {
			s.load = func(ctx context.Context, key string) ([]byte, int64, error) {
				value, version, err := good.Load(ctx, key)
				if err != nil {
					err = fmt.Errorf("loading %s: %w", key, err)
				}
				return value, version, err
			}
		}},
		{"errors quote the value", []string{"errors/secrets"}, func(s *faultyState, good store) {
			s.create = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if err := good.Create(ctx, key, value, ttl); err != nil {
					return fmt.Errorf("creating %s: %w", value, err)
				}
				return nil
			}
		}},
	}
}
