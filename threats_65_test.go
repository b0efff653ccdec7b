package scangate_test

// Row 65: credentials by CORS.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

const frontURL = "https://www.example.com"

// withFront trusts a front end on another host.
func withFront(c *scangate.Config) { c.TrustedOrigins = []string{frontURL} }

// script sends a request as a script of a page of that origin does, with the cookies of the
// browser. A body is JSON.
func (b *browser) script(origin, method, target, body string, header ...string) answer {
	b.t.Helper()
	site := "same-site"
	if origin == appURL {
		site = "same-origin"
	}
	sent := []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", site, "Origin", origin}
	if method == http.MethodPost {
		sent = append(sent, "Content-Type", "application/json")
	}
	return b.send(b.t.Context(), false, method, target, body, append(sent, header...)...)
}

// checkReadable demands that a script of the origin may read the answer, or that no script
// of another origin may.
func checkReadable(t *testing.T, what string, a answer, origin string) {
	t.Helper()
	want := ""
	if origin != "" {
		want = "true"
	}
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("%s: Access-Control-Allow-Origin = %q, want %q", what, got, origin)
	}
	if got := a.Header.Get("Access-Control-Allow-Credentials"); got != want {
		t.Errorf("%s: Access-Control-Allow-Credentials = %q, want %q", what, got, want)
	}
}

// sharedRoutes returns the routes that the trusted origin may call, and one of a login.
func sharedRoutes(s scan) map[string]string {
	return map[string]string{
		"/wechat/login": "POST", s.StateURL + "?seen=none": "GET", strings.Replace(s.StateURL, "/state", "/account", 1): "GET",
		s.FinishURL: "POST", strings.Replace(s.StateURL, "/state", "/renew", 1): "POST", "/wechat/me": "GET", "/wechat/logout": "POST",
	}
}

// TestThreat65OtherOrigins: the attacker's page on a similar origin calls the routes that
// the front end may call, with the victim's cookies.
func TestThreat65OtherOrigins(t *testing.T) {
	w := newWorld(t, withFront)
	desktop := w.desktop()
	for _, origin := range []string{
		"null", "", "https://example.com", "https://api.example.com", "https://www.example.com.evil.example", "https://evilwww.example.com",
		"https://www.example.com:8443", "http://www.example.com", "HTTPS://WWW.EXAMPLE.COM", "https://www.example.com/", "https://www.example.com.",
		"https://user@www.example.com", "https://www.example.com, https://evil.example", "*", "https://*.example.com", "https://evil.example",
	} {
		for target, method := range sharedRoutes(desktop.start()) {
			a := desktop.script(origin, method, target, "")
			checkReadable(t, method+" "+target+" from "+origin, a, "")
			if got := a.Header.Get("Vary"); !strings.Contains(got, "Origin") {
				t.Errorf("%s %s from %q: Vary = %q, want Origin", method, target, origin, got)
			}
			if method == "POST" && a.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s from %q: status = %d, want 403\n%s", target, origin, a.StatusCode, a.body)
			}
			a = desktop.script(origin, http.MethodOptions, target, "", "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "content-type")
			checkReadable(t, "preflight of "+target+" from "+origin, a, "")
			if a.StatusCode != http.StatusForbidden || a.Header.Get("Access-Control-Allow-Methods") != "" {
				t.Errorf("preflight of %s from %q: status = %d, %v, want 403 and no allowed methods", target, origin, a.StatusCode, a.Header)
			}
		}
	}
}

// TestThreat65TwoOrigins: a proxy and this server could pick different ones of two headers.
func TestThreat65TwoOrigins(t *testing.T) {
	w := newWorld(t, withFront)
	for _, origins := range [][]string{{frontURL, "https://evil.example"}, {"https://evil.example", frontURL}} {
		r := request(t, appURL+"/wechat/me", "")
		r.Header["Origin"] = origins
		a := httptest.NewRecorder()
		w.gate.ServeHTTP(a, r)
		if got := a.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("me with the origins %q: Access-Control-Allow-Origin = %q, want none", origins, got)
		}
	}
}

// TestThreat65OtherRoutes: a listed origin has been taken over. Its page tries to confirm a
// login, to add the attacker's WeChat and to remove the victim's.
func TestThreat65OtherRoutes(t *testing.T) {
	w := newWorld(t, withFront)
	w.know("lin")
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	page := phone.scan(s)
	token := page.find(t, tokenPattern)
	for _, c := range []struct {
		browser      *browser
		path, fields string
	}{
		{phone, s.confirmURL(), `{"answer":"approve","token":"` + token + `"}`},
		{phone, "/wechat/terms/" + s.ID, `{"token":"` + token + `"}`},
		{phone, "/wechat/profile/" + s.ID, `{"token":"` + token + `"}`},
		{phone, "/wechat/phone/" + s.ID, `{"token":"` + token + `","code":"1"}`},
		{phone, "/wechat/phone/" + s.ID + "/code", `{"token":"` + token + `","phone":"13800138000"}`},
		{phone, "/wechat/scan/" + s.ID, `{}`},
		{desktop, "/wechat/link", `{}`},
		{desktop, "/wechat/unlink", `{"appid":"x","openid":"y"}`},
	} {
		a := c.browser.script(frontURL, http.MethodPost, c.path, c.fields)
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s from a listed origin: status = %d, want 403\n%s", c.path, a.StatusCode, a.body)
		}
		checkReadable(t, "POST "+c.path, a, "")
		a = c.browser.script(frontURL, http.MethodOptions, c.path, "", "Access-Control-Request-Method", "POST")
		checkReadable(t, "preflight of "+c.path, a, "")
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after all requests: state = %q, want scanned", got)
	}
	for _, path := range []string{"/wechat/login", "/wechat/link", "/wechat/phone", s.confirmURL(), s.QRURL, "/wechat/assets/login.json", "/account"} {
		checkReadable(t, "GET "+path, phone.script(frontURL, http.MethodGet, path, ""), "")
	}
}

