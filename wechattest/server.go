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

// Server is a strict WeChat that listens on a loopback address.
type Server struct {
	*WeChat
	// URL is the server's address, without a slash at its end.
	URL string
}

// NewServer starts a WeChat that knows [People] and apps. It fails t whenever
// the application misuses the protocol, and stops when t ends.
func NewServer(t testing.TB, apps ...App) *Server {
	t.Helper()
	w := NewStrict(t, apps...)
	ctx, cancel := context.WithCancel(context.Background()) // outlives t.Context, for t's other cleanups
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		t.Fatalf("wechattest: listening: %v", err)
	}
	server := &http.Server{
		Handler:           w,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // always ends in ErrServerClosed
	t.Cleanup(func() {
		cancel() // lets go of calls that hang
		_ = server.Close()
		serving.Wait()
	})
	return &Server{WeChat: w, URL: "http://" + listener.Addr().String()}
}

// Endpoint returns where a [wechat.Client] finds the server.
func (s *Server) Endpoint() wechat.Endpoint {
	return wechat.Endpoint{Open: s.URL, API: s.URL}
}

// referee tells a test about misuse, until the test ends: a late request's
// complaint would panic then.
type referee struct {
	mu    sync.Mutex
	t     testing.TB
	ended bool
}

// newReferee returns a referee that falls silent when t ends.
func newReferee(t testing.TB) *referee {
	r := &referee{t: t}
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = true
	})
	return r
}

// fail marks the test as failed and lets it go on, since it is called from the
// goroutines of requests.
func (r *referee) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.t.Errorf("wechattest: "+format, args...)
	}
}

// misuse records that the application broke the protocol. The format must not be
// given secrets.
func (w *WeChat) misuse(format string, args ...any) {
	if w.strict != nil {
		w.strict.fail(format, args...)
	}
}
