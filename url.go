package scangate

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scangate/scangate/internal/login"
)

// urls builds the URLs of the gate's routes.
type urls struct {
	public    *url.URL            // scheme and host
	base      string              // Config.BasePath
	shown     Way                 // of the login page, unless a request asks for another
	relay     string              // Config.WeChat.CallbackURL
	loginPage string              // Config.LoginPage
	allowed   func(*url.URL) bool // Config.AllowReturnTo; may be nil
}

// path returns the path of a route.
func (u *urls) path(parts ...string) string {
	b := make([]byte, 0, 96)
	b = append(b, u.base...)
	for _, part := range parts {
		b = append(append(b, '/'), part...)
	}
	return string(b)
}

// absolute returns the path of a route as a URL that works from anywhere.
func (u *urls) absolute(parts ...string) string { return u.public.String() + u.path(parts...) }

// callback returns the URL to which WeChat redirects.
func (u *urls) callback() string {
	if u.relay != "" {
		return u.relay
	}
	return u.absolute("callback")
}

// freshRoute is the login page on which a logged-in user proves again who they are.
const freshRoute = "login?fresh=1"

// returning returns the path of a route that leads back to returnTo, a local path. The
// route may have a query.
func (u *urls) returning(route, returnTo string) string {
	at := u.path(route)
	if returnTo == "" || returnTo == "/" {
		return at
	}
	return withQuery(at, url.Values{"return_to": {returnTo}})
}

// logIn returns the page on which a person logs in, the application's own if it has one.
// That page gets return_to in any case.
func (u *urls) logIn(returnTo string) string {
	if u.loginPage == "" {
		return u.returning("login", returnTo)
	}
	return withQuery(u.loginPage, url.Values{"return_to": {returnTo}})
}

// isLoginPage reports whether the request is for the application's own login page. If that
// page is behind the gate by mistake, a redirect to it would loop.
func (u *urls) isLoginPage(r *http.Request) bool {
	own, err := url.Parse(u.loginPage)
	return err == nil && u.loginPage != "" && own.Path == r.URL.Path
}

// withQuery adds parameters to a path that may have some.
func withQuery(path string, more url.Values) string {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return path + sep + more.Encode()
}

// ticketParam is the parameter of a link in a chat, and the field of the page behind it.
const ticketParam = "ticket"

// movedParam marks a URL that moved returned.
const movedParam = "moved"

// onPublicHost reports whether the browser asked for PublicURL's host. Ports do not
// count: browsers send cookies to all of them.
func (u *urls) onPublicHost(r *http.Request) bool {
	asked := url.URL{Host: r.Host}
	return r.Host == "" || strings.EqualFold(asked.Hostname(), u.public.Hostname())
}

// replacesHost reports whether a proxy has replaced Host, as far as its headers show.
func replacesHost(r *http.Request) bool {
	asked := r.Header.Get("X-Forwarded-Host")
	return r.Header.Get("Forwarded") != "" || asked != "" && !strings.EqualFold(asked, r.Host)
}

// moved returns the URL of a request for one of the gate's pages at PublicURL's host, with
// the query q and movedParam.
func (u *urls) moved(r *http.Request, q url.Values) string {
	q.Set(movedParam, "1")
	to := url.URL{Scheme: u.public.Scheme, Host: u.public.Host, Path: r.URL.Path, RawQuery: q.Encode()}
	return to.String()
}

// elsewhere returns the page of PublicURL's host where the login begins, for a script whose
// request came to another host, or "". WeChat sends the browser back to that host, where the
// cookies of this one are missing.
func (u *urls) elsewhere(r *http.Request, request login.Request) string {
	if u.onPublicHost(r) || replacesHost(r) {
		return ""
	}
	return u.public.String() + u.start(request)
}

// withParam is the parameter that asks for a way.
const withParam = "with"

// start returns where a login for such a request begins.
func (u *urls) start(request login.Request) string {
	at := u.returning(startRoute(request), request.ReturnTo)
	if way := Way(request.Way); way != "" && way != u.shown {
		return withQuery(at, url.Values{withParam: {string(way)}})
	}
	return at
}

// restart returns where a login like l begins. After WeChat's own page that is the gate's
// page, which leads to all ways.
func (u *urls) restart(l *login.Login) string {
	request := l.Request()
	if request.Way == login.WayWebsite {
		request.Way = ""
	}
	return u.start(request)
}

// by returns where the same login in another way begins.
func (u *urls) by(l *login.Login, way Way) string {
	return withQuery(u.path(startRoute(l.Request())), url.Values{"return_to": {l.ReturnTo()}, withParam: {string(way)}})
}

// referer returns the path of the page that sent the request, or "/" if that page is
// not on this server.
func (u *urls) referer(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != u.public.Scheme || from.Host != u.public.Host {
		return "/"
	}
	return localPath(from.RequestURI())
}

