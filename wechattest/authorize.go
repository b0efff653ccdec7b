package wechattest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// Parameters that the simulator's pages add to WeChat's own for a tap.
const (
	// PersonParam holds the [Person.ID] of the phone's owner. The authorization
	// page stores it in a cookie. If it is present and empty, the page lists the
	// persons to choose from.
	PersonParam = "wechattest_person"
	// AnswerParam holds the [Answer].
	AnswerParam = "wechattest_answer"
)

// personCookie is the name of the cookie that holds the ID of a phone's owner.
const personCookie = "wechattest_person"

// Answer is a tap on the consent page.
type Answer string

const (
	// Allow consents.
	Allow Answer = "allow"
	// Refuse refuses consent.
	Refuse Answer = "refuse"
	// FullService leaves a snapshot page (「使用完整服务」) and consents. Unless
	// the person is a [Person.Snapshot], it is the same as [Allow].
	FullService Answer = "full"
)

// Approve consents for a person at an application's authorization link, and
// returns the callback URL to which WeChat redirects. A link to the authorization page
// must be complete, including #wechat_redirect. Approve returns an error where WeChat's
// page would show one.
func (w *WeChat) Approve(authorizeOrQRConnectURL, personID string) (callbackURL string, err error) {
	person, known := w.person(personID)
	if !known {
		return "", fmt.Errorf("wechattest: unknown person %q", personID)
	}
	callbackURL, err = w.answerLink(authorizeOrQRConnectURL, person, Allow)
	return callbackURL, prefixed(err)
}

// Refuse refuses consent at such a link, and returns the callback URL. See
// [WeChat.RefuseAsAuthdeny].
func (w *WeChat) Refuse(authorizeOrQRConnectURL string) (callbackURL string, err error) {
	callbackURL, err = w.answerLink(authorizeOrQRConnectURL, Person{}, Refuse)
	return callbackURL, prefixed(err)
}

// prefixed returns err with the package's prefix, or nil.
func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wechattest: %w", err)
}

