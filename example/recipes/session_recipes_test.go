package recipes

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"testing"

	_ "modernc.org/sqlite" // the driver of TestProfile

	"github.com/scangate/scangate"
)

func TestRoles(t *testing.T) {
	w := newWorld(t, appHost)
	sessions, roles := newSessions(), []string{"editor"}
	var failed error
	WithRoles(&w.config, sessions, func(context.Context, string) ([]string, error) { return roles, failed })
	gate := w.gate()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/", gate.RequireWeChat(page))
	mux.Handle("/edit", RequireRole(gate, sessions, "editor", page))
	mux.Handle("/admin", RequireRole(gate, sessions, "admin", page))
	w.hosts[appHost] = mux
	b := w.browser()
	checkPage(t, "/edit without a login", b.get("/edit"), http.StatusSeeOther, "/wechat/login")
	w.logIn(b, appURL+"/", "lin")
	checkPage(t, "/edit", b.get("/edit"), http.StatusOK, "page")
	checkPage(t, "/admin", b.get("/admin"), http.StatusForbidden, "may not")
	roles = []string{"editor", "admin"}
	checkPage(t, "/admin in the old session", b.get("/admin"), http.StatusForbidden, "may not")
	later := w.browser()
	w.logIn(later, appURL+"/", "lin")
	checkPage(t, "/admin in a new session", later.get("/admin"), http.StatusOK, "page")
}

func TestProfile(t *testing.T) {
	w := newWorld(t, appHost)
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/profiles.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE profiles (user_id TEXT PRIMARY KEY, nickname TEXT NOT NULL, created_at TIMESTAMP NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	WithProfile(&w.config, db)
	gate := w.gate()
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		var found string
		if err := db.QueryRowContext(r.Context(), `SELECT user_id FROM profiles WHERE user_id = $1`, user.ID).Scan(&found); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
	w.hosts[appHost] = mux
	for range 2 { // the second login finds the row
		b := w.browser()
		w.logIn(b, appURL+"/", "lin")
		checkPage(t, "page of a user", b.get("/"), http.StatusOK, "")
	}
	var rows int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM profiles`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("profiles = %d, %v, want 1", rows, err)
	}
	_ = db.Close()
	if err := w.config.OnLogin(t.Context(), scangate.Login{}); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("OnLogin without a database: %v, want an error that refuses the login", err)
	}
}
