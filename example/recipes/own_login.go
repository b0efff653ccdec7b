package recipes

import (
	"context"
	"html/template"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// memberKey is where the session keeps the user of a login by password.
const memberKey = "member"

// OwnLogin is an application that has a login by password, and adds WeChat to it.
type OwnLogin struct {
	Gate     *scangate.Gate
	Sessions *scs.SessionManager

	// CheckPassword returns the user's ID in the table that Config.Users uses as well.
	CheckPassword func(ctx context.Context, name, password string) (id string, ok bool)
}

// Configure sets the fields of the gate's configuration that this application needs. Call it before [scangate.New], and set Gate
// afterwards.
func (a *OwnLogin) Configure(config *scangate.Config) {
	config.LoginPage = "/login"
	config.Session.Manager = a.Sessions
	config.CurrentUser = a.CurrentUser // a user with a password may add a WeChat at /wechat/link
	config.OnLogin = func(ctx context.Context, _ scangate.Login) error {
		// Another person may have logged in by password in this browser before.
		a.Sessions.Remove(ctx, memberKey)
		return nil
	}
}

// CurrentUser returns the user who is logged in by either means. The gate calls it outside
// of LoadAndSave.
func (a *OwnLogin) CurrentUser(r *http.Request) (string, bool) {
	if user, err := a.Gate.Check(r); err == nil {
		return user.ID, true
	}
	token := ""
	if cookie, err := r.Cookie(a.Sessions.Cookie.Name); err == nil {
		token = cookie.Value
	}
	ctx, err := a.Sessions.Load(r.Context(), token) // the same context inside LoadAndSave
	if err != nil {
		return "", false
	}
	id := a.Sessions.GetString(ctx, memberKey)
	return id, id != ""
}

// Handler returns the application: its login page, and a page for logged-in users.
func (a *OwnLogin) Handler() http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET /login", a.showLogin)
	own.HandleFunc("POST /login", a.logIn)
	own.HandleFunc("POST /logout", a.logOut)
	own.HandleFunc("GET /account", a.account)
	mux := http.NewServeMux()
	mux.Handle("/wechat/", a.Gate) // outside of LoadAndSave
	// Any website could log a visitor in as its own user, or out, without this check.
	mux.Handle("/", http.NewCrossOriginProtection().Handler(a.Sessions.LoadAndSave(own)))
	return mux
}

func (a *OwnLogin) showLogin(w http.ResponseWriter, r *http.Request) {
	returnTo := a.Gate.ReturnTo(r.URL.Query().Get("return_to"))
	page := template.Must(template.New("").Parse(`<!doctype html><title>Log in</title>
<form method="post"><input name="name" autocomplete="username"><input name="password" type="password" autocomplete="current-password">
<input type="hidden" name="return_to" value="{{.ReturnTo}}"><button>Log in</button></form>
<p><a href="{{.WeChat}}">Log in with WeChat</a></p>`))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]string{"ReturnTo": returnTo, "WeChat": a.Gate.LoginURL(returnTo)})
}

func (a *OwnLogin) logIn(w http.ResponseWriter, r *http.Request) {
	id, ok := a.CheckPassword(r.Context(), r.PostFormValue("name"), r.PostFormValue("password"))
	if !ok {
		http.Error(w, "wrong name or password", http.StatusForbidden)
		return
	}
	ctx := r.Context()
	// Clear removes a WeChat login too: one session never has two users.
	if err := a.Sessions.Clear(ctx); err != nil {
		http.Error(w, "the session store failed", http.StatusServiceUnavailable)
		return
	}
	// A new token, because an attacker may have set the old one.
	if err := a.Sessions.RenewToken(ctx); err != nil {
		http.Error(w, "the session store failed", http.StatusServiceUnavailable)
		return
	}
	a.Sessions.Put(ctx, memberKey, id)
	// Not the parameter itself: any website can link to this page.
	http.Redirect(w, r, a.Gate.ReturnTo(r.PostFormValue("return_to")), http.StatusSeeOther) //nolint:gosec // ReturnTo refuses other sites
}

// logOut ends both kinds of logins.
func (a *OwnLogin) logOut(w http.ResponseWriter, r *http.Request) {
	if err := a.Gate.LogOut(w, r); err != nil {
		http.Error(w, "a store failed: you are still logged in", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (a *OwnLogin) account(w http.ResponseWriter, r *http.Request) {
	id, ok := a.CurrentUser(r)
	if !ok {
		if _, ok := a.Gate.Admit(w, r); !ok {
			return // the gate has answered: it leads to the login page, or answers 503
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("user " + id)) //nolint:gosec // plain text; the ID is the store's
}
