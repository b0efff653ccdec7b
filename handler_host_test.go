package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// aliasURL is another address of the application.
const aliasURL = "https://www.example.com"

// newAliasWorld returns a world whose application has two addresses.
func newAliasWorld(t *testing.T, options ...func(*scangate.Config)) *world {
	t.Helper()
	w := newWorld(t, options...)
	w.hosts = wechattest.Transport(map[string]http.Handler{
		"open.weixin.qq.com": w.wechat,
		"api.weixin.qq.com":  w.wechat,
		"app.example.com":    application(w.gate),
		"www.example.com":    application(w.gate),
	})
	return w
}

func TestCaseA25LoginInWeChatUnderAnotherHost(t *testing.T) {
	w := newAliasWorld(t)
	phone := w.phone("lin")
	for range 2 { // the second time the browser has cookies of both hosts
		a := phone.get(aliasURL + "/wechat/login?return_to=%2Faccount%3Fb%3D2")
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, appURL+"/wechat/login?") {
			t.Fatalf("GET login at %s: %d to %q, want 303 to the login at %s", aliasURL, a.StatusCode, to, appURL)
		}
		if a := phone.open(aliasURL + "/account?b=2"); a.Request.URL.String() != appURL+"/account?b=2" || !strings.HasPrefix(a.body, "user ") {
			t.Fatalf("opening %s/account: %d at %s, want the account at %s\n%s", aliasURL, a.StatusCode, a.Request.URL, appURL, a.body)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "www.example.com") || !strings.Contains(log, "PublicURL") {
		t.Errorf("the log does not name the other host and PublicURL:\n%s", log)
	}
}

func TestCaseA25ScanUnderAnotherHost(t *testing.T) {
	w := newAliasWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	path := strings.TrimPrefix(s.ScanURL, appURL)
	if a := phone.open(aliasURL + path); a.Request.URL.String() != appURL+s.confirmURL() {
		t.Fatalf("scanning under %s: %d at %s, want the confirm page at %s", aliasURL, a.StatusCode, a.Request.URL, appURL)
	}
	if a := phone.open(aliasURL + s.confirmURL()); a.StatusCode != http.StatusOK || a.Request.URL.Host != "app.example.com" {
		t.Errorf("the confirm page under %s: %d at %s, want 200 at %s", aliasURL, a.StatusCode, a.Request.URL, appURL)
	}
}

func TestCaseA25WebsiteLoginUnderAnotherHost(t *testing.T) {
	desktop := newAliasWorld(t, withWebsite).desktop()
	if a := desktop.get(aliasURL + "/wechat/login?with=website"); !strings.HasPrefix(a.Header.Get("Location"), appURL+"/wechat/login?") {
		t.Errorf("WeChat's own page under %s: %d to %q, want 303 to %s", aliasURL, a.StatusCode, a.Header.Get("Location"), appURL)
	}
}

func TestCaseA25OtherRequestsStay(t *testing.T) {
	w := newAliasWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	asset := desktop.get("/wechat/login").find(t, stylePattern)
	for name, a := range map[string]answer{
		"a QR code page":       desktop.get(aliasURL + "/wechat/login"),
		"a health check":       phone.get(aliasURL+"/wechat/login", "Accept", "*/*"),
		"a script":             phone.get(aliasURL+"/wechat/me", "Accept", "application/json"),
		"a fetch of the login": phone.get(aliasURL+"/wechat/login", "Sec-Fetch-Dest", "empty"),
		"a head request":       phone.send(t.Context(), false, http.MethodHead, aliasURL+"/wechat/login", ""),
		"a style":              phone.get(aliasURL + asset),
		"a logout":             phone.post(aliasURL+"/wechat/logout", url.Values{}),
		"a login by script":    phone.post(aliasURL+"/wechat/login", nil, "Content-Type", "application/json", "Accept", "application/json"),
		"a state":              phone.get(aliasURL + s.StateURL),
		"an unknown page":      phone.get(aliasURL + "/wechat/nothing"),
		"a gated page":         phone.get(aliasURL + "/account"),
		"a doubled parameter":  phone.get(aliasURL + "/wechat/login?return_to=/&return_to=/"),
	} {
		if to := a.Header.Get("Location"); strings.HasPrefix(to, appURL) {
			t.Errorf("%s under another host: %d to %q, want no redirect to PublicURL's host", name, a.StatusCode, to)
		}
	}
}

