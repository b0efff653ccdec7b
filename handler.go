package scangate

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxBody bounds what a request may carry, in bytes.
const maxBody = 16 << 10

// handler answers a request, or returns why it can't and has written nothing.
type handler func(http.ResponseWriter, *http.Request) error

// orElse returns a handler whose errors are answered by fail.
func (h handler) orElse(fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			fail(w, r, err)
		}
	}
}

// routes returns the handler of everything below the base path.
func (g *Gate) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(method, path string, h handler) {
		mux.HandleFunc(method+" "+g.config.BasePath+path, h.orElse(g.fail))
	}
	// Who asks there is a script, whatever it accepts.
	handleScript := func(method, path string, h handler) {
		mux.HandleFunc(method+" "+g.config.BasePath+path, h.orElse(g.failJSON))
	}
	handle("GET", "/login", g.serveLogin)
	handle("POST", "/login", g.serveLoginJSON)
	handle("GET", "/login/{id}/qr.svg", g.serveQRSVG)
	handle("GET", "/login/{id}/qr.png", g.serveQRPNG)
	handleScript("GET", "/login/{id}/state", g.serveState)
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
	handleScript("GET", "/me", g.serveMe)
	handle("GET", "/assets/{name}", g.serveAsset)
	return mux
}

// ServeHTTP serves the routes below [Config.BasePath], which this package's
// documentation lists; any other is 404. A post from another site's page is refused
// with 403, as [http.CrossOriginProtection] tells it, and a body of more than 16 KiB
// with 400.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secureHeaders(w.Header())
	g.warnOfOuterSession(r)
	if err := g.crossOrigin.Check(r); err != nil {
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
	g.warnOuter.Do(func() { //nolint:contextcheck // it is the request's
		g.config.Logger.WarnContext(r.Context(), "scangate: mount the gate outside of the session manager's LoadAndSave: "+
			"with IdleTimeout set, a browser that waits could revive a session that has ended")
	})
}

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, status, v)
}

// writeBody writes v as JSON, of the type that the header names already.
func writeBody(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // strings, numbers and times always can be
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// acknowledge answers a post that has nothing to tell: a program gets 204, and who
// sent a form is sent on.
func acknowledge(w http.ResponseWriter, r *http.Request, to string) {
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	seeOther(w, to)
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

// loginOf loads the login that the path names. Guesses are counted, so that a
// guesser is told to stop.
func (g *Gate) loginOf(r *http.Request) (*attempt, error) {
	a, err := g.logins.load(r.Context(), r.PathValue("id"))
	if errors.Is(err, errUnknown) {
		return nil, g.missed(r)
	}
	return a, err
}

// missed is the answer to a request for a login that is unknown, or not for
// this browser to see: the two can't be told apart.
func (g *Gate) missed(r *http.Request) error { return g.missedID(r, r.PathValue("id")) }

// missedID is missed for a request that names the login elsewhere than in its path.
// What can't be an id is no guess.
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
func (g *Gate) askedBy(r *http.Request) (*attempt, error) {
	a, err := g.loginOf(r)
	if err != nil {
		return nil, err
	}
	if a.Kind != kindScan || a.Asker != g.cookies.key(r).digest() {
		return nil, g.missed(r)
	}
	return a, nil
}

// authorizedBy returns the login that the path names, if the request comes from
// the browser that proved its identity for it.
func (g *Gate) authorizedBy(r *http.Request) (*attempt, error) {
	a, err := g.loginOf(r)
	if err != nil {
		return nil, err
	}
	if !a.authorizedBy(g.cookies.key(r).digest()) {
		return nil, g.missed(r)
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
