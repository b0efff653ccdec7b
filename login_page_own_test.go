package scangate_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/scangate/scangate"
)

// withLoginPage has a login page of the application's own.
func withLoginPage(c *scangate.Config) { c.LoginPage = "/login?tab=all" }

func TestLoginPageOfTheApplication(t *testing.T) {
	w := newWorld(t, withLoginPage)
	desktop := w.desktop()
	want := "/login?tab=all&return_to=" + url.QueryEscape("/account?a=b&c=d")
	if a := desktop.get("/account?a=b&c=d"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("GET of a gated page: %d to %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
	want = "/login?tab=all&return_to=" + url.QueryEscape("/shop")
	if a := desktop.post("/account", nil, "Referer", appURL+"/shop"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("POST of a form: %d to %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
	want = "/login?tab=all&return_to=" + url.QueryEscape("/wechat/link")
	if a := desktop.get("/wechat/link"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("GET link: %d to %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
	for _, target := range []string{"/account", "/wechat/me"} {
		var p struct {
			LoginURL string `json:"login_url"`
		}
		a := desktop.get(target, "Accept", "application/json")
		_ = json.Unmarshal([]byte(a.body), &p)
		if a.StatusCode != http.StatusUnauthorized || p.LoginURL != "/login?tab=all" {
			t.Errorf("GET %s by a script: %d %s, want 401 with the application's login page", target, a.StatusCode, a.body)
		}
	}
}

// TestLinkWithoutALoginOfTheApplication: a login that CurrentUser finds too old is repeated
// on the application's own page. The gate's page would make a second user of the person.
func TestLinkWithoutALoginOfTheApplication(t *testing.T) {
	w := newWorld(t, withLoginPage, func(c *scangate.Config) {
		c.CurrentUser = func(*http.Request) (string, bool) { return "", false }
	})
	want := "/login?tab=all&return_to=" + url.QueryEscape("/wechat/link?return_to=/account")
	if a := w.desktop().get("/wechat/link?return_to=/account"); a.StatusCode != http.StatusSeeOther || a.location() != want {
		t.Errorf("GET link: %d to %q, want 303 to %q", a.StatusCode, a.location(), want)
	}
}

// TestLoginPageAlwaysGetsReturnTo: the application reads the parameter without a default of
// its own.
func TestLoginPageAlwaysGetsReturnTo(t *testing.T) {
	w := newWorld(t, withLoginPage)
	if a := w.desktop().post("/account", nil); a.location() != "/login?tab=all&return_to=%2F" {
		t.Errorf("POST of a form without a Referer: to %q, want return_to=/", a.location())
	}
}

// TestGatesOwnLoginPageBesideTheApplications: the button for WeChat leads to the gate's
// page, and a login there ends at the page that was asked for.
func TestGatesOwnLoginPageBesideTheApplications(t *testing.T) {
	w := newWorld(t, withLoginPage)
	if got, want := w.gate.LoginURL("/account"), "/wechat/login?return_to=%2Faccount"; got != want {
		t.Errorf("LoginURL = %q, want %q", got, want)
	}
	if a := w.desktop().get("/wechat/login"); a.StatusCode != http.StatusOK {
		t.Errorf("GET login: %d to %q, want the gate's page", a.StatusCode, a.location())
	}
	if a := w.phone("lin").open(w.gate.LoginURL("/account")); a.Request.URL.Path != "/account" || a.StatusCode != http.StatusOK {
		t.Errorf("login inside WeChat: %d at %s, want 200 at /account", a.StatusCode, a.Request.URL)
	}
}

// TestLoginPageBehindTheGate: a login page that only logged-in users may see leads to the
// gate's page, and not to itself.
func TestLoginPageBehindTheGate(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.LoginPage = "/account" })
	if a := w.desktop().get("/account"); a.location() != "/wechat/login?return_to=%2Faccount" {
		t.Errorf("GET of a login page behind the gate: %d to %q, want 303 to the gate's login page", a.StatusCode, a.location())
	}
}

// TestReturnToOfAnOwnLogin gives the application's login page hostile values.
func TestReturnToOfAnOwnLogin(t *testing.T) {
	w := newWorld(t, withLoginPage)
	for _, to := range offSite {
		if got := w.gate.ReturnTo(to); got != "/" {
			t.Errorf("ReturnTo(%.40q) = %.40q, want \"/\"", to, got)
		}
	}
	for to, want := range map[string]string{"": "/", "/account?x": "/account?x", appURL + "/account": "/account"} {
		if got := w.gate.ReturnTo(to); got != want {
			t.Errorf("ReturnTo(%q) = %q, want %q", to, got, want)
		}
	}
}
