package wechattest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// defaultRemoteAddr is an address reserved for documentation (RFC 5737).
const defaultRemoteAddr = "192.0.2.1:1234"

// remoteAddrKey is the context key of [WithRemoteAddr].
type remoteAddrKey struct{}

// WithRemoteAddr returns a context for requests through a [Transport]. The handler
// sees addr, a host:port, as their RemoteAddr.
func WithRemoteAddr(ctx context.Context, addr string) context.Context {
	return context.WithValue(ctx, remoteAddrKey{}, addr)
}

// Transport returns an [http.RoundTripper] that calls handlers without a network.
// The handler for a URL's host (host or host:port) serves its requests. Requests
// to other hosts fail. It opens no socket, so it works in a testing/synctest
// bubble.
//
// When a request's context is done, RoundTrip returns its error, and the context
// that the handler sees is canceled. The handler sees no values of the request's
// context. For https it sees a TLS state. RoundTrip returns after the handler has
// returned; Flush sends nothing earlier. The deadlines of
// [http.ResponseController] are accepted and ignored. If the handler panics,
// RoundTrip returns an error.
func Transport(hosts map[string]http.Handler) http.RoundTripper {
	return transport(maps.Clone(hosts))
}

// transport maps hosts to handlers.
type transport map[string]http.Handler

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	handler, ok := t[req.URL.Host]
	if !ok {
		handler, ok = t[req.URL.Hostname()]
	}
	// Read the body even if there is no handler: a RoundTripper must close it.
	body, err := readBody(req)
	switch {
	case err != nil:
		return nil, fmt.Errorf("wechattest: reading the request body: %w", err)
	case !ok:
		return nil, fmt.Errorf("wechattest: no handler for host %q", req.URL.Host)
	case req.Context().Err() != nil:
		return nil, req.Context().Err()
	}
	// The buffer lets a handler end after RoundTrip has returned.
	served := make(chan result, 1)
	go func() { served <- serve(handler, req, body) }()
	select {
	case result := <-served:
		return result.response, result.err
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// readBody reads and closes a request's body.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	// The handler gets the bytes, not the body: it may outlive RoundTrip, and the
	// caller may then reuse the body.
	defer func() { _ = req.Body.Close() }()
	return io.ReadAll(req.Body)
}

// result is the outcome of a request.
type result struct {
	response *http.Response
	err      error
}

// serve calls a handler as [http.Server] does, and converts a panic into an error.
func serve(handler http.Handler, req *http.Request, body []byte) (res result) {
	// Not a child of the request's context: a server inherits no values from its
	// client. It ends when the handler returns or the request's context is done.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(req.Context(), cancel)()
	defer func() {
		if cause := recover(); cause != nil {
			res = result{err: fmt.Errorf("wechattest: the handler of %s panicked: %v", req.URL.Host, cause)}
		}
	}()
	writer := &recorder{header: make(http.Header)}
	handler.ServeHTTP(writer, serverRequest(ctx, req, body))
	return result{response: writer.response(req)} //nolint:bodyclose // RoundTrip's caller closes it
}

// serverRequest returns req as a server receives it.
func serverRequest(ctx context.Context, req *http.Request, body []byte) *http.Request {
	in := req.Clone(ctx)
	in.Response, in.GetBody = nil, nil // client requests only
	in.Host = req.Host
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	// A server's URL has a path and a query only. Browsers never send a fragment.
	in.URL.Scheme, in.URL.Host, in.URL.User, in.URL.Fragment, in.URL.RawFragment = "", "", nil, "", ""
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	in.RequestURI = in.URL.RequestURI()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	// A server request's body is never nil.
	in.Body, in.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		in.Body = io.NopCloser(bytes.NewReader(body))
		in.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	in.RemoteAddr = defaultRemoteAddr
	if addr, ok := req.Context().Value(remoteAddrKey{}).(string); ok {
		in.RemoteAddr = addr
	}
	if req.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: req.URL.Hostname()}
	}
	return in
}

// recorder is an [http.ResponseWriter] that stores the answer. Its methods besides
// those of the interface are for [http.ResponseController]; long polls and
// streams use them.
type recorder struct {
	header http.Header
	sent   http.Header // copy of header, made when the status was written
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	// Informational answers (1xx) do not count, and neither does a second status.
	if r.status != 0 || status < 200 {
		return
	}
	r.status, r.sent = status, r.header.Clone()
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 && r.header.Get("Content-Type") == "" {
		r.header.Set("Content-Type", http.DetectContentType(p))
	}
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// Flush implements [http.Flusher]. It writes the header.
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

// SetReadDeadline ignores the deadline.
func (r *recorder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline ignores the deadline.
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// response returns the stored answer to req.
func (r *recorder) response(req *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK) // for a handler that wrote nothing
	body := r.body.Bytes()
	// These answers have no body, even if the handler wrote one.
	if req.Method == http.MethodHead || r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		body = nil
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)),
		StatusCode:    r.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        r.sent,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}
