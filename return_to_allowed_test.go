package scangate_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scangate/scangate"
)

const elsewhereURL = "https://shop.example.org/orders?id=7#top"

// allowing allows returns to one other host, as long as the switch is on.
func allowing() (*atomic.Bool, func(*scangate.Config)) {
	on := &atomic.Bool{}
	on.Store(true)
	return on, func(c *scangate.Config) {
		c.AllowReturnTo = func(u *url.URL) bool { return on.Load() && u.Host == "shop.example.org" }
	}
}

// hostile are values of return_to that a browser, Go or a careless AllowReturnTo could take
// for the allowed host's.
var hostile = []string{
	"https://shop.example.org@evil.example/", "https://user@shop.example.org/", "https://user:password@shop.example.org/", "https://@shop.example.org/",
	`https://shop.example.org\@evil.example/`, `https://evil.example\@shop.example.org/`, `https:\\shop.example.org/`, `https://shop.example.org/\evil.example`,
	"https:/shop.example.org/", "https:shop.example.org/", "https:///shop.example.org/", "https:////shop.example.org/", "//shop.example.org/",
	"http://shop.example.org/", "ftp://shop.example.org/", "javascript://shop.example.org/%0aalert(1)", "data:text/html,shop.example.org", "weixin://shop.example.org/",
	"HTTPS://shop.example.org/", "https://SHOP.example.org/", "https://shop.example.org:443/", "https://shop.example.org:/", "https://shop.example.org:8443/",
	"https://shop.example.org.evil.example/", "https://evilshop.example.org/", "https://shop.example.org./", "https://shop.example.org%2eevil.example/",
	"https://evil.example#shop.example.org/", "https://evil.example?shop.example.org/", "https://evil.example/https://shop.example.org/", "https://evil.example/#@shop.example.org/",
	"https://shop。example。org/", "https://ｓｈｏｐ.example.org/", "https://shop.example.org\u2044.evil.example/", "https://ѕhop.example.org/", "https://shop.example.org\u00ad/",
	"https://shop\t.example.org/", "https://shop.example.org/\r\nX: y", "https://shop.example.org/\x00", " https://shop.example.org/", "https:// shop.example.org/",
	"https://shop.example.org/../admin", "https://shop.example.org/a/%2e%2e/admin", "https://shop.example.org//evil.example", "https://shop.example.org/%2fevil.example",
	"https://[::1]/", "https://127.1/", "https://0x7f000001/", "https://shop.example.org/%zz", "https://shop.example.org/" + strings.Repeat("a", 2048),
}

// TestAllowReturnToHostileURLs: none of them is a place to return to, although the
// application allows one host.
func TestAllowReturnToHostileURLs(t *testing.T) {
	_, option := allowing()
	w := newWorld(t, option)
	phone := w.phone("lin")
	phone.open("/account")
	for _, to := range append(hostile, offSite...) {
		if a := phone.get("/wechat/login?return_to=" + url.QueryEscape(to)); a.Header.Get("Location") != "/" {
			t.Errorf("GET login to %.60q: to %.60q, want /", to, a.Header.Get("Location"))
		}
		if got := w.gate.ReturnTo(to); got != "/" {
			t.Errorf("ReturnTo(%.60q) = %.60q, want /", to, got)
		}
		if a := w.desktop().postJSON("/wechat/login", jsonBody("return_to", to), nil); a.StatusCode != http.StatusBadRequest {
			t.Errorf("POST login to %.60q: status = %d, want 400\n%s", to, a.StatusCode, a.body)
		}
	}
}

