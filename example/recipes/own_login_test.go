package recipes

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/scangate/scangate"
)

// newOwnLogin returns the application with one user, whose password is "secret".
func newOwnLogin(t *testing.T) (*world, *OwnLogin, scangate.UserStore) {
	t.Helper()
	w := newWorld(t, appHost)
	users := scangate.NewMemoryStore()
	ada, err := users.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "password", OpenID: "ada"}})
	if err != nil {
		t.Fatal(err)
	}
	app := &OwnLogin{Sessions: newSessions(), CheckPassword: func(_ context.Context, name, password string) (string, bool) {
		return ada.ID, name == "ada" && password == "secret"
	}}
	w.config.Users = users
	app.Configure(&w.config)
	app.Gate = w.gate()
	w.hosts[appHost] = app.Handler()
	return w, app, users
}

func logInByPassword(b *browser, returnTo string) answer {
	return b.post("/login", url.Values{"name": {"ada"}, "password": {"secret"}, "return_to": {returnTo}})
}

func TestOwnLogin(t *testing.T) {
	w, _, users := newOwnLogin(t)
	b := w.browser()
	checkPage(t, "account without a login", b.get("/account"), http.StatusSeeOther, "/login?return_to=%2Faccount")
	page := b.get("/login?return_to=%2Faccount")
	checkPage(t, "login page", page, http.StatusOK, `value="/account"`)
	checkPage(t, "login page", page, http.StatusOK, `href="/wechat/login?return_to=%2Faccount"`)
	checkPage(t, "wrong password", b.post("/login", url.Values{"name": {"ada"}, "password": {"x"}}), http.StatusForbidden, "wrong")
	checkPage(t, "password", logInByPassword(b, "/account"), http.StatusSeeOther, "/account")
	ada := b.get("/account")
	checkPage(t, "account after a password", ada, http.StatusOK, "user ")
	checkPage(t, "link", b.get("/wechat/link"), http.StatusOK, "data-state-url") // a WeChat can be added
	checkPage(t, "logout", b.post("/logout", nil), http.StatusSeeOther, "/login")
	checkPage(t, "account after the logout", b.get("/account"), http.StatusSeeOther, "/login")

	w.logIn(b, appURL+"/wechat/login?return_to=/account", "lin")
	checkPage(t, "account after WeChat", b.get("/account"), http.StatusOK, "user "+w.userOf(users, "lin"))
	checkPage(t, "logout", b.post("/logout", nil), http.StatusSeeOther, "/login")
	checkPage(t, "account after the logout", b.get("/account"), http.StatusSeeOther, "/login")
}

// TestOwnLoginHasOneUser logs two users in at one browser, one after the other, by
// different means. The session is the later one's alone.
func TestOwnLoginHasOneUser(t *testing.T) {
	w, _, users := newOwnLogin(t)
	b := w.browser()
	logInByPassword(b, "/")
	ada := b.get("/account").body
	w.logIn(b, appURL+"/wechat/login?return_to=/account", "lin")
	lin := "user " + w.userOf(users, "lin")
	checkPage(t, "WeChat after a password", b.get("/account"), http.StatusOK, lin)
	logInByPassword(b, "/")
	checkPage(t, "a password after WeChat", b.get("/account"), http.StatusOK, ada)
	if ada == lin {
		t.Errorf("both logins have the user %q, want two users", ada)
	}
}

func TestOwnLoginIsNoOpenRedirect(t *testing.T) {
	w, _, _ := newOwnLogin(t)
	for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", ""} {
		b := w.browser()
		if a := logInByPassword(b, to); a.Header.Get("Location") != "/" {
			t.Errorf("login by password to %q: location = %q, want /", to, a.Header.Get("Location"))
		}
	}
	a := w.browser().do(http.MethodPost, "/login", "name=ada&password=secret", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	checkPage(t, "login by another site's form", a, http.StatusForbidden, "")
}
