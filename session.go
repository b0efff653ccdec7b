package scangate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/scscodec"
)

// maxSessionCookies bounds how many cookies of the session's name a request may carry.
// Each costs a look-up.
const maxSessionCookies = 10

// sessions reads and writes the one value that the gate keeps in each of the
// application's sessions: the gate's site, the user's ID, the login's ID and when the session began.
type sessions struct {
	manager *session.Manager
	site    string // PublicURL's host and BasePath; a session of another site's gate has no user here
	key     string // of the gate's value; it contains the site
	marker  session.Marker
	logger  *slog.Logger
}

// sessionValue is what the gate keeps in a session.
type sessionValue struct {
	site   string
	userID string
	login  string // the ID of the login that began the session
	begun  time.Time
}

// encode returns v as one plain string, which every codec keeps: the version of the form,
// the microseconds since 1970 in base 36, the site, the login, and the user's ID, which
// may contain anything.
func (v sessionValue) encode() string {
	return "2 " + strconv.FormatInt(v.begun.UnixMicro(), 36) + " " + v.site + " " + v.login + " " + v.userID
}

// decodeSessionValue reverses encode. It reports false for anything encode does not
// return; the session then has no user.
func decodeSessionValue(s string) (sessionValue, bool) {
	rest, ok := strings.CutPrefix(s, "2 ")
	if !ok {
		return sessionValue{}, false
	}
	begun, rest, _ := cutByte(rest, ' ')
	site, rest, _ := cutByte(rest, ' ')
	login, id, ok := cutByte(rest, ' ')
	if !ok || id == "" {
		return sessionValue{}, false
	}
	micro, err := strconv.ParseInt(begun, 36, 64)
	if err != nil {
		return sessionValue{}, false
	}
	return sessionValue{site: site, userID: id, login: login, begun: time.UnixMicro(micro)}, true
}

// youngerThan reports whether the session's login was less than d ago.
func (v sessionValue) youngerThan(d time.Duration) bool { return time.Since(v.begun) < d }

// loaded reports whether the application's own LoadAndSave has loaded the session into
// ctx. It will also save the session.
func (s *sessions) loaded(ctx context.Context) bool { return s.manager.Holds(ctx) }

// open reads the request's session into l, for a handler that may never ask for it, and
// returns the gate's value in it. It changes nothing. It returns false if there is no
// session that may count; l may then hold none.
func (s *sessions) open(r *http.Request, l *session.Late) (sessionValue, bool, error) {
	token, one := onlyCookie(r, s.manager.Cookie.Name)
	if early := !s.manager.Lazy() || s.loaded(r.Context()); early || !one {
		cookies := r.CookiesNamed(s.manager.Cookie.Name)
		if early || len(cookies) > 1 {
			ctx, err := s.loadFrom(r, cookies)
			if err != nil {
				return sessionValue{}, false, err
			}
			s.manager.Hold(l, ctx)
			value, ok := s.current(ctx)
			return value, ok, nil
		}
		if len(cookies) == 0 {
			return sessionValue{}, false, nil
		}
		token = cookies[0].Value
	}
	text, found, err := s.manager.Open(r.Context(), l, token, s.key)
	if errors.Is(err, scscodec.ErrDamaged) {
		s.warnDamaged(r.Context(), err)
		return sessionValue{}, false, nil
	}
	if err != nil || !found {
		return sessionValue{}, false, wrap("loading the session", err)
	}
	value, ok := s.decodeLive(r.Context(), text)
	return value, ok, nil
}

// carried reports whether the request has a session, or a cookie of its name.
func (s *sessions) carried(r *http.Request) bool {
	_, has := cookieValue(r, s.manager.Cookie.Name)
	return has || s.loaded(r.Context())
}

// load returns a context that holds the request's session. It changes nothing. For a
// damaged session it returns one without values, so the browser is not logged in and its
// next login or logout deletes the stored record.
func (s *sessions) load(r *http.Request) (context.Context, error) {
	return s.loadFrom(r, r.CookiesNamed(s.manager.Cookie.Name))
}

