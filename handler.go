package scangate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what a request may carry.
const maxBody = 16 << 10

// routes returns the handler of everything below the base path.
func (g *Gate) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(method, path string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(method+" "+g.config.BasePath+path, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				g.fail(w, r, err)
			}
		})
	}
	handle("GET", "/login", g.serveLogin)
	handle("POST", "/login", g.serveLoginJSON)
	handle("GET", "/login/{id}/qr.svg", g.serveQRSVG)
	handle("GET", "/login/{id}/qr.png", g.serveQRPNG)
	handle("GET", "/login/{id}/state", g.serveState)
	handle("POST", "/login/{id}/finish", g.serveFinish)
	handle("GET", "/scan/{id}", g.serveScan)
	handle("GET", "/callback", g.serveCallback)
	handle("GET", "/profile/{id}", g.serveProfile)
	handle("POST", "/profile/{id}", g.serveNoProfile)
	handle("GET", "/phone/{id}", g.servePhone)
	handle("POST", "/phone/{id}", g.serveCode)
	handle("POST", "/phone/{id}/code", g.serveSendCode)
	handle("GET", "/resume/{id}", g.serveResume)
	handle("GET", "/confirm/{id}", g.serveConfirm)
	handle("POST", "/confirm/{id}", g.serveAnswer)
	handle("GET", "/phone", g.serveChangePhone)
	handle("GET", "/link", g.serveLink)
	handle("POST", "/link", g.serveLinkJSON)
	handle("POST", "/unlink", g.serveUnlink)
	handle("POST", "/logout", g.serveLogout)
	handle("GET", "/me", g.serveMe)
	handle("GET", "/assets/{name}", g.serveAsset)
	return mux
}

// ServeHTTP serves the routes below [Config.BasePath].
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secureHeaders(w.Header())
	g.warnOfOuterSession(r)
	if err := g.origins.Check(r); err != nil {
		g.fail(w, r, errForged)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	g.mux.ServeHTTP(w, r)
}

// secureHeaders are those of every answer that the gate itself gives.
func secureHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// warnOfOuterSession logs, once, that a session is loaded around requests that
// wait: with an IdleTimeout scs saves it again when they end, and so could bring
// back a session that was ended meanwhile.
func (g *Gate) warnOfOuterSession(r *http.Request) {
	if g.sessions.manager.IdleTimeout == 0 || !g.sessions.loaded(r.Context()) {
		return
	}
	g.outer.Do(func() {
		g.config.Logger.Warn("scangate: mount the gate outside of the session manager's LoadAndSave: " +
			"with IdleTimeout set, a browser that waits could revive a session that has ended")
	})
}

// What else can be wrong with a request.
var (
	errBadRequest  = errors.New("scangate: malformed request")
	errForged      = errors.New("scangate: the request comes from another site, or without its form's token")
	errState       = errors.New("scangate: the OAuth state is not this browser's")
	errCancelled   = errors.New("scangate: refused in WeChat")
	errSnapshot    = errors.New("scangate: a snapshot user is nobody")
	errBarred      = errors.New("scangate: the user is barred")
	errOtherPerson = errors.New("scangate: WeChat vouches for somebody else than before")
	errTooMany     = errors.New("scangate: too many requests from this address")
	errRejected    = errors.New("scangate: Config.OnLogin refused")
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
	{errBarred, http.StatusForbidden, "barred"},
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
	{errPhoneTaken, http.StatusConflict, "phone_taken"},
	{errIdentityTaken, http.StatusConflict, "identity_taken"},
	{errLastIdentity, http.StatusConflict, "last_identity"},
	{errWeChat, http.StatusBadGateway, "wechat"},
}

// errWeChat marks what went wrong at WeChat: none of it is a person's fault.
var errWeChat = errors.New("scangate: WeChat did not answer as it should")

// failureOf returns how err is answered.
func failureOf(err error) failure {
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return f
		}
	}
	return failure{err, http.StatusServiceUnavailable, "unavailable"}
}

// againError is an error after which a person can try again at a URL.
type againError struct {
	error
	url string
}

func (e againError) Unwrap() error { return e.error }

