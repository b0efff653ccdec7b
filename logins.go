package scangate

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// The times of a browser's key.
const (
	// browserKeyTTL is how long a browser keeps the cookie. It is longer than a login
	// lasts. The cookie is persistent because WeChat's browser drops session cookies when
	// the phone suspends it.
	browserKeyTTL = time.Hour
	// keyRenewed is the age from which on the next login page makes a new key. An attacker
	// who could once set the cookie has the browser's key no longer than that: they choose
	// the cookie's lifetime, but a time of making in the future is refused.
	keyRenewed = time.Hour
	// keyAccepted is the age from which on a key counts for nothing. It leaves time for
	// the logins that began before the key was replaced.
	keyAccepted = 2 * time.Hour
)

// browserKey is a browser's key and when the gate made it.
type browserKey struct {
	login.Key
	made time.Time
}

func newBrowserKey() browserKey { return browserKey{login.NewKey(), time.Now()} }

// age returns how long ago the key was made. It is negative if the clock of another
// process is ahead.
func (k browserKey) age() time.Duration { return time.Since(k.made) }

// encodeKeys returns the value of a cookie with the keys: each of them, and the seconds
// since 1970 in base 36 when it was made, with dots between.
func encodeKeys(keys ...browserKey) string {
	value := make([]byte, 0, 72)
	for i, k := range keys {
		if i > 0 {
			value = append(value, '.')
		}
		value = append(append(value, k.Key...), '.')
		value = strconv.AppendInt(value, k.made.Unix(), 36)
	}
	return string(value)
}

// decodeKeys reverses encodeKeys for one or two keys. It leaves out the keys that count for
// nothing.
func decodeKeys(value string) []browserKey {
	if dots := strings.Count(value, "."); dots != 1 && dots != 3 {
		return nil
	}
	keys := make([]browserKey, 0, 2)
	for value != "" {
		var key, seconds string
		key, value, _ = strings.Cut(value, ".")
		seconds, value, _ = strings.Cut(value, ".")
		made, err := strconv.ParseInt(seconds, 36, 64)
		k := browserKey{login.Key(key), time.Unix(made, 0)}
		if err != nil || !login.ValidID(key) || k.age() < -clockSkew || k.age() >= keyAccepted {
			break
		}
		keys = append(keys, k)
	}
	return keys
}

// browserCookies reads and writes the cookie with a browser's key. For the logins that are
// under way, the cookie also has the key that the present one replaced. The names of the
// gate's other cookies begin with this one's: see named.
type browserCookies struct {
	name   string
	secure bool
}

// keys returns the keys that the request carries, the present one first.
func (c browserCookies) keys(r *http.Request) []browserKey {
	value, ok := cookieValue(r, c.name)
	if !ok {
		return nil
	}
	return decodeKeys(value)
}

// key returns the present key that the request carries, or "".
func (c browserCookies) key(r *http.Request) login.Key {
	if keys := c.keys(r); len(keys) > 0 {
		return keys[0].Key
	}
	return ""
}

// ensure returns the browser's key, a new one if it has none or an old one, and renews
// the cookie.
func (c browserCookies) ensure(w http.ResponseWriter, r *http.Request) login.Key {
	keys := c.keys(r)
	switch {
	case len(keys) == 0:
		keys = []browserKey{newBrowserKey()}
	case keys[0].age() >= keyRenewed:
		keys = []browserKey{newBrowserKey(), keys[0]}
	}
	http.SetCookie(w, c.cookie(encodeKeys(keys...), browserKeyTTL))
	return keys[0].Key
}

// maxLoginCookies bounds the cookies of single logins that one browser may carry.
const maxLoginCookies = 5

// named returns the cookie whose name continues c's by the suffix.
func (c browserCookies) named(suffix string) browserCookies {
	return browserCookies{name: c.name + suffix, secure: c.secure}
}

// ofLogin returns the cookie with one login's own key. The ID must be valid.
func (c browserCookies) ofLogin(id string) browserCookies { return c.named("-" + id[:8]) }