// loadFrom is load for a request with these cookies of the session's name.
func (s *sessions) loadFrom(r *http.Request, cookies []*http.Cookie) (context.Context, error) {
	switch {
	case len(cookies) == 0:
		return s.loadToken(r.Context(), "")
	case len(cookies) == 1:
		return s.loadToken(r.Context(), cookies[0].Value)
	case s.loaded(r.Context()):
		return s.checkLoaded(r, cookies)
	}
	return s.choose(r, cookies)
}

// loadToken returns a context that holds the session of the token.
func (s *sessions) loadToken(ctx context.Context, token string) (context.Context, error) {
	loaded, err := s.manager.Load(ctx, token)
	if errors.Is(err, scscodec.ErrDamaged) {
		s.warnDamaged(ctx, err)
		loaded, err = s.manager.LoadBlank(ctx, token)
	}
	return loaded, wrap("loading the session", err)
}

// warnDamaged logs that a session is damaged. It is not an error of the request: every
// request would get that error, until the cookie expires.
func (s *sessions) warnDamaged(ctx context.Context, err error) {
	s.logger.WarnContext(ctx, "scangate: a damaged session counts as none", "error", err)
}

// choose returns a context that holds the one session that counts, out of several
// cookies of the session's name. A browser keeps one for each domain and path, and
// another host of the same domain may have set some of them.
func (s *sessions) choose(r *http.Request, cookies []*http.Cookie) (context.Context, error) {
	var chosen context.Context
	var best candidate
	none := func(why string) (context.Context, error) {
		s.logger.WarnContext(r.Context(), "scangate: "+why+" count as no session", "cookie", s.manager.Cookie.Name, "cookies", len(cookies))
		return s.loadToken(r.Context(), "")
	}
	if len(cookies) > maxSessionCookies {
		return none("too many cookies of the session's name")
	}
	for i, cookie := range cookies {
		if repeats(cookies[:i], cookie.Value) {
			continue
		}
		ctx, err := s.loadToken(r.Context(), cookie.Value)
		if err != nil {
			return nil, err
		}
		found := s.candidate(ctx)
		if found.rank == rankUser && best.rank == rankUser && found.value.userID != best.value.userID {
			return none("two live sessions of different users")
		}
		if chosen == nil || found.beats(best) {
			chosen, best = ctx, found
		}
	}
	return chosen, nil
}

// checkLoaded returns the context of the application's LoadAndSave, or one without a user if
// another cookie of the request has a live session of another user.
func (s *sessions) checkLoaded(r *http.Request, cookies []*http.Cookie) (context.Context, error) {
	ctx := r.Context()
	own, ok := s.current(ctx)
	if !ok {
		return ctx, nil
	}
	conflict := len(cookies) > maxSessionCookies
	for _, cookie := range cookies[:min(len(cookies), maxSessionCookies)] {
		other, err := s.manager.LoadApart(ctx, cookie.Value)
		if errors.Is(err, scscodec.ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, wrap("loading the session", err)
		}
		v, live := s.current(other)
		conflict = conflict || live && v.userID != own.userID
	}
	if conflict {
		return s.manager.LoadApart(ctx, "")
	}
	return ctx, nil
}

// repeats reports whether one of the cookies has that value.
func repeats(cookies []*http.Cookie, value string) bool {
	return slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Value == value })
}

// candidate is one of several sessions that a request carries.
type candidate struct {
	rank  int
	value sessionValue
}

// The ranks of a candidate.
const (
	rankNone    = iota // the store has no such session
	rankDamaged        // or an empty one
	rankLive
	rankUser // a user of this gate
)

// candidate returns the rank of the session in ctx.
func (s *sessions) candidate(ctx context.Context) (c candidate) {
	value, ok := s.current(ctx)
	switch {
	case ok:
		c.rank, c.value = rankUser, value
	case len(s.manager.Keys(ctx)) != 0:
		c.rank = rankLive
	case s.manager.Token(ctx) != "":
		c.rank = rankDamaged
	}
	return c
}

