package scangate

import (
	"context"
	"errors"
	"net/http"
)

// serveFinish lets the asker in, once: it is the one step from approval to
// session. An asker who is not the person that scanned says so by the field
// answer, and the login is over.
func (g *Gate) serveFinish(w http.ResponseWriter, r *http.Request) error {
	a, err := g.askedBy(r)
	if err != nil {
		return err
	}
	posted, err := fields(r)
	if err != nil {
		return err
	}
	if posted.Get("answer") == "deny" {
		return g.decline(w, r, a)
	}
	if a, err = g.finish(w, r, a); err != nil {
		return againError{err, g.startURL(a)}
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]string{"return_to": a.ReturnTo})
		return nil
	}
	seeOther(w, a.ReturnTo)
	return nil
}

// decline ends a login that its asker does not want: somebody else scanned.
func (g *Gate) decline(w http.ResponseWriter, r *http.Request, a *attempt) error {
	a, err := g.logins.change(r.Context(), a, (*attempt).deny)
	if err != nil {
		return againError{err, g.startURL(a)}
	}
	g.happened(r, a.event(EventDenied))
	to := g.startURL(a)
	if a.Purpose == purposeLink {
		to = a.ReturnTo
	}
	acknowledge(w, r, to)
	return nil
}

// finishDirect logs the authorizer in, who is the asker. A callback that comes
// again soon does so again, for the person may have seen only one of the two
// answers.
func (g *Gate) finishDirect(w http.ResponseWriter, r *http.Request, a *attempt) error {
	a, err := g.finish(w, r, a)
	if err != nil {
		return g.again(r, a, err)
	}
	seeOther(w, a.ReturnTo)
	return nil
}

// finish ends a login with a session.
func (g *Gate) finish(w http.ResponseWriter, r *http.Request, a *attempt) (*attempt, error) {
	if err := a.ready(); err != nil {
		return a, err
	}
	if a.Purpose != purposeLogin {
		return g.finishLoggedIn(r, a)
	}
	a, err := g.ensureUser(r, a)
	if err != nil {
		return a, err
	}
	user, err := g.userOf(r.Context(), a)
	if err != nil {
		return a, err
	}
	who, first := *a.Person, false // the record forgets the token when it is finished
	a, err = g.logins.change(r.Context(), a, func(a *attempt) error {
		err := a.finish()
		first = err == nil
		return err
	})
	if err != nil {
		return a, err
	}
	if err := g.allow(r.Context(), who.login(user)); err != nil {
		return a, err
	}
	if err := g.sessions.begin(w, r, sessionValue{userID: user.ID, begun: a.Finished}); err != nil {
		return a, wrap("beginning a session", err)
	}
	if first {
		g.happened(r, a.event(EventFinished))
	}
	return a, nil
}

// userOf reads the login's user again, so that somebody who was disabled or signed
// out meanwhile stays out.
func (g *Gate) userOf(ctx context.Context, a *attempt) (User, error) {
	user, err := g.users.FindByID(ctx, a.Person.UserID)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && user.Disabled:
		return User{}, errDisabled
	case err != nil:
		return User{}, wrap("reading the user", err)
	case a.Created.Before(user.SessionsEndedAt):
		return User{}, errExpired // "everywhere" means what was under way, too
	}
	return user, nil
}

// allow asks Config.OnLogin, if there is one.
func (g *Gate) allow(ctx context.Context, l Login) error {
	if g.config.OnLogin == nil {
		return nil
	}
	if err := g.config.OnLogin(ctx, l); err != nil {
		return errors.Join(errRejected, err)
	}
	return nil
}

// finishLoggedIn ends an attempt of somebody who is logged in already, in
// whose browser it began. Only here is a WeChat added to their account: the
// phone's yes is one half of that, and whoever saw the QR code could give it.
func (g *Gate) finishLoggedIn(r *http.Request, a *attempt) (*attempt, error) {
	if err := g.sameUser(r, a); err != nil {
		return a, err
	}
	if a.Purpose == purposeLink {
		err := g.users.LinkWeChat(r.Context(), a.For, a.Person.Identity)
		if errors.Is(err, ErrIdentityTaken) {
			return a, errWeChatElsewhere
		}
		if err != nil {
			return a, wrap("linking an identity", err)
		}
		g.happened(r, a.event(EventLinked))
	}
	return g.logins.change(r.Context(), a, (*attempt).finish)
}

// ensureUser makes a user of the login's person if need be.
func (g *Gate) ensureUser(r *http.Request, a *attempt) (*attempt, error) {
	if a.Person.UserID != "" {
		return a, nil
	}
	id, isNew, err := g.register(r.Context(), a.Person)
	if err != nil {
		return a, err
	}
	a, err = g.logins.change(r.Context(), a, func(a *attempt) error {
		if a.Person.UserID != "" {
			return errUnchanged
		}
		a.Person.UserID = id
		return a.open()
	})
	if err == nil && isNew {
		g.happened(r, a.event(EventRegistered))
	}
	return a, err
}
