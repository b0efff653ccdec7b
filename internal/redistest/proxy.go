package redistest

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy forwards connections from a store to a server, and disturbs them.
type Proxy struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	links map[*link]struct{}
	limit func() (up, down int64) // bytes after which a new connection is cut
}

// link is a connection through a proxy.
type link struct {
	client, server net.Conn
	deaf           atomic.Bool // drops all data
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// StartProxy starts a proxy to the server at target.
func StartProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	listener := listenLoopback(t)
	p := &Proxy{target: target, listener: listener, links: make(map[*link]struct{})}
	p.Limits(math.MaxInt64, math.MaxInt64)
	p.work.Go(p.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		p.each((*link).close)
		p.work.Wait()
	})
	return p
}

// Addr returns the address to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Limits makes the proxy cut each new connection after a random number of bytes: fewer
// than up to the server, or fewer than down from it.
func (p *Proxy) Limits(up, down int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = func() (int64, int64) { return rand.N(up), rand.N(down) } //nolint:gosec // not a secret
}

// each calls f for all open connections.
func (p *Proxy) each(f func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		f(l)
	}
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := dialTo(p.target)(context.Background())
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		p.links[l] = struct{}{}
		up, down := p.limit()
		p.mu.Unlock()
		p.work.Go(func() { p.copy(l, server, client, up) })
		p.work.Go(func() { p.copy(l, client, server, down) })
	}
}

// copy forwards at most limit bytes, until one end closes.
func (p *Proxy) copy(l *link, to, from net.Conn, limit int64) {
	defer func() {
		l.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	}()
	buffer := make([]byte, 4096)
	for limit > 0 {
		n, err := from.Read(buffer[:min(limit, 4096)])
		limit -= int64(n)
		if err != nil {
			return
		}
		if l.deaf.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