// TestAllowReturnToIsAskedAboutPlainURLsOnly: an application that allows everything still
// gets no URL whose host or path a browser reads in another way.
func TestAllowReturnToIsAskedAboutPlainURLsOnly(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) {
		c.AllowReturnTo = func(u *url.URL) bool {
			plain := u.Scheme == "https" && u.User == nil && u.Opaque == "" && strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == ""
			if !plain || strings.Contains(u.Path, "..") || strings.Contains(u.Path, `\`) || strings.HasPrefix(u.Path, "//") {
				t.Errorf("AllowReturnTo: asked about %q, want plain URLs of https only", u)
			}
			u.Host = "evil.example" // must have no effect
			return true
		}
	})
	for _, to := range append(hostile, offSite...) {
		got := w.gate.ReturnTo(to)
		if u, err := url.Parse(got); err != nil || u.Host != "" && !strings.HasPrefix(to, "https://"+u.Host) {
			t.Errorf("ReturnTo(%.60q) = %.60q, %v, want the same host or /", to, got, err)
		}
	}
	if got := w.gate.ReturnTo(elsewhereURL); got != elsewhereURL {
		t.Errorf("ReturnTo(%q) = %q, want it unchanged", elsewhereURL, got)
	}
}

// TestReturnToAnotherHost logs in on every way that ends with a redirect.
func TestReturnToAnotherHost(t *testing.T) {
	_, option := allowing()
	w := newWorld(t, option)
	login := "/wechat/login?return_to=" + url.QueryEscape(elsewhereURL)
	phone := w.phone("lin")
	last := phone.get(login) // to WeChat
	for last.StatusCode/100 == 3 && !strings.HasPrefix(last.Header.Get("Location"), "https://shop.") {
		last = phone.get(last.Header.Get("Location"))
	}
	if got := last.Header.Get("Location"); got != elsewhereURL {
		t.Errorf("login inside WeChat: %d to %q, want 303 to %q", last.StatusCode, got, elsewhereURL)
	}
	if a := phone.get(login); a.Header.Get("Location") != elsewhereURL {
		t.Errorf("GET login while logged in: %d to %q, want 303 to %q", a.StatusCode, a.Header.Get("Location"), elsewhereURL)
	}
	desktop := w.desktop()
	s := scan{ID: desktop.get(login).find(t, statePattern)}.urls()
	phone.scan(s)
	phone.answer(s, "approve")
	page := desktop.get(login)
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://shop.example.org;") {
		t.Errorf("finish page: Content-Security-Policy = %q, want the other host in form-action", csp)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != elsewhereURL {
		t.Errorf("finish by a form: %d to %q, want 303 to %q", a.StatusCode, a.Header.Get("Location"), elsewhereURL)
	}
	if a := desktop.postJSON(s.FinishURL, "", nil); !strings.Contains(a.body, "shop.example.org/orders") {
		t.Errorf("finish by a script: %d %s, want the other host", a.StatusCode, a.body)
	}
}

// TestAllowReturnToIsAskedAgain: the application forbids the host while the login is under
// way.
func TestAllowReturnToIsAskedAgain(t *testing.T) {
	on, option := allowing()
	w := newWorld(t, option)
	desktop, phone := w.desktop(), w.phone("lin")
	var s scan
	desktop.postJSON("/wechat/login", jsonBody("return_to", elsewhereURL), &s)
	phone.scan(s)
	phone.answer(s, "approve")
	on.Store(false)
	page := desktop.get("/wechat/login?return_to=" + url.QueryEscape(elsewhereURL))
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "shop.example.org") {
		t.Errorf("finish page: Content-Security-Policy = %q, want it without the other host", csp)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
		t.Errorf("finish: %d to %q, want 303 to /", a.StatusCode, a.Header.Get("Location"))
	}
}

// TestAllowReturnToOfPlainHTTP: in development the application and its front end are plain
// http, and AllowReturnTo is asked about that as well. Otherwise it is not.
func TestAllowReturnToOfPlainHTTP(t *testing.T) {
	for public, want := range map[string]string{"http://localhost:8080": "http://localhost:5173/cart", appURL: "/"} {
		w := newWorld(t, func(c *scangate.Config) {
			c.PublicURL, c.AllowReturnTo = public, func(*url.URL) bool { return true }
		})
		if got := w.gate.ReturnTo("http://localhost:5173/cart"); got != want {
			t.Errorf("ReturnTo plain http at %s = %q, want %q", public, got, want)
		}
	}
}