// lastUser returns the cookie that remembers the browser's last user.
func (c browserCookies) lastUser() browserCookies { return c.named("-last") }

// keep stores the login's key in a cookie of its own, because the browser's key may be
// replaced. If a fresh browser opens several tabs at once, each gets a key, and the last one
// stays.
func (c browserCookies) keep(w http.ResponseWriter, r *http.Request, id string, key login.Key) {
	if !c.haveRoom(r) {
		return // no person opens that many tabs at once
	}
	http.SetCookie(w, c.ofLogin(id).cookie(encodeKeys(browserKey{key, time.Now()}), browserKeyTTL))
}

// haveRoom reports whether keep stores another key.
func (c browserCookies) haveRoom(r *http.Request) bool { return len(c.ofLogins(r)) < maxLoginCookies }

// ofLogins returns the cookies of single logins that the request has.
func (c browserCookies) ofLogins(r *http.Request) []browserCookies {
	var own []browserCookies
	if !slices.ContainsFunc(r.Header["Cookie"], func(line string) bool { return strings.Contains(line, c.name+"-") }) {
		return nil
	}
	for _, cookie := range r.Cookies() {
		if rest, ok := strings.CutPrefix(cookie.Name, c.name+"-"); ok && len(rest) == 8 {
			own = append(own, c.named("-"+rest))
		}
	}
	return own
}

// renew gives the browser a new key, so that a key that was planted in it is of no use
// for the next login. The finished login keeps its key, for repeated requests.
func (c browserCookies) renew(w http.ResponseWriter, r *http.Request, finished string, key login.Key) {
	http.SetCookie(w, c.cookie(encodeKeys(newBrowserKey()), browserKeyTTL))
	c.keep(w, r, finished, key)
}

// replace gives the browser a new key at the end of a same-device login that began with the
// given one. The cookie keeps that one too, because other tabs may be on their way to WeChat.
func (c browserCookies) replace(w http.ResponseWriter, r *http.Request, used login.Key) {
	if keys := c.keys(r); len(keys) > 0 && keys[0].Key == used {
		http.SetCookie(w, c.cookie(encodeKeys(newBrowserKey(), keys[0]), browserKeyTTL))
	}
}

