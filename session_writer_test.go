package scangate_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/scscodec"
)

// countedSessions counts the sessions that are saved. It can refuse to save.
type countedSessions struct {
	mapSessions
	mu      sync.Mutex
	commits int
	err     error
}

func (s *countedSessions) Commit(token string, b []byte, expiry time.Time) error {
	s.mu.Lock()
	s.commits++
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.mapSessions.Commit(token, b, expiry)
}

// failWith makes every later Commit return err, and resets the count.
func (s *countedSessions) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits, s.err = 0, err
}

// saved returns how often Commit has been called.
func (s *countedSessions) saved() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// gated is an application behind a real server: only that sends informational responses
// and can be hijacked. The desktop is logged in.
type gated struct {
	manager *scs.SessionManager
	store   *countedSessions
	desktop *browser
}

// eachWay runs a test with sessions that scs decodes before the handler runs, as with its
// default codec, and with those that it decodes when the handler asks for one.
func eachWay(t *testing.T, test func(*testing.T, scs.Codec)) {
	t.Run("at once", func(t *testing.T) { test(t, scs.GobCodec{}) })
	t.Run("late", func(t *testing.T) { test(t, scscodec.Codec{}) })
}

// newGated puts the handler that build returns behind RequireWeChat.
func newGated(t *testing.T, codec scs.Codec, build func(*scs.SessionManager) http.HandlerFunc) *gated {
	t.Helper()
	store := &countedSessions{mapSessions: mapSessions{m: map[string][]byte{}}}
	m := ownSessions()
	m.Store, m.Codec = store, codec
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	store.failWith(nil)
	mux := http.NewServeMux()
	mux.Handle("/account", application(w.gate))
	mux.Handle("/own", w.gate.RequireWeChat(build(m)))
	mux.Handle("/draft", w.gate.RequireWeChat(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, m.GetString(r.Context(), "draft"))
	})))
	l := newPipeListener()
	complaints := &syncBuffer{} // net/http logs a handler that answers twice
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(complaints, "", 0)}
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialTLSContext: l.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		if got := complaints.String(); got != "" {
			t.Errorf("the server logged %q, want nothing", got)
		}
	})
	desktop.client.Transport = transport
	return &gated{manager: m, store: store, desktop: desktop}
}

// draft returns the value that the handlers under test put into the session, as the
// next request reads it.
func (g *gated) draft() string { return g.desktop.get("/draft").body }

// written is the body that the handlers under test write.
const written = "the handler's answer"

// writers are the ways in which a handler begins its answer. Each returns the error
// that the handler receives, if that way has one.
var writers = []struct {
	name  string
	write func(w http.ResponseWriter) error
	body  string
	fails bool // write returns an error if the session cannot be saved
}{
	{"Write", func(w http.ResponseWriter) error {
		_, err := io.WriteString(w, written)
		return err
	}, written, true},
	{"WriteHeader", func(w http.ResponseWriter) error { w.WriteHeader(http.StatusOK); return nil }, "", false},
	{"WriteHeader and Write", func(w http.ResponseWriter) error {
		w.WriteHeader(http.StatusOK)
		_, err := io.WriteString(w, written)
		return err
	}, written, true},
	{"Write in parts", func(w http.ResponseWriter) error {
		var all error
		for part := range strings.SplitAfterSeq(written, " ") {
			_, err := io.WriteString(w, part)
			all = errors.Join(all, err)
		}
		return all
	}, written, true},
	{"ReadFrom", func(w http.ResponseWriter) error {
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(written))
		return err
	}, written, true},
	{"Flush and Write", func(w http.ResponseWriter) error {
		w.(http.Flusher).Flush()
		_, err := io.WriteString(w, written)
		return err
	}, written, true},
	{"FlushError", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }, "", true},
	{"nothing", func(http.ResponseWriter) error { return nil }, "", false},
}

func TestSessionIsSavedOnceBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	eachWay(t, testSessionIsSavedOnceBeforeTheAnswer)
}

func testSessionIsSavedOnceBeforeTheAnswer(t *testing.T, codec scs.Codec) {
	for _, c := range writers {
		t.Run(c.name, func(t *testing.T) {
			g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					m.Put(r.Context(), "draft", "tea")
					if err := c.write(w); err != nil {
						t.Errorf("%s: error = %v, want none", c.name, err)
					}
				}
			})
			a := g.desktop.get("/own")
			if a.StatusCode != http.StatusOK || a.body != c.body {
				t.Errorf("GET /own: %d %q, want 200 %q", a.StatusCode, a.body, c.body)
			}
			if got := len(a.Cookies()); got != 1 || sessionCookie(a) == nil {
				t.Errorf("GET /own: Set-Cookie = %v, want the session's alone", a.Cookies())
			}
			if got := g.store.saved(); got != 1 {
				t.Errorf("GET /own: session saved %d times, want once", got)
			}
			if got := g.draft(); got != "tea" {
				t.Errorf("next request: draft = %q, want tea", got)
			}
		})
	}
}

