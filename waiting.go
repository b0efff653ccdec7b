package scangate

import (
	"context"
	"errors"
	"sync"
)

// waitingPerLogin is how many requests may wait for one login: a few tabs.
const waitingPerLogin = 5

// Why a request may not wait.
var (
	errTooManyTabs = errors.New("scangate: too many requests wait for this login, or from this address")
	errCrowded     = errors.New("scangate: too many browsers wait")
	errClosing     = errors.New("scangate: the gate is closed")
)

// waiting knows the requests that wait, to bound and to release them.
type waiting struct {
	mu      sync.Mutex
	max     int
	closed  bool
	counts  map[string]int // by login, and by address
	cancels map[*context.CancelFunc]struct{}
}

// perAddress is how many requests of one address may wait: a whole company, but
// not all.
func (w *waiting) perAddress() int { return max(w.max/10, waitingPerLogin) }

// enter admits a request from that address that waits for that login. It returns
// a context that ends with the parent or when the gate is closed, and what to
// call on leaving.
func (w *waiting) enter(parent context.Context, id, address string) (context.Context, func(), error) {
	id, address = "login "+id, "address "+address
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, nil, errClosing
	case len(w.cancels) >= w.max:
		return nil, nil, errCrowded
	case w.counts[id] >= waitingPerLogin, w.counts[address] >= w.perAddress():
		return nil, nil, errTooManyTabs
	}
	if w.cancels == nil {
		w.cancels = make(map[*context.CancelFunc]struct{})
		w.counts = make(map[string]int)
	}
	ctx, cancel := context.WithCancel(parent)
	w.counts[id]++
	w.counts[address]++
	w.cancels[&cancel] = struct{}{}
	return ctx, func() { cancel(); w.leave(&cancel, id, address) }, nil
}

// leave ends what enter has counted.
func (w *waiting) leave(cancel *context.CancelFunc, counted ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cancels, cancel)
	for _, key := range counted {
		if w.counts[key]--; w.counts[key] <= 0 {
			delete(w.counts, key)
		}
	}
}

// count returns how many wait.
func (w *waiting) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.cancels)
}

// close releases all who wait and admits nobody more.
func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for cancel := range w.cancels {
		(*cancel)()
	}
}
