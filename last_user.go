package scangate

import (
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// lastUserTTL is how long a browser remembers the user who logged in last.
const lastUserTTL = 30 * 24 * time.Hour

// rememberUser makes the user the one whom the request's browser had last. Each login that
// begins a session does so, on one device too: the cookie must not name an earlier user.
func (g *Gate) rememberUser(w http.ResponseWriter, r *http.Request, user User) {
	value := login.RememberUser(g.auth.sessions.site, user.ID, user.SessionsEndedAt, g.logins.origin(r))
	http.SetCookie(w, g.cookies.lastUser().cookie(value, lastUserTTL))
}

// remembersUser reports whether the user was the last one to log in with the request's
// browser, has not logged out there, and has not ended their sessions since.
func (g *Gate) remembersUser(r *http.Request, user User) bool {
	value, ok := cookieValue(r, g.cookies.lastUser().name)
	return ok && login.VerifyUser(value, g.auth.sessions.site, user.ID, user.SessionsEndedAt, g.logins.origin(r))
}