// forget deletes all keys from the browser, and which user it had last. Its open logins
// cannot be finished then.
func (c browserCookies) forget(w http.ResponseWriter, r *http.Request) {
	for _, gone := range append(c.ofLogins(r), c.lastUser(), c) {
		http.SetCookie(w, gone.cookie("", -time.Second))
	}
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

// logins finds the login of a request, checks which browser sent it, and counts the
// requests that guess.
type logins struct {
	*login.Store
	cookies  browserCookies
	limiter  limiter
	accounts accounts
	respond  *responder
}

// load returns the login in the request's path.
func (s *logins) load(r *http.Request) (*login.Login, error) {
	l, err := s.Load(r.Context(), r.PathValue("id"))
	if errors.Is(err, login.ErrUnknown) || err == nil && !s.accounts.serves(l) {
		return nil, s.unknown(r)
	}
	return l, err
}

// initiated returns the cross-device login in the path if the request comes from
// the browser that began it.
func (s *logins) initiated(r *http.Request) (*login.Login, error) {
	l, err := s.load(r)
	if err == nil && (l.Kind() != login.CrossDevice || s.initiatorKey(r, l) == "") {
		return nil, s.unknown(r)
	}
	return l, err
}

// authorized returns the login in the path if the request comes from the browser
// that proved an identity for it.
func (s *logins) authorized(r *http.Request) (*login.Login, error) {
	l, err := s.load(r)
	if err == nil && s.authorizerKey(r, l) == "" {
		return nil, s.unknown(r)
	}
	return l, err
}

// keys returns all keys of the request's browser that may belong to the login of that
// ID: the browser's, and the one in the login's own cookie. Keys that it lacks are empty.
func (s *logins) keys(r *http.Request, id string) [3]login.Key {
	keys := [3]login.Key{s.cookies.ofLogin(id).key(r)}
	for i, k := range s.cookies.keys(r) { // two at most
		keys[i+1] = k.Key
	}
	return keys
}

// initiatorKey returns the key of the request's browser that began the login, or "".
func (s *logins) initiatorKey(r *http.Request, l *login.Login) login.Key {
	for _, key := range s.keys(r, l.ID()) {
		if key != "" && l.InitiatedBy(key) {
			return key
		}
	}
	return ""
}

// authorizerKey returns the key of the request's browser that proved an identity for the
// login, or "". Of a same-device login it is the initiator's.
func (s *logins) authorizerKey(r *http.Request, l *login.Login) login.Key {
	if l.Kind() == login.SameDevice {
		if key := s.initiatorKey(r, l); key != "" && l.AuthorizedBy(key) {
			return key
		}
		return ""
	}
	for _, k := range s.cookies.keys(r) {
		if l.AuthorizedBy(k.Key) {
			return k.Key
		}
	}
	return ""
}

// stateKey returns the key of the request's browser that made the OAuth state for the
// login of that ID, or "".
func (s *logins) stateKey(r *http.Request, id, state string) login.Key {
	if !login.ValidID(id) {
		return ""
	}
	for _, key := range s.keys(r, id) {
		if key.VerifyState(state) {
			return key
		}
	}
	return ""
}

// formPage returns the data that all pages with a form of the authorizer share.
func (s *logins) formPage(r *http.Request, l *login.Login) PageData {
	p := PageData{Purpose: string(l.Purpose()), Token: s.authorizerKey(r, l).FormToken(l.ID())}
	if l.Kind() == login.SameDevice { // the last form ends the login
		p.formTarget = s.respond.urls.formTarget(s.respond.urls.landing(l))
	}
	return p
}

// unknown counts a failed look-up against the client's limit and returns
// ErrUnknown. Unknown logins and other browsers' logins are deliberately
// indistinguishable.
func (s *logins) unknown(r *http.Request) error { return s.unknownID(r, r.PathValue("id")) }

// unknownID is unknown for a request that names the login outside its path.
func (s *logins) unknownID(r *http.Request, id string) error {
	if !login.ValidID(id) {
		return login.ErrUnknown // a malformed ID does not count as a guess
	}
	if err := s.limit(r, "guess"); err != nil {
		return err
	}
	return login.ErrUnknown
}

// close ends the finished login of that ID, whose session is over, so that a repeated
// request does not begin the session again. A failure is only logged: the browser has
// lost the login's key as well.
func (s *logins) close(ctx context.Context, id string) {
	if err := s.Close(ctx, id); err != nil {
		s.respond.logger.WarnContext(ctx, "scangate: a finished login could not be closed", "login", shortID(id), "error", publicError(err))
	}
}

// limit counts an action of the request's address. Beyond the limit it emits
// EventLimited and returns errTooMany.
func (s *logins) limit(r *http.Request, action string) error {
	return s.limitTo(r, action, s.limiter.max)
}

// limitTo is limit with a limit of its own.
func (s *logins) limitTo(r *http.Request, action string, most int64) error {
	err := s.limiter.count(r, action, most)
	if errors.Is(err, errTooMany) {
		s.respond.emit(r, Event{Name: EventLimited, Reason: action})
	}
	return err
}

// withRetry adds to err, an error of the login, the URL where the person can try again.
// It adds none if trying again cannot help this browser.
func (s *logins) withRetry(r *http.Request, l *login.Login, err error) error {
	switch {
	case err == nil, l == nil:
		return err
	case l.Kind() == login.CrossDevice && l.Open() == nil && !l.InChat() && s.accounts.web(l) != nil:
		return retryError{err, s.respond.urls.path("scan", l.ID())}
	case s.initiatorKey(r, l) != "":
		// Only the initiator may learn where the login was to return to.
		return retryError{err, s.respond.urls.restart(l)}
	}
	return err
}

// origin describes the browser that sent the request.
func (s *logins) origin(r *http.Request) login.Origin {
	ua := r.UserAgent()
	return login.Origin{Browser: productName(ua, browsers), System: productName(ua, systems), Address: s.limiter.address(r)}
}
