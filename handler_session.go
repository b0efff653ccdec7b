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
	user, _, err := g.check(ctx)
	event := Event{Name: EventLoggedOut, UserID: user.ID}
	if posted.Get("everywhere") == "true" && !errors.Is(err, ErrLoginRequired) {
		if err == nil {
			err = wrap("signing out", g.users.EndSessions(r.Context(), user.ID, time.Now()))
		}
		if err != nil {
			return err // and nothing has ended: it would not have been everywhere
		}
		event.Reason = "everywhere"
	}
	if err := g.sessions.end(ctx, w, r); err != nil {
		return wrap("ending the session", err)
	}
	g.cookies.forget(w)
	if user.ID != "" { // else nobody was logged in, or a store could not say who
		g.happened(r, event)
	}
	acknowledge(w, r, "/")
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
