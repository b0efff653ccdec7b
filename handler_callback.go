package scangate

import (
	"context"
	"errors"
	"net/http"
	"strings"

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
	case l.AuthorizedBy(key) && !errors.Is(err, login.ErrExpired):
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
	if !g.cookies.key(r).VerifyState(state) {
		return g.invalidState(r, id)
	}
	code := q.Get("code")
	if code == "" || code == "authdeny" { // WeChat documents the first and sends the second
		return g.cancelled(w, r, id, scope)
	}
	if err := g.logins.limit(r, "callback"); err != nil {
		return err
	}
	l, err := g.exchange(r, id, scope, code)
	switch {
	case errors.Is(err, login.ErrUnknown):
		return g.logins.unknownID(r, id)
	case err != nil:
		return g.logins.withRetry(r, l, err)
	}
	return g.advance(w, r, l)
}

// exchange exchanges the code for the authorizer's identity. If another callback of the
// login does so already, exchange waits for its answer.
func (g *Gate) exchange(r *http.Request, id string, scope login.Scope, code string) (*login.Login, error) {
	for {
		l, err := g.logins.Exchange(r.Context(), id, g.cookies.key(r), scope,
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
			return l, err
		}
		if err := g.awaitExchange(r, id); err != nil {
			return nil, wrap("waiting for another callback", err)
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
// another browser's, or WeChat's browser has lost its cookie. In that case the phone may
// go back to the page in the QR code, which is open to all.
func (g *Gate) invalidState(r *http.Request, id string) error {
	l, err := g.logins.Load(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, login.ErrUnknown):
		return err
	case err != nil, l.Kind() != login.CrossDevice:
		return errState
	}
	return g.logins.withRetry(r, l, errState)
}

// cancelled answers a person who refused in WeChat. The login stays open. A person who
// refused only the user info gets the profile page again, which offers "not now".
func (g *Gate) cancelled(w http.ResponseWriter, r *http.Request, id string, scope login.Scope) error {
	l, err := g.logins.Load(r.Context(), id)
	foreign := err == nil && l.Kind() == login.SameDevice && !l.InitiatedBy(g.cookies.key(r))
	if foreign || errors.Is(err, login.ErrUnknown) {
		return g.logins.unknownID(r, id)
	}
	if err != nil {
		return err
	}
	if scope == login.ScopeProfile && l.Open() == nil {
		seeOther(w, g.urls.path("profile", id))
		return nil
	}
	return g.logins.withRetry(r, l, errCancelled)
}

// step is a page that the authorizer has to pass.
type step string

const (
	stepProfile  step = "profile"  // WeChat's user info
	stepRegister step = "register" // the application's own registration
	stepPhone    step = "phone"
	stepConfirm  step = "confirm"
	stepFinish   step = "finish" // of a same-device login: no page is left
	stepAny      step = "any"    // for routes that serve the authorizer at every step
)

// nextStep returns the authorizer's next step. The order of the steps is defined here
// and nowhere else.
func (g *Gate) nextStep(l *login.Login) step {
	// While a second callback exchanges, the person is known from the first one.
	if l.State() == login.StateIdentified || l.State() == login.StateExchanging {
		switch who := l.Person(); {
		case g.registrar.needsProfile(who):
			return stepProfile
		case who.UserID == "" && g.config.Registration == RegisterClosed:
			return stepRegister
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
	switch next := g.nextStep(l); next {
	case stepRegister:
		if g.config.RegisterURL == "" {
			return errNotRegistered
		}
		sep := "?"
		if strings.Contains(g.config.RegisterURL, "?") {
			sep = "&"
		}
		seeOther(w, g.config.RegisterURL+sep+"login="+l.ID())
	case stepFinish:
		return g.finishSameDevice(w, r, l)
	default:
		seeOther(w, g.urls.path(string(next), l.ID()))
	}
	return nil
}

// finishSameDevice lets in the authorizer, which is the initiator.
func (g *Gate) finishSameDevice(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	l, err := g.finish(w, r, l)
	if err != nil {
		return g.logins.withRetry(r, l, err)
	}
	seeOther(w, l.ReturnTo())
	return nil
}
