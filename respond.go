package scangate

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/summary"
)

// failure maps an error to an answer.
type failure struct {
	err    error
	status int
	code   string // names the texts of the page, and the problem's member code
}

// failures lists the errors that have an answer of their own. Any other error is a
// failed store's.
var failures = []failure{
	{errRejected, http.StatusForbidden, "rejected"}, // first, because it wraps the application's error
	{login.ErrUnknown, http.StatusNotFound, "unknown"},
	{login.ErrExpired, http.StatusGone, "expired"},
	{login.ErrDenied, http.StatusGone, "denied"},
	{login.ErrReplaced, http.StatusGone, "replaced"},
	{login.ErrInUse, http.StatusConflict, "in_use"},
	{login.ErrExchanging, http.StatusConflict, "exchanging"},
	{login.ErrNotApproved, http.StatusConflict, "not_approved"},
	{login.ErrFinished, http.StatusConflict, "finished"},
	{login.ErrTooManyFailures, http.StatusTooManyRequests, "too_many"},
	{login.ErrCodeWrong, http.StatusForbidden, "code_wrong"},
	{errNoSession, http.StatusBadRequest, "no_cookies"},
	{errBadRequest, http.StatusBadRequest, "bad_request"},
	{errState, http.StatusBadRequest, "bad_state"},
	{errCancelled, http.StatusOK, "cancelled"},
	{errSnapshot, http.StatusForbidden, "snapshot"},
	{errForged, http.StatusForbidden, "forged"},
	{errDisabled, http.StatusForbidden, "disabled"},
	{errOtherPerson, http.StatusBadGateway, "wechat"},
	{errOtherChat, http.StatusForbidden, "other_chat"},
	{errOnlyMini, http.StatusOK, "mini"},
	{errNotJSON, http.StatusUnsupportedMediaType, "not_json"},
	{errTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
	{errOtherUser, http.StatusForbidden, "other_user"},
	{errTooMany, http.StatusTooManyRequests, "too_many"},
	{errTooManyTabs, http.StatusTooManyRequests, "too_many"},
	{errCrowded, http.StatusServiceUnavailable, "busy"},
	{errClosing, http.StatusServiceUnavailable, "busy"},
	{ErrLoginRequired, http.StatusUnauthorized, "login_required"},
	{errNotRegistered, http.StatusForbidden, "not_registered"},
	{errTermsRequired, http.StatusBadRequest, "terms_required"},
	{errPhoneInvalid, http.StatusBadRequest, "phone_invalid"},
	{errPhoneAbroad, http.StatusBadRequest, "phone_abroad"},
	{errPhoneCountry, http.StatusBadRequest, "phone_country"},
	{errTooManyCodes, http.StatusTooManyRequests, "too_many_codes"},
	{errSendFailed, http.StatusBadGateway, "send_failed"},
	{errPhoneInUse, http.StatusConflict, "phone_taken"},
	{errWeChatInUse, http.StatusConflict, "identity_taken"},
	{errLastIdentity, http.StatusConflict, "last_identity"},
	{errCodeRejected, http.StatusBadRequest, "restart"}, // like invalid_grant (RFC 6749, section 5.2)
	{errWeChat, http.StatusBadGateway, "wechat"},
}

// freshLoginCode is the code of the problem that a change of the account needs a fresh
// login first.
const freshLoginCode = "fresh_login_required"

// details explains each code to the developer of a script, in a problem's member detail.
var details = map[string]string{
	"rejected":       "the application refused this user",
	"unknown":        "there is no such login, or it is another browser's",
	"expired":        "the time of this login is over",
	"denied":         "the login was refused",
	"replaced":       "the other screen shows a newer code",
	"restart":        "WeChat rejected the code; begin a new login",
	"phone_abroad":   "the phone number is not valid with its country's calling code",
	"phone_country":  "phone numbers of this country are not accepted",
	"in_use":         "another phone has scanned this QR code",
	"exchanging":     "another request of this login still waits for WeChat: try again",
	"not_approved":   "the login was not confirmed on the phone yet",
	"finished":       "this login has been used",
	"too_many":       "the limit is reached; Retry-After is in seconds",
	"code_wrong":     "the code is wrong, or no longer valid",
	"no_cookies":     "the browser sent no session cookie after a login",
	"bad_request":    "the request is malformed",
	"bad_state":      "the login did not begin in this browser, or its cookie is lost",
	"cancelled":      "the person refused in WeChat",
	"snapshot":       "WeChat returned a snapshot user, which identifies no person",
	"forged":         "the request may be forged",
	"disabled":       "the user is disabled",
	"wechat":         "WeChat did not confirm who the person is",
	"busy":           "the server cannot wait for more logins now",
	"unavailable":    "a store failed; no one was logged in or out",
	"login_required": "there is no session, or it has ended",
	"other_chat":     "the link is from another person's chat with the account",
	"mini":           "the code has to be scanned with WeChat, which opens the mini program",
	"not_json":       "the Content-Type is not application/json",
	"too_large":      "the body is larger than allowed",
	"other_user":     "this WeChat is not that of the user who is logged in",
	"phone_required": "the user has no phone number",
	freshLoginCode:   "the user has to log in again at login_url, because their login is older than 15 minutes",
	"not_registered": "there is no account for this person",
	"terms_required": "the field agree does not have the versions of the terms that the page shows",
	"phone_invalid":  "the phone number is not valid",
	"too_many_codes": "too many codes were sent; Retry-After is in seconds",
	"send_failed":    "the code could not be delivered",
	"phone_taken":    "the phone number belongs to an account with another WeChat",
	"identity_taken": "the WeChat belongs to another account",
	"last_identity":  "this WeChat is the account's only one",
}

// failureOf returns how err is answered.
func failureOf(err error) failure {
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f.forMini(err)
		}
	}
	return failure{err, http.StatusServiceUnavailable, "unavailable"}
}

