package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// The callbacks of two sites behind a relay.
const (
	shopCallback = "https://shop.example.com/wechat/callback"
	blogCallback = "https://blog.example.com:8443/login/wechat/callback"
)

// newRelay returns a relay for both sites.
func newRelay(t testing.TB) http.Handler {
	t.Helper()
	relay, err := scangate.Relay(map[string]string{"shop": shopCallback, "blog": blogCallback})
	if err != nil {
		t.Fatalf("Relay: %v", err)
	}
	return relay
}

// relayed returns the relay's answer to a request for the path and query.
func relayed(relay http.Handler, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://login.example.com/", nil)
	r.URL.RawQuery, r.RequestURI = "", target
	if u, err := url.ParseRequestURI(target); err == nil {
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	}
	w := httptest.NewRecorder()
	relay.ServeHTTP(w, r)
	return w
}

func TestRelayPassesOn(t *testing.T) {
	relay := newRelay(t)
	for target, want := range map[string]string{
		"/relay/shop?code=c&state=s":                         shopCallback + "?code=c&state=s",
		"/shop?state=s&code=c":                               shopCallback + "?code=c&state=s",
		"/a/b/c/blog?code=c&state=s":                         blogCallback + "?code=c&state=s",
		"/relay/shop?state=s":                                shopCallback + "?state=s",
		"/relay/shop?code=authdeny&state=s&reason=1":         shopCallback + "?code=authdeny&state=s",
		"/relay/shop?code=c&state=s&to=https://evil.example": shopCallback + "?code=c&state=s",
		"/relay/shop?code=c&state=s&appid=a&appid=b":         shopCallback + "?code=c&state=s",
		"/relay/shop?code=%26state%3Dx&state=s%23a":          shopCallback + "?code=%26state%3Dx&state=s%23a",
		"/relay/shop?STATE=x&code=c&state=s&Code=y":          shopCallback + "?code=c&state=s",
	} {
		w := relayed(relay, http.MethodGet, target)
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
			t.Errorf("GET %s: status = %d to %q, want 303 to %q", target, w.Code, got, want)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" || w.Body.Len() > 0 {
			t.Errorf("GET %s: headers = %v, body = %q, want no-store, no-referrer and no body", target, w.Header(), w.Body)
		}
	}
}

// hostileRelayTargets are requests that no redirect may answer.
var hostileRelayTargets = []string{
	// Names.
	"/relay/?code=c&state=s", "/relay/shop/?code=c&state=s", "/?code=c&state=s", "/relay/other?code=c&state=s",
	"/relay/..%2fshop?code=c&state=s", "/relay/..%2Fshop?code=c&state=s", "/relay/x%2fshop?code=c&state=s",
	"/relay/../shop?code=c&state=s", "/relay/./shop?code=c&state=s", "/relay//shop?code=c&state=s", "//shop?code=c&state=s",
	"/relay/%2e%2e/shop/?code=c&state=s", "/relay/shop%00?code=c&state=s", "/relay/shop%20?code=c&state=s", "/relay/%73hop?code=c&state=s",
	"/relay/shop%0d%0aLocation:x?code=c&state=s", "/relay/SHOP?code=c&state=s", "/relay/shop.?code=c&state=s", "/relay/shop;x?code=c&state=s",
	"/relay/shop%5c?code=c&state=s", "/relay/https:%2f%2fevil.example?code=c&state=s", "/relay/evil.example?code=c&state=s", "/relay/@evil.example?code=c&state=s",
	"/relay/ｓｈｏｐ?code=c&state=s", "/relay/shop%ef%bc%8f?code=c&state=s", "/relay/..?code=c&state=s", "/relay/.?code=c&state=s",
	// Queries.
	"/relay/shop", "/relay/shop?", "/relay/shop?code=c", "/relay/shop?state=", "/relay/shop?code=&state=s", "/relay/shop?state=s&state=s",
	"/relay/shop?code=c&code=c&state=s", "/relay/shop?code=a&code=b&state=s", "/relay/shop?code=c&state=s&state=t", "/relay/shop?code=c&%73tate=s&state=t",
	"/relay/shop?code=c;state=s", "/relay/shop?code=c&state=s;t", "/relay/shop?code=%zz&state=s", "/relay/shop?code=c&state=%0d%0aSet-Cookie:x",
	"/relay/shop?code=c%00&state=s", "/relay/shop?code=c&state=s%20t", "/relay/shop?code=c&state=%e4%b8%ad", "/relay/shop?code=c&State=s",
	"/relay/shop?code=c&state[]=s", "/relay/shop?code[]=c", "/relay/shop?code=c%26state%3Ds", "/relay/shop?#state=s",
	"/relay/shop?code=c&state=" + strings.Repeat("s", 1025), "/relay/shop?state=s&code=" + strings.Repeat("c", 1025),
}

// wantNotRelayed fails t unless the answer is 404 and leads nowhere.
func wantNotRelayed(t *testing.T, doing string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusNotFound || w.Header().Get("Location") != "" || len(w.Header().Values("Set-Cookie")) > 0 {
		t.Errorf("%s: status = %d with %v, want 404", doing, w.Code, w.Header())
	}
}

