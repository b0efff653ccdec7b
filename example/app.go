package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/scangate/scangate"
)

//go:embed pages.html
var files embed.FS

// app is the application: a page for everybody, and what only people who are
// logged in may see.
type app struct {
	pages *template.Template
}

// newApp returns the application's handler.
func newApp(gate *scangate.Gate) http.Handler {
	a := &app{pages: template.Must(template.ParseFS(files, "pages.html"))}
	mux := http.NewServeMux()

	// The gate as a handler: login page, QR code, callback, logout.
	mux.Handle("/wechat/", gate)

	// The gate as middleware: who isn't logged in doesn't get past it. A browser
	// is sent to the login page and back; a program gets 401 and some JSON.
	mux.Handle("GET /account", gate.RequireWeChat(http.HandlerFunc(a.account)))
	mux.Handle("GET /api/account", gate.RequireWeChat(http.HandlerFunc(a.accountJSON)))

	// All else is public.
	mux.HandleFunc("GET /{$}", a.home)
	mux.Handle("GET /spa/", newSPA())
	return mux
}

// home is the same for everybody.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	a.show(w, r, "home", nil)
}

// account greets the person by name.
func (a *app) account(w http.ResponseWriter, r *http.Request) {
	// There is a user wherever RequireWeChat let somebody pass.
	user, _ := scangate.UserFromContext(r.Context())
	// The gate allows the browser to keep the page. This one is not to be seen
	// again, by Back, after logging out.
	w.Header().Set("Cache-Control", "no-store")
	a.show(w, r, "account", viewOf(user))
}

// accountJSON is the same for programs and for a page's script.
func (a *app) accountJSON(w http.ResponseWriter, r *http.Request) {
	user, _ := scangate.UserFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(viewOf(user)) // a client that has gone needs no answer
}

// view is what the application shows of a user.
type view struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func viewOf(user scangate.User) view {
	v := view{ID: user.ID, Name: user.Nickname}
	if v.Name == "" {
		v.Name = "WeChat user" // nobody asked for a name, or they said "not now"
	}
	return v
}

// Initial stands in for a picture, which would come from outside.
func (v view) Initial() string {
	for _, r := range v.Name {
		return string(r)
	}
	return ""
}

// show renders a page. It does so into memory first, so that a mistake in a
// template is an error and not half a page.
func (a *app) show(w http.ResponseWriter, r *http.Request, name string, data any) {
	var page bytes.Buffer
	if err := a.pages.ExecuteTemplate(&page, name, data); err != nil {
		slog.ErrorContext(r.Context(), "example: rendering a page", "page", name, "error", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = page.WriteTo(w)
}
