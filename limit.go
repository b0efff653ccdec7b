package scangate

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// limitWindow is the time in which requests of one address are counted.
const limitWindow = time.Minute

// networkFactors multiplies every limit of an address for the networks that
// [limiter.networks] returns: an IPv4 address or a /64, and a /48.
var networkFactors = [...]int{1, 5}

// limiter counts the actions of each client address.
type limiter struct {
	state    state.Store
	max      int64 // actions of one kind, address and window
	clientIP func(*http.Request) netip.Addr
}

// count counts an action of the request's address. It returns errTooMany if there were
// more than the limit.
func (l *limiter) count(r *http.Request, action string, most int64) error {
	for i, network := range l.networks(r) {
		n, err := l.state.Add(r.Context(), "limit:"+action+":"+network, limitWindow)
		if err != nil {
			return wrap("counting requests", err)
		}
		if n > most*int64(networkFactors[i]) {
			return errTooMany
		}
	}
	return nil
}

// address returns the client's address, or "" if there is none. An IPv4 address mapped
// to IPv6 is the same as the plain one.
func (l *limiter) address(r *http.Request) string {
	addr := l.clientIP(r)
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// networks returns the networks whose requests are counted: an IPv4 address, or the /64
// and the /48 of an IPv6 address. One subscriber has a /64. A site has a /48, which is
// 65,536 of those.
func (l *limiter) networks(r *http.Request) []string {
	addr := l.clientIP(r).Unmap().WithZone("")
	if !addr.Is6() {
		return []string{addr.String()}
	}
	subscriber, _ := addr.Prefix(64) // in range for IPv6
	site, _ := addr.Prefix(48)
	return []string{subscriber.String(), site.String()}
}

// remoteAddr returns the address of the connection's other end.
func remoteAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}

// waitingPerLogin is how many requests may wait for one login: a few tabs.
const waitingPerLogin = 5

// waitingRoom has a bounded number of places for requests that wait.
type waitingRoom struct {
	mu      sync.Mutex
	max     int
	closed  bool
	counts  map[string]int // by login, and by network
	cancels map[*context.CancelFunc]struct{}
}

// perAddress is the share of one address: enough for a company, but not all places.
func (w *waitingRoom) perAddress() int { return max(w.max/10, waitingPerLogin) }

// acquire takes a place for a request from those networks that waits for that login. It
// returns a context that ends with the parent or when the room is closed, and the
// function that gives the place back.
func (w *waitingRoom) acquire(parent context.Context, id string, networks []string) (context.Context, func(), error) {
	counted := []string{"login " + id}
	for _, network := range networks {
		counted = append(counted, "network "+network)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, nil, errClosing
	case len(w.cancels) >= w.max:
		return nil, nil, errCrowded
	case w.counts[counted[0]] >= waitingPerLogin:
		return nil, nil, errTooManyTabs
	}
	for i, network := range counted[1:] {
		if w.counts[network] >= w.perAddress()*networkFactors[i] {
			return nil, nil, errTooManyTabs
		}
	}
	if w.cancels == nil {
		w.cancels = make(map[*context.CancelFunc]struct{})
		w.counts = make(map[string]int)
	}
	ctx, cancel := context.WithCancel(parent)
	for _, key := range counted {
		w.counts[key]++
	}
	w.cancels[&cancel] = struct{}{}
	return ctx, func() { cancel(); w.release(&cancel, counted) }, nil
}

func (w *waitingRoom) release(cancel *context.CancelFunc, counted []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cancels, cancel)
	for _, key := range counted {
		if w.counts[key]--; w.counts[key] <= 0 {
			delete(w.counts, key)
		}
	}
}

// count returns how many requests wait.
func (w *waitingRoom) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.cancels)
}

// close releases all waiting requests and refuses new ones.
func (w *waitingRoom) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for cancel := range w.cancels {
		(*cancel)()
	}
}
