package scangate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		field  string
	}{
		{"no PublicURL", func(c *scangate.Config) { c.PublicURL = "" }, "PublicURL"},
		{"PublicURL without a scheme", func(c *scangate.Config) { c.PublicURL = "app.example.com" }, "PublicURL"},
		{"PublicURL without a host", func(c *scangate.Config) { c.PublicURL = "https://" }, "PublicURL"},
		{"PublicURL with a path", func(c *scangate.Config) { c.PublicURL = "https://app.example.com/shop" }, "PublicURL"},
		{"PublicURL with a query", func(c *scangate.Config) { c.PublicURL = "https://app.example.com?x" }, "PublicURL"},
		{"PublicURL with a user", func(c *scangate.Config) { c.PublicURL = "https://a@app.example.com" }, "PublicURL"},
		{"PublicURL of plain http", func(c *scangate.Config) { c.PublicURL = "http://app.example.com" }, "PublicURL"},
		{"PublicURL of another scheme", func(c *scangate.Config) { c.PublicURL = "ftp://app.example.com" }, "PublicURL"},
		{"no account", func(c *scangate.Config) { c.OfficialAccount = wechat.Account{} }, "OfficialAccount"},
		{"no secret", func(c *scangate.Config) { c.OfficialAccount.Secret = "" }, "OfficialAccount"},
		{"no AppID", func(c *scangate.Config) { c.OfficialAccount.AppID = "" }, "OfficialAccount"},
		{"no website secret", func(c *scangate.Config) { c.Website.AppID = website.AppID }, "Website"},
		{"the same AppID twice", func(c *scangate.Config) { c.Website = official }, "Website"},
		{"BasePath without a slash", func(c *scangate.Config) { c.BasePath = "wechat" }, "BasePath"},
		{"BasePath ending in a slash", func(c *scangate.Config) { c.BasePath = "/wechat/" }, "BasePath"},
		{"BasePath of the root", func(c *scangate.Config) { c.BasePath = "/" }, "BasePath"},
		{"BasePath with a pattern", func(c *scangate.Config) { c.BasePath = "/{x}" }, "BasePath"},
		{"LoginTTL too short", func(c *scangate.Config) { c.Limits.LoginTTL = time.Second }, "Limits.LoginTTL"},
		{"LoginTTL too long", func(c *scangate.Config) { c.Limits.LoginTTL = time.Hour }, "Limits.LoginTTL"},
		{"negative Limits.Waiting", func(c *scangate.Config) { c.Limits.Waiting = -1 }, "Limits.Waiting"},
		{"negative Limits.Address", func(c *scangate.Config) { c.Limits.Address = -1 }, "Limits.Address"},
		{"a session cookie without HttpOnly", func(c *scangate.Config) {
			c.Session.Manager = &scs.SessionManager{Cookie: scs.SessionCookie{Secure: true}}
		}, "Session.Manager"},
		{"a session cookie without Secure", func(c *scangate.Config) {
			c.Session.Manager = &scs.SessionManager{Cookie: scs.SessionCookie{HttpOnly: true}}
		}, "Session.Manager"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			_, err := scangate.New(config)
			if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config."+c.field) {
				t.Fatalf("New: error = %v, want one about Config.%s", err, c.field)
			}
			if strings.Contains(err.Error(), official.Secret) {
				t.Errorf("New: error = %v, want one without the secret", err)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		cookie string // the name of the cookie with the browser key
	}{
		{"https", func(*scangate.Config) {}, "__Host-scangate"},
		{"https with a slash at the end", func(c *scangate.Config) { c.PublicURL += "/" }, "__Host-scangate"},
		{"https with a port", func(c *scangate.Config) { c.PublicURL += ":8443" }, "__Host-scangate"},
		{"plain http on localhost", func(c *scangate.Config) { c.PublicURL = "http://localhost:8080" }, "scangate"},
		{"plain http on 127.0.0.1", func(c *scangate.Config) { c.PublicURL = "http://127.0.0.1:8080" }, "scangate"},
		{"plain http on ::1", func(c *scangate.Config) { c.PublicURL = "http://[::1]:8080" }, "scangate"},
		{"plain http on a LAN with InsecureHTTP", func(c *scangate.Config) { c.PublicURL, c.InsecureHTTP = "http://192.168.1.5:8080", true }, "scangate"},
		{"another BasePath", func(c *scangate.Config) { c.BasePath = "/auth/wx" }, "__Host-scangate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			gate, err := scangate.New(config)
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			base := config.BasePath
			if base == "" {
				base = "/wechat"
			}
			w := &world{t: t, hosts: transportWith(nil, gate)}
			a := w.desktop().get(base + "/login")
			if got := a.Cookies()[0]; got.Name != c.cookie || !got.HttpOnly || got.Secure != strings.HasPrefix(c.cookie, "__Host-") {
				t.Errorf("GET %s/login: cookie = %v, want %s with HttpOnly, and Secure if it begins with __Host-", base, got, c.cookie)
			}
			scan := strings.TrimSuffix(config.PublicURL, "/") + base + "/scan/"
			if !strings.Contains(a.body, `href="`+scan) {
				t.Errorf("GET %s/login: got\n%s\nwant a link to %s", base, a.body, scan)
			}
		})
	}
}
