package scangate

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// sameUser checks that an attempt made by a logged-in user ends in their hands:
// somebody else may have logged in to that browser since.
func (g *Gate) sameUser(r *http.Request, a *attempt) error {
	if a.Purpose == purposeLogin {
		return nil
	}
	user, err := g.loggedInFor(r, a.Purpose)
	if errors.Is(err, ErrLoginRequired) || err == nil && user.ID != a.For {
		return errForged
	}
	return err
}

// loggedInFor returns the user who is logged in; for linking, by the application's
// own measure if it has one.
func (g *Gate) loggedInFor(r *http.Request, p purpose) (User, error) {
	if p != purposeLink || g.config.CurrentUser == nil {
		user, _, err := g.currentUser(r)
		return user, err
	}
	id, ok := g.config.CurrentUser(r)
	if !ok || id == "" {
		return User{}, ErrLoginRequired
	}
	user, err := g.users.FindByID(r.Context(), id)
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

// serveLink lets a logged-in user add a WeChat to their account: the same ways
// as to log in, and always with a confirm page, which names the account.
func (g *Gate) serveLink(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	a, err := g.linkFor(r, localPath(q.Get("return_to")))
	if errors.Is(err, ErrLoginRequired) && g.config.CurrentUser == nil {
		g.refuse(w, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	return g.offer(w, r, a, q.Get("with"))
}

// serveLinkJSON is serveLink for a single-page application.
func (g *Gate) serveLinkJSON(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	a, err := g.linkFor(r, localPath(posted.Get("return_to")))
	if err != nil {
		return err
	}
	return g.offerJSON(w, r, a, posted.Get("with"))
}

// linkFor returns the beginning of an attempt to link a WeChat to the user.
func (g *Gate) linkFor(r *http.Request, returnTo string) (*attempt, error) {
	user, err := g.loggedInFor(r, purposeLink)
	if err != nil {
		return nil, err
	}
	return &attempt{Purpose: purposeLink, For: user.ID, ForName: cleanNickname(user.Nickname), ReturnTo: returnTo}, nil
}

// unlinkTime is how long one unlinking may take.
const unlinkTime = 10 * time.Second

// serveUnlink takes a WeChat from the user's account, but never the last one:
// only the application can know of other ways in, and can call its store.
func (g *Gate) serveUnlink(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	user, err := g.loggedInFor(r, purposeLink)
	if err != nil {
		return err
	}
	who := Identity{AppID: posted.Get("appid"), OpenID: posted.Get("openid")}
	if err := g.unlink(r.Context(), user.ID, who); err != nil {
		return err
	}
	g.happened(r, Event{Name: EventUnlinked, UserID: user.ID, AppID: who.AppID})
	acknowledge(w, r, localPath(posted.Get("return_to")))
	return nil
}

// unlink takes the identity from the user of that id, one request at a time, or two
// could each leave the other's identity.
func (g *Gate) unlink(ctx context.Context, id string, who Identity) error {
	lock := "unlink:" + id
	if err := g.state.Create(ctx, lock, nil, unlinkTime); err != nil {
		if errors.Is(err, ErrExists) {
			return errTooMany
		}
		return wrap("unlinking", err)
	}
	defer g.unlock(ctx, lock)
	user, err := g.users.FindByWeChat(ctx, who)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && user.ID != id:
		return errUnknown
	case err != nil:
		return wrap("looking an identity up", err)
	case len(user.Identities) < 2:
		return errLastIdentity
	}
	return wrap("unlinking", g.users.UnlinkWeChat(ctx, id, who))
}

// unlock gives a lock back, also for a request that has ended. A StateStore deletes
// nothing: the record's time is made to end at once.
func (g *Gate) unlock(ctx context.Context, lock string) {
	err := g.state.Update(context.WithoutCancel(ctx), lock, 1, nil, time.Nanosecond)
	if err != nil && !errors.Is(err, ErrNotFound) {
		g.config.Logger.WarnContext(ctx, "scangate: releasing a lock", "error", err)
	}
}
