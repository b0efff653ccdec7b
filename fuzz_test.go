package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// serveRaw sends a request with the given path and query. No client has cleaned them.
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

// quiet returns a world without a limit per address and without events.
func quiet(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(c *scangate.Config) { c.Limits.Address, c.OnEvent = 1<<30, nil })
}

// checkLocal checks that an answer redirects to a local path, if it redirects at all.
func checkLocal(t *testing.T, what string, a *httptest.ResponseRecorder) {
	t.Helper()
	to := a.Header().Get("Location")
	if to != "" && !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		t.Errorf("%s: location = %q, want a local path or none", what, to)
	}
}

// FuzzCallback sends callbacks from browsers that started no login. Each is 400, and the
// gate calls neither WeChat nor the store of users.
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
			t.Errorf("callback with query %q: status = %d, want %d", query, a.Code, http.StatusBadRequest)
		}
		if w.wechat.TotalCalls() != 0 || w.users.total() != 0 {
			t.Errorf("callback with query %q: calls to WeChat = %d, to the store of users = %d, want 0 and 0",
				query, w.wechat.TotalCalls(), w.users.total())
		}
		if strings.Contains(a.Body.String(), "<script>") {
			t.Errorf("callback with query %q: the page contains <script>, want none", query)
		}
	})
}

// FuzzIDs sends IDs that no login has. Each route is 404 or 405, or redirects to a local
// path.
func FuzzIDs(f *testing.F) {
	w := quiet(f)
	for _, id := range []string{"", strings.Repeat("A", 26), strings.Repeat("a", 26), "}", "*", "\r\nDEL x", "\x00", "..", "%2e%2e", strings.Repeat("A", 10_000)} {
		f.Add(id, "scan")
		f.Add(id, "confirm")
	}
	f.Fuzz(func(t *testing.T, id, route string) {
		if strings.Contains(id, "/") || strings.ContainsAny(route, "/.%") || id == "." || id == ".." || id == "" || route == "assets" {
			return // these are other routes
		}
		for _, path := range []string{"/wechat/" + route + "/" + id, "/wechat/login/" + id + "/state", "/wechat/login/" + id + "/qr.svg", "/wechat/phone/" + id + "/code"} {
			a := serveRaw(w.gate, http.MethodGet, path, "", "")
			switch a.Code {
			case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
			default:
				t.Errorf("GET %q: status = %d, want 404, 405, 301 or 307", path, a.Code)
			}
			checkLocal(t, "GET "+path, a)
		}
	})
}

// FuzzBodies posts bodies of any content type. Each is accepted or refused: none makes
// the gate fail or redirect to another site.
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
				t.Errorf("POST %s of type %q with body %q: status = %d, want 201, 204, 303, 400, 401 or 503", path, contentType, body, a.Code)
			}
			checkLocal(t, "POST "+path, a)
		}
	})
}