// answerLink checks a link as a browser and WeChat's page would, and returns the
// callback URL for the answer.
func (w *WeChat) answerLink(rawURL string, person Person, answer Answer) (string, error) {
	if err := checkLink(rawURL); err != nil {
		w.misuse("%v", err)
		return "", err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	app, l, linkErr := w.validateLink(u.RawQuery, strings.HasSuffix(u.Path, qrconnectPath))
	if linkErr != nil {
		return "", linkErr
	}
	return w.callbackURL(app, l, person, answer), nil
}

// callbackURL returns the URL to which WeChat redirects after an answer.
func (w *WeChat) callbackURL(app App, l link, person Person, answer Answer) string {
	state := "state=" + url.QueryEscape(l.state)
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer != Refuse {
		return l.callback("code=" + w.issueCode(app, l.scope, person, answer) + "&" + state)
	}
	if w.refuseAsAuthdeny {
		return l.callback("code=authdeny&" + state + "&reason=user_cancel")
	}
	return l.callback(state)
}

// issueCode creates a code for a person's consent and returns it. The caller holds
// w.mu.
func (w *WeChat) issueCode(app App, scope wechat.Scope, person Person, answer Answer) string {
	c := &code{app: app, person: person, scope: scope, openID: w.OpenID(person.ID, app.AppID)}
	// A snapshot page gives the application an invented user. snsapi_base has no
	// page, and FullService leaves it.
	if person.Snapshot && scope == wechat.ScopeUserInfo && answer != FullService {
		c.snapshot = true
		c.openID = deriveID("snapshot openid", app.AppID, person.ID)
	}
	name := "0" + randomString(31)
	w.codes.put(name, c, w.now())
	return name
}

// authorize serves the page that WeChat's built-in browser opens.
func (w *WeChat) authorize(rw http.ResponseWriter, r *http.Request) {
	rawQuery, person, answer := w.parseTaps(r)
	app, l, linkErr := w.validateLink(rawQuery, false)
	if linkErr != nil {
		w.show(rw, "error", page{LinkError: linkErr})
		return
	}
	if person.ID == "" {
		w.show(rw, "people", page{App: app, query: rawQuery, Persons: w.persons})
		return
	}
	http.SetCookie(rw, newPersonCookie(person.ID))
	// snsapi_base redirects without a consent page. The other scopes ask each
	// time.
	if answer == "" && l.scope != wechat.ScopeBase {
		w.show(rw, "consent", page{App: app, query: rawQuery, Person: person, Snapshot: person.Snapshot})
		return
	}
	redirect(rw, w.callbackURL(app, l, person, answer))
}

// qrconnect serves the page with a website application's QR code.
func (w *WeChat) qrconnect(rw http.ResponseWriter, r *http.Request) {
	rawQuery, person, answer := w.parseTaps(r)
	app, l, linkErr := w.validateLink(rawQuery, true)
	switch {
	case linkErr != nil:
		w.show(rw, "error", page{LinkError: linkErr})
	// The cookie does not count: it belongs to the device that shows the QR code,
	// and another device scans it.
	case !r.URL.Query().Has(PersonParam) || person.ID == "":
		w.show(rw, "qrcode", page{App: app, query: rawQuery, Persons: w.persons})
	case answer == "":
		w.show(rw, "consent", page{App: app, query: rawQuery, Person: person})
	default:
		redirect(rw, w.callbackURL(app, l, person, answer))
	}
}

// parseTaps splits a request's query into WeChat's own parameters and those that
// the simulator's pages add.
func (w *WeChat) parseTaps(r *http.Request) (rawQuery string, person Person, answer Answer) {
	rawQuery = withoutTaps(r.URL.RawQuery)
	query := r.URL.Query()
	id := query.Get(PersonParam)
	if !query.Has(PersonParam) { // an empty value asks again, even with a cookie
		id = personIDFromCookie(r)
	}
	person, _ = w.person(id)
	// An unknown person or answer counts as absent, so that the page asks for it.
	answer = Answer(query.Get(AnswerParam))
	if answer != Allow && answer != Refuse && answer != FullService {
		answer = ""
	}
	return rawQuery, person, answer
}

// withoutTaps returns a query without the parameters of the simulator's pages.
func withoutTaps(rawQuery string) string {
	// Not url.Values: the rest must stay as the application wrote it, because
	// WeChat requires a fixed order of parameters.
	pairs := slices.DeleteFunc(strings.Split(rawQuery, "&"), func(pair string) bool {
		return strings.HasPrefix(pair, PersonParam+"=") || strings.HasPrefix(pair, AnswerParam+"=")
	})
	return strings.Join(pairs, "&")
}

// redirect redirects the browser to the callback URL.
func redirect(rw http.ResponseWriter, callback string) {
	// Not http.Redirect: it writes a body that contains the code, and WeChat sends
	// no body.
	rw.Header().Set("Location", callback)
	rw.WriteHeader(http.StatusFound)
}

// SignIn makes a person the owner of the phone whose browser has this jar.
// openURL is the simulator's base URL ([wechat.Endpoint.Open]).
func (w *WeChat) SignIn(jar http.CookieJar, openURL string, personID string) {
	u, err := url.Parse(openURL)
	if err != nil {
		w.misuse("SignIn: %v", err)
		return
	}
	if _, known := w.person(personID); !known {
		w.misuse("SignIn: unknown person %q", personID)
		return
	}
	jar.SetCookies(u, []*http.Cookie{newPersonCookie(personID)})
}

// newPersonCookie returns a session cookie with the ID of the phone's owner.
func newPersonCookie(personID string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure: the simulator also runs on plain http, and the ID is not a secret
		Name: personCookie, Value: url.QueryEscape(personID),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// personIDFromCookie returns the ID of the phone's owner, or "".
func personIDFromCookie(r *http.Request) string {
	cookie, err := r.Cookie(personCookie)
	if err != nil {
		return ""
	}
	id, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return ""
	}
	return id
}
