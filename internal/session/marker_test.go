package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// marked returns a request that carries the cookies which the response has set.
func marked(t *testing.T, w *httptest.ResponseRecorder) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

func TestMarkerCountsLogins(t *testing.T) {
	m := NewMarker("__Host-scangate-issued", "app.example.com/wechat", true)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for n := 1; n <= 11; n++ {
		w := httptest.NewRecorder()
		m.Set(w, r, "token")
		c := w.Result().Cookies()[0]
		if c.MaxAge != 10 || !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || strings.Contains(c.Value, "token") {
			t.Errorf("login %d: cookie %v, want a protected one for 10 s without the token", n, c)
		}
		r = marked(t, w)
		if mark, ok := m.Find(r); !ok || mark.Streak != min(n, 9) || !mark.Names("token") || mark.Names("another") {
			t.Errorf("login %d: mark %v, %t, want one of the token with that number", n, mark, ok)
		}
	}
}

func TestMarkerIgnoresWhatIsNotItsOwn(t *testing.T) {
	m := NewMarker("issued", "app.example.com/wechat", false)
	w := httptest.NewRecorder()
	NewMarker("issued", "app.example.com/staff", false).Set(w, marked(t, w), "token")
	foreign := marked(t, w).Header.Get("Cookie")
	for _, cookie := range []string{"", foreign, "issued=", "issued=x", "issued=" + hashed(m.site), "issued=" + hashed(m.site) + hashed("token"), "issued=" + hashed(m.site) + hashed("token") + "x"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Cookie", cookie)
		if mark, ok := m.Find(r); ok {
			t.Errorf("cookie %q: mark %v, want none", cookie, mark)
		}
		w := httptest.NewRecorder()
		if m.Remove(w, r); len(w.Result().Cookies()) != 0 {
			t.Errorf("cookie %q: Remove sets %v, want nothing", cookie, w.Result().Cookies())
		}
	}
}
