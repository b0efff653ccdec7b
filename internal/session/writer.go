package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// errNotSaved is the error of a handler's writes after its session could not be saved.
var errNotSaved = errors.New("scangate: the session could not be saved")

// Writer is a response writer that saves the request's session before the first byte of
// the answer, while a cookie can still be set. It implements the optional interfaces of
// net/http's writers, because frameworks assert some of them without a check.
//
// An answer that sets the session's cookie is private, even if the handler allows shared
// caches to store it. If saving fails, the error page takes the place of the handler's answer.
type Writer struct {
	http.ResponseWriter
	request *http.Request
	session *Late
	fail    func(http.ResponseWriter, *http.Request, error)
	saved   bool
	failed  bool // the error page has been written
}

// NewWriter returns a Writer around w for the session. The request's context must be the
// session, or one derived from it. The Writer calls fail to answer if saving the session fails.
func NewWriter(w http.ResponseWriter, r *http.Request, session *Late, fail func(http.ResponseWriter, *http.Request, error)) Writer {
	session.saved = true
	return Writer{ResponseWriter: w, request: r, session: session, fail: fail}
}

// Save saves the session if the handler has changed it. It has to be called after the
// handler, which may have written nothing. Calling it again does nothing.
func (w *Writer) Save() {
	if w.saved {
		return
	}
	w.saved = true
	if w.session.asked() {
		w.save(w.session.manager)
	}
}

// save saves a session that the handler may have changed.
func (w *Writer) save(m *Manager) {
	ctx := w.request.Context()
	switch m.Status(ctx) {
	case scs.Unmodified:
	case scs.Modified:
		// A logout or a login may have ended the session since: saving would revive it.
		if w.session.hasEnded(ctx) {
			return
		}
		token, expiry, err := m.Commit(ctx)
		if err != nil {
			w.failed = true
			dropContentHeaders(w.Header())
			w.fail(w.ResponseWriter, w.request, err)
			return
		}
		if token == w.session.token && w.session.ended.Load() {
			return // a conditional store has not written it
		}
		m.WriteCookie(ctx, w.ResponseWriter, token, expiry)
		keepFromSharedCaches(w.Header())
	case scs.Destroyed:
		m.WriteCookie(ctx, w.ResponseWriter, "", time.Time{})
		keepFromSharedCaches(w.Header())
	}
}

// dropContentHeaders removes the headers that describe the body of an answer, which is
// not sent, and those that make a proxy or the browser load another page instead. With
// its Content-Length net/http would refuse the error page, and with its Content-Encoding
// browsers could not read the page.
func dropContentHeaders(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "X-Accel-") {
			delete(h, name)
		}
	}
	for _, name := range []string{
		"Accept-Ranges", "Digest", "Etag", "Expires", "Last-Modified", "Location", "Refresh", "Repr-Digest", "Trailer", "Transfer-Encoding", "X-Sendfile",
	} {
		h.Del(name)
	}
	for _, name := range targetedCaching {
		h.Del(name)
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *Writer) WriteHeader(status int) {
	// Informational answers come before the answer, except for 101.
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.Save()
	}
	if !w.failed {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (w *Writer) Write(b []byte) (int, error) {
	if w.Save(); w.failed {
		return 0, errNotSaved
	}
	return w.ResponseWriter.Write(b)
}

// WriteString implements [io.StringWriter].
func (w *Writer) WriteString(s string) (int, error) {
	if w.Save(); w.failed {
		return 0, errNotSaved
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom implements [io.ReaderFrom], with which net/http sends files without copying.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.Save(); w.failed {
		return 0, errNotSaved
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements [http.Flusher].
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError is called by [http.ResponseController].
func (w *Writer) FlushError() error {
	if w.Save(); w.failed {
		return errNotSaved
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. It saves a session that the handler has changed, but
// does not send its cookie: the headers are the handler's from then on.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.Save(); w.failed {
		return nil, nil, errNotSaved
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// CloseNotify implements http.CloseNotifier, which is deprecated. Gin asserts it, without
// a check, on the writer that it gets.
func (w *Writer) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	// net/http ends the context when the client goes away, and when the handler returns.
	context.AfterFunc(w.request.Context(), func() { gone <- true })
	return gone
}

// Push implements [http.Pusher], which chi asserts for HTTP/2. Where the server cannot
// push, it returns [http.ErrNotSupported].
func (w *Writer) Push(target string, opts *http.PushOptions) error {
	for below := w.ResponseWriter; below != nil; {
		if pusher, ok := below.(http.Pusher); ok {
			return pusher.Push(target, opts)
		}
		wrapper, ok := below.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		below = wrapper.Unwrap()
	}
	return http.ErrNotSupported
}

// Unwrap is called by [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
