package recipes

import (
	"net/http"
	"testing"

	"github.com/scangate/scangate"
)

// newSites returns a shop and a blog with one login.
func newSites(t *testing.T) (*world, *scangate.Gate) {
	t.Helper()
	sites := Sites{Domain: "example.com", Login: "https://login.example.com", Others: []string{"https://shop.example.com", "https://blog.example.com"}}
	w := newWorld(t, "login.example.com")
	w.config.Session.Manager = newSessions()
	w.config.Users, w.config.State = scangate.NewMemoryStore(), scangate.NewMemoryStore() // all sites share the stores
	sites.Configure(&w.config)
	login := http.NewServeMux()
	gate := w.gate()
	login.Handle("/wechat/", gate)
	w.hosts["login.example.com"] = login
	for _, site := range sites.Others {
		w.hosts[site[len("https://"):]] = sites.Require(w.gate(), site, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, _ := scangate.UserFromContext(r.Context())
			_, _ = w.Write([]byte("user " + user.ID))
		}))
	}
	return w, gate
}

func TestSites(t *testing.T) {
	w, gate := newSites(t)
	b := w.browser()
	checkPage(t, "the shop without a login", b.get("https://shop.example.com/cart?x=1"), http.StatusSeeOther,
		"https://login.example.com/wechat/login?return_to=https%3A%2F%2Fshop.example.com%2Fcart%3Fx%3D1")
	checkPage(t, "a form at the shop", b.post("https://shop.example.com/cart", nil), http.StatusUnauthorized, "log in")
	checkPage(t, "a script at the shop", b.do(http.MethodGet, "https://shop.example.com/cart", "", "Accept", "application/json"), http.StatusUnauthorized, "log in")
	w.logIn(b, "https://shop.example.com/cart?x=1", "lin")
	shop := b.get("https://shop.example.com/cart")
	checkPage(t, "the shop", shop, http.StatusOK, "user ")
	checkPage(t, "the blog", b.get("https://blog.example.com/"), http.StatusOK, shop.body)
	checkPage(t, "logout", b.post("https://login.example.com/wechat/logout", nil), http.StatusSeeOther, "/")
	checkPage(t, "the blog after the logout", b.get("https://blog.example.com/"), http.StatusSeeOther, "https://login.example.com/")
	if got := gate.ReturnTo("https://evil.example.com/"); got != "/" {
		t.Errorf("ReturnTo a site that is not listed = %q, want /", got)
	}
}
