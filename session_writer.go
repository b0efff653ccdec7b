package scangate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// sessionWriter saves the request's session before the first byte of the answer
// goes out, for then it can still set a cookie. What its ResponseWriter can do
// besides writing it can do too.
type sessionWriter struct {
	http.ResponseWriter
	gate    *Gate
	request *http.Request // whose context holds the session
	saved   bool
	failed  bool // the answer is an error page, and the handler's own is dropped
}

// errSessionNotSaved is what a handler gets that goes on writing after its
// session could not be saved.
var errSessionNotSaved = errors.New("scangate: the session could not be saved")

// save saves the session if the handler has changed it.
func (w *sessionWriter) save() {
	if w.saved {
		return
	}
	w.saved = true
	manager, ctx := w.gate.sessions.manager, w.request.Context()
	switch manager.Status(ctx) {
	case scs.Unmodified:
	case scs.Modified:
		token, expiry, err := manager.Commit(ctx)
		if err != nil {
			w.failed = true
			// They describe the handler's body. With its Content-Length net/http would
			// refuse the page, and with its Content-Encoding browsers could not read it.
			for _, name := range []string{
				"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range", "Etag", "Last-Modified",
			} {
				w.Header().Del(name)
			}
			w.gate.fail(w.ResponseWriter, w.request, wrap("saving the session", err))
			return
		}
		w.gate.sessions.writeCookie(ctx, w.ResponseWriter, token, expiry)
	case scs.Destroyed:
		w.gate.sessions.writeCookie(ctx, w.ResponseWriter, "", time.Time{})
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *sessionWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.save()
	}
	if !w.failed {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (w *sessionWriter) Write(b []byte) (int, error) {
	if w.save(); w.failed {
		return 0, errSessionNotSaved
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements [io.ReaderFrom], by which files are sent without copying.
func (w *sessionWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.save(); w.failed {
		return 0, errSessionNotSaved
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements [http.Flusher].
func (w *sessionWriter) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *sessionWriter) FlushError() error {
	if w.save(); w.failed {
		return errSessionNotSaved
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. A session that the handler has changed by
// then is saved, but its cookie can't be sent any more.
func (w *sessionWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.save(); w.failed {
		return nil, nil, errSessionNotSaved
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap is for [http.ResponseController].
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
