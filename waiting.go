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
	errTooManyTabs = errors.New("scangate: too many requests wait for this login")
	errCrowded     = errors.New("scangate: too many browsers wait")
	errClosing     = errors.New("scangate: the gate is closed")
)

// waiting knows the requests that wait, to bound and to release them.
type waiting struct {
	mu      sync.Mutex
	max     int
	closed  bool
	perID   map[string]int
	cancels map[*context.CancelFunc]struct{}
}

// enter admits a request that waits for that login. It returns a context that
// ends with the parent or when the gate is closed, and what to call on leaving.
func (w *waiting) enter(parent context.Context, id string) (context.Context, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, nil, errClosing
	case len(w.cancels) >= w.max:
		return nil, nil, errCrowded
	case w.perID[id] >= waitingPerLogin:
		return nil, nil, errTooManyTabs
	}
	if w.cancels == nil {
		w.cancels = make(map[*context.CancelFunc]struct{})
		w.perID = make(map[string]int)
	}
	ctx, cancel := context.WithCancel(parent)
	w.perID[id]++
	w.cancels[&cancel] = struct{}{}
	return ctx, func() { cancel(); w.leave(id, &cancel) }, nil
}

func (w *waiting) leave(id string, cancel *context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cancels, cancel)
	if w.perID[id]--; w.perID[id] <= 0 {
		delete(w.perID, id)
	}
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
