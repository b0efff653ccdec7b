package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/scangate/scangate"
)

//go:embed pages.html try.html
var pageFiles embed.FS

// parsePages returns the templates of the application's pages.
func parsePages() *template.Template {
	// Must panics on a broken template. The files are embedded, so the tests find
	// that before a release does.
	return template.Must(template.ParseFS(pageFiles, "*.html"))
}

// mustSub returns a folder of embedded files.
func mustSub(files fs.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // impossible: Sub fails only for an invalid path
	}
	return sub
}

// app serves the application's pages: a public one and the account page, which
// requires a login.
type app struct {
	pages *template.Template
}

// newApp returns the application's handler.
func newApp(gate *scangate.Gate) http.Handler {
	a := &app{pages: parsePages()}
	mux := http.NewServeMux()

	// The gate as a handler: login page, QR code, callback, logout.
	mux.Handle("/wechat/", gate)

	// The gate as middleware: it refuses requests without a login. It redirects a
	// browser to the login page, which later returns to the page that the browser
	// asked for. A script gets status 401 and problem+json.
	mux.Handle("GET /account", gate.RequireWeChat(http.HandlerFunc(a.account)))
	mux.Handle("GET /api/account", gate.RequireWeChat(http.HandlerFunc(a.accountJSON)))

	// Public routes. "{$}" matches the root path only, so that unknown paths get
	// status 404 and not the home page.
	mux.HandleFunc("GET /{$}", a.home)
	return mux
}

// homeView is the data of the public page.
type homeView struct {
	words
	Simulated bool // WeChat is, and there is a page /try
}

// accountView is the data of the account page.
type accountView struct {
	words
	view
}

// home serves the public page. It is the same for all visitors of a language.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	render(w, r, a.pages, "home", homeView{words: wordsFor(r)})
}

// account serves the page that greets the user by name.
func (a *app) account(w http.ResponseWriter, r *http.Request) {
	// The second result is always true here: RequireWeChat puts a user into the
	// context of every request that it lets pass.
	user, _ := scangate.UserFromContext(r.Context())
	// By default the gate lets the browser keep the page, as "private". After a
	// logout, the Back button must not show this page again.
	w.Header().Set("Cache-Control", "no-store")
	v := accountView{wordsFor(r), newView(user)}
	if user.Nickname == "" {
		v.Name = v.T("account.nameless")
	}
	render(w, r, a.pages, "account", v)
}

// accountJSON returns the data of the account page to scripts.
func (a *app) accountJSON(w http.ResponseWriter, r *http.Request) {
	user, _ := scangate.UserFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	// Encode fails only if the client has closed the connection. Then there is
	// nowhere to send an error.
	_ = json.NewEncoder(w).Encode(newView(user))
}

// view is the part of a user that the application shows.
type view struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// newView returns the view of a user.
func newView(user scangate.User) view {
	v := view{ID: user.ID, Name: user.Nickname}
	if v.Name == "" {
		// Without -fetch-profile WeChat returns no nickname, and the user may
		// decline to share it.
		v.Name = "WeChat user"
	}
	return v
}

// Initial returns the first letter of the name. The page shows it in place of the
// user's picture, which would have to be loaded from a server of WeChat's.
func (v view) Initial() string {
	// The loop decodes one rune: a slice of one byte would cut a Chinese
	// character.
	for _, r := range v.Name {
		return string(r)
	}
	return ""
}

// render executes a template and sends the page.
func render(w http.ResponseWriter, r *http.Request, pages *template.Template, name string, data any) {
	// Render into memory first: if the template fails, the client gets status 500
	// and not half a page with status 200.
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		slog.ErrorContext(r.Context(), "example: rendering a page", "page", name, "error", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language")
	_, _ = page.WriteTo(w) // fails only if the client has gone
}
