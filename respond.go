package scangate

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
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
	{login.ErrInUse, http.StatusConflict, "in_use"},
	{login.ErrExchanging, http.StatusConflict, "in_use"},
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
	{errOther, http.StatusBadGateway, "wechat"},
	{errTooMany, http.StatusTooManyRequests, "too_many"},
	{errTooManyTabs, http.StatusTooManyRequests, "too_many"},
	{errCrowded, http.StatusServiceUnavailable, "busy"},
	{errClosing, http.StatusServiceUnavailable, "busy"},
	{ErrLoginRequired, http.StatusUnauthorized, "login_required"},
	{errNotRegistered, http.StatusForbidden, "not_registered"},
	{errPhoneInvalid, http.StatusBadRequest, "phone_invalid"},
	{errTooManyCodes, http.StatusTooManyRequests, "too_many_codes"},
	{errSendFailed, http.StatusBadGateway, "send_failed"},
	{errPhoneInUse, http.StatusConflict, "phone_taken"},
	{errWeChatInUse, http.StatusConflict, "identity_taken"},
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
	urls     urls
	pages    *pages.Set
	logger   *slog.Logger
	failures *summary.Log                 // of answers from 500 on
	onEvent  func(context.Context, Event) // may be nil
	address  func(*http.Request) string   // of the client
}

// contentSecurityPolicy allows the resources that the gate's pages use, and no others.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// render answers with a page.
func (a *responder) render(w http.ResponseWriter, r *http.Request, status int, name string, p PageData) {
	lang := a.pages.LanguageFor(r.Header.Get("Accept-Language"))
	body, err := a.pages.Execute(name, p.on(a.pages, lang, name))
	if err != nil {
		a.logger.ErrorContext(r.Context(), "scangate: rendering a page", "page", name, "error", err)
		status = http.StatusInternalServerError
		sorry := PageData{Name: "error.unavailable", NextURL: a.urls.path("login")}
		body, _ = a.pages.ExecuteBuiltin("message", sorry.on(a.pages, lang, "message")) // tests guarantee that it renders
	}
	h := w.Header()
	if p.Token != "" || p.FinishURL != "" {
		// With no-referrer, browsers send "Origin: null" with a form. Browsers without
		// Sec-Fetch-Site could then not show that the form is from this site.
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang.Attr())
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // html/template has escaped it; a client that has gone needs no answer
}

// formPage returns the data that all pages with a form on the authorization device share.
func formPage(l *login.Login, key login.Key) PageData {
	return PageData{Purpose: string(l.Purpose()), Token: key.FormToken(l.ID())}
}

// fail answers with an error: a page with a way on, or a problem for JSON clients.
// The answer names the kind of the error and reveals nothing else of it.
func (a *responder) fail(w http.ResponseWriter, r *http.Request, err error) {
	if wantsJSON(r) {
		a.failJSON(w, r, err)
		return
	}
	secureHeaders(w.Header())
	f := a.reportError(w, r, err)
	var retry retryError
	if !errors.As(err, &retry) {
		retry.url = a.urls.path("login")
	}
	a.render(w, r, f.status, "message", PageData{Name: "error." + f.code, NextURL: retry.url})
}

// failJSON answers with an error as a problem.
func (a *responder) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	secureHeaders(w.Header())
	f := a.reportError(w, r, err)
	writeProblem(w, problem{Status: f.status, Title: http.StatusText(f.status), Code: f.code})
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
	a.failures.Add(r.Context(), summary.Failure{Level: failureLevel(err), Code: f.code, Error: publicError(err).Error()}, request...)
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
	e.Time = time.Now()
	e.Address = a.address(r)
	a.onEvent(context.WithoutCancel(r.Context()), e)
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
		id, _, _ = login.ParseState(r.URL.Query().Get("state"))
	}
	if !login.ValidID(id) {
		return ""
	}
	return id
}

// secureHeaders sets the headers of every answer of the gate's own.
func secureHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// problem is an application/problem+json (RFC 9457).
type problem struct {
	Status   int    `json:"status"`
	Title    string `json:"title"`
	Code     string `json:"code"`
	LoginURL string `json:"login_url,omitempty"`
}

func writeProblem(w http.ResponseWriter, p problem) {
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

// secondsUntil returns the whole seconds until t, rounded up: after that many, t has come.
func secondsUntil(t time.Time) int {
	return max(int((time.Until(t)+time.Second-1)/time.Second), 0)
}
