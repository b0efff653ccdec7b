package scangate

import (
	"errors"
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// browserKeyTTL is how long a browser keeps its key. It is longer than a login lasts.
// The cookie is persistent because WeChat's browser drops session cookies when the
// phone suspends it.
const browserKeyTTL = time.Hour

// browserCookies reads and writes the cookie with a browser's key.
type browserCookies struct {
	name   string
	secure bool
}

// key returns the key that the request carries, or "".
func (c browserCookies) key(r *http.Request) login.Key {
	cookie, err := r.Cookie(c.name)
	if err != nil || !login.ValidID(cookie.Value) {
		return ""
	}
	return login.Key(cookie.Value)
}

// ensure returns the browser's key, a new one if it has none, and renews the cookie.
func (c browserCookies) ensure(w http.ResponseWriter, r *http.Request) login.Key {
	key := c.key(r)
	if key == "" {
		key = login.NewKey()
	}
	http.SetCookie(w, c.cookie(string(key), browserKeyTTL))
	return key
}

// forget deletes the key from the browser. Its open logins cannot be finished then.
func (c browserCookies) forget(w http.ResponseWriter) {
	http.SetCookie(w, c.cookie("", -time.Second))
}

func (c browserCookies) cookie(value string, ttl time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is false only on a loopback host, or if Config.InsecureHTTP asks for it
		Name:     c.name,
		Value:    value,
		Path:     "/",
		MaxAge:   int(ttl / time.Second),
		HttpOnly: true,
		Secure:   c.secure,
		// Not Strict: the browser must send it when it comes back from WeChat.
		SameSite: http.SameSiteLaxMode,
	}
}

// loadLogin returns the login in the request's path.
func (g *Gate) loadLogin(r *http.Request) (*login.Login, error) {
	l, err := g.logins.Load(r.Context(), r.PathValue("id"))
	if errors.Is(err, login.ErrUnknown) {
		return nil, g.unknownLogin(r)
	}
	return l, err
}

// initiatedLogin returns the cross-device login in the path if the request comes from
// the browser that began it.
func (g *Gate) initiatedLogin(r *http.Request) (*login.Login, error) {
	l, err := g.loadLogin(r)
	if err == nil && (l.Kind() != login.CrossDevice || !l.InitiatedBy(g.cookies.key(r))) {
		return nil, g.unknownLogin(r)
	}
	return l, err
}

// authorizedLogin returns the login in the path if the request comes from the browser
// that proved an identity for it.
func (g *Gate) authorizedLogin(r *http.Request) (*login.Login, error) {
	l, err := g.loadLogin(r)
	if err == nil && !l.AuthorizedBy(g.cookies.key(r)) {
		return nil, g.unknownLogin(r)
	}
	return l, err
}

// unknownLogin counts a failed look-up against the client's limit and returns
// ErrUnknown. Unknown logins and other browsers' logins are deliberately
// indistinguishable.
func (g *Gate) unknownLogin(r *http.Request) error { return g.unknownID(r, r.PathValue("id")) }

// unknownID is unknownLogin for a request that names the login outside its path.
func (g *Gate) unknownID(r *http.Request, id string) error {
	if !login.ValidID(id) {
		return login.ErrUnknown // a malformed ID does not count as a guess
	}
	if err := g.limit(r, "guess"); err != nil {
		return err
	}
	return login.ErrUnknown
}

// limit counts an action of the request's address, and reports when the limit is
// reached.
func (g *Gate) limit(r *http.Request, action string) error {
	err := g.limiter.count(r, action)
	if errors.Is(err, errTooMany) {
		g.emit(r, Event{Name: EventLimited, Reason: action})
	}
	return err
}

// withRetry adds to an error of a login where the person can try again.
func (g *Gate) withRetry(r *http.Request, l *login.Login, err error) error {
	switch {
	case err == nil, l == nil:
		return err
	case l.Kind() == login.CrossDevice && l.Open() == nil:
		return retryError{err, g.urls.path("scan", l.ID())}
	case l.InitiatedBy(g.cookies.key(r)):
		// Only the initiator may learn where the login was to return to.
		return retryError{err, g.urls.restart(l)}
	}
	return err
}

// wechatURL returns the page of WeChat's where the browser with that key proves an
// identity for the login.
func (g *Gate) wechatURL(l *login.Login, key login.Key, scope login.Scope) string {
	client := g.registrar.client(l.AppID())
	callback, state := g.urls.absolute("callback"), key.OAuthState(l.ID(), scope)
	switch {
	case client == g.website:
		return client.QRConnectURL(callback, state, "")
	case scope == login.ScopeProfile:
		return client.AuthorizeURL(callback, state, wechat.ScopeUserInfo)
	}
	return client.AuthorizeURL(callback, state, wechat.ScopeBase)
}