// miniError is an error of a route for mini programs.
type miniError struct{ error }

// Unwrap is for [errors.Is] and [errors.As].
func (e miniError) Unwrap() error { return e.error }

// forMini returns how the error is answered if it is one of a route for mini programs. Their
// status is 409 for a login that is over, and 403 for a code that WeChat rejects. The member
// code is the same as elsewhere.
func (f failure) forMini(err error) failure {
	if mini := (miniError{}); errors.As(err, &mini) {
		switch {
		case f.status == http.StatusGone:
			f.status = http.StatusConflict
		case errors.Is(f.err, errCodeRejected):
			f.status = http.StatusForbidden
		}
	}
	return f
}

// retryError is an error after which a person can try again at a URL.
type retryError struct {
	error
	url string
}

// Unwrap is for [errors.Is] and [errors.As].
func (e retryError) Unwrap() error { return e.error }

// responder answers requests: with pages, with problems, and with errors, which it also
// logs and emits.
type responder struct {
	urls           urls
	pages          *pages.Set
	languageName   string                        // of the cookie that keeps the language
	languageCookie func(tag string) *http.Cookie // of that name
	logger         *slog.Logger
	failureLog     *summary.Log                 // of answers from 500 on
	onEvent        func(context.Context, Event) // may be nil
	address        func(*http.Request) string   // of the client
}

// contentSecurityPolicy allows the resources that the gate's pages use, and no others.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; " + imageSources + "; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const imageSources = "img-src 'self' data:"

// allowPictures adds WeChat's pictures to the policy of an answer.
func allowPictures(h http.Header) {
	policy := h.Get("Content-Security-Policy")
	h.Set("Content-Security-Policy", strings.Replace(policy, imageSources, imageSources+" "+strings.Join(pictureHosts, " "), 1))
}

// allowTrip lets the form of the answer's page redirect to the hosts of the URLs on the way
// through WeChat, and back. An empty URL has no effect.
func allowTrip(h http.Header, stops ...string) {
	for _, stop := range stops {
		if u, err := url.Parse(stop); err == nil && u.Host != "" {
			allowFormTarget(h, u.Scheme+"://"+u.Host)
		}
	}
}

// allowFormTarget adds an origin to the policy of an answer: browsers apply form-action to
// redirects too, so a form sent without script could not end at another origin.
func allowFormTarget(h http.Header, origin string) {
	policy := h.Get("Content-Security-Policy")
	h.Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+origin, 1))
}

// render answers with a page.
func (a *responder) render(w http.ResponseWriter, r *http.Request, status int, name string, p PageData) {
	lang := a.language(r)
	body, err := p.execute(a.pages, lang, name)
	if err != nil {
		a.logger.ErrorContext(r.Context(), "scangate: rendering a page", "page", name, "error", err)
		status = http.StatusInternalServerError
		p = PageData{Name: "error.unavailable", NextURL: a.urls.path("login")}
		body, _ = a.pages.ExecuteBuiltin("message", p.forTemplate(a.pages, lang, "message")) // tests guarantee that it renders
	}
	h := w.Header()
	if p.Token != "" || p.FinishURL != "" {
		// With no-referrer, browsers send "Origin: null" with a form. Browsers without
		// Sec-Fetch-Site could then not show that the form is from this site.
		h.Set("Referrer-Policy", "same-origin")
	}
	if p.AvatarURL != "" {
		allowPictures(h)
	}
	if p.formTarget != "" {
		allowFormTarget(h, p.formTarget)
	}
	setHeaders(h, [][2]string{{"Content-Type", "text/html; charset=utf-8"}, {"Content-Language", lang.Attr()}})
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // html/template has escaped it; a client that has gone needs no answer
}

