package scangate

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// preflightAge is how long a browser may keep the answer to a preflight request, in
// seconds.
const preflightAge = "600"

// origins decides which pages may send a request.
type origins struct {
	own     *http.CrossOriginProtection // trusts PublicURL
	foreign *http.CrossOriginProtection // trusts Config.TrustedOrigins as well; only for routes with shared set
	trusted []string                    // Config.TrustedOrigins
}

// newOrigins returns the two checks. One check with bypass patterns would let the trusted
// origins call any route whose pattern someone adds later.
func newOrigins(public *url.URL, trusted []string) (origins, error) {
	o := origins{own: http.NewCrossOriginProtection(), foreign: http.NewCrossOriginProtection(), trusted: trusted}
	for _, check := range []*http.CrossOriginProtection{o.own, o.foreign} {
		if err := check.AddTrustedOrigin(public.String()); err != nil {
			return o, configError("PublicURL", "%w", err)
		}
	}
	for _, origin := range trusted {
		if err := o.foreign.AddTrustedOrigin(origin); err != nil {
			return o, configError("TrustedOrigins", "%w", err)
		}
	}
	return o, nil
}

// trusts returns the request's Origin if it is one of the trusted origins, otherwise "".
func (o *origins) trusts(r *http.Request) string {
	sent := r.Header.Values("Origin")
	if len(sent) != 1 || !slices.Contains(o.trusted, sent[0]) {
		return ""
	}
	return sent[0]
}

// check returns an error if a page that may not call the route sent the request. For a
// trusted origin and a shared route it sets the headers with which the page's script may
// read the answer.
func (o *origins) check(w http.ResponseWriter, r *http.Request, u *urls, shared bool) error {
	if !shared || len(o.trusted) == 0 {
		if o.own.Check(r) != nil {
			return u.wrongOrigin(r)
		}
		return nil
	}
	// Also without an Origin: a cache must not give that answer to the front end's script.
	w.Header().Add("Vary", "Origin")
	origin := o.trusts(r)
	if origin == "" {
		return o.check(w, r, u, false)
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	if o.foreign.Check(r) != nil {
		return u.wrongOrigin(r)
	}
	switch {
	case r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return detailedError{
			fmt.Errorf("%w: browsers count the origin %q in Config.TrustedOrigins as another site than %s, and send no cookies from there", errForged, origin, u.public),
			"the page belongs to another site than " + u.public.String() + ", so the browser sends no cookies",
		}
	case r.Method == http.MethodPost && !isJSON(r):
		// No form can send it, so a listed origin's forms are refused like any other's.
		return forged("a script of another origin must send the Content-Type application/json, even with an empty body")
	}
	return nil
}