// A code is stolen at a listed site, or the relay redirects to any place.
func TestThreat60RelayAsRedirector(t *testing.T) {
	relay := newRelay(t)
	for _, target := range hostileRelayTargets {
		wantNotRelayed(t, "GET "+target, relayed(relay, http.MethodGet, target))
	}
	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodConnect, "get", "PROPFIND"} {
		wantNotRelayed(t, method, relayed(relay, method, "/relay/shop?code=c&state=s"))
	}
	for name, sites := range map[string]map[string]string{
		"no sites":    nil,
		"http":        {"shop": "http://shop.example.com/wechat/callback"},
		"loopback":    {"shop": "http://localhost:8080/wechat/callback"},
		"a host only": {"shop": "shop.example.com/wechat/callback"},
		"no scheme":   {"shop": "//shop.example.com/wechat/callback"},
		"no path":     {"shop": "https://shop.example.com"},
		"a slash":     {"shop": "https://shop.example.com/"},
		"a prefix":    {"shop": "https://shop.example.com/wechat/"},
		"userinfo":    {"shop": "https://shop.example.com@evil.example/callback"},
		"a query":     {"shop": shopCallback + "?a=b"},
		"a mark":      {"shop": shopCallback + "?"},
		"a fragment":  {"shop": shopCallback + "#a"},
		"a hash":      {"shop": shopCallback + "#"},
		"javascript":  {"shop": "javascript:alert(1)//https://shop.example.com/callback"},
		"a backslash": {"shop": `https://shop.example.com\@evil.example/callback`},
		"a pattern":   {"shop": "https://*.example.com/wechat/callback"},
		"dots":        {"shop": "https://shop.example.com/a/../callback"},
		"a line end":  {"shop": shopCallback + "\r\nSet-Cookie: x"},
		"port 443":    {"shop": "https://shop.example.com:443/wechat/callback"},
		"no name":     {"": shopCallback},
		"a path":      {"a/shop": shopCallback},
		"two dots":    {"..": shopCallback},
		"an escape":   {"%73hop": shopCallback},
		"a long name": {strings.Repeat("a", 65): shopCallback},
	} {
		if relay, err := scangate.Relay(sites); err == nil || relay != nil || !strings.HasPrefix(err.Error(), "scangate: Relay: ") {
			t.Errorf("Relay with %s: error = %v, want one", name, err)
		}
	}
}

func TestRelayReportsAllFaults(t *testing.T) {
	_, err := scangate.Relay(map[string]string{"a b": shopCallback, "pay": "http://pay.example.com/callback", "blog": blogCallback, "me": "https://me:secret@example.com/c"})
	if err == nil {
		t.Fatal("Relay with three faults: no error, want one")
	}
	for _, part := range []string{`the name "a b"`, `the URL of "pay" is not https`, `the URL of "me" has a user`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error = %v, want %q in it", err, part)
		}
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "blog") {
		t.Errorf("error = %v, want neither the password nor the good site", err)
	}
}

func TestRelayKeepsItsSites(t *testing.T) {
	sites := map[string]string{"shop": shopCallback}
	relay, err := scangate.Relay(sites)
	if err != nil {
		t.Fatalf("Relay: %v", err)
	}
	sites["shop"], sites["evil"] = "https://evil.example/callback", "https://evil.example/callback"
	wantNotRelayed(t, "a name added later", relayed(relay, http.MethodGet, "/evil?code=c&state=s"))
	if got := relayed(relay, http.MethodGet, "/shop?code=c&state=s").Header().Get("Location"); !strings.HasPrefix(got, shopCallback+"?") {
		t.Errorf("a URL changed later: Location = %q, want %q", got, shopCallback)
	}
}

// Two gates with one account log in by a relay, which alone is on the account's host.
func TestLoginsByARelay(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.WeChat.CallbackURL = "https://login.example.com/relay/app" })
	relay, err := scangate.Relay(map[string]string{"app": appURL + "/wechat/callback", "shop": shopCallback})
	if err != nil {
		t.Fatalf("Relay: %v", err)
	}
	w.addHost("login.example.com", relay)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	to := phone.get(s.ScanURL).Header.Get("Location")
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("redirect_uri") != "https://login.example.com/relay/app" {
		t.Errorf("scan: redirect to %q, want the relay as its redirect_uri", to)
	}
	w.scanLogin(desktop, phone)
	if desktop.user() == "" {
		t.Error("login by a relay: the desktop is not logged in")
	}
	if got := w.happened(); !slices.Contains(got, "finished") {
		t.Errorf("events = %v, want finished", got)
	}
}

// FuzzRelay sends any path and query. A redirect leads to a listed callback, with one state,
// at most one code, and nothing else.
func FuzzRelay(f *testing.F) {
	for _, target := range append(hostileRelayTargets, "/relay/shop?code=c&state=s", "/blog?state=s&x=y") {
		path, query, _ := strings.Cut(target, "?")
		f.Add(path, query)
	}
	relay := newRelay(f)
	f.Fuzz(func(t *testing.T, path, query string) {
		r := httptest.NewRequest(http.MethodGet, "https://login.example.com/", nil)
		u, err := url.Parse("https://login.example.com" + path)
		if err != nil || !strings.HasPrefix(path, "/") || u.RawQuery != "" || u.Fragment != "" {
			r.URL.Path, r.URL.RawQuery = path, query // as a careless router may leave it
		} else {
			u.RawQuery = query
			r.URL = u
		}
		w := httptest.NewRecorder()
		relay.ServeHTTP(w, r)
		to := w.Header().Get("Location")
		if w.Code == http.StatusNotFound && to == "" {
			return
		}
		base, rest, _ := strings.Cut(to, "?")
		q, err := url.ParseQuery(rest)
		extra := len(q) - len(q["state"]) - len(q["code"])
		if w.Code != http.StatusSeeOther || err != nil || base != shopCallback && base != blogCallback ||
			len(q["state"]) != 1 || len(q["code"]) > 1 || extra != 0 {
			t.Errorf("GET %q ? %q: status = %d to %q, want 404, or 303 to a site with one state", path, query, w.Code, to)
		}
		if strings.ContainsAny(to, " \r\n\\#") {
			t.Errorf("GET %q ? %q: Location = %q, want no separator of headers or addresses", path, query, to)
		}
	})
}
