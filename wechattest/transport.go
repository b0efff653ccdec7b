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

// defaultRemoteAddr is of a range kept for examples (RFC 5737).
const defaultRemoteAddr = "192.0.2.1:1234"

type remoteAddrKey struct{}

// WithRemoteAddr returns a context whose requests seem to come from addr, a
// host:port, when they go through a [Transport].
func WithRemoteAddr(ctx context.Context, addr string) context.Context {
	return context.WithValue(ctx, remoteAddrKey{}, addr)
}

// Transport returns a [http.RoundTripper] without a network: the handler of a
// URL's host (host, or host:port) serves its requests, and other hosts don't
// exist. It opens no socket, so it works in a testing/synctest bubble.
//
// A request ends with its context, and so does what the handler sees of it; no
// other of the context's values reach the handler. Over https the handler sees a
// TLS state. The answer arrives when the handler returns; flushing does nothing,
// and deadlines set through [http.ResponseController] are accepted and ignored.
// A handler's panic is the request's error.
func Transport(hosts map[string]http.Handler) http.RoundTripper {
	return transport(maps.Clone(hosts))
}

// transport is the handlers by host.
type transport map[string]http.Handler

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	handler, ok := t[req.URL.Host]
	if !ok {
		handler, ok = t[req.URL.Hostname()]
	}
	body, err := readBody(req)
	switch {
	case err != nil:
		return nil, fmt.Errorf("wechattest: reading the request's body: %w", err)
	case !ok:
		return nil, fmt.Errorf("wechattest: there is no host %q", req.URL.Host)
	case req.Context().Err() != nil:
		return nil, req.Context().Err()
	}
	served := make(chan result, 1) // so that a late handler isn't kept
	go func() { served <- serve(handler, req, body) }()
	select {
	case result := <-served:
		return result.response, result.err
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// readBody reads a request's body to its end before the handler runs, so that
// nobody reads it after RoundTrip has returned. It closes it, as a
// [http.RoundTripper] must.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	return io.ReadAll(req.Body)
}

// result is how a request ended.
type result struct {
	response *http.Response
	err      error
}

// serve runs a handler the way a server does: in a context that ends with the
// request's or when the handler returns, and surviving its panic.
func serve(handler http.Handler, req *http.Request, body []byte) (res result) {
	ctx, cancel := context.WithCancel(context.Background()) // a server's requests inherit nothing from the client
	defer cancel()
	defer context.AfterFunc(req.Context(), cancel)()
	defer func() {
		if cause := recover(); cause != nil {
			res = result{err: fmt.Errorf("wechattest: the handler of %s panicked: %v", req.URL.Host, cause)}
		}
	}()
	writer := &recorder{header: make(http.Header)}
	handler.ServeHTTP(writer, incoming(ctx, req, body))
	return result{response: writer.response(req)} //nolint:bodyclose // the caller's to close
}

// incoming returns req as a server sees it: an address without host and fragment,
// never a nil body, and where it comes from.
func incoming(ctx context.Context, req *http.Request, body []byte) *http.Request {
	in := req.Clone(ctx)
	in.Response, in.GetBody = nil, nil
	in.Host = req.Host
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.URL.Scheme, in.URL.Host, in.URL.User, in.URL.Fragment, in.URL.RawFragment = "", "", nil, "", ""
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	in.RequestURI = in.URL.RequestURI()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
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

// recorder is a [http.ResponseWriter] that keeps what is written. It takes part in
// [http.ResponseController] as far as long polls and streams need.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
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

// Flush implements [http.Flusher].
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

// SetReadDeadline is for [http.ResponseController].
func (r *recorder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for [http.ResponseController].
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// response returns what was written, as an answer to req.
func (r *recorder) response(req *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	body := r.body.Bytes()
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
