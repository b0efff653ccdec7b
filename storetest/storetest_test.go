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

// fewRacers is enough for a fault to show, because faulty stores make calls overlap.
const fewRacers = 10

// errFault is the error of a faulty store.
var errFault = errors.New("broken on purpose")

func TestMemoryStore(t *testing.T) {
	t.Run("users", func(t *testing.T) {
		Users(t, func(*testing.T) scangate.UserStore { return scangate.NewMemoryStore() })
	})
	t.Run("delete", func(t *testing.T) {
		Delete(t, func(*testing.T) UserDeleter { return scangate.NewMemoryStore() })
	})
	t.Run("state", func(t *testing.T) {
		State(t, func(*testing.T) scangate.StateStore { return scangate.NewMemoryStore() })
	})
}

func TestAdvance(t *testing.T) {
	advanced := time.Duration(0)
	got := report(t, func(tb tb) {
		s := &stateProbe{probe: probe{tb, "time passes", fewRacers}, store: scangate.NewMemoryStore()}
		Advance(func(d time.Duration) { advanced += d })(s)
		ttlOver(s)
	})
	if got != "" {
		t.Errorf("ttlOver of a MemoryStore reported %q, want nothing", got)
	}
	if advanced < shortTTL {
		t.Errorf("ttlOver advanced the clock by %v, want at least %v", advanced, shortTTL)
	}
}

// recorder is a tb that records the message of Fatalf instead of failing the test.
type recorder struct {
	*testing.T
	report string
}

// Fatalf records the message and ends the goroutine, as that of testing.T does.
func (r *recorder) Fatalf(format string, args ...any) {
	r.report = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// report runs a case and returns its report, which is empty if the case passes.
func report(t *testing.T, check func(tb)) string {
	r := &recorder{}
	// In a bubble, the case does not wait in real time.
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

// userFailures returns the names of the cases that a UserStore fails.
func userFailures(t *testing.T, newStore func() scangate.UserStore) []string {
	t.Helper()
	var failed []string
	for _, c := range userCases() {
		got := report(t, func(tb tb) { c.check(&userProbe{probe{tb, c.rule, fewRacers}, newStore(), lacks{}}) })
		if got != "" {
			failed = append(failed, c.name)
			wantQuoted(t, got, c.rule)
		}
	}
	return failed
}

// stateFailures returns the names of the cases that a StateStore fails.
func stateFailures(t *testing.T, newStore func() scangate.StateStore) []string {
	t.Helper()
	var failed []string
	for _, c := range stateCases() {
		got := report(t, func(tb tb) { c.check(&stateProbe{probe: probe{tb, c.rule, fewRacers}, store: newStore()}) })
		if got != "" {
			failed = append(failed, c.name)
			wantQuoted(t, got, c.rule)
		}
	}
	return failed
}

// wantQuoted fails t unless report begins with rule.
func wantQuoted(t *testing.T, report, rule string) {
	t.Helper()
	if want := "storetest: broken: " + rule + ": "; !strings.HasPrefix(report, want) {
		t.Errorf("report = %q, want it to begin with %q", report, want)
	}
}

// wantFailures fails t unless the failed cases are the wanted ones. The element "..."
// of want allows others: some faults break what every case relies on, or show in other
// cases only by chance.
func wantFailures(t *testing.T, failed, want []string) {
	t.Helper()
	others := slices.Contains(want, "...")
	for _, name := range failed {
		if !others && !slices.Contains(want, name) {
			t.Errorf("the case %q failed, want it to pass", name)
		}
	}
	for _, name := range want {
		if name != "..." && !slices.Contains(failed, name) {
			t.Errorf("the case %q passed, want it to fail", name)
		}
	}
}

// overlap detects calls that run at the same time.
type overlap struct {
	mu      sync.Mutex
	running int
	met     bool
}

// detect runs for a moment and reports whether another call ran at the same time.
func (o *overlap) detect() bool {
	o.mu.Lock()
	o.running++
	o.met = o.met || o.running > 1
	o.mu.Unlock()
	// In a bubble, this ends when all other goroutines are blocked.
	<-time.After(time.Millisecond)
	o.mu.Lock()
	defer o.mu.Unlock()
	met := o.met
	o.running--
	// The last call of a group resets met for the next group.
	o.met = met && o.running > 0
	return met
}

// active reports whether a call is running.
func (o *overlap) active() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running > 0
}

// memory is a map that a faulty store uses concurrently.
type memory[K comparable, V any] struct{ m sync.Map }

func (m *memory[K, V]) put(k K, v V) { m.m.Store(k, v) }

// get returns the zero value if k is not in m.
func (m *memory[K, V]) get(k K) V {
	v, _ := m.m.Load(k)
	got, _ := v.(V)
	return got
}

// cond returns yes if ok is true, and no otherwise.
func cond[T any](ok bool, yes, no T) T {
	if ok {
		return yes
	}
	return no
}