// beats reports whether c counts rather than the earlier cookie's session. Of two
// sessions of one user the later one counts.
func (c candidate) beats(earlier candidate) bool {
	return c.rank > earlier.rank || c.rank == earlier.rank && c.value.begun.After(earlier.value.begun)
}

// value returns the gate's value in the session of ctx.
func (s *sessions) value(ctx context.Context) (sessionValue, bool) {
	return s.decode(s.manager.GetString(ctx, s.key))
}

// decode returns the gate's value in a session, from its text there.
func (s *sessions) decode(text string) (sessionValue, bool) {
	v, ok := decodeSessionValue(text)
	return v, ok && v.site == s.site
}

// current is value for a session that may count.
func (s *sessions) current(ctx context.Context) (sessionValue, bool) {
	return s.decodeLive(ctx, s.manager.GetString(ctx, s.key))
}

// decodeLive is decode for a session that may count. One from the future does not: ending
// the user's sessions now would leave it alive.
func (s *sessions) decodeLive(ctx context.Context, text string) (sessionValue, bool) {
	v, ok := s.decode(text)
	if ok && v.begun.After(time.Now().Add(clockSkew)) {
		s.logger.WarnContext(ctx, "scangate: a session that begins in the future counts as none: compare the servers' clocks", "begun", v.begun.UTC())
		return sessionValue{}, false
	}
	return v, ok
}

// prepare returns a context that holds the session which a login of the user is about to
// begin: that of the request, without the previous user's data. Nothing is saved until
// begin is called with the context. It also returns what the gate kept in the request's
// session before.
func (s *sessions) prepare(r *http.Request, userID string) (prepared context.Context, before sessionValue, err error) {
	ctx, err := s.load(r)
	if err != nil {
		return nil, before, err
	}
	before, ok := s.value(ctx)
	other := ok && before.userID != userID
	if s.loaded(r.Context()) {
		// The application's LoadAndSave would save changes even if the login is refused.
		apart, err := s.manager.LoadApart(ctx, "")
		if err == nil && !other {
			s.manager.CopyValues(apart, ctx)
		}
		return apart, before, err
	}
	if other {
		// The application may have kept private data of the previous user in the session.
		if err := s.manager.Clear(ctx); err != nil {
			return nil, before, err
		}
	}
	s.manager.SetDeadline(ctx, time.Now().Add(s.manager.Lifetime).UTC())
	return ctx, before, nil
}

// begin gives the session of prepare the token, stores v in it, and sets the cookie. If
// the application's LoadAndSave has loaded the session, the token is scs's own. Otherwise
// begin calls check after it has written the session, and takes the session back if check
// returns an error.
func (s *sessions) begin(prepared context.Context, w http.ResponseWriter, r *http.Request, v sessionValue, token string, check func() error) error {
	ctx, outer := s.target(prepared, r), s.loaded(r.Context())
	deadline := s.manager.Deadline(prepared) // Config.OnLogin may have set it
	if s.manager.Token(ctx) != token {       // otherwise the request is a repeated one
		if err := s.manager.RenewToken(ctx); err != nil {
			return err
		}
	}
	if outer {
		if err := s.manager.Replace(ctx, prepared); err != nil {
			return err
		}
	}
	s.manager.SetDeadline(ctx, deadline)
	v.site = s.site
	s.manager.Put(ctx, s.key, v.encode())
	if outer {
		s.marker.Set(w, r, s.manager.Token(ctx))
		return nil // the application's LoadAndSave saves the session
	}
	expiry, err := s.manager.CommitAs(ctx, token)
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return both(err, s.takeBack(ctx, token))
	}
	s.manager.WriteCookie(ctx, w, token, expiry)
	s.marker.Set(w, r, token)
	return nil
}

// takeBackLimit bounds the calls to the session store that end a session which was refused.
const takeBackLimit = 5 * time.Second

