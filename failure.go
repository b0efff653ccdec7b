package scangate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// failure is how an error is answered.
type failure struct {
	err    error
	status int
	code   string // names the texts of the page, and stands in the problem
}

// failures are all errors that have a name. Any other is a failed store's.
var failures = []failure{
	{errRejected, http.StatusForbidden, "rejected"}, // first, for it wraps an error of the application's
	{errUnknown, http.StatusNotFound, "unknown"},
	{errExpired, http.StatusGone, "expired"},
	{errDenied, http.StatusGone, "denied"},
	{errInUse, http.StatusConflict, "in_use"},
	{errExchanging, http.StatusConflict, "in_use"},
	{errNotApproved, http.StatusConflict, "not_approved"},
	{errFinished, http.StatusConflict, "finished"},
	{errNoSession, http.StatusBadRequest, "no_cookies"},
	{errBadRequest, http.StatusBadRequest, "bad_request"},
	{errState, http.StatusBadRequest, "bad_state"},
	{errCancelled, http.StatusOK, "cancelled"},
	{errSnapshot, http.StatusForbidden, "snapshot"},
	{errForged, http.StatusForbidden, "forged"},
	{errDisabled, http.StatusForbidden, "disabled"},
	{errOtherPerson, http.StatusBadGateway, "wechat"},
	{errTooMany, http.StatusTooManyRequests, "too_many"},
	{errTooManyTabs, http.StatusTooManyRequests, "too_many"},
	{errCrowded, http.StatusServiceUnavailable, "busy"},
	{errClosing, http.StatusServiceUnavailable, "busy"},
	{ErrLoginRequired, http.StatusUnauthorized, "login_required"},
	{errNotRegistered, http.StatusForbidden, "not_registered"},
	{errPhoneInvalid, http.StatusBadRequest, "phone_invalid"},
	{errCodeWrong, http.StatusForbidden, "code_wrong"},
	{errTooManyCodes, http.StatusTooManyRequests, "too_many_codes"},
	{errSendFailed, http.StatusBadGateway, "send_failed"},
	{errNumberElsewhere, http.StatusConflict, "phone_taken"},
	{errWeChatElsewhere, http.StatusConflict, "identity_taken"},
	{errLastIdentity, http.StatusConflict, "last_identity"},
	{errWeChat, http.StatusBadGateway, "wechat"},
}

// failureOf returns how err is answered.
func failureOf(err error) failure {
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f
		}
	}
	return failure{err, http.StatusServiceUnavailable, "unavailable"}
}

// What else can be wrong with a request.
var (
	errBadRequest  = errors.New("scangate: malformed request")
	errForged      = errors.New("scangate: the request comes from another site, or without its form's token")
	errState       = errors.New("scangate: the OAuth state is not this browser's")
	errCancelled   = errors.New("scangate: refused in WeChat")
	errSnapshot    = errors.New("scangate: a snapshot user is nobody")
	errDisabled    = errors.New("scangate: the user is disabled")
	errOtherPerson = errors.New("scangate: WeChat vouches for somebody else than before")
	errTooMany     = errors.New("scangate: too many requests")
	errRejected    = errors.New("scangate: Config.OnLogin refused")
)

// errWeChat marks what went wrong at WeChat: none of it is a person's fault.
var errWeChat = errors.New("scangate: WeChat did not answer as it should")

// wechatError marks an error of the client.
func wechatError(doing string, err error) error {
	return fmt.Errorf("scangate: %s: %w: %w", doing, errWeChat, err)
}

// againError is an error after which a person can try again at a URL.
type againError struct {
	error
	url string
}

// Unwrap is for [errors.Is] and [errors.As].
func (e againError) Unwrap() error { return e.error }

// again makes an error of a login one that leads back to its beginning. Where
// the login was to return to is only its asker's business.
func (g *Gate) again(r *http.Request, a *attempt, err error) error {
	switch {
	case err == nil, a == nil:
		return err
	case a.Kind == kindScan && a.open() == nil:
		return againError{err, g.path("scan", a.ID)}
	case a.Asker == g.cookies.key(r).digest():
		return againError{err, g.startURL(a)}
	}
	return err
}

// startURL is where an attempt like this one begins.
func (g *Gate) startURL(a *attempt) string { return g.returningURL(a.Purpose.route(), a.ReturnTo) }

// fail answers with an error: with a page that has a way on, or with a problem
// for programs. Nothing of the cause shows but its name.
func (g *Gate) fail(w http.ResponseWriter, r *http.Request, err error) {
	if wantsJSON(r) {
		g.failJSON(w, r, err)
		return
	}
	secureHeaders(w.Header())
	f := g.noteFailure(w, r, err)
	var again againError
	if !errors.As(err, &again) {
		again.url = g.loginURL("")
	}
	g.render(w, r, f.status, "message", PageData{Name: "error." + f.code, NextURL: again.url})
}

// failJSON is fail for programs.
func (g *Gate) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	secureHeaders(w.Header())
	f := g.noteFailure(w, r, err)
	writeProblem(w, problem{Status: f.status, Title: http.StatusText(f.status), Code: f.code})
}

// retryAfter is when to ask again, in seconds.
func retryAfter(err error) int {
	var quota *state.QuotaError
	switch {
	case errors.As(err, &quota):
		return max(int((quota.After+time.Second-1)/time.Second), 1)
	case errors.Is(err, errTooMany):
		return int(limitWindow / time.Second)
	}
	return 5
}

// noteFailure tells the log, the events, and the client when to come again. It
// returns what people are told.
func (g *Gate) noteFailure(w http.ResponseWriter, r *http.Request, err error) failure {
	f := failureOf(err)
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	}
	login := shortID(g.loginNamed(r))
	g.happened(r, Event{Name: EventRefused, Reason: f.code, Login: login})
	level := slog.LevelInfo
	if f.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	g.config.Logger.Log(r.Context(), level, "scangate: request refused",
		"status", f.status, "code", f.code, "error", err, "method", r.Method, "route", r.Pattern, "login", login)
	return f
}

// loginNamed is the id of the login that a request to the gate is about, if it
// names one: in its path, or to the callback in the OAuth state, of which no more
// is told. A request to the application may have other secrets in such a place.
func (g *Gate) loginNamed(r *http.Request) string {
	if !strings.HasPrefix(r.URL.Path, g.config.BasePath+"/") {
		return ""
	}
	id := r.PathValue("id")
	if id == "" {
		id, _, _ = parseOAuthState(r.URL.Query().Get("state"))
	}
	if !validID(id) {
		return ""
	}
	return id
}

// problem is an application/problem+json of RFC 9457.
type problem struct {
	Status   int    `json:"status"`
	Title    string `json:"title"`
	Code     string `json:"code"`
	LoginURL string `json:"login_url,omitempty"`
}

// writeProblem answers with a problem.
func writeProblem(w http.ResponseWriter, p problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeBody(w, p.Status, p)
}

// wrap says what was being done when err came up; without one it returns nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("scangate: %s: %w", doing, err)
}
