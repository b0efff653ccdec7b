package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// few are as many as it takes to find a fault, where calls are made to cross.
const few = 10

func TestMemoryStore(t *testing.T) {
	t.Run("users", func(t *testing.T) {
		Users(t, func(*testing.T) scangate.UserStore { return scangate.NewMemoryStore() })
	})
	t.Run("state", func(t *testing.T) {
		State(t, func(*testing.T) scangate.StateStore { return scangate.NewMemoryStore() })
	})
}

func TestAdvance(t *testing.T) {
	advanced := time.Duration(0)
	got := report(t, func(tb tb) {
		s := &state{probe: probe{tb, "time passes", few}, store: scangate.NewMemoryStore()}
		Advance(func(d time.Duration) { advanced += d })(s)
		ttlOver(s)
	})
	if got != "" || advanced < moments {
		t.Errorf("the case made %v pass, and reported %q", advanced, got)
	}
}

// recorder is a tb that takes down what fails.
type recorder struct {
	*testing.T
	report string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.report = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// report returns what a case reports, or "". The case runs in a bubble of its
// own, where time that is waited for passes at once.
func report(t *testing.T, check func(tb)) string {
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		r.T = t
		done := make(chan struct{})
		go func() {
			defer close(done)
			check(r)
		}()
		<-done
		synctest.Wait()
	})
	return r.report
}

// failures returns the names of the cases that a user store fails.
func userFailures(t *testing.T, newStore func() scangate.UserStore) []string {
	var failed []string
	for _, c := range userCases() {
		got := report(t, func(tb tb) { c.check(&users{probe{tb, c.rule, few}, newStore()}) })
		if got != "" {
			failed = append(failed, c.name)
			mustQuote(t, got, c.rule)
		}
	}
	return failed
}

func stateFailures(t *testing.T, newStore func() scangate.StateStore) []string {
	var failed []string
	for _, c := range stateCases() {
		got := report(t, func(tb tb) { c.check(&state{probe: probe{tb, c.rule, few}, store: newStore()}) })
		if got != "" {
			failed = append(failed, c.name)
			mustQuote(t, got, c.rule)
		}
	}
	return failed
}

func mustQuote(t *testing.T, report, rule string) {
	t.Helper()
	if !strings.HasPrefix(report, "storetest: broken: "+rule+": ") {
		t.Errorf("the report %q does not quote the rule", report)
	}
}

// demand compares the cases that a broken store failed with those that it has to,
// and no other. "..." stands for others: where a fault breaks what all else is
// built on, or what shows it elsewhere is chance.
func demand(t *testing.T, failed, want []string) {
	t.Helper()
	others := slices.Contains(want, "...")
	for _, name := range failed {
		if !others && !slices.Contains(want, name) {
			t.Errorf("the case %q fails", name)
		}
	}
	for _, name := range want {
		if name != "..." && !slices.Contains(failed, name) {
			t.Errorf("the case %q does not fail", name)
		}
	}
}

var errFault = errors.New("broken on purpose")

// crossing tells which calls to a store cross others.
type crossing struct {
	mu    sync.Mutex
	under int
	met   bool
}

// crosses takes a moment, and reports whether another call was under way in it.
func (c *crossing) crosses() bool {
	c.mu.Lock()
	c.under++
	c.met = c.met || c.under > 1
	c.mu.Unlock()
	<-time.After(time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	met := c.met
	c.under--
	c.met = met && c.under > 0
	return met
}

// memory is what a fault remembers.
type memory[K comparable, V any] struct{ m sync.Map }

func (m *memory[K, V]) put(k K, v V) { m.m.Store(k, v) }

func (m *memory[K, V]) get(k K) V {
	v, _ := m.m.Load(k)
	got, _ := v.(V)
	return got
}
