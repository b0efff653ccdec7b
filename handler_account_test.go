package scangate_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// secure restores the attributes that a jar drops from the cookies it returns, so that
// the jar accepts them again.
func secure(cookies []*http.Cookie) []*http.Cookie {
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	return cookies
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name string
		form url.Values
		left bool // whether the other phone keeps its session
	}{
		{"here", nil, true},
		{"everywhere", url.Values{"everywhere": {"true"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				phone, other := w.phone("lin"), w.phone("lin")
				phone.open("/account")
				other.open("/account")
				pass(time.Minute)
				u, _ := url.Parse(appURL)
				old := phone.client.Jar.Cookies(u)
				if a := phone.post("/wechat/logout", c.form); a.StatusCode != http.StatusSeeOther || a.location() != "/" {
					t.Errorf("logout: status = %d, location = %q, want 303 to /", a.StatusCode, a.location())
				}
				if a := phone.get("/account"); a.StatusCode != http.StatusSeeOther {
					t.Errorf("GET /account after logout: status = %d, want 303", a.StatusCode)
				}
				phone.client.Jar.SetCookies(u, secure(old))
				if a := phone.get("/account"); a.StatusCode != http.StatusSeeOther {
					t.Errorf("GET /account with the cookies from before the logout: status = %d, want 303", a.StatusCode)
				}
				if got := other.get("/account").StatusCode == http.StatusOK; got != c.left {
					t.Errorf("logout: the other phone is logged in = %v, want %v", got, c.left)
				}
				if other.open("/account"); other.user() == "" {
					t.Error("login on the other phone after logout: no user, want one")
				}
			})
		})
	}
}

// TestLogoutEndsLoginsUnderWay opens the callback from the browser's history after a
// logout.
func TestLogoutEndsLoginsUnderWay(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	callback := w.approvedCallback(phone, "lin", "/wechat/login")
	phone.get(callback)
	phone.post("/wechat/logout", nil)
	if a := phone.get(callback); a.StatusCode != http.StatusBadRequest || phone.user() != "" {
		t.Errorf("callback after logout: status = %d, user = %q, want 400 and no user", a.StatusCode, phone.user())
	}
}

func TestJSONBooleans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		status int
		left   bool // whether the other phone keeps its session
	}{
		{`{"everywhere":true}`, http.StatusNoContent, false},
		{`{"everywhere":"true"}`, http.StatusNoContent, false},
		{`{"everywhere":false}`, http.StatusNoContent, true},
		{`{"everywhere":null}`, http.StatusBadRequest, true},
		{`{"everywhere":1}`, http.StatusBadRequest, true},
		{`{"everywhere":true,"everywhere":true}`, http.StatusBadRequest, true},
	} {
		t.Run(c.body, func(t *testing.T) {
			w := newWorld(t)
			phone, other := w.phone("lin"), w.phone("lin")
			other.open("/account")
			phone.open("/account")
			if a := phone.postJSON("/wechat/logout", c.body, nil); a.StatusCode != c.status {
				t.Errorf("logout with %s: status = %d, want %d", c.body, a.StatusCode, c.status)
			}
			if got := other.user() != ""; got != c.left {
				t.Errorf("logout with %s: the other phone is logged in = %v, want %v", c.body, got, c.left)
			}
		})
	}
}

func TestBodyOfUpTo16KiB(t *testing.T) {
	const limit = 16 << 10
	// padded returns a body of that many bytes.
	padded := func(before, after string, size int) string {
		return before + strings.Repeat("x", size-len(before)-len(after)) + after
	}
	desktop := newWorld(t).desktop()
	for _, c := range []struct{ name, before, after, contentType string }{
		{"form", "pad=", "", "application/x-www-form-urlencoded"},
		{"JSON", `{"pad":"`, `"}`, "application/json"},
		{"multipart form", "--b\r\nContent-Disposition: form-data; name=\"pad\"\r\n\r\n", "\r\n--b--\r\n", "multipart/form-data; boundary=b"},
	} {
		for size, want := range map[int]bool{limit: true, limit + 1: false} {
			a := desktop.send(t.Context(), false, http.MethodPost, "/wechat/logout", padded(c.before, c.after, size), "Content-Type", c.contentType)
			if got := a.StatusCode != http.StatusBadRequest; got != want {
				t.Errorf("POST a %s of %d bytes: status = %d, accepted = %v, want %v", c.name, size, a.StatusCode, got, want)
			}
		}
	}
}

