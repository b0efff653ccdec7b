package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// serveScan serves the URL in the QR code. It redirects every browser to WeChat, whose
// page asks other browsers to open it in WeChat. It consumes nothing: link checkers open
// it too.
func (g *Gate) serveScan(w http.ResponseWriter, r *http.Request) error {
	l, err := g.logins.load(r)
	if err != nil {
		return err
	}
	if l.Kind() != login.CrossDevice {
		return g.logins.unknown(r)
	}
	key := g.cookies.ensure(w, r)
	switch err := l.Open(); {
	case g.logins.authorizerKey(r, l) != "" && !errors.Is(err, login.ErrExpired):
		return g.advance(w, r, l)
	case err != nil:
		return g.logins.withRetry(r, l, err)
	case l.Identified():
		return login.ErrInUse
	}
	if err := g.markScanned(r, l); err != nil {
		return err
	}
	seeOther(w, g.accounts.authorizeURL(g.urls.absolute("callback"), l, key, login.ScopeBase))
	return nil
}

// markScanned shows the initiator that its QR code was opened.
func (g *Gate) markScanned(r *http.Request, l *login.Login) error {
	if l.State() != login.StateWaiting {
		return nil
	}
	l, err := g.logins.Scan(r.Context(), l)
	if errors.Is(err, login.ErrRepeated) {
		return nil
	}
	if err == nil {
		g.respond.emit(r, loginEvent(EventScanned, l))
	}
	return err
}

// serveCallback takes WeChat's answer, in the browser that went to WeChat. WeChat may
// deliver a callback twice: both get the same answer, and the code is exchanged once.
func (g *Gate) serveCallback(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	state := q.Get("state")
	id, scope, _ := login.ParseState(state)
	key := g.logins.stateKey(r, id, state)
	if key == "" {
		return g.invalidState(w, r, id)
	}
	code := q.Get("code")
	if code == "" || code == "authdeny" { // WeChat documents the first and sends the second
		return g.cancelled(w, r, id, scope)
	}
	if err := g.logins.limit(r, "callback"); err != nil {
		return err
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat may take its time
	l, err := g.exchange(r, id, key, scope, code)
	if err == nil {
		err = g.advance(w, r, l)
	}
	if err == nil || g.redirectLoggedIn(w, r, l, err) {
		return nil
	}
	if errors.Is(err, login.ErrUnknown) {
		return g.logins.unknownID(r, id)
	}
	return g.logins.withRetry(r, l, err)
}

// exchange exchanges the code for the authorizer's identity. If another callback of the
// login does so already, exchange waits for its answer.
func (g *Gate) exchange(r *http.Request, id string, key login.Key, scope login.Scope, code string) (*login.Login, error) {
	for {
		l, err := g.logins.Exchange(r.Context(), id, key, scope, code,
			func(ctx context.Context, l *login.Login) (login.Person, error) {
				return g.registrar.identify(ctx, l, scope, code)
			})
		switch {
		case err == nil:
			g.respond.emit(r, loginEvent(EventIdentified, l))
			if l.Person().Conflict {
				g.respond.emit(r, loginEvent(EventConflict, l))
			}
			return l, nil
		case errors.Is(err, login.ErrRepeated):
			return l, nil // an earlier callback of this browser got the answer
		case !errors.Is(err, login.ErrExchanging):
			return l, rejectionCause(err)
		}
		if err := g.awaitExchange(r, id); err != nil {
			return l, wrap("waiting for another callback", err)
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
// same answer, so that known and unknown logins look alike. Only a same-device login can
// begin again here; a phone goes back to the QR code.
func (g *Gate) invalidState(w http.ResponseWriter, r *http.Request, id string) error {
	if g.redirectLoggedIn(w, r, nil, errState) {
		return nil
	}
	if err := g.logins.limit(r, "guess"); err != nil {
		return err
	}
	l, err := g.logins.Load(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, login.ErrUnknown):
		return err
	case err == nil && l.Kind() == login.SameDevice:
		return retryError{errState, g.urls.path("login")}
	}
	return errState
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
		to = l.ReturnTo()
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
func (g *Gate) cancelled(w http.ResponseWriter, r *http.Request, id string, scope login.Scope) error {
	l, err := g.logins.Load(r.Context(), id)
	foreign := err == nil && l.Kind() == login.SameDevice && g.logins.initiatorKey(r, l) == ""
	if foreign || errors.Is(err, login.ErrUnknown) {
		return g.logins.unknownID(r, id)
	}
	if err != nil {
		return err
	}
	if scope == login.ScopeProfile && l.Open() == nil {
		to := g.urls.path("profile", id)
		if g.registrar.mustRecognize(l.Person()) {
			to += "?" + neededParam
		}
		seeOther(w, to)
		return nil
	}
	return g.logins.withRetry(r, l, errCancelled)
}

// step is a page that the authorizer has to pass.
type step string

const (
	stepProfile  step = "profile"  // WeChat's user info
	stepRegister step = "register" // the application's own registration
	stepTerms    step = "terms"    // of a new person whom no confirm page asks in time
	stepPhone    step = "phone"
	stepConfirm  step = "confirm"
	stepFinish   step = "finish" // of a same-device login: no page is left
	stepOther    step = "other"  // none: a fresh login is for another user
	stepAny      step = "any"    // for routes that serve the authorizer at every step
	// stepDecision is any step of an open login that needs consent: a person may refuse
	// before the confirm page too.
	stepDecision step = "decision"
)

// nextStep returns the authorizer's next step. The order of the steps is defined here
// and nowhere else.
func (g *Gate) nextStep(l *login.Login) step {
	if g.registrar.isOtherUser(l) {
		return stepOther
	}
	// While a second callback exchanges, the person is known from the first one.
	if l.State() == login.StateIdentified || l.State() == login.StateExchanging {
		switch who := l.Person(); {
		case g.registrar.mustRecognize(who):
			return stepProfile
		case who.UserID == "" && g.config.Registration == RegisterClosed:
			return stepRegister
		case g.registrar.needsTerms(l):
			return stepTerms
		case who.UserID == "" && g.config.Registration == RegisterByPhone:
			return stepPhone // before the profile: a person with an unknown number is refused
		case g.registrar.needsProfile(who):
			return stepProfile
		case g.registrar.needsPhone(l):
			return stepPhone
		}
	}
	// An approved link in the same browser is finished without a further page.
	if l.NeedsConsent() && (l.Kind() == login.CrossDevice || l.State() != login.StateApproved) {
		return stepConfirm
	}
	return stepFinish
}

// advance sends the authorizer to the login's next step.
func (g *Gate) advance(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if l.Person().Refusal == refusalDisabled {
		return errDisabled
	}
	switch next := g.nextStep(l); next {
	case stepOther:
		_, err := g.refuseLogin(r, l, errOtherUser)
		return err
	case stepRegister:
		if g.config.RegisterURL == "" {
			_, err := g.refuseLogin(r, l, errNotRegistered)
			return err
		}
		leaveWeChat(w, r, withQuery(g.config.RegisterURL, url.Values{"login": {l.ID()}}))
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
	leaveWeChat(w, r, l.ReturnTo())
	return nil
}
