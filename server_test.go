package scangate_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener is a listener without a network, so that a real http.Server runs
// by the bubble's time.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// serve puts the application behind a real server with the limits given; the
// world's browsers made from then on talk to that.
func (w *world) serve(server *http.Server) {
	l := newPipeListener()
	server.Handler = application(w.gate)
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialTLSContext: l.dial, MaxIdleConnsPerHost: 1000}
	w.hosts = transport
	w.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
}

func TestServerTimeLimitsDoNotCutTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve(&http.Server{ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second})
		desktop := w.desktop()
		s := desktop.start()
		begun := time.Now()
		if got := desktop.stateSince(s, "waiting"); got != "waiting" || time.Since(begun) != 25*time.Second {
			t.Errorf("%q after %v", got, time.Since(begun))
		}
	})
}

func TestShutdownWithWaitingBrowsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := &http.Server{ReadHeaderTimeout: 10 * time.Second}
		w.serve(server)
		var waits sync.WaitGroup
		for range 100 {
			desktop := w.desktop()
			s := desktop.start()
			waits.Go(func() {
				if got := desktop.stateSince(s, "waiting"); got != "waiting" {
					t.Errorf("released with %q", got)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		if err := w.gate.Close(); err != nil {
			t.Error(err)
		}
		waits.Wait()
		// A transport that finds a free connection while it makes one leaves that one
		// without a request, and Shutdown gives it 5 s for its first.
		w.hosts.(*http.Transport).CloseIdleConnections()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("shutting down took %v", took)
		}
	})
}
