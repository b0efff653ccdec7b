package scangate

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/scangate/scangate/internal/login"
)

// returnTo returns where a script's login returns to: a path on this server, for which a
// URL of this origin such as location.href stands too, or a URL that Config.AllowReturnTo
// allows. It returns "/" for an empty value.
func (u *urls) returnTo(posted string) (string, error) {
	if posted == "" {
		return "/", nil
	}
	rest, own := strings.CutPrefix(posted, u.public.String())
	if own && (rest == "" || strings.HasPrefix(rest, "?") || strings.HasPrefix(rest, "#")) {
		rest = "/" + rest
	}
	if path, ok := parseLocalPath(rest); ok {
		return path, nil
	}
	if to, ok := u.elsewhereAllowed(posted); ok {
		return to, nil
	}
	return "", badRequest(fmt.Sprintf("return_to is not a path on this server, such as \"/account\", or a URL of %s, of at most %d bytes when escaped",
		u.public, maxReturnTo))
}

// pageReturnTo is returnTo for pages and forms: any value that is neither a path nor a URL
// that Config.AllowReturnTo allows means "/".
func (u *urls) pageReturnTo(sent string) string {
	if path, ok := parseLocalPath(sent); ok {
		return path
	}
	if to, ok := u.elsewhereAllowed(sent); ok {
		return to
	}
	return "/"
}

// landing returns where a login returns to. Config.AllowReturnTo decides again: the
// application may have changed its mind since the login began, or the record may come from
// a process with another configuration.
func (u *urls) landing(l *login.Login) string { return u.pageReturnTo(l.ReturnTo()) }

// elsewhereAllowed returns a URL of another host in the form in which browsers send it, and
// whether Config.AllowReturnTo allows it.
func (u *urls) elsewhereAllowed(sent string) (string, bool) {
	if u.allowed == nil {
		return "", false
	}
	to, ok := u.parseElsewhere(sent)
	if !ok || !u.allowed(to) {
		return "", false
	}
	// Parsed again: the application may have changed the URL that it was given.
	to, ok = u.parseElsewhere(sent)
	return to.String(), ok
}

// parseElsewhere returns a whole URL of https, or of PublicURL's scheme: in development both
// are plain http. It accepts only what Go and browsers read alike, and the path only if it
// were a path on this server. So a function that looks at the host or at the beginning of
// the path cannot be deceived.
func (u *urls) parseElsewhere(s string) (*url.URL, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != u.public.Scheme || len(s) > maxReturnTo {
		return nil, false
	}
	host, path := rest, "/"
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		host, path = rest[:end], rest[end:]
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	path, ok = parseLocalPath(path)
	if !ok {
		return nil, false
	}
	to, err := url.Parse(scheme + "://" + host + path)
	// A user, a port in another form and a host outside of ASCII are not in Host as sent,
	// or are faults of the host.
	if err != nil || to.User != nil || to.Host != host || host != strings.ToLower(host) || hostFault(to.Hostname()) != "" || portFault(to) != "" {
		return nil, false
	}
	return to, len(to.String()) <= maxReturnTo
}

// formTarget returns the origin outside of this server to which a form's answer may
// redirect the browser, or "".
func (u *urls) formTarget(returnTo string) string {
	if to, ok := u.parseElsewhere(returnTo); ok {
		return to.Scheme + "://" + to.Host
	}
	return ""
}

// ReturnTo returns where to send a browser after a login of the application's own, whose
// page received the parameter return_to: the value itself if a login of the gate may return
// there, otherwise "/". Without this check any website could link to the login page and so
// send a person on to a page of its own.
func (g *Gate) ReturnTo(sent string) string {
	to, err := g.urls.returnTo(sent)
	if err != nil {
		return "/"
	}
	return to
}
