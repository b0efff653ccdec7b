package scangate

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

// sessionLifetime is how long people stay logged in where New makes the session
// manager.
const sessionLifetime = 7 * 24 * time.Hour

// newSessionManager returns a manager that keeps sessions in the store, or in
// memory if that is nil.
func newSessionManager(secure bool, store scs.Store) *scs.SessionManager {
	// A literal, for scs.New starts a goroutine that can't be stopped for good.
	m := &scs.SessionManager{
		Lifetime:         sessionLifetime,
		Store:            store,
		Codec:            scscodec.Codec{},
		HashTokenInStore: true,
	}
	if store == nil {
		m.Store, m.HashTokenInStore = newMemorySessionStore(), false // it does so itself
	}
	m.Cookie.Name = "session"
	if secure {
		m.Cookie.Name = "__Host-session"
	}
	m.Cookie.Path = "/"
	m.Cookie.HttpOnly = true
	m.Cookie.Secure = secure
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Persist = true
	return m
}

// sessions reads and writes what the gate keeps in the application's sessions:
// one value that says who is logged in, and since when.
type sessions struct {
	manager *scs.SessionManager
	key     string
}

// sessionValue is what a session holds.
type sessionValue struct {
	userID string
	begun  time.Time
}

// encode makes one plain string of it, which every codec keeps: the form's version,
// the microseconds since 1970 in base 36, and the id, which may hold anything.
func (v sessionValue) encode() string {
	return "1 " + strconv.FormatInt(v.begun.UnixMicro(), 36) + " " + v.userID
}

// decodeSessionValue is the reverse of encode. What it can't read is nobody's.
func decodeSessionValue(s string) (sessionValue, bool) {
	rest, ok := strings.CutPrefix(s, "1 ")
	if !ok {
		return sessionValue{}, false
	}
	begun, id, ok := strings.Cut(rest, " ")
	if !ok || id == "" {
		return sessionValue{}, false
	}
	micro, err := strconv.ParseInt(begun, 36, 64)
	if err != nil {
		return sessionValue{}, false
	}
	return sessionValue{userID: id, begun: time.UnixMicro(micro)}, true
}

// loaded reports whether the application's own LoadAndSave has loaded the
// session into ctx: Load returns the same context then.
func (s *sessions) loaded(ctx context.Context) bool {
	again, err := s.manager.Load(ctx, "")
	return err == nil && again == ctx
}

// carriedBy reports whether the request brings a session's cookie.
func (s *sessions) carriedBy(r *http.Request) bool {
	_, err := r.Cookie(s.manager.Cookie.Name)
	return err == nil
}

// load returns a context that holds the request's session. It changes nothing.
func (s *sessions) load(r *http.Request) (context.Context, error) {
	var token string
	if cookie, err := r.Cookie(s.manager.Cookie.Name); err == nil {
		token = cookie.Value
	}
	ctx, err := s.manager.Load(r.Context(), token)
	return ctx, wrap("loading the session", err)
}

// current returns what the session in ctx holds.
func (s *sessions) current(ctx context.Context) (sessionValue, bool) {
	return decodeSessionValue(s.manager.GetString(ctx, s.key))
}

// begin renews the request's session, fills it, and tells the browser.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, v sessionValue) error {
	ctx, err := s.load(r)
	if err != nil {
		return err
	}
	if err := s.manager.RenewToken(ctx); err != nil {
		return err
	}
	if before, ok := s.current(ctx); ok && before.userID != v.userID {
		// What the application kept for one person is not for the next.
		if err := s.manager.Clear(ctx); err != nil {
			return err
		}
	}
	s.manager.Put(ctx, s.key, v.encode())
	if s.loaded(r.Context()) {
		return nil // whoever loaded it saves it
	}
	token, expiry, err := s.manager.Commit(ctx)
	if err != nil {
		return err
	}
	s.writeCookie(ctx, w, token, expiry)
	return nil
}

// end destroys the request's session.
func (s *sessions) end(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return err
	}
	if !s.loaded(r.Context()) {
		s.writeCookie(ctx, w, "", time.Time{})
	}
	return nil
}

// writeCookie leaves out the caching rule that scs adds: no answer of the gate's
// own is stored anyway.
func (s *sessions) writeCookie(ctx context.Context, w http.ResponseWriter, token string, expiry time.Time) {
	caching := w.Header().Values("Cache-Control")
	s.manager.WriteSessionCookie(ctx, w, token, expiry)
	w.Header()["Cache-Control"] = caching
}
