package scangate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// TestTrustedOriginsAreChecked sets origins that no browser sends, or that belong to
// another site than PublicURL.
func TestTrustedOriginsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ public, origin, want string }{
		{appURL, "*", "wildcard"},
		{appURL, "https://*.example.com", "wildcard"},
		{appURL, "null", "origin like"},
		{appURL, "", "origin like"},
		{appURL, "www.example.com", "origin like"},
		{appURL, "ftp://www.example.com", "origin like"},
		{appURL, "https://www.example.com/", "more than a scheme"},
		{appURL, "https://www.example.com/app", "more than a scheme"},
		{appURL, "https://www.example.com?x", "more than a scheme"},
		{appURL, "https://www.example.com#x", "more than a scheme"},
		{appURL, "https://user@www.example.com", "more than a scheme"},
		{appURL, "https://WWW.example.com", "capital"},
		{appURL, "https://www.example.com:443", "default port"},
		{appURL, "https://www.example.com.", "dot"},
		{appURL, "https://例子.example.com", "Punycode"},
		{appURL, "https://example.org", "another site"},
		{appURL, "https://www.example.org", "another site"},
		{appURL, "http://www.example.com", "another site"},
		{appURL, "https://com", "another site"},
		{appURL, "https://app.example.com.evil.example", "another site"},
		{appURL, "https://10.0.0.1", "another site"},
		{"https://shop.com.cn", "https://evil.com.cn", "another site"},
		{"https://a.shop.co.uk", "https://a.evil.co.uk", "another site"},
		{"http://localhost:8080", "http://127.0.0.1:5173", "another site"},
		{"http://127.0.0.1:8080", "http://127.0.0.2:5173", "another site"},
		{"https://10.0.0.1", "https://11.0.0.1", "another site"},
	} {
		err := refusal(t, func(g *scangate.Config) { g.PublicURL, g.TrustedOrigins = c.public, []string{c.origin} })
		if text := err.Error(); !strings.HasPrefix(text, "scangate: Config.TrustedOrigins: ") || !strings.Contains(text, c.want) {
			t.Errorf("New with the origin %q at %s: error = %q, want one about TrustedOrigins that contains %q", c.origin, c.public, err, c.want)
		}
	}
	for _, c := range []struct{ public, origin string }{
		{appURL, "https://www.example.com"},
		{appURL, "https://example.com"},
		{appURL, "https://a.b.example.com:8443"},
		{appURL, "https://app.example.com:5173"},
		{"https://example.com", "https://www.example.com"},
		{"https://app.shop.com.cn", "https://www.shop.com.cn"},
		{"http://localhost:8080", "http://localhost:5173"},
		{"http://app.localhost:8080", "http://web.localhost:5173"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:5173"},
		{"https://xn--fsqu00a.example.com", "https://xn--0zwm56d.example.com"},
	} {
		accept(t, func(g *scangate.Config) { g.PublicURL, g.TrustedOrigins = c.public, []string{c.origin} })
	}
	twice := refusal(t, func(g *scangate.Config) { g.TrustedOrigins = []string{frontURL, frontURL} })
	if !strings.Contains(twice.Error(), "repeated") {
		t.Errorf("New with an origin twice: error = %q, want one that contains \"repeated\"", twice)
	}
}

func TestLoginPageIsChecked(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"login": "neither a path", "//evil.example/login": "neither a path", "https://evil.example/login": "neither a path",
		"https://app.example.com.evil.example/": "neither a path", "/login#wechat": "fragment", "/wechat/login": "below BasePath",
		"/wechat": "below BasePath", appURL + "/wechat/x": "below BasePath", "/..//e": "neither a path",
	} {
		err := refusal(t, func(c *scangate.Config) { c.LoginPage = page })
		if text := err.Error(); !strings.HasPrefix(text, "scangate: Config.LoginPage: ") || !strings.Contains(text, want) {
			t.Errorf("New with LoginPage %q: error = %q, want one about LoginPage that contains %q", page, text, want)
		}
	}
	for _, page := range []string{"/login", "/login?tab=wechat", appURL + "/login", "/wechatting", "/"} {
		accept(t, func(c *scangate.Config) { c.LoginPage = page })
	}
}

func TestSessionLifetimeIsChecked(t *testing.T) {
	for _, lifetime := range []time.Duration{-1, time.Second, 401 * 24 * time.Hour} {
		if err := refusal(t, func(c *scangate.Config) { c.Session.Lifetime = lifetime }); !strings.HasPrefix(err.Error(), "scangate: Config.Session.Lifetime: ") {
			t.Errorf("New with a session of %v: error = %q, want one about Session.Lifetime", lifetime, err)
		}
	}
	for _, lifetime := range []time.Duration{0, time.Minute, 400 * 24 * time.Hour} {
		accept(t, func(c *scangate.Config) { c.Session.Lifetime = lifetime })
	}
	err := refusal(t, func(c *scangate.Config) {
		m, _ := plainSessions()
		m.Cookie.Name = "__Host-s"
		c.Session = scangate.Session{Manager: m, Lifetime: time.Hour}
	})
	if !strings.Contains(err.Error(), "Session.Manager has a Lifetime of its own") {
		t.Errorf("New with a manager and a lifetime: error = %q, want one that names both", err)
	}
}
