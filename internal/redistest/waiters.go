package redistest

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

// Waiters are calls of Wait, one for each of many records, all of which are at version
// 1 with the value "waiting".
type Waiters struct {
	t      *testing.T
	Keys   []string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	updated map[string]time.Time // when the update began
	woken   map[string]time.Time
	failed  []error
}

// StartWaiters creates n records and starts a call of Wait for each. When it returns,
// all calls wait, and the server's statistics count from then on.
func StartWaiters(t *testing.T, server *Server, store *Store, n int) *Waiters {
	t.Helper()
	w := &Waiters{t: t, updated: make(map[string]time.Time), woken: make(map[string]time.Time)}
	for i := range n {
		w.Keys = append(w.Keys, "login:"+strconv.Itoa(i))
	}
	w.each(func(key string) error { return store.Create(t.Context(), key, []byte("waiting"), time.Hour) })
	Listen(t, server, store)
	server.Do("CONFIG", "RESETSTAT")
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	t.Cleanup(func() {
		cancel()
		w.done.Wait()
	})
	for _, key := range w.Keys {
		w.done.Go(func() { w.wait(ctx, store, key) })
	}
	if !Within(Patience, func() bool { return server.Reads() >= n && store.Idle() }) {
		t.Fatalf("records read by calls of Wait = %d, want %d", server.Reads(), n)
	}
	return w
}

// Listen makes the store listen before the first waiter comes, so that each waiter reads
// its record once.
func Listen(t *testing.T, server *Server, store *Store) {
	t.Helper()
	const key = "listens"
	if err := store.Create(t.Context(), key, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() {
		_, _, err := store.Wait(t.Context(), key, 1)
		woken <- err
	}()
	stored := "{scangate}:state:" + key
	if !Within(Patience, func() bool { return registered(t, server, stored) != "" }) {
		t.Fatal("the call of Wait has not registered its process")
	}
	if err := store.Update(t.Context(), key, 1, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	// The message comes behind Redis's answer to the subscription, so that the store has
	// seen that answer too. It reads all records then.
	if err := <-woken; err != nil {
		t.Fatalf("Wait for a record that changes: %v, want no error", err)
	}
	if !Within(Patience, store.Idle) {
		t.Fatal("the store holds connections, want none while nothing happens")
	}
	server.Do("DEL", stored)
}

// each calls f for all keys, at most 16 at a time.
func (w *Waiters) each(f func(key string) error) {
	w.t.Helper()
	var work sync.WaitGroup
	for keys := range slices.Chunk(w.Keys, (len(w.Keys)+15)/16) {
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
func (w *Waiters) wait(ctx context.Context, store scangate.StateStore, key string) {
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

// Approve updates all records through a store, which may belong to another process. It
// repeats updates while that store cannot reach Redis.
func (w *Waiters) Approve(store scangate.StateStore) {
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

// Count returns how many calls of Wait have returned the update.
func (w *Waiters) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.woken)
}

// AwaitEnd fails the test unless all calls of Wait return soon, with or without an error.
func (w *Waiters) AwaitEnd() {
	w.t.Helper()
	ended := make(chan struct{})
	go func() {
		w.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(Patience):
		w.t.Fatalf("calls of Wait still waiting after %v, want all to have returned", Patience)
	}
}

// Wake fails the test unless all calls of Wait return the update soon. It logs how long
// that took.
func (w *Waiters) Wake() {
	w.t.Helper()
	if !Within(Patience, func() bool { return w.Count() == len(w.Keys) }) {
		w.t.Fatalf("calls of Wait woken within %v = %d, want %d; errors: %.3q", Patience, w.Count(), len(w.Keys), w.failed)
	}
	w.done.Wait()
	var took []time.Duration
	for _, key := range w.Keys {
		took = append(took, w.woken[key].Sub(w.updated[key]))
	}
	slices.Sort(took)
	w.t.Logf("%d woken: half within %v, 99%% within %v, all within %v",
		len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
