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

// pipeListener is a listener without a network. A real http.Server on it can run in a
// synctest bubble.
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

// serve starts a real server with the limits that it is given. It serves the application
// to the browsers that the world makes from then on.
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

func TestServerTimeLimitsDoNotEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve(&http.Server{ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second})
		desktop := w.desktop()
		s := desktop.start()
		began := time.Now()
		if got := desktop.stateSince(s, "waiting"); got != "waiting" || time.Since(began) != 25*time.Second {
			t.Errorf("wait with a WriteTimeout of 10s: state = %q after %v, want waiting after 25s", got, time.Since(began))
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
					t.Errorf("wait when the gate closes: state = %q, want waiting", got)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := w.gate.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		waits.Wait()
		// The transport may have opened a connection and then sent its request on
		// another one. Shutdown waits 5 s for the first request of such a connection.
		w.hosts.(*http.Transport).CloseIdleConnections()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close and Shutdown took %v, want at most 1s", took)
		}
	})
}
