package scangate

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// The bounds of a relay, in bytes.
const (
	maxRelayName  = 64
	maxRelayValue = 1024 // of a code or a state; WeChat's codes have about 32, and its states 128
)

// relay redirects WeChat's callbacks to the callbacks of sites.
type relay struct {
	sites map[string]string // callback URLs by name
}

// Relay returns a handler that passes WeChat's callbacks on to several sites, because WeChat
// redirects to the few registered hosts of an account only. Mount it on a registered host
// below any prefix. The last element of a request's path is a name, and sites has the
// complete https URL of that site's callback, which is PublicURL, BasePath and "/callback" of
// its gate. [WeChat.CallbackURL] of that gate is the URL at which the relay has the name:
//
//	relay, err := scangate.Relay(map[string]string{"shop": "https://shop.example.com/wechat/callback"})
//	mux.Handle("/relay/", relay) // the shop's WeChat.CallbackURL: "https://login.example.com/relay/shop"
//
// A code is worth a login at each of the sites, so all of them must trust each other. Do not
// list a site of staging or of a developer's machine for an account in production.
//
// The handler answers a GET that has one state, and at most one code, with a redirect to the
// site. It drops all other parameters. It answers any other request with 404, and it logs
// nothing.
//
// Relay returns an error that names all sites at fault. A name has 1 to 64 letters, digits,
// hyphens and underscores. A URL has no user, no query and no fragment.
func Relay(sites map[string]string) (http.Handler, error) {
	if len(sites) == 0 {
		return nil, fmt.Errorf("scangate: Relay: there are no sites")
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		if !isRelayName(name) {
			faults = append(faults, fmt.Sprintf("the name %.80q is not 1 to %d letters, digits, hyphens and underscores", name, maxRelayName))
		}
		if fault := callbackFault(sites[name], false); fault != "" {
			faults = append(faults, fmt.Sprintf("the URL of %.80q %s", name, fault))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("scangate: Relay: %s", strings.Join(faults, "; "))
	}
	return &relay{maps.Clone(sites)}, nil
}

// isRelayName reports whether a site can have the name. Such a name is the same escaped and
// not escaped.
func isRelayName(name string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return name != "" && len(name) <= maxRelayName && strings.Trim(name, allowed) == ""
}

// ServeHTTP implements [http.Handler].
func (y *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the request's URL contains a code
	h.Set("X-Content-Type-Options", "nosniff")
	to := y.target(r)
	if to == "" {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// target returns where a request leads, or "".
func (y *relay) target(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	// The path as it was sent: an escaped slash or dot is part of a name that no site has.
	sent := r.URL.EscapedPath()
	site, known := y.sites[sent[strings.LastIndex(sent, "/")+1:]]
	if !known || path.Clean(sent) != sent {
		return ""
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ""
	}
	kept := url.Values{}
	for _, name := range []string{"code", "state"} {
		values, given := q[name]
		if !given && name == "code" {
			continue // the person refused
		}
		if len(values) != 1 || !isRelayed(values[0]) {
			return ""
		}
		kept.Set(name, values[0])
	}
	return site + "?" + kept.Encode()
}

// isRelayed reports whether a code or a state is one that WeChat can have sent.
func isRelayed(value string) bool {
	return value != "" && len(value) <= maxRelayValue && !strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' })
}