// TestThreat65Forms: a form of a listed origin, which needs no preflight, and a script that
// sends what a form could send.
func TestThreat65Forms(t *testing.T) {
	w := newWorld(t, withFront)
	desktop := w.desktop()
	s := w.approved(desktop, w.phone("lin"))
	for _, target := range []string{s.FinishURL, strings.Replace(s.StateURL, "/state", "/renew", 1), "/wechat/logout", "/wechat/login"} {
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""} {
			for _, mode := range []string{"navigate", "cors", "no-cors"} {
				a := desktop.script(frontURL, http.MethodPost, target, "", "Content-Type", kind, "Sec-Fetch-Mode", mode)
				if a.StatusCode != http.StatusForbidden || sessionCookie(a) != nil {
					t.Errorf("POST %s as %q, mode %s: status = %d, session cookie %v, want 403 and none", target, kind, mode, a.StatusCode, sessionCookie(a))
				}
			}
		}
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("after all forms: state = %q, want approved", got)
	}
}

// TestThreat65WithoutOrigins: a gate without a front end elsewhere answers as if there were
// no CORS.
func TestThreat65WithoutOrigins(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	for target, method := range sharedRoutes(desktop.start()) {
		a := desktop.script(frontURL, method, target, "")
		checkReadable(t, target, a, "")
		if strings.Contains(a.Header.Get("Vary"), "Origin") {
			t.Errorf("%s: Vary = %q, want it without Origin", target, a.Header.Get("Vary"))
		}
		if a := desktop.script(frontURL, http.MethodOptions, target, ""); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("OPTIONS %s: status = %d, want 405", target, a.StatusCode)
		}
	}
}

// TestFrontEndOnAnotherOrigin logs a person in and out by the script of a trusted origin.
func TestFrontEndOnAnotherOrigin(t *testing.T) {
	w := newWorld(t, withFront)
	desktop, phone := w.desktop(), w.phone("lin")
	call := func(method, target, body string, want int) answer {
		t.Helper()
		a := desktop.script(frontURL, method, target, body)
		checkReadable(t, method+" "+target, a, frontURL)
		if a.StatusCode != want {
			t.Errorf("%s %s: status = %d, want %d\n%s", method, target, a.StatusCode, want, a.body)
		}
		return a
	}
	call("GET", "/wechat/me", "", http.StatusUnauthorized)
	var s scan
	if err := json.Unmarshal([]byte(call("POST", "/wechat/login", `{"return_to":"/account"}`, http.StatusCreated).body), &s); err != nil {
		t.Fatalf("POST login: %v, want JSON", err)
	}
	call("POST", strings.Replace(s.StateURL, "/state", "/renew", 1), "", http.StatusCreated)
	_ = json.Unmarshal([]byte(call("POST", "/wechat/login", `{"return_to":"/account"}`, http.StatusCreated).body), &s) // as the one before
	call("GET", strings.Replace(s.StateURL, "/state", "/account", 1), "", http.StatusConflict)
	phone.scan(s)
	phone.answer(s, "approve")
	if a := call("GET", s.StateURL+"?seen=none", "", http.StatusOK); !strings.Contains(a.body, "approved") {
		t.Errorf("state: %s, want approved", a.body)
	}
	call("GET", strings.Replace(s.StateURL, "/state", "/account", 1), "", http.StatusOK)
	if a := call("POST", s.FinishURL, "", http.StatusOK); sessionCookie(a) == nil {
		t.Error("finish: no session cookie, want one")
	}
	call("GET", "/wechat/me", "", http.StatusOK)
	call("POST", "/wechat/logout", `{"everywhere":true}`, http.StatusNoContent)
	call("GET", "/wechat/me", "", http.StatusUnauthorized)
}

// TestPreflight asks for each route that a trusted origin may call.
func TestPreflight(t *testing.T) {
	w := newWorld(t, withFront)
	desktop := w.desktop()
	for target, method := range sharedRoutes(desktop.start()) {
		a := desktop.script(frontURL, http.MethodOptions, target, "", "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "content-type")
		checkReadable(t, "preflight of "+target, a, frontURL)
		if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Methods") != method || a.Header.Get("Access-Control-Allow-Headers") != "Content-Type" {
			t.Errorf("preflight of %s: status = %d, header = %v, want 204 that allows %s and Content-Type", target, a.StatusCode, a.Header, method)
		}
	}
}

// TestFrontEndOfAnotherSite has an origin that New takes for the same site, and that the
// browser does not: only the browser has the whole Public Suffix List.
func TestFrontEndOfAnotherSite(t *testing.T) {
	w := newWorld(t, withFront)
	a := w.desktop().script(frontURL, http.MethodPost, "/wechat/login", "{}", "Sec-Fetch-Site", "cross-site")
	checkReadable(t, "POST login", a, frontURL)
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.detail(), "another site") {
		t.Errorf("POST login: status = %d, body = %s, want 403 with the reason", a.StatusCode, a.body)
	}
	if got := w.logged("request refused", "another site", frontURL); got != 1 {
		t.Errorf("log lines that name the origin: %d, want 1:\n%s", got, w.log)
	}
}
