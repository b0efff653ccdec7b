package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/scangate/scangate/internal/session"
)

// Why a request may not pass, as [Gate.Check] returns it. Any other error of
// Check is a store's failure.
var (
	// ErrLoginRequired says that nobody is logged in: no session, a session of
	// somebody disabled or gone, or one that was signed out.
	ErrLoginRequired = errors.New("scangate: login required")
	// ErrPhoneRequired says that somebody is logged in whose number is not bound,
	// though [Config.RequirePhone] is set.
	ErrPhoneRequired = errors.New("scangate: phone number required")
)

type userContextKey struct{}

// UserFromContext returns the user whom [Gate.RequireWeChat] or [Gate.Admit] let
// pass. It reports false where neither did.
func UserFromContext(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userContextKey{}).(User)
	return u, ok
}

// RequireWeChat returns a handler that passes requests of logged-in people on to
// next, which finds the user with [UserFromContext] and may read and write the
// session of [Config.Sessions].
//
// What the others get depends on who asks. A page load is sent to the login
// page, and back when the person is in; so is a form posted by a page, back to
// the page it is on. Anything else gets 401 and an application/problem+json
// with the members code, "login_required", and login_url. With
// [Config.RequirePhone], people without a number are sent to the page that binds
// one, and code is "phone_required". If a store fails, the answer is 503 with
// Retry-After.
//
// Answers of next are "Cache-Control: private" unless next sets another.
func (g *Gate) RequireWeChat(next http.Handler) http.Handler {
	failSaving := func(w http.ResponseWriter, r *http.Request, err error) {
		g.fail(w, r, wrap("saving the session", err))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := g.sessions.load(r)
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		user, _, err := g.check(ctx)
		if err = g.checkPhone(user, err); err != nil {
			g.refuse(w, r, err)
			return
		}
		markPrivate(w.Header())
		passing := r.WithContext(context.WithValue(ctx, userContextKey{}, user))
		if ctx == r.Context() {
			next.ServeHTTP(w, passing) // whoever loaded the session saves it
			return
		}
		saving := session.NewWriter(w, passing, g.sessions.manager, failSaving)
		next.ServeHTTP(saving, passing)
		saving.Save() //nolint:contextcheck // the request has it
	})
}

// markPrivate keeps what is for one person out of shared caches.
func markPrivate(h http.Header) {
	h.Set("Cache-Control", "private")
	h.Add("Vary", "Cookie")
}

// Check decides about a request, and answers nothing: it returns the logged-in
// user, or [ErrLoginRequired], or the user and [ErrPhoneRequired], or the error
// of a store that failed. It loads the session to read it if nobody has.
func (g *Gate) Check(r *http.Request) (User, error) {
	user, _, err := g.currentUser(r)
	return user, g.checkPhone(user, err)
}

// checkPhone adds to the error of check that a number is missing.
func (g *Gate) checkPhone(user User, err error) error {
	if err == nil && g.config.RequirePhone && user.Phone == "" {
		return ErrPhoneRequired
	}
	return err
}

// Admit decides about a request and, if it may not pass, answers it, as
// [Gate.RequireWeChat] does. If it may pass, Admit returns the request to go on
// with, whose context holds the user, and true. It suits frameworks whose
// middleware is no func(http.Handler) http.Handler. Handlers that write to the
// session need the manager's LoadAndSave around them.
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	user, err := g.Check(r)
	if err != nil {
		g.refuse(w, r, err)
		return nil, false
	}
	markPrivate(w.Header())
	return r.WithContext(context.WithValue(r.Context(), userContextKey{}, user)), true
}

// currentUser loads the session, without keeping it, and checks it.
func (g *Gate) currentUser(r *http.Request) (User, sessionValue, error) {
	ctx, err := g.sessions.load(r)
	if err != nil {
		return User{}, sessionValue{}, err
	}
	return g.check(ctx)
}

// check returns the user of the session in ctx, who is read again every time, so
// that somebody disabled or signed out is out at once (or after Config.UserTTL).
func (g *Gate) check(ctx context.Context) (User, sessionValue, error) {
	value, ok := g.sessions.current(ctx)
	if !ok {
		return User{}, sessionValue{}, ErrLoginRequired
	}
	user, err := g.readers.FindByID(ctx, value.userID)
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

// refuse answers a request that may not pass.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	route, p := g.refusal(err)
	if route == "" {
		g.fail(w, r, err)
		return
	}
	secureHeaders(w.Header())
	switch {
	case isPageLoad(r):
		seeOther(w, g.returningURL(route, requestPath(r)))
	case isFormPost(r):
		seeOther(w, g.returningURL(route, g.refererPath(r)))
	default:
		writeProblem(w, p)
	}
}

// refusal returns the route that helps people who may not pass, and what programs
// are told of it; "" for an error that is a failure.
func (g *Gate) refusal(err error) (route string, p problem) {
	switch {
	case errors.Is(err, ErrLoginRequired):
		route, p = "login", problem{Title: "Login required", Code: "login_required"}
	case errors.Is(err, ErrPhoneRequired):
		route, p = "phone", problem{Title: "Phone number required", Code: "phone_required"}
	default:
		return "", problem{}
	}
	p.Status, p.LoginURL = http.StatusUnauthorized, g.path(route)
	return route, p
}

// loginURL is the login page that leads back to returnTo, a path on this server.
func (g *Gate) loginURL(returnTo string) string { return g.returningURL("login", returnTo) }

// returningURL is a route that leads back to returnTo.
func (g *Gate) returningURL(route, returnTo string) string {
	at := g.path(route)
	if returnTo != "" && returnTo != "/" {
		at += "?" + url.Values{"return_to": {returnTo}}.Encode()
	}
	return at
}