func TestMe(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	if a := phone.get("/wechat/me"); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `"login_required"`) {
		t.Errorf("GET me without a session: status = %d, body = %s, want 401 login_required", a.StatusCode, a.body)
	}
	phone.open("/account")
	var me map[string]any
	a := phone.get("/wechat/me")
	if err := json.Unmarshal([]byte(a.body), &me); err != nil {
		t.Fatalf("GET me: status = %d, body = %s, error = %v", a.StatusCode, a.body, err)
	}
	for _, key := range []string{"id", "nickname", "avatar_url", "phone_bound", "logged_in_at"} {
		if _, ok := me[key]; !ok {
			t.Errorf("GET me: got %v, want the key %q", me, key)
		}
	}
	if len(me) != 5 {
		t.Errorf("GET me: got %v, want 5 keys", me)
	}
}

func TestMeNamesTheLoginURL(t *testing.T) {
	a := newWorld(t).desktop().get("/wechat/me")
	if got := a.Header.Get("Content-Type"); a.StatusCode != http.StatusUnauthorized || got != "application/problem+json" || a.body != loginRequired {
		t.Errorf("GET me without a session: status = %d, Content-Type = %q, body = %s, want 401 application/problem+json %s",
			a.StatusCode, got, a.body, loginRequired)
	}
}

func TestLinkWithoutASession(t *testing.T) {
	desktop := newWorld(t).desktop()
	const want = "/wechat/login?return_to=%2Fwechat%2Flink%3Freturn_to%3D%252Faccount"
	if a := desktop.get("/wechat/link?return_to=%2Faccount"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("GET link without a session: status = %d, location = %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
	if a := desktop.get("/wechat/link", "Accept", "application/json"); a.StatusCode != http.StatusUnauthorized || a.body != loginRequired {
		t.Errorf("GET link as JSON without a session: status = %d, body = %s, want 401 %s", a.StatusCode, a.body, loginRequired)
	}
	if a := desktop.postJSON("/wechat/link", "{}", nil); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `"login_required"`) {
		t.Errorf("POST link without a session: status = %d, body = %s, want 401 login_required", a.StatusCode, a.body)
	}
}

func TestLinkAsJSON(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, phone := w.desktop(), w.phone("lin")
	desktop.open(w.websiteCallback(desktop, "wang"))
	user := desktop.user()
	var s scan
	if a := desktop.postJSON("/wechat/link", `{"return_to":"/account?linked"}`, &s); a.StatusCode != http.StatusCreated {
		t.Fatalf("POST link: status = %d, body = %s, want 201", a.StatusCode, a.body)
	}
	if want := "/wechat/link?return_to=%2Faccount%3Flinked&with=website"; s.by(scangate.WayWebsite) != want {
		t.Errorf("POST link: other_ways = %v, want %q", s.OtherWays, want)
	}
	if a := phone.scan(s); !strings.Contains(a.body, "Add this WeChat") {
		t.Fatalf("scan: the confirm page is\n%s\nwant the question whether to add this WeChat", a.body)
	}
	phone.answer(s, "approve")
	if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByWeChat before finish: error = %v, want %v", err, scangate.ErrNotFound)
	}
	if a := desktop.postJSON(s.FinishURL, "{}", nil); a.StatusCode != http.StatusOK || a.body != `{"return_to":"/account?linked"}` {
		t.Errorf("finish: status = %d, body = %s, want 200 with return_to /account?linked", a.StatusCode, a.body)
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != user {
		t.Errorf("FindByWeChat after finish: user = %q, error = %v, want %q", got.ID, err, user)
	}
}

func TestLinkAsJSONOnWeChatsOwnPage(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "wang"))
	var s scan
	if a := desktop.postJSON("/wechat/link", `{"with":"website"}`, &s); !strings.HasPrefix(s.RedirectURL, openURL+"/connect/qrconnect?") {
		t.Errorf("POST link with website: status = %d, body = %s, want a redirect_url to WeChat's own page", a.StatusCode, a.body)
	}
	if a := desktop.post("/wechat/link", url.Values{"with": {"website"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("POST link as a form: status = %d, want 400", a.StatusCode)
	}
}
