package servertest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// uses call every optional interface of net/http's writers by a type assertion, as
// handlers and middlewares do. Each returns its fault as an error.
var uses = map[string]func(w http.ResponseWriter, r *http.Request) error{ //nolint:gochecknoglobals // a table
	"Flusher": func(w http.ResponseWriter, _ *http.Request) error {
		return with(w, func(f http.Flusher) error { f.Flush(); return nil })
	},
	"FlushError": func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).Flush()
	},
	"CloseNotifier": func(w http.ResponseWriter, _ *http.Request) error {
		return with(w, func(c interface{ CloseNotify() <-chan bool }) error {
			select {
			case <-c.CloseNotify():
				return errors.New("the client is there, but CloseNotify has a value")
			default:
				return nil
			}
		})
	},
	"Pusher": func(w http.ResponseWriter, _ *http.Request) error {
		return with(w, func(p http.Pusher) error {
			// Go's client refuses pushes.
			if err := p.Push("/style.css", nil); !errors.Is(err, http.ErrNotSupported) {
				return fmt.Errorf("push: error = %w, want %w", err, http.ErrNotSupported)
			}
			return nil
		})
	},
	"StringWriter": func(w http.ResponseWriter, _ *http.Request) error {
		return with(w, func(s io.StringWriter) error { _, err := s.WriteString(""); return err })
	},
	"ReaderFrom": func(w http.ResponseWriter, _ *http.Request) error {
		return with(w, func(f io.ReaderFrom) error { _, err := f.ReadFrom(strings.NewReader("")); return err })
	},
	"SetReadDeadline": func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute))
	},
	"SetWriteDeadline": func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
	},
	"EnableFullDuplex": func(w http.ResponseWriter, r *http.Request) error {
		err := http.NewResponseController(w).EnableFullDuplex()
		if r.ProtoMajor > 1 && errors.Is(err, http.ErrNotSupported) {
			return nil // HTTP/2 always is
		}
		return err
	},
}

// with calls use with the first writer that implements T: the framework's, or one below
// it. A framework's writer may assert that the one below it implements T too.
func with[T any](w http.ResponseWriter, use func(T) error) error {
	for below := w; ; {
		if t, ok := below.(T); ok {
			return use(t)
		}
		wrapper, ok := below.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return fmt.Errorf("neither %T nor a writer below it implements the interface", w)
		}
		below = wrapper.Unwrap()
	}
}

// RunWriter tests that handlers behind the gate can use every optional interface of the
// writer, over HTTP/1 and HTTP/2, and that the session is saved.
func RunWriter(t *testing.T, build Build) {
	var handler http.Handler
	gone := make(chan error, 1)
	s := start(t, func(gate *scangate.Gate, sessions *scs.SessionManager, routes map[string]http.Handler) http.Handler {
		routes["/test/writer"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sessions.Put(r.Context(), "count", sessions.GetInt(r.Context(), "count")+1)
			if err := uses[r.URL.Query().Get("use")](w, r); err != nil {
				_, _ = io.WriteString(w, err.Error())
				return
			}
			_, _ = io.WriteString(w, "done")
		})
		routes["/test/gone"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { gone <- awaitClose(w) })
		handler = build(gate, sessions, routes)
		return handler
	}, 0)
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	for use := range uses {
		t.Run(use, func(t *testing.T) {
			b := s.loggedIn(t, "lin")
			if got := b.get("/test/writer?use=" + use); got.status != http.StatusOK || got.body != "done" {
				t.Errorf("HTTP/1: %d %s, want 200 and done", got.status, got.body)
			}
			if status, body := b.overHTTP2(server, "/test/writer?use="+use); status != http.StatusOK || body != "done" {
				t.Errorf("HTTP/2: %d %s, want 200 and done", status, body)
			}
			if got := b.get("/test/count"); got.body != "3" {
				t.Errorf("afterwards the session counts %s, want 3", got.body)
			}
		})
	}
	t.Run("CloseNotifier reports that the client has gone", func(t *testing.T) {
		b := s.loggedIn(t, "lin")
		resp, err := b.client.Do(b.request(http.MethodGet, "/test/gone", "*/*", nil))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if err := <-gone; err != nil {
			t.Error(err)
		}
	})
}

// awaitClose begins an answer and waits until the client has gone.
func awaitClose(w http.ResponseWriter) error {
	return with(w, func(c interface{ CloseNotify() <-chan bool }) error {
		closed := c.CloseNotify()
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		select {
		case <-closed:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("10 s after the client has gone, CloseNotify has no value")
		}
	})
}

// overHTTP2 sends a GET with the browser's cookies to another server.
func (b *browser) overHTTP2(server *httptest.Server, path string) (status int, body string) {
	b.t.Helper()
	r := b.request(http.MethodGet, server.URL+path, "application/json", nil)
	for _, c := range b.client.Jar.Cookies(b.request(http.MethodGet, "/", "", nil).URL) {
		r.AddCookie(c)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 {
		b.t.Fatalf("GET %s: %s %v, want HTTP/2", path, resp.Proto, err)
	}
	return resp.StatusCode, string(text)
}

// Get returns what a logged-in browser gets from that path.
func Get(t *testing.T, build Build, path string) (status int, body string) {
	t.Helper()
	got := start(t, build, 0).loggedIn(t, "lin").get(path)
	return got.status, got.body
}
