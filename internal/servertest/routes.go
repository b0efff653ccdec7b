package servertest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// routes returns the handlers that the tests call behind the gate. They flush and
// hijack through [http.ResponseController] or, with the query "by=assertion",
// through a type assertion on the ResponseWriter. Handlers do either in practice.
func (s *site) routes(sessions *scs.SessionManager) map[string]http.Handler {
	// increment changes the session and returns the number of its calls, so that a
	// test can see which changes were saved.
	increment := func(r *http.Request) int {
		n := sessions.GetInt(r.Context(), "count") + 1
		sessions.Put(r.Context(), "count", n)
		return n
	}
	return map[string]http.Handler{
		"/test/count": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, increment(r))
		}),
		"/test/stream": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			s.stream(w, r)
		}),
		"/test/endless": http.HandlerFunc(s.endless),
		"/test/hijack": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			shoutBack(w, r)
		}),
	}
}

// stream sends the line "first", waits until the test sends to s.release, and sends
// the line "last".
func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintln(w, "first")
	if err := flush(w, r); err != nil {
		// The status is sent already. The test finds the error in the body.
		_, _ = fmt.Fprintln(w, err)
		return
	}
	select {
	case <-s.release:
		_, _ = fmt.Fprintln(w, "last")
	case <-r.Context().Done():
		// The test has given up. Return, so that the server can close.
	}
}

// flush flushes w in the way that the request asks for.
func flush(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("by") != "assertion" {
		return http.NewResponseController(w).Flush()
	}
	flusher, ok := w.(http.Flusher)
	if !ok {
		return fmt.Errorf("%T does not implement http.Flusher", w)
	}
	flusher.Flush()
	return nil
}

// endless writes lines until a write fails or the request ends. It sends the error
// to s.endlessErr.
func (s *site) endless(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := fmt.Fprintln(w, "more")
		if err == nil {
			// Without the flush, the lines stay in the buffer and no write
			// fails.
			err = http.NewResponseController(w).Flush()
		}
		if err != nil {
			s.endlessErr <- err
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			s.endlessErr <- r.Context().Err()
			return
		}
	}
}

// shoutBack hijacks the connection and speaks a protocol of its own: it answers each
// line in capital letters.
func shoutBack(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := hijack(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	// After Hijack the handler writes the answer to the upgrade itself.
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n")
	for rw.Flush() == nil {
		line, err := rw.ReadString('\n')
		if err != nil {
			return // the client has closed the connection
		}
		_, _ = rw.WriteString(strings.ToUpper(line))
	}
}

// hijack hijacks the connection in the way that the request asks for.
func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.ReadWriter, error) {
	if r.URL.Query().Get("by") != "assertion" {
		return http.NewResponseController(w).Hijack()
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return nil, nil, fmt.Errorf("%T does not implement http.Hijacker", w)
	}
	return hijacker.Hijack()
}
