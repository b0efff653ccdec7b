package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// serveRaw sends a request whose URL is as it comes: no client has put it right.
func serveRaw(gate http.Handler, method, path, query, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, appURL+"/", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery = path, query
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	gate.ServeHTTP(w, r)
	return w
}

// quiet is a world in which nothing is limited and nothing logged.
func quiet(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(c *scangate.Config) { c.Limits.Address, c.OnEvent = 1<<30, nil })
}

func FuzzCallback(f *testing.F) {
	w := quiet(f)
	f.Add("code=x&state="+strings.Repeat("A", 26)+"0"+strings.Repeat("A", 32), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	f.Add("state=&code=", "")
	f.Add("code=authdeny&state=x&reason=y", "x")
	f.Add("code=1&code=2", ";")
	f.Add("%zz", "\x00")
	f.Fuzz(func(t *testing.T, query, cookie string) {
		a := serveRaw(w.gate, http.MethodGet, "/wechat/callback", query, "", "Cookie", "__Host-scangate="+cookie)
		if a.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", query, a.Code)
		}
		if w.wechat.TotalCalls() != 0 || w.users.total() != 0 {
			t.Errorf("%q: %d calls to WeChat, %d to the store", query, w.wechat.TotalCalls(), w.users.total())
		}
		if strings.Contains(a.Body.String(), "<script>") {
			t.Errorf("%q: a page with a script in it", query)
		}
	})
}

func FuzzIDs(f *testing.F) {
	w := quiet(f)
	for _, id := range []string{"", strings.Repeat("A", 26), strings.Repeat("a", 26), "}", "*", "\r\nDEL x", "\x00", "..", "%2e%2e", strings.Repeat("A", 10_000)} {
		f.Add(id, "scan")
		f.Add(id, "confirm")
	}
	f.Fuzz(func(t *testing.T, id, route string) {
		if strings.Contains(id, "/") || strings.ContainsAny(route, "/.%") || id == "." || id == ".." || id == "" || route == "assets" {
			return // other routes
		}
		for _, path := range []string{"/wechat/" + route + "/" + id, "/wechat/login/" + id + "/state", "/wechat/login/" + id + "/qr.svg", "/wechat/phone/" + id + "/code"} {
			a := serveRaw(w.gate, http.MethodGet, path, "", "")
			if a.Code != http.StatusNotFound && a.Code != http.StatusMethodNotAllowed && a.Code != http.StatusMovedPermanently && a.Code != http.StatusTemporaryRedirect {
				t.Errorf("%q: %d", path, a.Code)
			}
			if to := a.Header().Get("Location"); to != "" && !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("%q: to %q", path, to)
			}
		}
	})
}

func FuzzBodies(f *testing.F) {
	w := quiet(f)
	for _, body := range []string{`{"return_to":"/a"}`, `{"return_to":1}`, `{`, `[]`, `{"a":{"b":1}}`, `{"a":"b","a":"c"}`, "", "return_to=/a", "\xff"} {
		f.Add(body, "application/json")
		f.Add(body, "application/x-www-form-urlencoded")
		f.Add(body, "multipart/form-data; boundary=x")
	}
	f.Fuzz(func(t *testing.T, body, contentType string) {
		for _, path := range []string{"/wechat/login", "/wechat/logout", "/wechat/link", "/wechat/unlink"} {
			a := serveRaw(w.gate, http.MethodPost, path, "", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
			switch a.Code {
			case http.StatusCreated, http.StatusNoContent, http.StatusSeeOther, http.StatusBadRequest, http.StatusUnauthorized, http.StatusServiceUnavailable:
			default:
				t.Errorf("%s: %q, %q: %d", path, contentType, body, a.Code)
			}
			if to := a.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
				t.Errorf("%s: to %q", path, to)
			}
		}
	})
}
