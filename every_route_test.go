package scangate_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// styleNamePattern matches the name of the pages' style.
var styleNamePattern = regexp.MustCompile(`style-[0-9a-f]+\.css`)

// routeCalls calls the rows of the route table from the devices of one login.
type routeCalls struct {
	w        *world
	id       string // of the login in the paths
	asset    string // the name in the path of an asset
	callback string // the URL to which WeChat redirects
	query    string // of the GETs, and of the form of the page behind a link in a chat
	header   []string
	form     url.Values // is posted to all routes that take a form
	json     string     // is posted to all routes that take JSON

	desktop *browser // initiates the login
	phone   *browser // authorizes the login
	member  *browser // is logged in
	mini    *miniProgram
	code    string // of the mini program; "" is replaced by a fresh one
}

// newRouteCalls returns calls for a login that the desktop has begun and no phone has
// scanned. The member's person must need no page but that of the profile to log in.
func newRouteCalls(w *world, member string) (*routeCalls, scan) {
	w.t.Helper()
	c := &routeCalls{w: w, desktop: w.desktop(), phone: w.phone("lin"), member: w.phone(member), mini: w.mini("yueyue"), json: `{}`}
	if page := c.member.open("/account"); strings.Contains(page.Request.URL.Path, "/profile/") {
		w.tapThroughProfile(c.member, page)
	}
	if c.member.user() == "" {
		w.t.Fatalf("log %s in: no user, want one", member)
	}
	login := c.desktop.start()
	c.id, c.asset = login.ID, styleNamePattern.FindString(c.desktop.get("/wechat/login?return_to=/account").body)
	c.form = url.Values{
		"token": {unknownLoginID}, "answer": {"approve"}, "agree": {versions}, "phone": {mobile}, "return_to": {"/"},
		"appid": {w.identity(member).AppID}, "openid": {w.identity(member).OpenID},
	}
	c.mini.token, c.callback = unknownLoginID, "/wechat/callback?code=c&state="+login.ID
	return c, login
}

// device returns the browser that calls a path of the table.
func (c *routeCalls) device(path string) *browser {
	switch {
	case strings.HasPrefix(path, "/login"), strings.HasPrefix(path, "/assets"):
		return c.desktop
	case strings.Contains(path, "{id}"), path == "/callback":
		return c.phone
	}
	return c.member
}

// call calls a row of the table.
func (c *routeCalls) call(route string) answer {
	c.w.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	target := "/wechat" + strings.NewReplacer("{id}", c.id, "{name}", c.asset).Replace(path)
	header, body := c.header, ""
	switch {
	case strings.HasPrefix(path, "/mini/"):
		return c.callMini(path, target)
	case route == "GET /callback":
		target = c.callback
	case route == "POST /login", route == "POST /link":
		body, header = c.json, append([]string{"Content-Type", "application/json", "Accept", "application/json"}, header...)
	case method == http.MethodPost:
		body = c.form.Encode()
	case c.query != "":
		target += "?" + c.query
	}
	return c.device(path).send(c.w.t.Context(), false, method, target, body, header...)
}

// callMini calls a row for mini programs, and keeps the token of the answer.
func (c *routeCalls) callMini(path, target string) answer {
	c.w.t.Helper()
	fields := map[string]any{"token": c.mini.token, "answer": "approve", "agree": versions}
	switch {
	case c.code != "":
		fields["code"] = c.code
	case path == "/mini/{id}/phone":
		fields["code"] = c.mini.numberCode(mobile2)
	default:
		fields["code"] = c.mini.loginCode()
	}
	a := c.mini.post(target, fields)
	if path == "/mini/{id}" && a.Token != "" {
		c.mini.token = a.Token
	}
	return a.answer
}

// walk calls each row of the table, except those that it skips, and adds the answers.
func (c *routeCalls) walk(answers map[string][]answer, skip ...string) {
	c.w.t.Helper()
	for _, route := range c.w.gate.Routes() {
		if !slices.Contains(skip, route) {
			answers[route] = append(answers[route], c.call(route))
		}
	}
}

// unavailable returns the answers of all rows that need the state store. The assets need no
// store, and a push answers WeChat so that WeChat repeats it.
func (c *routeCalls) unavailable(skip ...string) map[string][]answer {
	c.w.t.Helper()
	answers := map[string][]answer{}
	c.walk(answers, append(skip, "GET /assets/login.js", "GET /assets/login.json", "GET /assets/{name}", "GET /push", "POST /push")...)
	return answers
}

// checkAway checks that an answer is 503 and names a time.
func checkAway(t *testing.T, name string, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s while the store is away: status = %d, Retry-After = %q, want %d and a time",
			name, a.StatusCode, a.Header.Get("Retry-After"), http.StatusServiceUnavailable)
	}
}
