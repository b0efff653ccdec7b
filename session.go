package scangate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/scscodec"
)

// sessions reads and writes the one value that the gate keeps in each of the
// application's sessions: the user's ID and when the session began.
type sessions struct {
	manager *session.Manager
	key     string
	logger  *slog.Logger
}

// sessionValue is what the gate keeps in a session.
type sessionValue struct {
	userID string
	begun  time.Time
}

// encode returns v as one plain string, which every codec keeps: the version of the form,
// the microseconds since 1970 in base 36, and the ID, which may contain anything.
func (v sessionValue) encode() string {
	return "1 " + strconv.FormatInt(v.begun.UnixMicro(), 36) + " " + v.userID
}

// decodeSessionValue reverses encode. It reports false for anything encode does not
// return; the session then has no user.
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

// loaded reports whether the application's own LoadAndSave has loaded the session into
// ctx. It will also save the session.
func (s *sessions) loaded(ctx context.Context) bool {
	again, err := s.manager.Load(ctx, "")
	return err == nil && again == ctx // Load returns another context for a new session
}

// carriedBy reports whether the request has the cookie of a session.
func (s *sessions) carriedBy(r *http.Request) bool {
	_, err := r.Cookie(s.manager.Cookie.Name)
	return err == nil
}

// load returns a context that holds the request's session. It changes nothing. For a
// damaged session it returns one without values, so the browser is not logged in and its
// next login or logout deletes the stored record.
func (s *sessions) load(r *http.Request) (context.Context, error) {
	var token string
	if cookie, err := r.Cookie(s.manager.Cookie.Name); err == nil {
		token = cookie.Value
	}
	ctx, err := s.manager.Load(r.Context(), token)
	if errors.Is(err, scscodec.ErrDamaged) {
		// As an error it would be returned for every request, until the cookie expires.
		s.logger.WarnContext(r.Context(), "scangate: a damaged session counts as none", "error", err)
		ctx, err = s.manager.LoadBlank(r.Context(), token)
	}
	return ctx, wrap("loading the session", err)
}

// current returns the gate's value in the session of ctx.
func (s *sessions) current(ctx context.Context) (sessionValue, bool) {
	return decodeSessionValue(s.manager.GetString(ctx, s.key))
}

// begin renews the token of the request's session, stores v in it, and sets the cookie.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, v sessionValue) error {
	ctx, err := s.load(r)
	if err != nil {
		return err
	}
	if err := s.manager.RenewToken(ctx); err != nil {
		return err
	}
	if before, ok := s.current(ctx); ok && before.userID != v.userID {
		// The application may have kept private data of the previous user in the session.
		if err := s.manager.Clear(ctx); err != nil {
			return err
		}
	}
	s.manager.Put(ctx, s.key, v.encode())
	if s.loaded(r.Context()) {
		return nil // the application's LoadAndSave saves the session
	}
	token, expiry, err := s.manager.Commit(ctx)
	if err != nil {
		return err
	}
	s.manager.WriteCookie(ctx, w, token, expiry)
	return nil
}

// end destroys the request's session, which load has loaded into ctx.
func (s *sessions) end(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return err
	}
	if !s.loaded(r.Context()) {
		s.manager.WriteCookie(ctx, w, "", time.Time{})
	}
	return nil
}
