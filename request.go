package scangate

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/phone"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 16 << 10

// wantsJSON reports whether the client is a script: it sends JSON, or it does not ask
// for a page by name, and either accepts JSON or has the Sec-Fetch-Mode of one.
func wantsJSON(r *http.Request) bool {
	return isJSON(r) || !acceptsHTML(r) && (strings.Contains(r.Header.Get("Accept"), "json") || isFetch(r))
}

// isFetch reports whether the browser marks the request as a script's by Sec-Fetch-Mode.
// Accept does not show it: fetch sends "*/*" unless the script sets another value.
func isFetch(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Mode") {
	case "cors", "same-origin", "no-cors":
		return true
	}
	return false
}

// acceptsHTML reports whether the client asks for a page by name. Scripts and curl
// accept "*/*", which does not count.
func acceptsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isPageLoad reports whether a browser asks for a page to show.
func isPageLoad(r *http.Request) bool {
	// Browsers without Fetch Metadata (Safari before 16.4) send no Sec-Fetch-Dest;
	// their scripts are recognized by Accept.
	dest := r.Header.Get("Sec-Fetch-Dest")
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && acceptsHTML(r) &&
		(dest == "" || dest == "document")
}

// isFormPost reports whether a page, rather than its script, submits a form.
func isFormPost(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Method == http.MethodPost && acceptsHTML(r) && isForm(r) && (mode == "" || mode == "navigate")
}

// isJSON reports whether the body is JSON.
func isJSON(r *http.Request) bool { return hasMediaType(r, "application/json") }

// isForm reports whether the body has a type that an HTML form can send.
func isForm(r *http.Request) bool {
	return hasMediaType(r, "application/x-www-form-urlencoded") || hasMediaType(r, "multipart/form-data")
}

// hasMediaType compares the body's type without parameters such as charset.
func hasMediaType(r *http.Request, want string) bool {
	sent := r.Header.Get("Content-Type")
	if !strings.Contains(sent, ";") {
		return strings.EqualFold(strings.TrimSpace(sent), want)
	}
	got, _, err := mime.ParseMediaType(sent)
	return err == nil && got == want
}

// cookieValue returns the value of the request's first cookie of that name, and reports
// whether there is one.
func cookieValue(r *http.Request, name string) (string, bool) {
	if value, ok := onlyCookie(r, name); ok {
		return value, true
	}
	// Most requests lack most of the gate's cookies, and parsing a header allocates.
	if !slices.ContainsFunc(r.Header["Cookie"], func(line string) bool { return strings.Contains(line, name) }) {
		return "", false
	}
	cookie, err := r.Cookie(name)
	if err != nil {
		return "", false
	}
	return cookie.Value, true
}

// maxPlainCookies bounds how many cookies onlyCookie looks at. Net/http refuses 3,000.
const maxPlainCookies = 100

// onlyCookie returns the value of the request's cookie of that name, and true, if the
// request has exactly one and its value needs no parsing, as those that the gate and scs
// set. Whenever it returns true, [http.Request.CookiesNamed] returns that cookie alone. Each
// request needs the session's cookie, and CookiesNamed takes a fifth of the gate's time for
// it.
func onlyCookie(r *http.Request, name string) (value string, ok bool) {
	lines := r.Header["Cookie"]
	if len(lines) != 1 {
		return "", false
	}
	for rest, n := lines[0], 0; rest != ""; n++ {
		if n == maxPlainCookies {
			return "", false
		}
		var pair string
		pair, rest, _ = cutByte(rest, ';')
		after, named := strings.CutPrefix(textproto.TrimString(pair), name)
		if !named {
			continue
		}
		// Another name may begin like this one, and a space may follow it. Both are rare.
		if ok || after == "" || after[0] != '=' || !isUnreserved(after[1:]) {
			return "", false
		}
		value, ok = after[1:], true
	}
	return value, ok
}

