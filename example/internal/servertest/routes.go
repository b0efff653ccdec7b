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

// routes are what the tests need behind the gate. A query "by=assertion" has
// them find out by a type assertion, and not by [http.ResponseController], what
// their ResponseWriter can do besides.
func (s *site) routes(sessions *scs.SessionManager) map[string]http.Handler {
	count := func(r *http.Request) int {
		n := sessions.GetInt(r.Context(), "count") + 1
		sessions.Put(r.Context(), "count", n)
		return n
	}
	return map[string]http.Handler{
		"/test/count": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, count(r))
		}),
		"/test/stream": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count(r)
			s.stream(w, r)
		}),
		"/test/endless": http.HandlerFunc(s.endless),
		"/test/hijack": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count(r)
			takeOver(w, r)
		}),
	}
}

// stream sends one line, and the other when it is released.
func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintln(w, "first")
	if err := flush(w, r); err != nil {
		_, _ = fmt.Fprintln(w, err)
		return
	}
	select {
	case <-s.release:
		_, _ = fmt.Fprintln(w, "last")
	case <-r.Context().Done():
	}
}

func flush(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("by") != "assertion" {
		return http.NewResponseController(w).Flush()
	}
	flusher, ok := w.(http.Flusher)
	if !ok {
		return fmt.Errorf("%T is no Flusher", w)
	}
	flusher.Flush()
	return nil
}

// endless writes until something stops it.
func (s *site) endless(w http.ResponseWriter, r *http.Request) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := fmt.Fprintln(w, "more")
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil {
			s.cut <- err
			return
		}
		select {
		case <-again.C:
		case <-r.Context().Done():
			s.cut <- r.Context().Err()
			return
		}
	}
}

// takeOver talks a protocol of its own: it shouts back.
func takeOver(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := hijack(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n")
	for rw.Flush() == nil {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = rw.WriteString(strings.ToUpper(line))
	}
}

func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.ReadWriter, error) {
	if r.URL.Query().Get("by") != "assertion" {
		return http.NewResponseController(w).Hijack()
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return nil, nil, fmt.Errorf("%T is no Hijacker", w)
	}
	return hijacker.Hijack()
}
