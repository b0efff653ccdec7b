package scangate_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// multipartForm encodes names and values as multipart/form-data. It returns the
// body and the Content-Type.
func multipartForm(t *testing.T, namesAndValues ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if err := w.WriteField(namesAndValues[i], namesAndValues[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// postMultipart sends a form as multipart/form-data and follows no redirect.
func (b *browser) postMultipart(t *testing.T, target string, namesAndValues ...string) answer {
	t.Helper()
	body, contentType := multipartForm(t, namesAndValues...)
	return b.send(t.Context(), false, http.MethodPost, target, body, "Content-Type", contentType)
}

func TestMultipartPostWithoutASession(t *testing.T) {
	body, contentType := multipartForm(t, "title", "Hello")
	a := newWorld(t).desktop().send(t.Context(), false, http.MethodPost, "/account", body,
		"Content-Type", contentType, "Referer", appURL+"/edit?id=1")
	const want = "/wechat/login?return_to=%2Fedit%3Fid%3D1"
	if a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("POST multipart form without a session: %d %q, want 303 %q", a.StatusCode, a.location(), want)
	}
}

func TestMultipartAnswer(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	token := phone.scan(s).find(t, tokenPattern)
	for _, doubled := range [][]string{
		{"token", token, "answer", "approve", "answer", "deny"},
		{"token", token, "answer", "approve", "answer", "approve"},
		{"token", token, "token", token, "answer", "approve"},
	} {
		if a := phone.postMultipart(t, s.confirmURL(), doubled...); a.StatusCode != http.StatusBadRequest {
			t.Errorf("POST multipart %q: status = %d, want 400", doubled, a.StatusCode)
		}
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("state after refused answers = %q, want %q", got, "scanned")
	}
	if a := phone.postMultipart(t, s.confirmURL(), "token", token, "answer", "approve"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("POST multipart answer: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	if got := desktop.state(s); got != "approved" {
		t.Errorf("state after the answer = %q, want %q", got, "approved")
	}
}

func TestJSONBooleans(t *testing.T) {
	for _, c := range []struct {
		body   string
		status int
		left   bool // whether the other browser keeps its session
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
			here, there := w.phone("lin"), w.phone("lin")
			there.open("/account")
			here.open("/account")
			if a := here.postJSON("/wechat/logout", c.body, nil); a.StatusCode != c.status {
				t.Errorf("logout with %s: status = %d, want %d", c.body, a.StatusCode, c.status)
			}
			if got := there.user() != ""; got != c.left {
				t.Errorf("after logout with %s the other browser is logged in: %v, want %v", c.body, got, c.left)
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
				t.Errorf("%s of %d bytes: status = %d, accepted: %v, want %v", c.name, size, a.StatusCode, got, want)
			}
		}
	}
}

// A browser or a proxy may drop these characters or take them for others.
func TestReturnToWithHiddenCharacters(t *testing.T) {
	phone := newWorld(t).phone("lin")
	phone.open("/account")
	for returnTo, want := range map[string]string{
		"/account?name=文":          "/account?name=%E6%96%87",
		"/account#文":               "/account#%E6%96%87",
		"/account?name=\u0080":     "/",
		"/account?name=\u0085":     "/",
		"/account?name=\u009f":     "/",
		"/account?name=\u00a0":     "/account?name=%C2%A0",
		"/account#\u0085":          "/",
		"/account?name=\xff":       "/",
		"/account?name=\xe6\x96":   "/",
		"/account?name=\xc0\xaf":   "/",
		"/account#\xff":            "/",
		"/account\u0085?name=lin":  "/",
		"/account%C2%85?name=lin":  "/",
		"/account?name=%C2%85":     "/account?name=%C2%85",
		"/account?name=\x7f":       "/",
		"/account?name=a\tb":       "/",
		"/account?name=\ufffd":     "/",
		"/account?name=\U0001f430": "/account?name=%F0%9F%90%B0",
	} {
		if a := phone.get("/wechat/login?return_to=" + url.QueryEscape(returnTo)); a.location() != want {
			t.Errorf("return_to %q: %d to %q, want %q", returnTo, a.StatusCode, a.location(), want)
		}
	}
}

const loginRequired = `{"status":401,"title":"Login required","code":"login_required","login_url":"/wechat/login","detail":"there is no session, or it has ended"}`

func TestLinkWithoutASession(t *testing.T) {
	desktop := newWorld(t).desktop()
	const want = "/wechat/login?return_to=%2Fwechat%2Flink%3Freturn_to%3D%252Faccount"
	if a := desktop.get("/wechat/link?return_to=%2Faccount"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("GET link without a session: %d %q, want 303 %q", a.StatusCode, a.location(), want)
	}
	if a := desktop.get("/wechat/link", "Accept", "application/json"); a.StatusCode != http.StatusUnauthorized || a.body != loginRequired {
		t.Errorf("GET link by a script without a session: %d %s, want 401 %s", a.StatusCode, a.body, loginRequired)
	}
	if a := desktop.postJSON("/wechat/link", "{}", nil); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `"login_required"`) {
		t.Errorf("POST link without a session: %d %s, want 401 login_required", a.StatusCode, a.body)
	}
}

func TestLinkAsJSON(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, phone := w.desktop(), w.phone("lin")
	desktop.open(w.websiteCallback(desktop, "wang"))
	user := desktop.user()
	var s scan
	if a := desktop.postJSON("/wechat/link", `{"return_to":"/account?linked"}`, &s); a.StatusCode != http.StatusCreated {
		t.Fatalf("POST link: %d %s, want 201", a.StatusCode, a.body)
	}
	if want := "/wechat/link?return_to=%2Faccount%3Flinked&with=website"; s.WebsiteURL != want {
		t.Errorf("POST link: website_url = %q, want %q", s.WebsiteURL, want)
	}
	if a := phone.scan(s); !strings.Contains(a.body, "Add this WeChat") {
		t.Fatalf("the confirm page does not ask about adding a WeChat:\n%s", a.body)
	}
	phone.answer(s, "approve")
	if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByWeChat before finish: error = %v, want %v", err, scangate.ErrNotFound)
	}
	if a := desktop.postJSON(s.FinishURL, "{}", nil); a.StatusCode != http.StatusOK || a.body != `{"return_to":"/account?linked"}` {
		t.Errorf("finish: %d %s, want 200 with the return_to", a.StatusCode, a.body)
	}
	if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != user {
		t.Errorf("FindByWeChat after finish: user %q, %v, want %q", got.ID, err, user)
	}
}

func TestLinkAsJSONChoosesTheWay(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "wang"))
	var s scan
	if a := desktop.postJSON("/wechat/link", `{"with":"website"}`, &s); !strings.HasPrefix(s.RedirectURL, openURL+"/connect/qrconnect?") {
		t.Errorf("POST link with website: %d %s, want a redirect_url to WeChat's QR code", a.StatusCode, a.body)
	}
	if a := desktop.post("/wechat/link", url.Values{"with": {"website"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("POST link as a form: status = %d, want 400", a.StatusCode)
	}
}

func TestMeNamesTheLoginURL(t *testing.T) {
	a := newWorld(t).desktop().get("/wechat/me")
	if got := a.Header.Get("Content-Type"); a.StatusCode != http.StatusUnauthorized || got != "application/problem+json" || a.body != loginRequired {
		t.Errorf("GET me without a session: %d %s %s, want 401 %s", a.StatusCode, got, a.body, loginRequired)
	}
}
