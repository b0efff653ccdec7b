package recipes

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate"
)

// Sites are several sites of one domain with one login: https://login.example.com has the
// gate, and https://shop.example.com and https://blog.example.com redirect there.
//
// Every site has a gate with the same Config, the same session store and the same State.
// Only the login host mounts it. The session's cookie is for the whole domain, so its name
// has no prefix "__Host-": each host below the domain can then set it. Use this only if you
// control all of them.
type Sites struct {
	Domain string   // "example.com"
	Login  string   // "https://login.example.com"
	Others []string // "https://shop.example.com"
}

// Configure sets what all sites have in common. Session.Manager must be set.
func (s *Sites) Configure(config *scangate.Config) {
	config.PublicURL = s.Login
	config.Session.Manager.Cookie.Name = "session"
	config.Session.Manager.Cookie.Domain = s.Domain
	config.AllowReturnTo = func(u *url.URL) bool { return slices.Contains(s.Others, u.Scheme+"://"+u.Host) }
}

// Require is RequireWeChat for a site that has no gate mounted. site is its origin, one of
// Others.
func (s *Sites) Require(gate *scangate.Gate, site string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := gate.Check(r)
		if !errors.Is(err, scangate.ErrLoginRequired) {
			// RequireWeChat gives next the user and the session, and answers failures.
			gate.RequireWeChat(next).ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			// A form would lose its fields, and a script would get the login page.
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		// site and not the request's Host, which the client chooses.
		http.Redirect(w, r, s.Login+gate.LoginURL(site+r.URL.RequestURI()), http.StatusSeeOther) //nolint:gosec // always to the login host
	})
}
