package recipes

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// rolesKey is where the session keeps the roles, separated by blanks.
const rolesKey = "roles"

// WithRoles puts the user's roles into the session of each login. They stay as they were at
// the login: after a change, call Gate.EndSessions.
func WithRoles(config *scangate.Config, sessions *scs.SessionManager, find func(ctx context.Context, userID string) ([]string, error)) {
	config.Session.Manager = sessions
	config.OnLogin = func(ctx context.Context, l scangate.Login) error {
		roles, err := find(ctx, l.User.ID)
		if err != nil {
			return err // no login without roles
		}
		sessions.Put(ctx, rolesKey, strings.Join(roles, " "))
		return nil
	}
}

// RequireRole lets only users with the role pass.
func RequireRole(gate *scangate.Gate, sessions *scs.SessionManager, role string, next http.Handler) http.Handler {
	return gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(strings.Fields(sessions.GetString(r.Context(), rolesKey)), role) {
			http.Error(w, "you may not see this", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	}))
}
