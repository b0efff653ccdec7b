package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// waiters are calls of Wait, one for each of many records, all of which are at version
// 1 with the value "waiting".
type waiters struct {
	t      *testing.T
	keys   []string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	updated map[string]time.Time // when the update began
	woken   map[string]time.Time
	failed  []error
}

// startWaiters creates n records and starts a call of Wait for each. When it returns,
// all calls wait, and the server's statistics count from then on.
func startWaiters(t *testing.T, server *redisServer, store *testStore, n int) *waiters {
	t.Helper()
	w := &waiters{t: t, updated: make(map[string]time.Time), woken: make(map[string]time.Time)}
	for i := range n {
		w.keys = append(w.keys, "login:"+strconv.Itoa(i))
	}
	w.each(func(key string) error { return store.Create(t.Context(), key, []byte("waiting"), time.Hour) })
	listen(t, server, store)
	server.do("CONFIG", "RESETSTAT")
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	t.Cleanup(func() {
		cancel()
		w.done.Wait()
	})
	for _, key := range w.keys {
		w.done.Go(func() { w.wait(ctx, store, key) })
	}
	if !within(patience, func() bool { return server.reads() >= n && store.idle() }) {
		t.Fatalf("records read by calls of Wait = %d, want %d", server.reads(), n)
	}
	return w
}

// listen makes the store listen before the first waiter comes, so that each waiter reads
// its record once.
func listen(t *testing.T, server *redisServer, store *testStore) {
	t.Helper()
	before := server.listeners()
	if _, _, err := store.Wait(t.Context(), "no such record", 1); !errors.Is(err, scangate.ErrNotFound) {
		t.Fatalf("Wait for a missing record: error = %v, want ErrNotFound", err)
	}
	if !within(patience, func() bool { return server.listeners() > before }) {
		t.Fatalf("listening connections = %d, want more than %d", server.listeners(), before)
	}
}

// each calls f for all keys, at most 16 at a time.
func (w *waiters) each(f func(key string) error) {
	w.t.Helper()
	var work sync.WaitGroup
	for keys := range slices.Chunk(w.keys, (len(w.keys)+15)/16) {
		work.Go(func() {
			for _, key := range keys {
				if err := f(key); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// wait waits for one record and notes the result.
func (w *waiters) wait(ctx context.Context, store scangate.StateStore, key string) {
	value, version, err := store.Wait(ctx, key, 1)
	at := time.Now()
	if err == nil && (string(value) != "approved" || version != 2) {
		err = fmt.Errorf("woken with %q at version %d, want \"approved\" at version 2", value, version)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = append(w.failed, err)
		return
	}
	w.woken[key] = at
}

// approve updates all records through a store, which may belong to another process. It
// repeats updates while that store cannot reach Redis.
func (w *waiters) approve(store scangate.StateStore) {
	w.t.Helper()
	w.each(func(key string) error {
		w.mu.Lock()
		w.updated[key] = time.Now()
		w.mu.Unlock()
		for {
			err := store.Update(w.t.Context(), key, 1, []byte("approved"), time.Hour)
			if err == nil || errors.Is(err, scangate.ErrConflict) { // an earlier try succeeded and its answer was lost
				return nil
			}
			if w.t.Context().Err() != nil || errors.Is(err, scangate.ErrNotFound) {
				return err
			}
		}
	})
}

// count returns how many calls of Wait have returned the update.
func (w *waiters) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.woken)
}

// awaitEnd fails the test unless all calls of Wait return soon, with or without an error.
func (w *waiters) awaitEnd() {
	w.t.Helper()
	ended := make(chan struct{})
	go func() {
		w.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		w.t.Fatalf("calls of Wait still waiting after %v, want all to have returned", patience)
	}
}

// wake fails the test unless all calls of Wait return the update soon. It logs how long
// that took.
func (w *waiters) wake() {
	w.t.Helper()
	if !within(patience, func() bool { return w.count() == len(w.keys) }) {
		w.t.Fatalf("calls of Wait woken within %v = %d, want %d; errors: %.3q", patience, w.count(), len(w.keys), w.failed)
	}
	w.done.Wait()
	var took []time.Duration
	for _, key := range w.keys {
		took = append(took, w.woken[key].Sub(w.updated[key]))
	}
	slices.Sort(took)
	w.t.Logf("%d woken: half within %v, 99%% within %v, all within %v",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