func TestCaseA25ProxyThatReplacesHost(t *testing.T) {
	for _, host := range []string{"127.0.0.1:8080", "backend", "evil.example"} {
		w := newWorld(t)
		phone := w.phone("lin")
		next := phone.client.Transport
		phone.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			if r.URL.Host == "app.example.com" {
				r.Host = host
			}
			return next.RoundTrip(r)
		})
		if a := phone.open("/account"); a.Request.URL.String() != appURL+"/account" || !strings.HasPrefix(a.body, "user ") {
			t.Errorf("behind a proxy that sends Host %q: %d at %s, want the account", host, a.StatusCode, a.Request.URL)
		}
		if !strings.Contains(w.log.String(), "proxy") {
			t.Errorf("the log does not mention the proxy that sends Host %q", host)
		}
	}
}

// A proxy that names the Host it replaced spares each login the redirect.
func TestCaseA25ProxyThatNamesTheReplacedHost(t *testing.T) {
	w := newAliasWorld(t)
	phone := w.phone("lin")
	for _, c := range []struct{ name, value, want string }{
		{"X-Forwarded-Host", "app.example.com", openURL},
		{"Forwarded", "host=app.example.com;proto=https", openURL},
		{"X-Forwarded-Host", "www.example.com", appURL}, // as Host: it was not replaced
		{"X-Forwarded-For", "192.0.2.1", appURL},
	} {
		if a := phone.get(aliasURL+"/wechat/login", c.name, c.value); !strings.HasPrefix(a.Header.Get("Location"), c.want) {
			t.Errorf("GET login with %s: %s: %d to %q, want 303 to %s", c.name, c.value, a.StatusCode, a.Header.Get("Location"), c.want)
		}
	}
}

func TestCaseA25SameHost(t *testing.T) {
	for _, host := range []string{"app.example.com", "app.example.com:443", "app.example.com:8080", "APP.Example.com", ""} {
		w := newWorld(t)
		phone := w.phone("lin")
		next := phone.client.Transport
		phone.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Host = host
			return next.RoundTrip(r)
		})
		if a := phone.get("/wechat/login"); !strings.HasPrefix(a.Header.Get("Location"), openURL) {
			t.Errorf("GET login with Host %q: %d to %q, want 303 to WeChat", host, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

var stylePattern = regexp.MustCompile(`href="([^"]*\.css)"`)

// serveFrom serves a page load of WeChat's browser whose URL is as it comes.
func serveFrom(gate http.Handler, host, path, query string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, appURL+"/", nil)
	r.Host, r.URL.Path, r.URL.RawQuery = host, path, query
	r.Header.Set("User-Agent", wechattest.UserAgentPhone)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	gate.ServeHTTP(w, r)
	return w
}

// TestCaseA25NoOpenRedirect sends hostile hosts, paths and queries.
func TestCaseA25NoOpenRedirect(t *testing.T) {
	w := newWorld(t)
	for _, host := range []string{"evil.example", "evil.example:443", "[::1]:80", "app.example.com.evil.example", "app.example.com@evil.example", "a b", "\"", "evil.example/", "%zz"} {
		for _, path := range []string{"/wechat/login", "/wechat/scan/x", "/wechat/scan/@evil.example", "/wechat/confirm/\r\nX: y", "/wechat/scan/?a#b"} {
			for _, query := range []string{"", "return_to=https://evil.example/", "return_to=//evil.example", "a=\r\nX: y", "%zz", "moved=2"} {
				a := serveFrom(w.gate, host, path, query)
				if to := a.Header().Get("Location"); to != "" && !strings.HasPrefix(to, appURL+"/wechat/") && !strings.HasPrefix(to, openURL) {
					t.Errorf("Host %q, GET %q with %q: %d to %q, want PublicURL's host", host, path, query, a.Code, to)
				}
				if to := a.Header().Get("Location"); strings.ContainsAny(to, "\r\n") {
					t.Errorf("Host %q, GET %q with %q: a line break in %q", host, path, query, to)
				}
			}
		}
	}
}
