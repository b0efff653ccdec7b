package scangate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// wantsJSON reports whether a program asks: one that accepts JSON and no page, or
// that sends JSON.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "json") && !acceptsHTML(r) || isJSON(r)
}

// isJSON reports whether the body is JSON.
func isJSON(r *http.Request) bool { return hasMediaType(r, "application/json") }

// isForm reports whether the body is of a type that a page's form can have.
func isForm(r *http.Request) bool {
	return hasMediaType(r, "application/x-www-form-urlencoded") || hasMediaType(r, "multipart/form-data")
}

// hasMediaType compares without parameters such as charset.
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
		return nil, fmt.Errorf("%w: reading the body", errBadRequest) // the cause may quote it
	}
	if !isJSON(r) {
		return singles(string(body))
	}
	return jsonValues(body)
}

// jsonFields is fields for a route that takes nothing but JSON.
func jsonFields(r *http.Request) (url.Values, error) {
	if !isJSON(r) {
		return nil, errBadRequest
	}
	return fields(r)
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

// singles reads what is encoded as a query is, of which nothing may come twice.
func singles(encoded string) (url.Values, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: a query that can't be read", errBadRequest)
	}
	return onlyOnce(values)
}

// onlyOnce returns values unless a name comes twice: two programs on the way could
// each believe another of the two.
func onlyOnce(values url.Values) (url.Values, error) {
	for _, v := range values {
		if len(v) > 1 {
			return nil, fmt.Errorf("%w: a parameter that comes twice", errBadRequest)
		}
	}
	return values, nil
}

// isPageLoad reports whether a browser asks for a page to show. Those from before
// Fetch Metadata (Safari 16.3 and older) don't say what they ask for, and scripts on
// them are known by what they accept.
func isPageLoad(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && acceptsHTML(r) &&
		(dest == "" || dest == "document")
}

// isFormPost reports whether a page's form was sent, by the page and not by its
// script.
func isFormPost(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Method == http.MethodPost && acceptsHTML(r) && isForm(r) && (mode == "" || mode == "navigate")
}

// acceptsHTML reports whether the client asks for a page by name: scripts and curl
// accept anything, and do not.
func acceptsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// requestPath is the path that the client asked for, also where a router has
// stripped a prefix from it since.
func requestPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return localPath(r.RequestURI)
	}
	return localPath(r.URL.RequestURI())
}

// refererPath is the path of the page that sent the request, if it is ours.
func (g *Gate) refererPath(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != g.public.Scheme || from.Host != g.public.Host {
		return "/"
	}
	return localPath(from.RequestURI())
}

// maxReturnTo bounds the paths that people are sent back to.
const maxReturnTo = 2048

// slashes are the characters that some program somewhere takes for a slash.
const slashes = "/\\\u2044\u2215\u29f8\u29f5\u29f9\uff0f\uff3c\u2216\ufe68"

// localPath returns s if it is a path on this server, with its query and
// fragment, escaped as it goes into a header; else "/". It is strict, for browsers
// are lenient: by the URL Standard (WHATWG) a backslash is a slash to them, and tabs
// and line breaks are nothing, so that "/\host" and "/\t/host" lead elsewhere.
func localPath(s string) string {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, isControl) {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(u.Path, isControl) {
		return "/"
	}
	rest, ok := strings.CutPrefix(u.Path, "/")
	if !ok || strings.Contains(rest, `\`) {
		return "/"
	}
	if first := strings.IndexAny(rest, slashes); first == 0 {
		return "/"
	}
	return escapeNonASCII(u.String())
}

// escapeNonASCII makes s fit for a header.
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

// isControl reports whether c is a control character of ASCII or ISO 8859-1, or a
// byte that is no UTF-8.
func isControl(c rune) bool { return c < ' ' || c >= 0x7f && c <= 0x9f || c == '\ufffd' }
