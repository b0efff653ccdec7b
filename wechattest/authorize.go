package wechattest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// Parameters that the simulator's pages add to WeChat's own when somebody taps.
const (
	// PersonParam says whose phone it is: a [Person.ID]. The authorization page
	// remembers it in a cookie. Empty, it asks.
	PersonParam = "wechattest_person"
	// AnswerParam is what they tap: an [Answer].
	AnswerParam = "wechattest_answer"
)

// personCookie remembers whose phone a browser is.
const personCookie = "wechattest_person"

// Answer is a tap on the page that asks for consent.
type Answer string

const (
	// Allow lets the application know who they are.
	Allow Answer = "allow"
	// Refuse doesn't.
	Refuse Answer = "refuse"
	// FullService leaves a snapshot page (「使用完整服务」) and allows. For
	// anybody but a [Person.Snapshot] it is the same as [Allow].
	FullService Answer = "full"
)

// Approve does what a person's consent does at a link made by an application,
// #wechat_redirect and all, and returns the address that WeChat sends them back
// to. It fails where WeChat's page would show an error instead.
func (w *WeChat) Approve(authorizeOrQRConnectURL, personID string) (callbackURL string, err error) {
	person, known := w.person(personID)
	if !known {
		return "", fmt.Errorf("wechattest: nobody is called %q", personID)
	}
	return w.decide(authorizeOrQRConnectURL, person, Allow)
}

// Refuse does what a refusal does at such a link. See [WeChat.RefuseAsAuthdeny].
func (w *WeChat) Refuse(authorizeOrQRConnectURL string) (callbackURL string, err error) {
	return w.decide(authorizeOrQRConnectURL, Person{}, Refuse)
}

// decide checks a link as a browser and the page would, and answers it.
func (w *WeChat) decide(rawURL string, person Person, answer Answer) (string, error) {
	if err := CheckAuthorizeURL(rawURL); err != nil {
		w.misuse("%v", strings.TrimPrefix(err.Error(), "wechattest: "))
		return "", err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("wechattest: %w", err)
	}
	app, l, refused := w.admit(u.RawQuery, strings.HasSuffix(u.Path, qrconnectPath))
	if refused != nil {
		return "", fmt.Errorf("wechattest: %w", refused)
	}
	return w.callback(app, l, person, answer), nil
}

// callback returns where a person's answer sends them: back with a code and the
// state, or, after a refusal, with the state alone or with "authdeny".
func (w *WeChat) callback(app App, l link, person Person, answer Answer) string {
	state := "state=" + url.QueryEscape(l.state)
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer != Refuse {
		return l.back("code=" + w.grant(app, l.scope, person, answer) + "&" + state)
	}
	if w.refuseAsAuthdeny {
		return l.back("code=authdeny&" + state + "&reason=user_cancel")
	}
	return l.back(state)
}

// grant makes a code for a person's consent. It stands for a snapshot user if they
// get those, the scope is snsapi_userinfo, and they didn't ask for the full
// service. The caller holds w.mu.
func (w *WeChat) grant(app App, scope wechat.Scope, person Person, answer Answer) string {
	c := &code{app: app, person: person, scope: scope, openID: w.OpenID(person.ID, app.AppID)}
	if person.Snapshot && scope == wechat.ScopeUserInfo && answer != FullService {
		c.snapshot = true
		c.openID = derive("snapshot openid", app.AppID, person.ID)
	}
	name := "0" + random(31)
	w.codes.put(name, c, w.now())
	return name
}

// authorize serves the page that WeChat's own browser opens. snsapi_base asks
// nothing but whose phone it is; snsapi_userinfo asks for consent each time.
func (w *WeChat) authorize(rw http.ResponseWriter, r *http.Request) {
	rawQuery, person, answer := w.taps(r)
	app, l, refused := w.admit(rawQuery, false)
	if refused != nil {
		w.show(rw, "error", page{Refused: refused})
		return
	}
	if person.ID == "" {
		w.show(rw, "people", page{App: app, query: rawQuery, People: w.people})
		return
	}
	http.SetCookie(rw, cookieOf(person.ID))
	if answer == "" && l.scope != wechat.ScopeBase {
		w.show(rw, "consent", page{App: app, query: rawQuery, Person: person, Snapshot: person.Snapshot})
		return
	}
	redirect(rw, w.callback(app, l, person, answer))
}

// qrconnect serves the page with a website application's QR code. Who scans it
// is the page's to say: the cookie is of another device.
func (w *WeChat) qrconnect(rw http.ResponseWriter, r *http.Request) {
	rawQuery, person, answer := w.taps(r)
	app, l, refused := w.admit(rawQuery, true)
	switch {
	case refused != nil:
		w.show(rw, "error", page{Refused: refused})
	case !r.URL.Query().Has(PersonParam) || person.ID == "":
		w.show(rw, "qrcode", page{App: app, query: rawQuery, People: w.people})
	case answer == "":
		w.show(rw, "consent", page{App: app, query: rawQuery, Person: person})
	default:
		redirect(rw, w.callback(app, l, person, answer))
	}
}

// taps parts a request's query into WeChat's own parameters and what the pages
// of the simulator added. Without an added person it is the cookie's.
func (w *WeChat) taps(r *http.Request) (rawQuery string, person Person, answer Answer) {
	rawQuery = withoutTaps(r.URL.RawQuery)
	query := r.URL.Query()
	id := query.Get(PersonParam)
	if !query.Has(PersonParam) {
		id = cookiePerson(r)
	}
	person, _ = w.person(id)
	answer = Answer(query.Get(AnswerParam))
	if answer != Allow && answer != Refuse && answer != FullService {
		answer = ""
	}
	return rawQuery, person, answer
}

// withoutTaps returns a query as the application wrote it, byte for byte: its
// order matters.
func withoutTaps(rawQuery string) string {
	pairs := slices.DeleteFunc(strings.Split(rawQuery, "&"), func(pair string) bool {
		return strings.HasPrefix(pair, PersonParam+"=") || strings.HasPrefix(pair, AnswerParam+"=")
	})
	return strings.Join(pairs, "&")
}

// redirect sends somebody back, the way WeChat does. [http.Redirect] would put a
// page with the code around it.
func redirect(rw http.ResponseWriter, callback string) {
	rw.Header().Set("Location", callback)
	rw.WriteHeader(http.StatusFound)
}

// SignIn makes the browser with this jar a person's phone, for the simulator at
// openURL ([wechat.Endpoint.Open]).
func (w *WeChat) SignIn(jar http.CookieJar, openURL string, personID string) {
	u, err := url.Parse(openURL)
	if _, known := w.person(personID); !known || err != nil {
		w.misuse("SignIn: nobody is called %q, or %q is no address", personID, openURL)
		return
	}
	jar.SetCookies(u, []*http.Cookie{cookieOf(personID)})
}

// cookieOf returns the cookie that makes a browser a person's phone. It lasts as
// long as the browser is open.
func cookieOf(personID string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // a simulator on plain http, and nothing secret
		Name: personCookie, Value: url.QueryEscape(personID),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// cookiePerson returns whose phone a browser is, or "".
func cookiePerson(r *http.Request) string {
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