// TestUnsavedSessionReplacesTheAnswer checks that nothing of the handler's answer is
// sent if its session cannot be saved. Otherwise it would report a success that did not
// last.
func TestUnsavedSessionReplacesTheAnswer(t *testing.T) {
	t.Parallel()
	eachWay(t, testUnsavedSessionReplacesTheAnswer)
}

func testUnsavedSessionReplacesTheAnswer(t *testing.T, codec scs.Codec) {
	for _, c := range writers {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan error, 1)
			g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					m.Put(r.Context(), "draft", "tea")
					got <- c.write(w)
				}
			})
			g.store.failWith(errors.New("connection refused"))
			a := g.desktop.get("/own")
			if err := <-got; (err != nil) != c.fails {
				t.Errorf("%s: error = %v, want an error: %t", c.name, err, c.fails)
			}
			checkUnsaved(t, g, a)
		})
	}
}

// checkUnsaved checks that the answer is the gate's page for a failed store, and
// that the session is as it was.
func checkUnsaved(t *testing.T, g *gated, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("GET /own: status = %d, Retry-After = %q, Cache-Control = %q, want 503, a time and no-store",
			a.StatusCode, a.Header.Get("Retry-After"), a.Header.Get("Cache-Control"))
	}
	if strings.Contains(a.body, "handler") || strings.Contains(a.body, "answer") || !strings.HasSuffix(strings.TrimSpace(a.body), "</html>") {
		t.Errorf("GET /own: the body is not the gate's page alone:\n%s", a.body)
	}
	if sessionCookie(a) != nil {
		t.Errorf("GET /own: Set-Cookie = %v, want no session", sessionCookie(a))
	}
	if got := g.store.saved(); got != 1 {
		t.Errorf("GET /own: session saved %d times, want one attempt", got)
	}
	g.store.failWith(nil)
	if got := g.draft(); got != "" || g.desktop.user() == "" {
		t.Errorf("next request: draft = %q, user = %q, want no draft and the same user", got, g.desktop.user())
	}
}

// TestUnsavedSessionIsAProblemForScripts is TestUnsavedSessionReplacesTheAnswer for a
// client that accepts JSON.
func TestUnsavedSessionIsAProblemForScripts(t *testing.T) {
	eachWay(t, testUnsavedSessionIsAProblemForScripts)
}

func testUnsavedSessionIsAProblemForScripts(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "draft", "tea")
			_, _ = io.WriteString(w, written)
		}
	})
	g.store.failWith(errors.New("connection refused"))
	a := g.desktop.get("/own", "Accept", "application/json")
	const want = `{"status":503,"title":"Service Unavailable","code":"unavailable","detail":"a store failed; no one was logged in or out"}`
	if a.StatusCode != http.StatusServiceUnavailable || a.body != want || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("GET /own: %d %s %s, want 503 and %s", a.StatusCode, a.Header.Get("Content-Type"), a.body, want)
	}
}

// TestSessionIsSavedAfterEarlyHints checks that an informational response, which
// comes before the answer, does not save the session: the handler still changes it.
func TestSessionIsSavedAfterEarlyHints(t *testing.T) { eachWay(t, testSessionIsSavedAfterEarlyHints) }

func testSessionIsSavedAfterEarlyHints(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusEarlyHints)
			m.Put(r.Context(), "draft", "tea")
			_, _ = io.WriteString(w, written)
		}
	})
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, header["Link"], header["Set-Cookie"]))
			return nil
		},
	})
	a := g.desktop.send(ctx, false, http.MethodGet, "/own", "")
	hint := "103 [</style.css>; rel=preload] []"
	if len(hints) != 2 || hints[0] != hint || hints[1] != hint {
		t.Errorf("GET /own: informational responses = %q, want %q twice", hints, hint)
	}
	if a.StatusCode != http.StatusOK || a.body != written || sessionCookie(a) == nil || g.store.saved() != 1 {
		t.Errorf("GET /own: %d %q, session %v, saved %d times, want 200, the answer, a session and once", a.StatusCode, a.body, sessionCookie(a), g.store.saved())
	}
	if got := g.draft(); got != "tea" {
		t.Errorf("next request: draft = %q, want tea", got)
	}
}

// TestUnsavedSessionAfterEarlyHints checks that the page replaces the answer even after
// informational responses.
func TestUnsavedSessionAfterEarlyHints(t *testing.T) { eachWay(t, testUnsavedSessionAfterEarlyHints) }

func testUnsavedSessionAfterEarlyHints(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			m.Put(r.Context(), "draft", "tea")
			_, _ = io.WriteString(w, written)
		}
	})
	g.store.failWith(errors.New("connection refused"))
	checkUnsaved(t, g, g.desktop.get("/own"))
}

// TestSessionIsSavedBeforeSwitchingProtocols checks that 101, which is an answer
// although its number is below 200, carries the session's cookie.
func TestSessionIsSavedBeforeSwitchingProtocols(t *testing.T) {
	eachWay(t, testSessionIsSavedBeforeSwitchingProtocols)
}