// renderForm shows a page with a form. After a failed post it shows the reason, or returns
// it for a client that accepts JSON.
func (a *responder) renderForm(w http.ResponseWriter, r *http.Request, name string, p PageData, wrong error) error {
	status := http.StatusOK
	switch {
	case wrong != nil && wantsJSON(r):
		return wrong
	case wrong != nil:
		f := a.reportError(w, r, wrong)
		status, p.Wrong = f.status, "error."+f.code
	}
	a.render(w, r, status, name, p)
	return nil
}

// languageParam is the query parameter that chooses the language of the pages.
const languageParam = "lang"

// language returns the language of a page: the one that the query names, otherwise the one
// that the browser has kept, otherwise the one that Accept-Language prefers.
func (a *responder) language(r *http.Request) pages.Language {
	if lang, ok := a.queriedLanguage(r); ok {
		return lang
	}
	if tag, ok := cookieValue(r, a.languageName); ok {
		if lang, ok := a.pages.LanguageNamed(tag); ok {
			return lang
		}
	}
	// The lines of a repeated header are one list (RFC 9110, section 5.3).
	return a.pages.LanguageFor(strings.Join(r.Header.Values("Accept-Language"), ","))
}

// queriedLanguage returns the language that the query names, and reports whether the pages
// have it. A repeated parameter names none.
func (a *responder) queriedLanguage(r *http.Request) (pages.Language, bool) {
	if !strings.Contains(r.URL.RawQuery, languageParam+"=") {
		return pages.Language{}, false // most requests: parsing takes time
	}
	tags := r.URL.Query()[languageParam]
	if len(tags) != 1 {
		return pages.Language{}, false
	}
	return a.pages.LanguageNamed(tags[0])
}

// keepLanguage stores the language that the query names in the browser, for the next pages
// of the login. The cookie contains a tag out of Pages.Languages and nothing else.
func (a *responder) keepLanguage(w http.ResponseWriter, r *http.Request) {
	if lang, ok := a.queriedLanguage(r); ok {
		// WeChat's redirect brings no parameter of ours back, so URLs cannot keep it.
		http.SetCookie(w, a.languageCookie(lang.Tag()))
	}
}

// fail answers with an error: a page that leads to the URL of a retryError or to the login
// page, or a problem for JSON clients. The answer names the kind of the error, and a problem
// has the detail of a detailedError. It reveals nothing else of the error.
func (a *responder) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.failWith(w, r, err, a.urls.path("login"))
}

// failAuthorizer is fail for the authorizer of a login. A phone that authorizes a login of
// another browser is not offered one of its own.
func (a *responder) failAuthorizer(w http.ResponseWriter, r *http.Request, err error) {
	a.failWith(w, r, err, "")
}

// failWith is fail with a URL of its own in the place of the login page.
func (a *responder) failWith(w http.ResponseWriter, r *http.Request, err error, next string) {
	if wantsJSON(r) {
		a.failJSON(w, r, err)
		return
	}
	setHeaders(w.Header(), secureHeaders)
	f := a.reportError(w, r, err)
	if retry := (retryError{}); errors.As(err, &retry) {
		next = retry.url
	}
	a.render(w, r, f.status, "message", PageData{Name: "error." + f.code, NextURL: next})
}

// failJSON answers with an error as a problem.
func (a *responder) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	setHeaders(w.Header(), secureHeaders)
	f := a.reportError(w, r, err)
	p := problem{Status: f.status, Title: http.StatusText(f.status), Code: f.code}
	var detailed detailedError
	if errors.As(err, &detailed) {
		p.Detail = detailed.detail
	}
	writeProblem(w, p)
}

// reportError logs err, emits EventRefused and sets Retry-After. It returns how to
// answer.
func (a *responder) reportError(w http.ResponseWriter, r *http.Request, err error) failure {
	f := failureOf(err)
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	}
	id := shortID(a.requestLoginID(r))
	a.emit(r, Event{Name: EventRefused, Reason: f.code, Login: id})
	request := []any{"status", f.status, "method", r.Method, "route", r.Pattern, "login", id}
	if f.status < http.StatusInternalServerError {
		a.logger.InfoContext(r.Context(), "scangate: request refused", append(request, "code", f.code, "error", publicError(err))...)
		return f
	}
	a.failureLog.Add(r.Context(), summary.Failure{Level: failureLevel(err), Code: f.code, Error: publicError(err).Error()}, request...)
	return f
}