// cutByte is [strings.Cut] at a byte, and twice as fast. It runs several times in each request
// of a logged-in user.
func cutByte(s string, separator byte) (before, after string, found bool) {
	i := strings.IndexByte(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isUnreserved reports whether s consists of unreserved characters of RFC 3986, which base64
// for URLs is made of.
func isUnreserved(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != '~' {
			return false
		}
	}
	return true
}

// query returns the request's query. A repeated parameter is an error.
func query(r *http.Request) (url.Values, error) { return parseOnce(r.URL.RawQuery) }

// fields returns the posted fields of a form or a JSON object. A repeated field is an
// error.
func fields(r *http.Request) (url.Values, error) { return fieldsOf(r, scalar) }

// fieldsOf is fields with the values that a JSON object may have.
func fieldsOf(r *http.Request, accept func(any) (string, bool)) (url.Values, error) {
	if hasMediaType(r, "multipart/form-data") {
		if err := r.ParseMultipartForm(maxBody); err != nil { //nolint:gosec // ServeHTTP bounds the body
			return nil, badRequest("the form cannot be read, or is larger than 16 KiB")
		}
		return onlyOnce(r.MultipartForm.Value)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		// Without the cause, which may quote the body.
		return nil, badRequest("the body cannot be read, or is larger than 16 KiB")
	}
	if !isJSON(r) {
		return parseOnce(string(body))
	}
	return jsonValues(body, accept)
}

// readBody reads the request's body into memory, where handlers read it again.
func readBody(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return badRequest("the body cannot be read, or is larger than 16 KiB")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// jsonFields is fields for a route that accepts only JSON.
func jsonFields(r *http.Request) (url.Values, error) {
	if !isJSON(r) {
		return nil, badRequest("the Content-Type is not application/json")
	}
	return fields(r)
}

var errNoObject = badRequest("the body is not a JSON object of strings and booleans, with each name once")

// scalar returns a string or a boolean of JSON as the field of a form has it.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// scalarOrNumber is scalar for mini programs, which may return the number of a login as they
// have got it.
func scalarOrNumber(value any) (string, bool) {
	if v, ok := value.(json.Number); ok {
		return v.String(), true
	}
	return scalar(value)
}

// jsonValues reads a flat JSON object whose values are accepted.
func jsonValues(body []byte, accept func(any) (string, bool)) (url.Values, error) {
	values := url.Values{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // as it is written
	if t, err := d.Token(); errors.Is(err, io.EOF) {
		return values, nil // an empty body is an empty object
	} else if t != json.Delim('{') {
		return nil, errNoObject
	}
	for d.More() {
		name, err := d.Token() // of a member, the first token is always a string
		var value any
		if err == nil {
			value, err = d.Token()
		}
		// encoding/json would silently take the last of two members of one name.
		if err != nil || values.Has(name.(string)) {
			return nil, errNoObject
		}
		text, ok := accept(value)
		if !ok {
			return nil, errNoObject
		}
		values.Set(name.(string), text)
	}
	if _, err := d.Token(); err != nil || d.More() {
		return nil, errNoObject
	}
	return values, nil
}

// parseOnce parses a query or a form body.
func parseOnce(encoded string) (url.Values, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, badRequest("the query or the form cannot be parsed")
	}
	return onlyOnce(values)
}

// onlyOnce returns values unless a name is repeated: a proxy and this server could pick
// different values (HTTP parameter pollution).
func onlyOnce(values url.Values) (url.Values, error) {
	for _, v := range values {
		if len(v) > 1 {
			return nil, badRequest("a parameter is repeated")
		}
	}
	return values, nil
}

// clockSkew is how far in the future a session may have begun: how much the clocks of
// two processes may differ.
const clockSkew = time.Minute

// slowAnswer bounds the time that a handler waits for WeChat, for another callback or for
// a function of the application.
const slowAnswer = 30 * time.Second

// extendDeadlines keeps the server's ReadTimeout and WriteTimeout from cutting off a
// handler that waits for others, until the given time. The body has been read, or there
// is none.
func extendDeadlines(w http.ResponseWriter, until time.Time) {
	control := http.NewResponseController(w) // not every writer supports deadlines
	// When the read deadline passes, net/http cancels the request's context.
	_ = control.SetReadDeadline(until)
	// Removed rather than moved: net/http sets a deadline for the next request only if
	// the server has a WriteTimeout. The answer is small enough for the socket's buffer.
	_ = control.SetWriteDeadline(time.Time{})
}

// digits returns the digits that a person typed, in ASCII, without separators. It returns
// "" if there is anything else in s.
func digits(s string) string {
	typed, ok := phone.Digits(s)
	if !ok || strings.HasPrefix(typed, "+") {
		return ""
	}
	return typed
}

// inWeChat reports whether the request claims to come from WeChat's browser. WeCom is
// another product, although its User-Agent names WeChat too.
func inWeChat(r *http.Request) bool {
	ua := strings.ToLower(r.UserAgent())
	return strings.Contains(ua, "micromessenger/") && !strings.Contains(ua, "wxwork/")
}

// isHandheld reports whether the request claims to come from a phone or a tablet, which
// cannot scan its own screen. Android tablets have no "Mobile" in their User-Agent. An
// iPad claims to be a Mac by default, which cannot be seen here.
func isHandheld(r *http.Request) bool {
	ua := r.UserAgent()
	for _, token := range []string{"Android", "iPad", "Tablet"} {
		if strings.Contains(ua, token) && !strings.Contains(ua, "Windows") { // "Tablet PC" is a desktop's
			return true
		}
	}
	return strings.Contains(ua, "Mobi")
}

// product maps a User-Agent token to a display name.
type product struct{ token, name string }

// The first match counts, so products that imitate others come before them.
var (
	browsers = []product{
		{"wxwork/", "WeCom"},
		{"MicroMessenger/", "WeChat"},
		{"QQBrowser/", "QQ Browser"},
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"UCBrowser/", "UC Browser"},
		{"MiuiBrowser/", "Xiaomi Browser"},
		{"HuaweiBrowser/", "Huawei Browser"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = []product{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"HarmonyOS", "HarmonyOS"},
		{"OpenHarmony", "HarmonyOS"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
)

// productName returns the name of the first product whose token is in a User-Agent, or
// "".
func productName(userAgent string, products []product) string {
	for _, p := range products {
		if strings.Contains(userAgent, p.token) {
			return p.name
		}
	}
	return ""
}