// takeBack ends a session that begin has written, also if the client has gone.
func (s *sessions) takeBack(ctx context.Context, token string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), takeBackLimit)
	defer stop()
	written, err := s.manager.LoadApart(ctx, token)
	if err != nil {
		return err
	}
	return s.manager.Destroy(written)
}

// target returns the context that holds the session which begin saves, for the one that
// prepare returned.
func (s *sessions) target(prepared context.Context, r *http.Request) context.Context {
	if s.loaded(r.Context()) {
		return r.Context()
	}
	return prepared
}

// end destroys the request's session, which load has loaded into ctx.
func (s *sessions) end(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return err
	}
	if !s.loaded(r.Context()) {
		s.manager.WriteCookie(ctx, w, "", time.Time{})
	}
	s.marker.Remove(w, r)
	return nil
}

// otherSession is a session that a request carries besides its own.
type otherSession struct {
	context.Context
	value sessionValue
}

// errTooManySessions is the error of a request with more cookies of the session's name than
// the gate reads.
var errTooManySessions = badRequest("there are too many cookies of the session's name: delete this site's cookies")

// others returns the sessions of the gate's users that the request carries besides the one
// in ctx. One of them would count as soon as that one is gone. With errTooManySessions,
// there may be more.
func (s *sessions) others(ctx context.Context, r *http.Request) ([]otherSession, error) {
	cookies := r.CookiesNamed(s.manager.Cookie.Name)
	own, read := s.manager.Token(ctx), 0
	var found []otherSession
	for i, cookie := range cookies {
		if cookie.Value == own || repeats(cookies[:i], cookie.Value) {
			continue
		}
		if read++; read > maxSessionCookies {
			return found, errTooManySessions
		}
		other, err := s.manager.LoadApart(ctx, cookie.Value)
		if errors.Is(err, scscodec.ErrDamaged) {
			continue // it counts as none
		}
		if err != nil {
			return nil, wrap("loading the session", err)
		}
		if value, ok := s.value(other); ok {
			found = append(found, otherSession{other, value})
		}
	}
	return found, nil
}

// values returns what the gate keeps in the sessions.
func values(others []otherSession) []sessionValue {
	var values []sessionValue
	for _, other := range others {
		values = append(values, other.value)
	}
	return values
}

// endOthers destroys the sessions.
func (s *sessions) endOthers(others []otherSession) error {
	for _, other := range others {
		if err := s.manager.Destroy(other); err != nil {
			return err
		}
	}
	return nil
}

// reportLost reports whether a login in this browser began a session moments ago, and
// another login would end like that one: without a session that counts. It then logs the
// cause, and removes the mark of that login, so that the person may try again. The session
// in ctx is the request's, and has no user who may pass.
func (s *sessions) reportLost(ctx context.Context, w http.ResponseWriter, r *http.Request) bool {
	mark, ok := s.marker.Find(r)
	if !ok {
		return false
	}
	cookies := r.CookiesNamed(s.manager.Cookie.Name)
	_, counts := s.current(ctx)
	var cause string
	switch {
	case len(cookies) == 0:
		cause = "the browser does not send the cookie: compare its Domain, Path, Secure and SameSite with PublicURL"
	case !slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return mark.Names(c.Value) }):
		cause = "the browser sends an older cookie of that name, which another host or path has set"
	case s.loaded(r.Context()) && !mark.Names(cookies[0].Value):
		cause = "LoadAndSave reads another cookie of that name, which another host or path has set"
	case mark.Streak > 1 && (!counts || !mark.Names(s.manager.Token(ctx))):
		// The first time may have a cause of its own: the application has ended the session.
		cause = "the session store does not return the session: all processes need one store and one codec"
	default:
		return false
	}
	s.logger.ErrorContext(ctx, "scangate: the session of a login does not come back", "cookie", s.manager.Cookie.Name, "cause", cause)
	s.marker.Remove(w, r)
	return true
}
