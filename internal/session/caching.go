package session

import (
	"net/http"
	"strings"
)

// targetedCaching are the headers that shared caches obey before Cache-Control: the one
// of RFC 9213, and those of Cloudflare, Varnish and Fastly, and nginx.
var targetedCaching = []string{"Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Surrogate-Control", "X-Accel-Expires"}

// keepFromSharedCaches makes an answer that sets the session's cookie private, unless it
// is not to be stored at all. Otherwise a shared cache could send one user's cookie to
// another. The other directives of the handler stay in force for the browser.
func keepFromSharedCaches(h http.Header) {
	for _, name := range targetedCaching {
		h.Del(name)
	}
	kept := []string{"private"}
	for _, directive := range directives(strings.Join(h.Values("Cache-Control"), ",")) {
		name, _, _ := strings.Cut(strings.ToLower(directive), "=")
		switch name {
		case "no-store":
			return
		case "public", "s-maxage", "private", "":
			// A private with field names allows shared caches to store the rest.
		default:
			kept = append(kept, directive)
		}
	}
	// One line, because some caches read only the first.
	h.Set("Cache-Control", strings.Join(kept, ", "))
}

// directives splits the value of Cache-Control at the commas outside of quoted strings.
func directives(value string) []string {
	quoted := false
	parts := strings.FieldsFunc(value, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts
}
