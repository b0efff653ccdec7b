package scangate

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// path returns the path of a route.
func (g *Gate) path(parts ...string) string {
	return g.config.BasePath + "/" + strings.Join(parts, "/")
}

// absolute returns a path on this server as a URL that works from anywhere.
func (g *Gate) absolute(path string) string { return g.public.String() + path }

// loginURL returns the login page that leads back to returnTo, a local path.
func (g *Gate) loginURL(returnTo string) string { return g.returningURL("login", returnTo) }

// returningURL returns a route that leads back to returnTo, a local path.
func (g *Gate) returningURL(route, returnTo string) string {
	at := g.path(route)
	if returnTo != "" && returnTo != "/" {
		at += "?" + url.Values{"return_to": {returnTo}}.Encode()
	}
	return at
}

// startRoute returns the route where a login of that purpose begins.
func startRoute(p login.Purpose) string {
	if p == login.PurposeLogin {
		return "login"
	}
	return string(p)
}

// startURL returns where a login like this one begins.
func (g *Gate) startURL(p login.Purpose, returnTo string) string {
	return g.returningURL(startRoute(p), returnTo)
}

// scanURL returns the URL in the QR code.
func (g *Gate) scanURL(l *login.Login) string { return g.absolute(g.path("scan", l.ID())) }

// websiteURL returns the login by WeChat's own QR page.
func (g *Gate) websiteURL(l *login.Login) string {
	return g.path(startRoute(l.Purpose())) + "?" + url.Values{"return_to": {l.ReturnTo()}, "with": {"website"}}.Encode()
}

// wechatURL returns the page of WeChat's where the browser with that key proves an
// identity for the login.
func (g *Gate) wechatURL(l *login.Login, key login.Key, scope login.Scope) string {
	client := g.registrar.client(l.AppID())
	callback, state := g.absolute(g.path("callback")), key.OAuthState(l.ID(), scope)
	switch {
	case client == g.website:
		return client.QRConnectURL(callback, state, "")
	case scope == login.ScopeProfile:
		return client.AuthorizeURL(callback, state, wechat.ScopeUserInfo)
	}
	return client.AuthorizeURL(callback, state, wechat.ScopeBase)
}

// registerURL returns the application's page for people who are not registered.
func (g *Gate) registerURL(id string) string {
	sep := "?"
	if strings.Contains(g.config.RegisterURL, "?") {
		sep = "&"
	}
	return g.config.RegisterURL + sep + "login=" + id
}

// requestPath returns the path that the client asked for, even if a router has
// stripped a prefix from it since.
func requestPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return localPath(r.RequestURI)
	}
	return localPath(r.URL.RequestURI())
}

// refererPath returns the path of the page that sent the request, or "/" if that page
// is not on this server.
func (g *Gate) refererPath(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != g.public.Scheme || from.Host != g.public.Host {
		return "/"
	}
	return localPath(from.RequestURI())
}

// maxReturnTo bounds the paths that browsers are sent back to, in bytes.
const maxReturnTo = 2048

// slashes are the characters that one program or another takes for a slash.
const slashes = "/\\\u2044\u2215\u29f8\u29f5\u29f9\uff0f\uff3c\u2216\ufe68"

// localPath returns s if it is a path on this server, with its query and fragment,
// escaped for a header. Otherwise it returns "/".
func localPath(s string) string {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, isControl) {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(u.Path, isControl) {
		return "/"
	}
	// Browsers are lenient: the URL Standard (WHATWG) reads a backslash as a slash and
	// drops tabs and line breaks, so that "/\host" and "/\t/host" lead to another host.
	rest, ok := strings.CutPrefix(u.Path, "/")
	if !ok || strings.Contains(rest, `\`) {
		return "/"
	}
	if first := strings.IndexAny(rest, slashes); first == 0 {
		return "/"
	}
	return escapeNonASCII(u.String())
}

// escapeNonASCII percent-encodes the bytes that a header must not contain.
func escapeNonASCII(s string) string {
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
