package scangate

import (
	"errors"
	"net/http"
)

// Pending is somebody whom WeChat vouches for and who is not registered: what an
// application's own registration page, [Config.RegisterURL], goes by.
type Pending struct {
	// Identity is what to register or to link, by [UserStore.Register],
	// [UserStore.LinkWeChat] or in the application's own way.
	Identity Identity
	// Nickname and AvatarURL are empty unless Config.FetchProfile is set and the
	// person agreed.
	Nickname, AvatarURL string
	// ContinueURL is where to send the person once they are registered: the
	// login goes on there, also if it began on a desktop.
	ContinueURL string
}

// Pending returns who stands before the application's registration page, by the
// parameter "login" of the request's query or form. It returns [ErrNotFound]
// unless that login is open and was authorized in the request's own browser.
func (g *Gate) Pending(r *http.Request) (Pending, error) {
	a, err := g.logins.load(r.Context(), r.FormValue("login"))
	switch {
	case errors.Is(err, errUnknown):
		return Pending{}, ErrNotFound
	case err != nil:
		return Pending{}, err
	case !a.authorizedBy(g.cookies.key(r).digest()), a.open() != nil, a.Purpose != purposeLogin:
		return Pending{}, ErrNotFound
	}
	return Pending{
		Identity: a.Person.Identity, Nickname: a.Person.Nickname, AvatarURL: a.Person.AvatarURL,
		ContinueURL: g.path("resume", a.ID),
	}, nil
}

// serveResume goes on with a login after the application's own registration.
// What counts is what the store says by now.
func (g *Gate) serveResume(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return g.again(r, a, err)
	}
	if a.State != stateIdentified || a.Person.UserID != "" {
		return g.advance(w, r, a)
	}
	who := *a.Person
	if err := g.recognise(r.Context(), &who); err != nil {
		return err
	}
	if who.UserID == "" {
		return errNotRegistered
	}
	a, err = g.logins.change(r.Context(), a, func(a *attempt) error { return a.registered(who) })
	if err != nil {
		return g.again(r, a, err)
	}
	return g.advance(w, r, a)
}