// failureLevel returns the level at which a failed request is logged. That a client went
// away, or that the gate was closed, is not the failure of a store.
func failureLevel(err error) slog.Level {
	if errors.Is(err, context.Canceled) || errors.Is(err, errClosing) {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// retryAfter returns after how many seconds the client may try again.
func retryAfter(err error) int {
	var quota *state.QuotaError
	switch {
	case errors.As(err, &quota):
		return max(int((quota.After+time.Second-1)/time.Second), 1)
	case errors.Is(err, errTooMany), errors.Is(err, login.ErrTooManyFailures):
		return int(limitWindow / time.Second)
	}
	return 5
}

// emit calls Config.OnEvent.
func (a *responder) emit(r *http.Request, e Event) {
	if a.onEvent == nil {
		return
	}
	e.Address = a.address(r)
	a.emitWithout(r.Context(), e)
}

// emitWithout is emit for an event that no request of a browser causes.
func (a *responder) emitWithout(ctx context.Context, e Event) {
	if a.onEvent == nil {
		return
	}
	e.Time = time.Now()
	a.onEvent(context.WithoutCancel(ctx), e)
}

// emitter returns a function that emits events of the request.
func (a *responder) emitter(r *http.Request) func(Event) {
	return func(e Event) { a.emit(r, e) }
}

// emitAgreed reports that the login's user has agreed to the terms, if they have.
func (a *responder) emitAgreed(r *http.Request, l *login.Login) {
	if l.Agreed() == "" {
		return
	}
	a.emit(r, agreedEvent(l))
}

// requestLoginID returns the login ID in the path or, for the callback, in the OAuth
// state; "" if there is none or the request is not for the gate, because another
// handler's path may hold a secret there.
func (a *responder) requestLoginID(r *http.Request) string {
	if !strings.HasPrefix(r.URL.Path, a.urls.base+"/") {
		return ""
	}
	id := r.PathValue("id")
	if id == "" {
		trip, _ := login.ParseState(r.URL.Query().Get("state"))
		id = trip.ID
	}
	if !login.ValidID(id) {
		return ""
	}
	return id
}

// secureHeaders are the headers of every answer of the gate's own.
var secureHeaders = [][2]string{
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy", contentSecurityPolicy},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
}

// setHeaders sets headers, whose names are in their canonical form.
func setHeaders(h http.Header, headers [][2]string) {
	// One array for all values of an answer, not one slice each. Answers share none: a
	// middleware of the application's may change a value in place.
	values := make([]string, len(headers))
	for i, header := range headers {
		values[i] = header[1]
		h[header[0]] = values[i : i+1 : i+1]
	}
}

// problem is an application/problem+json (RFC 9457).
type problem struct {
	Status   int    `json:"status"`
	Title    string `json:"title"`
	Code     string `json:"code"`
	LoginURL string `json:"login_url,omitempty"`
	Detail   string `json:"detail"`
}

// writeProblem answers with p. Without a detail of its own, p gets that of its code.
func writeProblem(w http.ResponseWriter, p problem) {
	if p.Detail == "" {
		p.Detail = details[p.Code]
	}
	w.Header().Set("Content-Type", "application/problem+json")
	writeBody(w, p.Status, p)
}

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, status, v)
}

// writeBody writes v as JSON. The caller has set the Content-Type.
func writeBody(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // impossible for strings, numbers and times
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// acknowledge answers a successful POST: 204 for JSON clients, otherwise a redirect to
// the path to.
func acknowledge(w http.ResponseWriter, r *http.Request, to string) {
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	seeOther(w, to)
}

// seeOther redirects the browser, which follows with a GET.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// leaveWeChat redirects the browser from the gate to the application. A browser keeps its
// fragment if Location has none (RFC 9110, section 10.2.2), and comes from WeChat with
// "#wechat_redirect".
func leaveWeChat(w http.ResponseWriter, r *http.Request, to string) {
	// The page of a posted form has removed the fragment by script.
	if r.Method == http.MethodGet && !strings.Contains(to, "#") {
		to += "#" // an empty fragment replaces WeChat's
	}
	seeOther(w, to)
}

// secondsUntil returns the whole seconds until t, rounded up: after that many, t has come.
func secondsUntil(t time.Time) int {
	return max(int((time.Until(t)+time.Second-1)/time.Second), 0)
}
