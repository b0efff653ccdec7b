package scangate

import (
	"errors"
	"net/http"
	"time"
)

// serveLogout ends the session, or with everywhere=true all of the user's. The
// browser loses its key too, so that no login under way outlives it.
func (g *Gate) serveLogout(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	ctx, err := g.sessions.load(r)
	if err != nil {
		return err
	}
	event := Event{Name: EventLoggedOut}
	everywhere := posted.Get("everywhere") == "true"
	if user, _, err := g.check(ctx); err == nil {
		event.UserID = user.ID
	} else if everywhere && !errors.Is(err, ErrLoginRequired) {
		return err // and nothing has ended: it would not have been everywhere
	}
	if everywhere && event.UserID != "" {
		event.Reason = "everywhere"
		if err := g.users.SignOut(r.Context(), event.UserID, time.Now()); err != nil {
			return wrap("signing out", err)
		}
	}
	if err := g.sessions.end(ctx, w, r); err != nil {
		return wrap("ending the session", err)
	}
	g.cookies.forget(w)
	if event.UserID != "" {
		g.happened(r, event)
	}
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	seeOther(w, "/")
	return nil
}

// me is what a single-page application is told about who is logged in.
type me struct {
	ID         string    `json:"id"`
	Nickname   string    `json:"nickname"`
	AvatarURL  string    `json:"avatar_url"`
	PhoneBound bool      `json:"phone_bound"`
	LoggedInAt time.Time `json:"logged_in_at"`
}

// serveMe tells a script who is logged in, or that nobody is.
func (g *Gate) serveMe(w http.ResponseWriter, r *http.Request) error {
	user, session, err := g.currentUser(r)
	if errors.Is(err, ErrLoginRequired) {
		_, p := g.refusal(err)
		writeProblem(w, p)
		return nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, me{user.ID, user.Nickname, user.AvatarURL, user.Phone != "", session.begun.UTC()})
	return nil
}