// again makes an error of a login one that leads back to its beginning. Where
// the login was to return to is only its asker's business.
func (g *Gate) again(r *http.Request, a *attempt, err error) error {
	switch {
	case err == nil:
		return nil
	case a.Kind == kindScan && a.open() == nil:
		return againError{err, g.path("scan", a.ID)}
	case a.Asker == g.cookies.key(r).digest():
		return againError{err, g.startURL(a)}
	}
	return err
}

// startURL is where an attempt like this one begins.
func (g *Gate) startURL(a *attempt) string {
	switch a.Purpose {
	case purposeLink:
		return g.returningURL("link", a.ReturnTo)
	case purposePhone:
		return g.returningURL("phone", a.ReturnTo)
	}
	return g.loginURL(a.ReturnTo)
}

// fail answers with an error: with a page that has a way on, or with a problem
// for programs. Nothing of the cause shows but its name.
func (g *Gate) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	secureHeaders(w.Header())
	g.noteFailure(w, r, f, err)
	if wantsJSON(r) {
		g.writeProblem(w, problem{Status: f.status, Title: http.StatusText(f.status), Code: f.code})
		return
	}
	var again againError
	if !errors.As(err, &again) {
		again.url = g.loginURL("")
	}
	g.render(w, r, f.status, "message", PageData{Name: "error." + f.code, NextURL: again.url})
}

// retryAfter is when to ask again, in seconds.
func retryAfter(err error) int {
	var codes tooManyCodesError
	switch {
	case errors.As(err, &codes):
		return max(int((codes.after+time.Second-1)/time.Second), 1)
	case errors.Is(err, errTooMany):
		return int(limitWindow / time.Second)
	}
	return 5
}

// noteFailure tells the log, the events, and the client when to come again.
func (g *Gate) noteFailure(w http.ResponseWriter, r *http.Request, f failure, err error) {
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	}
	g.happened(r, Event{Name: EventRefused, Reason: f.code})
	level := slog.LevelInfo
	if f.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	g.config.Logger.Log(r.Context(), level, "scangate: request refused",
		"status", f.status, "code", f.code, "error", err, "method", r.Method, "route", r.Pattern, "login", shortID(r.PathValue("id")))
}

// problem is an application/problem+json of RFC 9457.
type problem struct {
	Status   int    `json:"status"`
	Title    string `json:"title"`
	Code     string `json:"code"`
	LoginURL string `json:"login_url,omitempty"`
}

func (g *Gate) writeProblem(w http.ResponseWriter, p problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	g.writeBody(w, p.Status, p)
}

func (g *Gate) writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	g.writeBody(w, status, v)
}

func (g *Gate) writeBody(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // all that is written here can be
		g.config.Logger.Error("scangate: encoding an answer", "error", err)
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// seeOther sends the browser on with a GET.
func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// path is the path of a route below the base path.
func (g *Gate) path(parts ...string) string {
	return g.config.BasePath + "/" + strings.Join(parts, "/")
}

// absolute is a path as a URL that works from anywhere.
func (g *Gate) absolute(path string) string { return g.public.String() + path }

// wantsJSON reports whether a program asks.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "json") && !acceptsHTML(r) || isJSON(r)
}

func isJSON(r *http.Request) bool { return hasMediaType(r, "application/json") }

func isForm(r *http.Request) bool {
	return hasMediaType(r, "application/x-www-form-urlencoded") || hasMediaType(r, "multipart/form-data")
}

func hasMediaType(r *http.Request, want string) bool {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && got == want
}

// query returns the request's query; a parameter that comes twice, or a query
// that can't be read, is an error.
func query(r *http.Request) (url.Values, error) {
	return singles(r.URL.RawQuery)
}

// fields returns what a form or a program posts: the same names either way.
func fields(r *http.Request) (url.Values, error) {
	if hasMediaType(r, "multipart/form-data") {
		if err := r.ParseMultipartForm(maxBody); err != nil { //nolint:gosec // ServeHTTP bounds the body
			return nil, fmt.Errorf("%w: reading a form", errBadRequest)
		}
		return onlyOnce(r.MultipartForm.Value)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the body: %w", errBadRequest, err)
	}
	if !isJSON(r) {
		return singles(string(body))
	}
	return jsonValues(body)
}

