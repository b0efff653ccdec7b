package recipes

import (
	"context"
	"net/http"
	"testing"
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