// wrongOrigin returns the error for a request that another site's page sent. The log
// needs the values that were compared: a wrong PublicURL and a proxy that replaces
// Host look like an attack.
func (u *urls) wrongOrigin(r *http.Request) error {
	return detailedError{
		fmt.Errorf("%w: Origin is %.100q, Host %.100q and Sec-Fetch-Site %.20q; want the Origin %q, or a page of the same host",
			errForged, r.Header.Get("Origin"), r.Host, r.Header.Get("Sec-Fetch-Site"), u.public),
		"the request does not come from a page of " + u.public.String(),
	}
}

// startRoute returns the route where a login for such a request begins.
func startRoute(request login.Request) string {
	switch {
	case request.Fresh:
		return freshRoute
	case request.Purpose == login.PurposeLogin:
		return "login"
	}
	return string(request.Purpose)
}

// requestPath returns the path that the client asked for, even if a router has
// stripped a prefix from it since.
func requestPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return localPath(r.RequestURI)
	}
	return localPath(r.URL.RequestURI())
}

// maxReturnTo bounds the paths that browsers are sent back to, in bytes.
const maxReturnTo = 2048

// slashes are the characters that one program or another takes for a slash.
const slashes = "/\\\u2044\u2215\u29f8\u29f5\u29f9\uff0f\uff3c\u2216\ufe68"

// localPath returns s if it is a path on this server, with its query and fragment,
// escaped for a header. Otherwise it returns "/".
func localPath(s string) string {
	if path, ok := parseLocalPath(s); ok {
		return path
	}
	return "/"
}

// parseLocalPath is localPath for callers that refuse other values.
func parseLocalPath(s string) (string, bool) {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, isControl) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(u.Path, isControl) {
		return "", false
	}
	// Browsers are lenient: the URL Standard (WHATWG) reads a backslash as a slash and
	// drops tabs and line breaks, so that "/\host" and "/\t/host" lead to another host.
	rest, ok := strings.CutPrefix(u.Path, "/")
	if !ok || strings.Contains(rest, `\`) {
		return "", false
	}
	if first := strings.IndexAny(rest, slashes); first == 0 {
		return "", false
	}
	// Browsers resolve dot segments, escaped ones too: the path of "/..//host" becomes
	// "//host", which leads to another host when a script uses it.
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	// Escaping makes a path up to three times as long, and logins keep the escaped form.
	path := escapeNonASCII(u.String())
	return path, len(path) <= maxReturnTo
}

// escapeNonASCII percent-encodes the bytes that a header must not contain.
func escapeNonASCII(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return s
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// isControl reports whether c is a control character of ASCII or ISO 8859-1, or stands
// for a byte that is not UTF-8.
func isControl(c rune) bool { return c < ' ' || c >= 0x7f && c <= 0x9f || c == '\ufffd' }

// hostFault returns why a host is not in the form that browsers use, or "".
func hostFault(host string) string {
	if strings.ContainsFunc(host, func(c rune) bool { return c > '~' }) {
		return "has a host outside of ASCII: write it in Punycode, which begins with \"xn--\""
	}
	if strings.HasSuffix(host, ".") {
		// For a browser, the host with the dot is another one than without.
		return "has a host with a dot at its end: leave the dot out"
	}
	if address, err := netip.ParseAddr(host); err == nil {
		switch {
		case address.Zone() != "":
			return "has an address with a zone"
		case address.Is4In6():
			return "has an IPv4 address in the form of IPv6: write it with dots"
		case address.String() != host:
			return fmt.Sprintf("has an address that browsers write as [%s]", address)
		}
		return ""
	}
	labels := strings.Split(host, ".")
	invalid := len(host) > 253 || slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	})
	// Browsers parse a host as an IPv4 address if its last label is a number (URL
	// Standard, section 3.5).
	last := labels[len(labels)-1]
	if invalid || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "has a host that is not a host name"
	}
	return ""
}

// portFault returns why the port of u is not in the form that browsers use, or "".
func portFault(u *url.URL) string {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "has a colon without a port"
		}
		return ""
	}
	n, err := strconv.Atoi(port)
	switch {
	case err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port:
		return "has an invalid port"
	case u.Scheme == "https" && n == 443, u.Scheme == "http" && n == 80:
		return "has the default port of its scheme, which browsers leave out: leave out :" + port
	}
	return ""
}

// isLoopback reports whether a host is this machine by its name or address. All names
// below localhost are (RFC 6761).
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// isBelow reports whether a local path, possibly with a query, is base or below it.
func isBelow(local, base string) bool {
	u, err := url.Parse(local)
	if err != nil {
		return false
	}
	clean := path.Clean(u.Path)
	return clean == base || strings.HasPrefix(clean, base+"/")
}
