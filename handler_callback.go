package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// serveCallback takes WeChat's answer, in the browser that went to WeChat. WeChat may
// deliver a callback twice: both get the same answer, and the code is exchanged once.
func (g *Gate) serveCallback(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	state := q.Get("state")
	trip, _ := login.ParseState(state)
	key := g.logins.stateKey(r, trip.ID, state)
	if key == "" {
		return g.invalidState(w, r, trip)
	}
	code := q.Get("code")
	if code == "" || code == "authdeny" { // WeChat documents the first and sends the second
		return g.cancelled(w, r, trip)
	}
	l, err := g.logins.Load(r.Context(), trip.ID)
	// The start of a login was counted, and stands for its first exchange too.
	if err != nil || !l.Untried() {
		if err := g.logins.limit(r, "callback"); err != nil {
			return err
		}
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat may take its time
	if err == nil {
		l, err = g.exchange(r, l, trip, key, code)
	}
	if err == nil {
		err = g.advance(w, r, l)
	}
	if err == nil || g.redirectLoggedIn(w, r, l, err) {
		return nil
	}
	if errors.Is(err, login.ErrUnknown) {
		return g.beginAgain(trip, g.logins.unknownID(r, trip.ID))
	}
	return g.logins.withRetry(r, l, err)
}

// beginAgain adds to err the login page if the trip was that of a same-device login: there
// is no other screen with a QR code to go back to. It asks the OAuth state only, so known
// and unknown logins look alike.
func (g *Gate) beginAgain(trip login.Trip, err error) error {
	if trip.Kind == login.SameDevice {
		return retryError{err, g.urls.path("login")}
	}
	return err
}

// exchange exchanges the code for the authorizer's identity. If another callback of the
// login does so already, exchange waits for its answer.
func (g *Gate) exchange(r *http.Request, l *login.Login, trip login.Trip, key login.Key, code string) (*login.Login, error) {
	return g.exchangeBy(r, l, trip, key, code, func(ctx context.Context, l *login.Login) (login.Person, error) {
		return g.registrar.identify(ctx, l, trip.Scope, code)
	})
}

// exchangeBy is exchange with another call to WeChat.
func (g *Gate) exchangeBy(r *http.Request, l *login.Login, trip login.Trip, key login.Key, code string, ask func(context.Context, *login.Login) (login.Person, error)) (*login.Login, error) {
	for {
		var err error
		l, err = g.logins.Exchange(r.Context(), l, key, trip.Scope, code, ask)
		switch {
		case err == nil:
			if !l.InChat() { // the chat has identified the person before
				g.respond.emit(r, loginEvent(EventIdentified, l))
			}
			if l.Person().Conflict {
				g.respond.emit(r, loginEvent(EventConflict, l))
			}
			return l, nil
		case errors.Is(err, login.ErrRepeated):
			return l, nil // an earlier callback of this browser got the answer
		case !errors.Is(err, login.ErrExchanging):
			return l, rejectionCause(err)
		}
		if err := g.awaitExchange(r, trip.ID); err != nil {
			return l, wrap("waiting for another callback", err)
		}
		// This is not the login's first exchange any more.
		if err := g.logins.limit(r, "callback"); err != nil {
			return l, err
		}
		if l, err = g.logins.Load(r.Context(), trip.ID); err != nil {
			return l, err
		}
	}
}

// awaitExchange waits for another callback of the login.
func (g *Gate) awaitExchange(r *http.Request, id string) error {
	ctx, release, err := g.waiting.acquire(r.Context(), "callback "+id, g.limiter.networks(r))
	if err != nil {
		return err
	}
	defer release()
	return g.logins.WaitExchanged(ctx, id)
}

// invalidState answers a callback whose OAuth state is not this browser's: it is
// another browser's or made up, or this browser has lost its cookie. All of these get the
// same answer, so that known and unknown logins look alike. A phone goes back to the QR
// code.
func (g *Gate) invalidState(w http.ResponseWriter, r *http.Request, trip login.Trip) error {
	if g.redirectLoggedIn(w, r, nil, errState) {
		return nil
	}
	if err := g.logins.limit(r, "guess"); err != nil {
		return err
	}
	return g.beginAgain(trip, errState)
}

// redirectLoggedIn answers a GET that is about an old same-device login, from a browser
// that is logged in: the page of a tab or of the history must not show an error then. It
// reports whether it has answered.
func (g *Gate) redirectLoggedIn(w http.ResponseWriter, r *http.Request, l *login.Login, err error) bool {
	old := errors.Is(err, login.ErrUnknown) || errors.Is(err, login.ErrExpired) || errors.Is(err, login.ErrFinished) || errors.Is(err, errState)
	if !old || r.Method != http.MethodGet || l != nil && l.Kind() == login.CrossDevice {
		return false
	}
	if _, err := g.Check(r); err != nil {
		return false
	}
	to := "/"
	if l != nil && g.logins.initiatorKey(r, l) != "" {
		to = g.urls.landing(l)
	}
	leaveWeChat(w, r, to)
	return true
}

// neededParam is the parameter of the profile page that explains why a person cannot
// continue without the user info.
const neededParam = "needed"

// cancelled answers a person who refused in WeChat. The login stays open. A person who
// refused only the user info gets the profile page again, which offers "not now" or explains
// why there is no other way.
func (g *Gate) cancelled(w http.ResponseWriter, r *http.Request, trip login.Trip) error {
	l, err := g.logins.Load(r.Context(), trip.ID)
	foreign := err == nil && l.Kind() == login.SameDevice && g.logins.initiatorKey(r, l) == ""
	switch {
	case foreign, errors.Is(err, login.ErrUnknown):
		if g.redirectLoggedIn(w, r, nil, login.ErrUnknown) {
			return nil
		}
		return g.beginAgain(trip, g.logins.unknownID(r, trip.ID))
	case err != nil:
		return err
	case g.redirectLoggedIn(w, r, l, l.Open()):
		return nil
	}
	if trip.Scope == login.ScopeProfile && l.Open() == nil {
		to := g.urls.path("profile", trip.ID)
		if g.registrar.mustRecognize(l) {
			to += "?" + neededParam
		}
		seeOther(w, to)
		return nil
	}
	return g.logins.withRetry(r, l, errCancelled)
}

// advance sends the authorizer to the login's next step.
func (g *Gate) advance(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if l.Person().Refusal == refusalDisabled {
		return errDisabled
	}
	switch next := g.registrar.nextStep(l); next {
	case stepOther:
		_, err := g.logins.refuse(r.Context(), l, errOtherUser)
		return err
	case stepRegister:
		if g.config.Registration.URL == "" {
			_, err := g.logins.refuse(r.Context(), l, errNotRegistered)
			return err
		}
		leaveWeChat(w, r, withQuery(g.config.Registration.URL, url.Values{"login": {l.ID()}}))
	case stepFinish:
		return g.finishSameDevice(w, r, l)
	default:
		seeOther(w, g.urls.path(string(next), l.ID()))
	}
	return nil
}

// finishSameDevice lets in the authorizer, which is the initiator.
func (g *Gate) finishSameDevice(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	extendDeadlines(w, time.Now().Add(slowAnswer)) // Config.OnLogin may wait for others
	l, err := g.finish(w, r, l)
	if err != nil {
		return g.logins.withRetry(r, l, err)
	}
	leaveWeChat(w, r, g.urls.landing(l))
	return nil
}
