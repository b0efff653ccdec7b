package wechattest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// Server is a [WeChat] that listens. [NewServer] starts one for a test, and [Serve] starts
// one for an application under development.
type Server struct {
	*WeChat
	// URL is the server's base URL, without a trailing slash.
	URL string

	account wechat.Account // the first one
	stop    func()
}

// NewServer starts a server with apps and the default persons on a free loopback port. It
// fails t when the application misuses the protocol. The server stops when t ends.
func NewServer(t testing.TB, apps ...App) *Server {
	t.Helper()
	w := NewStrict(t, apps...)
	addr, stop := listen(t, w, func(l net.Listener) net.Listener { return l })
	s := &Server{WeChat: w, URL: "http://" + addr, stop: stop}
	if len(apps) > 0 {
		s.account = apps[0].Account
	}
	return s
}

// listen serves a handler on a loopback address until t ends or stop is called. It returns the
// address. wrap returns the listener that the server accepts connections of.
func listen(t testing.TB, handler http.Handler, wrap func(net.Listener) net.Listener) (addr string, stop func()) {
	t.Helper()
	// Not t.Context: it is canceled before t's cleanups run, and a cleanup may
	// still call the server.
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("wechattest: listening: %v", err)
	}
	stop = start(handler, wrap(listener))
	t.Cleanup(stop)
	return listener.Addr().String(), stop
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
