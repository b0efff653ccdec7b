package scangate

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/internal/state"
)

type userContextKey struct{}

// UserFromContext returns the user whose request [Gate.RequireWeChat] or [Gate.Admit]
// let pass. It reports false if neither did.
func UserFromContext(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userContextKey{}).(*User)
	if !ok {
		return User{}, false
	}
	return *u, true
}

// admission is the context of a request that may pass. Its fields are in one allocation
// with it.
type admission struct {
	context.Context
	user   User
	values [2]string // of headers of the answer
}

// Value implements [context.Context].
func (a *admission) Value(key any) any {
	if key == (userContextKey{}) {
		return &a.user
	}
	return a.Context.Value(key)
}

// markPrivate keeps an answer for one user out of shared caches.
func (a *admission) markPrivate(h http.Header) {
	a.values = [...]string{"private", "Cookie"}
	var vary []string
	if len(h) > 0 { // usually it is empty, and needs no look-up
		vary = h["Vary"]
	}
	h["Cache-Control"] = a.values[0:1:1]
	if len(vary) > 0 {
		h["Vary"] = append(vary, a.values[1])
	} else {
		h["Vary"] = a.values[1:2:2]
	}
}

// passage is an admission to a handler that may use the session.
type passage struct {
	admission
	session session.Late
	writer  session.Writer
}

// authenticator finds the user who is logged in.
type authenticator struct {
	sessions     sessions
	users        UserStore                          // for decisions about an account
	readers      UserStore                          // for the read on every request
	ends         *state.Ring                        // the users whose sessions were ended, for other processes
	appUser      func(*http.Request) (string, bool) // Config.CurrentUser
	requirePhone bool
}

// RequireWeChat returns a handler that passes requests of logged-in users on to next.
// next finds the user with [UserFromContext], and may read and write the session of
// [Session.Manager]. Users of [Config.CurrentUser] who have not logged in with the gate do not
// pass.
//
// The answer to other requests depends on the client. A page load, which is
// a GET whose Accept contains text/html, is redirected to the login page, or to
// [Config.LoginPage], and the login leads back. A form that a page submits
// is redirected too, and the login leads back to that page. Anything else gets 401 and an
// application/problem+json with the members code, "login_required", and login_url. With
// [Phone.Require], users without a phone number are redirected to the page that binds one,
// and code is "phone_required". If a store fails, the answer is 503 with Retry-After.
//
// The answers of next are "Cache-Control: private" unless next sets another value. An
// answer that sets the session's cookie is always private.
func (g *Gate) RequireWeChat(next http.Handler) http.Handler {
	failSaving := func(w http.ResponseWriter, r *http.Request, err error) {
		g.respond.fail(w, r, wrap("saving the session", err))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &passage{}
		var err error
		p.user, _, err = g.auth.openUser(r, &p.session)
		if err = g.auth.checkPhone(p.user, err); err != nil {
			g.refuse(w, r, err)
			return
		}
		p.Context = &p.session
		p.markPrivate(w.Header())
		passing := r.WithContext(p)
		if p.session.Within(r.Context()) {
			next.ServeHTTP(w, passing) // the outer LoadAndSave saves the session
			return
		}
		p.writer = session.NewWriter(w, passing, &p.session, failSaving)
		next.ServeHTTP(&p.writer, passing)
		p.writer.Save() //nolint:contextcheck // the request carries the context
	})
}

// Check decides about a request and answers nothing. It returns the logged-in user, or
// [ErrLoginRequired], or the user with [ErrPhoneRequired], or the error of a store that
// failed. It loads the session unless an outer handler has.
func (g *Gate) Check(r *http.Request) (User, error) {
	user, _, err := g.auth.currentUser(r)
	switch err := g.auth.checkPhone(user, err); {
	case err == nil, errors.Is(err, ErrLoginRequired), errors.Is(err, ErrPhoneRequired):
		return user, err
	default:
		return user, publicError(err)
	}
}

// checkPhone returns err or, for a user without the phone number that the configuration
// requires, ErrPhoneRequired.
func (a *authenticator) checkPhone(user User, err error) error {
	if err == nil && a.requirePhone && user.Phone == "" {
		return ErrPhoneRequired
	}
	return err
}

// Admit decides about a request as [Gate.RequireWeChat] does. If the request may not
// pass, Admit answers it and returns false. Otherwise it returns the request to go on
// with, whose context holds the user, and true.
//
// It suits frameworks whose middleware is not a func(http.Handler) http.Handler.
// Handlers that write to the session need the manager's LoadAndSave around them.
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	user, err := g.Check(r)
	if err != nil {
		g.refuse(w, r, err)
		return nil, false
	}
	a := &admission{Context: r.Context(), user: user}
	a.markPrivate(w.Header())
	return r.WithContext(a), true
}

// currentUser loads the session for reading and returns its user.
func (a *authenticator) currentUser(r *http.Request) (User, sessionValue, error) {
	return a.openUser(r, &session.Late{})
}

// openUser opens the session and returns its user. Without an error, l holds the session.
func (a *authenticator) openUser(r *http.Request, l *session.Late) (User, sessionValue, error) {
	value, ok, err := a.sessions.open(r, l)
	if err != nil {
		return User{}, sessionValue{}, err
	}
	return a.userOf(l, value, ok)
}

// sessionUser returns the user of the session in ctx, and the session's value.
func (a *authenticator) sessionUser(ctx context.Context) (User, sessionValue, error) {
	value, ok := a.sessions.current(ctx)
	return a.userOf(ctx, value, ok)
}

