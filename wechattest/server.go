package wechattest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

// Server is a strict [WeChat] that listens on a loopback address.
type Server struct {
	*WeChat
	// URL is the server's base URL, without a trailing slash.
	URL string
}

// NewServer starts a server with apps and the default persons. It fails t when the
// application misuses the protocol. The server stops when t ends.
func NewServer(t testing.TB, apps ...App) *Server {
	t.Helper()
	w := NewStrict(t, apps...)
	addr := listen(t, w, func(l net.Listener) net.Listener { return l })
	return &Server{WeChat: w, URL: "http://" + addr}
}

// listen serves a handler on a loopback address until t ends, and returns the address. wrap
// returns the listener that the server accepts connections of.
func listen(t testing.TB, handler http.Handler, wrap func(net.Listener) net.Listener) (addr string) {
	t.Helper()
	// Not t.Context: it is canceled before t's cleanups run, and a cleanup may
	// still call the server.
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		t.Fatalf("wechattest: listening: %v", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(wrap(listener)) }) // always returns ErrServerClosed, after Close
	t.Cleanup(func() {
		// Cancel first: calls that hang (Fault.Hang) wait for their context.
		cancel()
		_ = server.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// Endpoint returns the endpoint that points a [wechat.Client] at the server.
func (s *Server) Endpoint() wechat.Endpoint {
	return wechat.Endpoint{Open: s.URL, API: s.URL, MP: s.URL}
}

// misuseReporter fails a test for each misuse of the protocol, until the test
// ends.
type misuseReporter struct {
	mu    sync.Mutex
	t     testing.TB
	ended bool
}

// newMisuseReporter returns a reporter for t. It reports nothing after t has
// ended.
func newMisuseReporter(t testing.TB) *misuseReporter {
	r := &misuseReporter{t: t}
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
	})
	return r
}

// errorf marks the test as failed.
func (r *misuseReporter) errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A request can outlive its test, and Errorf panics after the test has ended.
	if r.ended {
		return
	}
	// Errorf, not Fatalf: this runs in the goroutines of requests.
	r.t.Errorf("wechattest: "+format, args...)
}

// misuse reports that the application broke the protocol. It does nothing outside
// of tests. Arguments must not contain secrets: they end up in test logs.
func (w *WeChat) misuse(format string, args ...any) {
	if w.reporter != nil {
		w.reporter.errorf(format, args...)
	}
}