func testSessionIsSavedBeforeSwitchingProtocols(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "draft", "tea")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
	})
	a := g.desktop.get("/own")
	if a.StatusCode != http.StatusSwitchingProtocols || sessionCookie(a) == nil || g.store.saved() != 1 {
		t.Errorf("GET /own: status = %d, session = %v, saved %d times, want 101, a session and once", a.StatusCode, sessionCookie(a), g.store.saved())
	}
	if got := g.draft(); got != "tea" {
		t.Errorf("next request: draft = %q, want tea", got)
	}
}

// TestSessionIsSavedBeforeHijack checks both outcomes: the handler receives the
// connection after its session has been saved, and none if it cannot be saved.
func TestSessionIsSavedBeforeHijack(t *testing.T) {
	t.Parallel()
	eachWay(t, testSessionIsSavedBeforeHijack)
}

func testSessionIsSavedBeforeHijack(t *testing.T, codec scs.Codec) {
	hijacked := make(chan error, 1)
	hijack := func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "draft", "tea")
			conn, _, err := w.(http.Hijacker).Hijack()
			hijacked <- err
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+written)
			_ = conn.Close()
		}
	}
	t.Run("saved", func(t *testing.T) {
		g := newGated(t, codec, hijack)
		a := g.desktop.get("/own")
		if err := <-hijacked; err != nil || a.StatusCode != http.StatusOK || a.body != written {
			t.Errorf("GET /own: %d %q, Hijack error = %v, want 200 %q", a.StatusCode, a.body, err, written)
		}
		if got := g.draft(); got != "tea" || g.store.saved() != 1 {
			t.Errorf("next request: draft = %q after saving %d times, want tea after one", got, g.store.saved())
		}
	})
	t.Run("not saved", func(t *testing.T) {
		g := newGated(t, codec, hijack)
		g.store.failWith(errors.New("connection refused"))
		a := g.desktop.get("/own")
		if err := <-hijacked; err == nil {
			t.Error("Hijack: no error, want one")
		}
		checkUnsaved(t, g, a)
	})
}

// TestUnchangedSessionIsNotSaved checks that a request that only reads costs no write,
// and that its answer sets no cookie.
func TestUnchangedSessionIsNotSaved(t *testing.T) { eachWay(t, testUnchangedSessionIsNotSaved) }

func testUnchangedSessionIsNotSaved(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, written+m.GetString(r.Context(), "draft"))
		}
	})
	g.store.failWith(errors.New("connection refused"))
	a := g.desktop.get("/own")
	if a.StatusCode != http.StatusOK || a.body != written || len(a.Cookies()) != 0 || g.store.saved() != 0 {
		t.Errorf("GET /own: %d %q, Set-Cookie = %v, saved %d times, want 200, the answer and no session", a.StatusCode, a.body, a.Cookies(), g.store.saved())
	}
}

// TestDestroyedSessionTakesTheCookie checks that a handler that destroys the session
// logs the browser out.
func TestDestroyedSessionTakesTheCookie(t *testing.T) { eachWay(t, testDestroyedSessionTakesTheCookie) }

func testDestroyedSessionTakesTheCookie(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := m.Destroy(r.Context()); err != nil {
				t.Errorf("Destroy: %v", err)
			}
			_, _ = io.WriteString(w, written)
		}
	})
	a := g.desktop.get("/own")
	if c := sessionCookie(a); a.body != written || c == nil || c.Value != "" || c.MaxAge >= 0 {
		t.Errorf("GET /own: %q, session = %v, want the answer and an expired cookie", a.body, c)
	}
	if got := g.desktop.user(); got != "" || g.store.saved() != 0 {
		t.Errorf("next request: user = %q after saving %d times, want no user after none", got, g.store.saved())
	}
}

// TestUnsavedSessionDropsTheAnswersHeaders checks that headers about the handler's body
// do not describe the page that replaces it.
func TestUnsavedSessionDropsTheAnswersHeaders(t *testing.T) {
	eachWay(t, testUnsavedSessionDropsTheAnswersHeaders)
}

func testUnsavedSessionDropsTheAnswersHeaders(t *testing.T, codec scs.Codec) {
	g := newGated(t, codec, func(m *scs.SessionManager) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "draft", "tea")
			w.Header().Set("Content-Length", fmt.Sprint(len(written)))
			w.Header().Set("Content-Encoding", "br")
			w.Header().Set("Content-Disposition", "attachment")
			w.Header().Set("Content-Range", "bytes 0-19/20")
			w.Header().Set("Etag", `"1"`)
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			_, _ = io.WriteString(w, written)
		}
	})
	g.store.failWith(errors.New("connection refused"))
	a := g.desktop.get("/own")
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "Content-Range", "Etag", "Last-Modified"} {
		if got := a.Header.Get(name); got != "" {
			t.Errorf("GET /own: %s = %q, want none", name, got)
		}
	}
	checkUnsaved(t, g, a)
}
