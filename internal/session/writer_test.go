package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

var (
	_ io.ReaderFrom = (*Writer)(nil)
	_ http.Flusher  = (*Writer)(nil)
	_ http.Hijacker = (*Writer)(nil)
)

// refusingStore is a store that saves nothing.
type refusingStore struct{ *MemoryStore }

func (refusingStore) CommitCtx(context.Context, string, []byte, time.Time) error { return errAway }

// serve has a handler answer through a Writer, whose error page is a 503.
func serve(t *testing.T, store scs.Store, handler func(*Manager, http.ResponseWriter, context.Context)) *http.Response {
	t.Helper()
	m := Copy(NewManager(true, store))
	ctx, err := m.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	session := &Late{}
	m.Hold(session, ctx)
	r := httptest.NewRequestWithContext(session, http.MethodGet, "/", nil)
	w := NewWriter(recorder, r, session, func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	})
	handler(m, &w, session)
	w.Save()
	return recorder.Result()
}

// begins are the ways in which a handler can begin its answer.
var begins = map[string]func(http.ResponseWriter) error{
	"nothing":     func(http.ResponseWriter) error { return nil },
	"WriteHeader": func(w http.ResponseWriter) error { w.WriteHeader(http.StatusOK); return nil },
	"Write":       func(w http.ResponseWriter) error { _, err := w.Write([]byte("answer")); return err },
	"ReadFrom": func(w http.ResponseWriter) error {
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("answer"))
		return err
	},
	"Flush": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
}

func TestWriterSavesBeforeTheAnswer(t *testing.T) {
	for name, begin := range begins {
		resp := serve(t, nil, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
			m.Put(ctx, "key", "tea")
			if err := begin(w); err != nil {
				t.Errorf("%s: error = %v, want none", name, err)
			}
		})
		if got := len(resp.Cookies()); got != 1 || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status = %d with %d cookies, want %d with one", name, resp.StatusCode, got, http.StatusOK)
		}
	}
}

func TestWriterLeavesAnUnchangedSession(t *testing.T) {
	for name, begin := range begins {
		resp := serve(t, refusingStore{NewMemoryStore()}, func(_ *Manager, w http.ResponseWriter, _ context.Context) {
			if err := begin(w); err != nil {
				t.Errorf("%s: error = %v, want none", name, err)
			}
		})
		if got := resp.Cookies(); len(got) != 0 || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status = %d, cookies %v, want %d and none", name, resp.StatusCode, got, http.StatusOK)
		}
	}
}

func TestWriterRemovesTheCookieOfADestroyedSession(t *testing.T) {
	resp := serve(t, nil, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
		if err := m.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "answer")
	})
	if got := resp.Cookies(); len(got) != 1 || got[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want one that removes the session's", got)
	}
}

func TestWriterReplacesTheAnswerIfSavingFails(t *testing.T) {
	for name, begin := range begins {
		resp := serve(t, refusingStore{NewMemoryStore()}, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
			m.Put(ctx, "key", "tea")
			for _, header := range []string{"Content-Length", "Content-Encoding", "Etag"} {
				w.Header().Set(header, "6")
			}
			err := begin(w)
			if writes := name != "nothing" && name != "WriteHeader"; writes != errors.Is(err, errNotSaved) {
				t.Errorf("%s: error = %v, want %v: %t", name, err, errNotSaved, writes)
			}
			if _, err := io.WriteString(w, "more"); name != "nothing" && !errors.Is(err, errNotSaved) {
				t.Errorf("%s, then Write: error = %v, want %v", name, err, errNotSaved)
			}
		})
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusServiceUnavailable || string(body) != errAway.Error()+"\n" || len(resp.Cookies()) != 0 {
			t.Errorf("%s: status = %d, body %q, want %d and the error page", name, resp.StatusCode, body, http.StatusServiceUnavailable)
		}
		for _, header := range []string{"Content-Length", "Content-Encoding", "Etag"} {
			if got := resp.Header.Get(header); got != "" {
				t.Errorf("%s: %s = %q, want none: it describes the handler's body", name, header, got)
			}
		}
	}
}

// Hijacking saves the session, as does the 101 that a handler may write before it.
// 103 comes before an answer and saves nothing yet.
func TestWriterSavesForWhatComesBeforeAnAnswer(t *testing.T) {
	for status, want := range map[int]int{http.StatusEarlyHints: 0, http.StatusSwitchingProtocols: 1} {
		var saved int
		serve(t, nil, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
			m.Put(ctx, "key", "tea")
			w.WriteHeader(status)
			saved = len(w.Header().Values("Set-Cookie"))
		})
		if saved != want {
			t.Errorf("after WriteHeader(%d): %d cookies, want %d", status, saved, want)
		}
	}
	serve(t, nil, func(m *Manager, w http.ResponseWriter, ctx context.Context) {
		m.Put(ctx, "key", "tea")
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack of a recorder: error = %v, want %v", err, http.ErrNotSupported)
		}
		if got := len(w.Header().Values("Set-Cookie")); got != 1 {
			t.Errorf("after Hijack: %d cookies, want 1", got)
		}
	})
}
