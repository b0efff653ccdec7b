package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The optional interfaces of net/http's writers.
var (
	_ interface{ CloseNotify() <-chan bool } = (*Writer)(nil) // gin asserts it
	_ http.Pusher                            = (*Writer)(nil)
	_ io.StringWriter                        = (*Writer)(nil)
)

// fullWriter is a writer with all optional interfaces that net/http's writers of HTTP/1
// and HTTP/2 have. It notes the calls.
type fullWriter struct {
	*httptest.ResponseRecorder
	calls []string
}

func (w *fullWriter) note(call string) error {
	w.calls = append(w.calls, call)
	return nil
}

func (w *fullWriter) FlushError() error                    { return w.note("Flush") }
func (w *fullWriter) SetReadDeadline(time.Time) error      { return w.note("SetReadDeadline") }
func (w *fullWriter) SetWriteDeadline(time.Time) error     { return w.note("SetWriteDeadline") }
func (w *fullWriter) EnableFullDuplex() error              { return w.note("EnableFullDuplex") }
func (w *fullWriter) Push(string, *http.PushOptions) error { return w.note("Push") }
func (w *fullWriter) WriteString(s string) (int, error)    { return len(s), w.note("WriteString") }
func (w *fullWriter) ReadFrom(r io.Reader) (int64, error) {
	_ = w.note("ReadFrom")
	return io.Copy(io.Discard, r)
}

func (w *fullWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, w.note("Hijack") }

// wrapper is a middleware's writer, which has Unwrap and nothing else.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newWriter returns a Writer around w, and the end of its request's context.
func newWriter(t *testing.T, w http.ResponseWriter) (*Writer, context.CancelFunc) {
	t.Helper()
	m := Copy(NewManager(true, nil))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ctx, err := m.Load(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	session := &Late{}
	m.Hold(session, ctx)
	writer := NewWriter(w, r, session, func(http.ResponseWriter, *http.Request, error) {})
	return &writer, cancel
}

func TestCaseA06WriterForwardsEveryOptionalInterface(t *testing.T) {
	for name, use := range map[string]func(w *Writer) error{
		"Flush":            func(w *Writer) error { w.Flush(); return nil },
		"Push":             func(w *Writer) error { return w.Push("/style.css", nil) },
		"WriteString":      func(w *Writer) error { _, err := w.WriteString("text"); return err },
		"ReadFrom":         func(w *Writer) error { _, err := w.ReadFrom(io.LimitReader(strings.NewReader("text"), 4)); return err },
		"Hijack":           func(w *Writer) error { _, _, err := w.Hijack(); return err },
		"SetReadDeadline":  func(w *Writer) error { return http.NewResponseController(w).SetReadDeadline(time.Time{}) },
		"SetWriteDeadline": func(w *Writer) error { return http.NewResponseController(w).SetWriteDeadline(time.Time{}) },
		"EnableFullDuplex": func(w *Writer) error { return http.NewResponseController(w).EnableFullDuplex() },
	} {
		below := &fullWriter{ResponseRecorder: httptest.NewRecorder()}
		w, _ := newWriter(t, below)
		if err := use(w); err != nil || len(below.calls) != 1 || below.calls[0] != name {
			t.Errorf("%s: error %v, calls of the writer below %q, want this one", name, err, below.calls)
		}
		if name == "WriteString" || name == "ReadFrom" {
			continue // a wrapper without them gets Write
		}
		below.calls = nil
		w, _ = newWriter(t, wrapper{wrapper{below}})
		if err := use(w); err != nil || len(below.calls) != 1 || below.calls[0] != name {
			t.Errorf("%s through a middleware's writer: error %v, calls below %q, want this one", name, err, below.calls)
		}
	}
}

func TestCaseA06WriterWithoutASupportingServer(t *testing.T) {
	w, _ := newWriter(t, struct{ http.ResponseWriter }{httptest.NewRecorder()})
	for name, err := range map[string]error{
		"Push": w.Push("/style.css", nil), "FlushError": w.FlushError(), "SetWriteDeadline": http.NewResponseController(w).SetWriteDeadline(time.Time{}),
	} {
		if !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("%s: error = %v, want %v", name, err, http.ErrNotSupported)
		}
	}
	if n, err := w.WriteString("text"); n != 4 || err != nil {
		t.Errorf("WriteString: %d, %v, want 4", n, err)
	}
}

func TestCaseA06CloseNotify(t *testing.T) {
	w, goAway := newWriter(t, httptest.NewRecorder())
	first, second := w.CloseNotify(), w.CloseNotify()
	select {
	case <-first:
		t.Error("CloseNotify while the client is there: a value, want none")
	default:
	}
	goAway()
	for name, gone := range map[string]<-chan bool{"first": first, "second": second} {
		if !<-gone {
			t.Errorf("CloseNotify, the %s channel, after the client has gone: false, want true", name)
		}
	}
}

func TestCaseA06UnsavedSessionFailsWriteString(t *testing.T) {
	resp := serve(t, refusingStore{NewMemoryStore()}, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
		m.Put(ctx, "key", "tea")
		if _, err := io.WriteString(w, "answer"); !errors.Is(err, errNotSaved) {
			t.Errorf("WriteString: error = %v, want %v", err, errNotSaved)
		}
	})
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status = %d, want %d", resp.StatusCode, http.StatusServiceUnavailable)
	}
}