// userOf returns the user of a session that may count if ok is true, and the session's
// value. It reads the user every time, so that disabling a user or ending their sessions
// takes effect at once (or after Config.UserTTL).
func (a *authenticator) userOf(ctx context.Context, value sessionValue, ok bool) (User, sessionValue, error) {
	if !ok {
		return User{}, sessionValue{}, ErrLoginRequired
	}
	user, err := a.readers.FindByID(ctx, value.userID)
	switch {
	case errors.Is(err, ErrNotFound):
		return User{}, sessionValue{}, ErrLoginRequired
	case err != nil:
		return User{}, sessionValue{}, wrap("reading the user", err)
	case user.Disabled, value.begun.Before(user.SessionsEndedAt):
		return User{}, sessionValue{}, ErrLoginRequired
	}
	return user, value, nil
}

// endSessions ends all sessions of the user, and announces it to the other processes.
func (a *authenticator) endSessions(ctx context.Context, userID string) error {
	if err := a.users.EndSessions(ctx, userID, time.Now()); err != nil {
		return wrap("ending the sessions", err)
	}
	// After the change: a process that reads the user from now on sees it. Without
	// Config.UserTTL too, because other processes may have it.
	return wrap("announcing the end of the sessions", a.ends.Add(ctx, userID))
}

// requireKept returns errNoSession if a login in this browser has begun a session moments
// ago that does not count for the request. Another login would end like that one, and
// the browser would be redirected in a loop.
func (a *authenticator) requireKept(w http.ResponseWriter, r *http.Request) error {
	if _, ok := a.sessions.marker.Find(r); !ok {
		return nil
	}
	ctx, err := a.sessions.load(r)
	if err != nil {
		return err
	}
	if _, _, err := a.sessionUser(ctx); errors.Is(err, ErrLoginRequired) && a.sessions.reportLost(ctx, w, r) {
		return errNoSession
	}
	return nil
}

// requireTarget checks that a login made for a logged-in user ends in that user's
// browser: another person may have logged in there since.
func (a *authenticator) requireTarget(r *http.Request, l *login.Login) error {
	if l.Purpose() == login.PurposeLogin {
		return nil
	}
	target, _ := l.Target()
	user, err := a.accountUser(r, l.Purpose())
	if errors.Is(err, ErrLoginRequired) || err == nil && user.ID != target {
		return forged("the login is for a user who is not logged in in this browser")
	}
	return err
}

// accountUser returns the user who is logged in. For links Config.CurrentUser decides,
// if it is set.
func (a *authenticator) accountUser(r *http.Request, p login.Purpose) (User, error) {
	if p != login.PurposeLink || a.appUser == nil {
		user, _, err := a.currentUser(r)
		return user, err
	}
	id, ok := a.appUser(r)
	if !ok || id == "" {
		return User{}, ErrLoginRequired
	}
	user, err := a.users.FindByID(r.Context(), id)
	switch {
	case errors.Is(err, ErrNotFound):
		return User{}, ErrLoginRequired
	case err != nil:
		return User{}, wrap("reading the user", err)
	case user.Disabled:
		return User{}, errDisabled
	}
	return user, nil
}

// freshTime is how old a login may be for a change of the account that could outlive the
// session: adding or removing a WeChat, or another phone number. A stolen session is
// then not enough for such a change.
const freshTime = 15 * time.Minute

// freshUser is accountUser for such a change. It returns the user with errFreshLogin if
// their login is too old. If Config.CurrentUser decides, its answer is enough.
func (a *authenticator) freshUser(r *http.Request, p login.Purpose) (User, error) {
	if p == login.PurposeLink && a.appUser != nil {
		return a.accountUser(r, p)
	}
	user, session, err := a.currentUser(r)
	if err == nil && !session.youngerThan(freshTime) {
		err = errFreshLogin
	}
	return user, err
}

// refuse answers a request that may not pass.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	route, p := g.refusal(err)
	if route == "" {
		g.respond.fail(w, r, err)
		return
	}
	setHeaders(w.Header(), secureHeaders)
	returning := g.urls.returning
	if errors.Is(err, ErrLoginRequired) && !g.urls.isLoginPage(r) {
		returning = func(_, returnTo string) string { return g.urls.logIn(returnTo) }
	}
	switch {
	case isPageLoad(r):
		seeOther(w, returning(route, requestPath(r)))
	case isFormPost(r):
		seeOther(w, returning(route, g.urls.referer(r)))
	default:
		writeProblem(w, p)
	}
}

// refusal maps err to the route to redirect to and the problem to return. The route is
// empty if err is not a refusal.
func (g *Gate) refusal(err error) (route string, p problem) {
	switch {
	case errors.Is(err, ErrLoginRequired):
		route, p = "login", problem{Title: "Login required", Code: "login_required"}
	case errors.Is(err, ErrPhoneRequired):
		route, p = "phone", problem{Title: "Phone number required", Code: "phone_required"}
	case errors.Is(err, errFreshLogin):
		route, p = freshRoute, problem{Title: "Fresh login required", Code: freshLoginCode}
	default:
		return "", problem{}
	}
	p.Status, p.LoginURL = http.StatusUnauthorized, g.urls.path(route)
	if route == "login" && g.urls.loginPage != "" {
		p.LoginURL = g.urls.loginPage
	}
	return route, p
}