// jsonValues reads a flat JSON object, of which nothing may come twice either.
func jsonValues(body []byte) (url.Values, error) {
	values := url.Values{}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); errors.Is(err, io.EOF) {
		return values, nil // an empty body says nothing
	} else if t != json.Delim('{') {
		return nil, errNoObject
	}
	for d.More() {
		name, err := d.Token() // of an object's members the first is a string
		var value any
		if err == nil {
			value, err = d.Token()
		}
		if err != nil || values.Has(name.(string)) {
			return nil, errNoObject
		}
		switch v := value.(type) {
		case string:
			values.Set(name.(string), v)
		case bool:
			values.Set(name.(string), strconv.FormatBool(v))
		default:
			return nil, errNoObject
		}
	}
	if _, err := d.Token(); err != nil || d.More() {
		return nil, errNoObject
	}
	return values, nil
}

var errNoObject = fmt.Errorf("%w: the body is no JSON object of strings and booleans, each once", errBadRequest)

// jsonFields is fields for a route that takes nothing but JSON.
func jsonFields(r *http.Request) (url.Values, error) {
	if !isJSON(r) {
		return nil, errBadRequest
	}
	return fields(r)
}

func singles(encoded string) (url.Values, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: a query that can't be read", errBadRequest)
	}
	return onlyOnce(values)
}

func onlyOnce(values url.Values) (url.Values, error) {
	for _, v := range values {
		if len(v) > 1 {
			return nil, fmt.Errorf("%w: a parameter that comes twice", errBadRequest)
		}
	}
	return values, nil
}

// limitWindow is the time that limits per address count by.
const limitWindow = time.Minute

// limit counts what an address does, and returns errTooMany when that is more
// than Config.AddressLimit in a minute.
func (g *Gate) limit(r *http.Request, what string) error {
	for i, network := range g.networks(r) {
		n, err := g.state.Add(r.Context(), "limit:"+what+":"+network, limitWindow)
		if err != nil {
			return fmt.Errorf("scangate: counting requests: %w", err)
		}
		if n > int64(g.config.AddressLimit)*siteFactor[i] {
			g.happened(r, Event{Name: EventLimited, Reason: what})
			return errTooMany
		}
	}
	return nil
}

// siteFactor is how many times an address's limit each of its networks has.
var siteFactor = [...]int64{1, 5}

// loginOf loads the login that the path names. Guesses are counted, so that a
// guesser is told to stop.
func (g *Gate) loginOf(r *http.Request) (attempt, error) {
	a, err := g.logins.load(r.Context(), r.PathValue("id"))
	if errors.Is(err, errUnknown) {
		return a, g.missed(r)
	}
	return a, err
}

// missed is the answer to a request for a login that is unknown, or not for
// this browser to see: the two can't be told apart.
func (g *Gate) missed(r *http.Request) error { return g.missedID(r, r.PathValue("id")) }

func (g *Gate) missedID(r *http.Request, id string) error {
	if !validID(id) {
		return errUnknown
	}
	if err := g.limit(r, "guess"); err != nil {
		return err
	}
	return errUnknown
}

// askedBy returns the scan login that the path names, if the request comes from
// the browser that asked for it.
func (g *Gate) askedBy(r *http.Request) (attempt, error) {
	a, err := g.loginOf(r)
	if err != nil {
		return attempt{}, err
	}
	if a.Kind != kindScan || a.Asker != g.cookies.key(r).digest() {
		return attempt{}, g.missed(r)
	}
	return a, nil
}

// authorizedBy returns the login that the path names, if the request comes from
// the browser that proved its identity for it.
func (g *Gate) authorizedBy(r *http.Request) (attempt, error) {
	a, err := g.loginOf(r)
	if err != nil {
		return attempt{}, err
	}
	if a.Person == nil || a.Authorizer != g.cookies.key(r).digest() {
		return attempt{}, g.missed(r)
	}
	return a, nil
}

// form returns the posted fields of one of an attempt's forms, after checking
// that the form is this browser's.
func (g *Gate) form(r *http.Request, a *attempt) (url.Values, error) {
	posted, err := fields(r)
	if err != nil {
		return nil, err
	}
	if !equalMAC(posted.Get("token"), g.cookies.key(r).formToken(a.ID)) {
		return nil, errForged
	}
	return posted, nil
}

// wechatError marks an error of the client.
func wechatError(doing string, err error) error {
	return fmt.Errorf("scangate: %s: %w: %w", doing, errWeChat, err)
}
