package scangate_test

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// refusal calls New with a valid configuration that change spoils, and returns the error.
func refusal(t *testing.T, change func(*scangate.Config)) error {
	t.Helper()
	config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
	change(&config)
	gate, err := scangate.New(config)
	if err == nil {
		_ = gate.Close()
		t.Error("New: error = nil, want one")
		return errors.New("none")
	}
	return err
}

// accept calls New with a valid configuration that change alters.
func accept(t *testing.T, change func(*scangate.Config)) {
	t.Helper()
	config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
	change(&config)
	gate, err := scangate.New(config)
	if err != nil {
		t.Errorf("New: error = %q, want none", err)
		return
	}
	_ = gate.Close()
}

// TestCaseD06AllAtOnce spoils many fields. New reports all of them in one error, whose
// text is one line.
func TestCaseD06AllAtOnce(t *testing.T) {
	err := refusal(t, func(c *scangate.Config) {
		*c = scangate.Config{
			PublicURL:       "https://app.example.com:443",
			BasePath:        "wechat\n",
			OfficialAccount: wechat.Account{AppID: official.Secret, Secret: official.AppID},
			Website:         wechat.Account{AppID: "wx...", Secret: "..."},
			WeChat: scangate.WeChat{
				Endpoint: wechat.Endpoint{API: "http://\x7f"}, HTTPClient: &http.Client{Transport: (*http.Transport)(nil)},
				CallbackURL: "http://login.example.com/callback",
			},
			Pages: scangate.Pages{
				Logo: "logo.svg", AccentColor: "teal", Languages: []string{"en", "fr"},
				Templates: template.Must(template.New("login.html").Parse("\n{{.Missing}}")),
			},
			MiniProgram:  wechat.Account{AppID: "..."},
			Phone:        scangate.Phone{Require: true, CodeLimit: -1},
			Registration: scangate.Registration{Mode: scangate.RegisterOpen, URL: "/join"},
			Users:        (*scangate.MemoryStore)(nil),
			State:        (*scangate.MemoryStore)(nil),
			UserTTL:      -1,
			Redis:        &redis.Pool{},
			RedisPrefix:  "a}b",
			Session:      scangate.Session{Manager: &scs.SessionManager{}},
			MatchNumber:  true,
			Limits:       scangate.Limits{LoginTTL: time.Second, Waiting: -1, Address: -1},
			Logger:       &slog.Logger{},
		}
	})
	checkErrorText(t, "New", err)
	for _, field := range []string{
		"PublicURL", "BasePath", "OfficialAccount", "Website", "MiniProgram", "WeChat.CallbackURL", "WeChat.Endpoint", "MatchNumber and Config.Website", "Pages.Languages", "Pages.AccentColor", "Pages.Logo",
		"Pages.Templates", "Registration.URL", "Phone.SendCode", "Phone.CodeLimit", "Users", "State", "UserTTL", "Redis", "RedisPrefix", "Session.Manager", "Limits.LoginTTL",
		"Limits.Waiting", "Limits.Address", "Logger", "WeChat.HTTPClient.Transport",
	} {
		if !strings.Contains(err.Error(), "Config."+field+": ") {
			t.Errorf("New: error = %q, want one that names Config.%s", err, field)
		}
	}
	if text := err.Error(); strings.Contains(text, official.Secret) {
		t.Errorf("New: error = %q, want one without the Secret", text)
	}
	list, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // this very error
	if !ok || len(list.Unwrap()) < 26 {
		t.Fatalf("New: error of type %T, want one with Unwrap() []error and at least 26 errors", err)
	}
	for _, fault := range list.Unwrap() {
		checkErrorText(t, "New: one fault", fault)
	}
}

// TestCaseD06OneFault spoils one field. The error names it once.
func TestCaseD06OneFault(t *testing.T) {
	err := refusal(t, func(c *scangate.Config) { c.Limits.LoginTTL = time.Hour })
	if got, want := err.Error(), "scangate: Config.Limits.LoginTTL: 1h0m0s is not between 1 and 30 minutes"; got != want {
		t.Errorf("New: error = %q, want %q", got, want)
	}
	// A fault of one field must not cause a complaint about another.
	err = refusal(t, func(c *scangate.Config) {
		c.PublicURL, c.Registration.Mode, c.Registration.URL = "app.example.com", scangate.RegisterClosed, "https://app.example.com/join"
	})
	if strings.Contains(err.Error(), "Registration.URL") {
		t.Errorf("New with a bad PublicURL: error = %q, want one about PublicURL only", err)
	}
	err = refusal(t, func(c *scangate.Config) {
		c.BasePath, c.Registration.Mode, c.Registration.URL = "/auth/", scangate.RegisterClosed, "/wechat/join"
	})
	if strings.Contains(err.Error(), "Registration.URL") {
		t.Errorf("New with a bad BasePath: error = %q, want one about BasePath only", err)
	}
}

// TestCaseD06PublicURL sets a PublicURL that browsers would write in another way. The
// gate compares it with their Origin and Referer.
func TestCaseD06PublicURL(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"https://例子.example":                 "Punycode",
		"https://%E4%BE%8B.example":          "Punycode",
		"https://app.example.com:443":        ":443",
		"http://localhost:80":                ":80",
		"https://app.example.com:":           "port",
		"https://app.example.com:0":          "port",
		"https://app.example.com:65536":      "port",
		"https://app.example.com:08443":      "port",
		"https://app.example.com.":           "dot",
		"https://app.example.com.:8443":      "dot",
		"https://app..example.com":           "host name",
		"https://.example.com":               "host name",
		"https://app!.example.com":           "host name",
		"https://app.example.123":            "host name",
		"https://127.0.0.1.":                 "dot",
		"https://127.1":                      "host name",
		"https://0x7f000001":                 "host name",
		"https://[0:0:0:0:0:0:0:1]:8443":     "[::1]",
		"https://[fe80::1%25eth0]":           "zone",
		"https://" + strings.Repeat("a", 64): "host name",
	} {
		err := refusal(t, func(c *scangate.Config) { c.PublicURL = target })
		if text := err.Error(); !strings.HasPrefix(text, "scangate: Config.PublicURL: ") || !strings.Contains(text, want) {
			t.Errorf("New with %q: error = %q, want one about PublicURL that contains %q", target, text, want)
		}
	}
	for _, target := range []string{
		"https://xn--fsqu00a.example", "https://APP.example.com", "https://app.example.com:8443", "https://my_app.example.com",
		"http://localhost:8080", "http://app.localhost", "https://192.0.2.1", "https://[2001:db8::1]:8443", "http://localhost:443",
	} {
		accept(t, func(c *scangate.Config) { c.PublicURL = target })
	}
	for _, target := range []string{"https://me:hunter2@app.example.com", "https://me:hunter2@app exam.ple"} {
		if err := refusal(t, func(c *scangate.Config) { c.PublicURL = target }); strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New with a password in PublicURL: error = %q, want one without the password", err)
		}
	}
}

// TestCaseD06SessionCookie sets a session cookie that browsers would not keep, or would
// not send to all pages of the application.
func TestCaseD06SessionCookie(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*scs.SessionManager)
		want   string
	}{
		"another domain":             {func(m *scs.SessionManager) { m.Cookie.Domain = "other.com" }, "Cookie.Domain"},
		"a subdomain":                {func(m *scs.SessionManager) { m.Cookie.Domain = "www.app.example.com" }, "Cookie.Domain"},
		"an end of the host":         {func(m *scs.SessionManager) { m.Cookie.Domain = "ple.com" }, "Cookie.Domain"},
		"a top-level domain":         {func(m *scs.SessionManager) { m.Cookie.Domain = "com" }, "Cookie.Domain"},
		"a domain with a port":       {func(m *scs.SessionManager) { m.Cookie.Domain = "app.example.com:8443" }, "Cookie.Domain"},
		"a domain that is a URL":     {func(m *scs.SessionManager) { m.Cookie.Domain = appURL }, "Cookie.Domain"},
		"a path below the root":      {func(m *scs.SessionManager) { m.Cookie.Path = "/app" }, "Cookie.Path"},
		"no path":                    {func(m *scs.SessionManager) { m.Cookie.Path = "" }, "Cookie.Path"},
		"SameSite Strict":            {func(m *scs.SessionManager) { m.Cookie.SameSite = http.SameSiteStrictMode }, "Cookie.SameSite"},
		"SameSite None":              {func(m *scs.SessionManager) { m.Cookie.SameSite = http.SameSiteNoneMode }, "Cookie.SameSite"},
		"the gate's cookie":          {func(m *scs.SessionManager) { m.Cookie.Name = "__Host-scangate" }, "Cookie.Name"},
		"the gate's language":        {func(m *scs.SessionManager) { m.Cookie.Name = "__Host-scangate-lang" }, "Cookie.Name"},
		"the gate's last user":       {func(m *scs.SessionManager) { m.Cookie.Name = "__host-Scangate-last" }, "Cookie.Name"},
		"a login's key":              {func(m *scs.SessionManager) { m.Cookie.Name = "scangate-SESSIONS" }, "Cookie.Name"},
		"the gate's cookie for http": {func(m *scs.SessionManager) { m.Cookie.Name = "scangate" }, "Cookie.Name"},
		"no name":                    {func(m *scs.SessionManager) { m.Cookie.Name = "" }, "Cookie.Name"},
		"a name with a space":        {func(m *scs.SessionManager) { m.Cookie.Name = "my session" }, "Cookie.Name"},
		"__Host- with a domain":      {func(m *scs.SessionManager) { m.Cookie.Name, m.Cookie.Domain = "__host-session", "example.com" }, "Cookie.Name"},
		"not HttpOnly":               {func(m *scs.SessionManager) { m.Cookie.HttpOnly = false }, "Cookie.HttpOnly"},
		"not Secure":                 {func(m *scs.SessionManager) { m.Cookie.Secure = false }, "Cookie.Secure"},
		"no store":                   {func(m *scs.SessionManager) { m.Store = nil }, "Store"},
		"a store that is nil":        {func(m *scs.SessionManager) { m.Store = (*mapSessions)(nil) }, "Store"},
		"no codec":                   {func(m *scs.SessionManager) { m.Codec = nil }, "Codec"},
		"no lifetime":                {func(m *scs.SessionManager) { m.Lifetime = 0 }, "Lifetime"},
		"a negative lifetime":        {func(m *scs.SessionManager) { m.Lifetime = -time.Hour }, "Lifetime"},
	} {
		t.Run(name, func(t *testing.T) {
			m := ownSessions()
			m.Cookie.Name = "session"
			c.change(m)
			err := refusal(t, func(config *scangate.Config) { config.Session.Manager = m })
			if got := err.Error(); !strings.HasPrefix(got, "scangate: Config.Session.Manager: "+c.want) || strings.Contains(got, "; ") {
				t.Errorf("New: error = %q, want one about Config.Session.Manager and its %s only", got, c.want)
			}
		})
	}
}

// TestCaseD06SessionCookieOverHTTP sets a session cookie that browsers do not keep over
// plain http.
func TestCaseD06SessionCookieOverHTTP(t *testing.T) {
	plain := func(change func(*scs.SessionManager)) func(*scangate.Config) {
		return func(c *scangate.Config) {
			c.PublicURL, c.InsecureHTTP, c.Session.Manager = "http://192.168.1.5:8080", true, scs.New()
			change(c.Session.Manager)
		}
	}
	for name, c := range map[string]struct {
		change func(*scs.SessionManager)
		want   string
	}{
		"Secure":      {func(m *scs.SessionManager) { m.Cookie.Secure = true }, "Cookie.Secure"},
		"__Host-":     {func(m *scs.SessionManager) { m.Cookie.Name = "__Host-session" }, "Cookie.Name"},
		"__Secure-":   {func(m *scs.SessionManager) { m.Cookie.Name = "__Secure-session" }, "Cookie.Name"},
		"Partitioned": {func(m *scs.SessionManager) { m.Cookie.Partitioned = true }, "Cookie.Partitioned"},
	} {
		if err := refusal(t, plain(c.change)); !strings.HasPrefix(err.Error(), "scangate: Config.Session.Manager: "+c.want) {
			t.Errorf("New with %s: error = %q, want one about Config.Session.Manager and its %s", name, err, c.want)
		}
	}
	accept(t, plain(func(*scs.SessionManager) {}))
	// Browsers treat this machine as secure.
	accept(t, func(c *scangate.Config) {
		c.PublicURL, c.Session.Manager = "http://localhost:8080", ownSessions()
	})
}

// TestCaseD06SessionCookieAccepted sets session cookies that work.
func TestCaseD06SessionCookieAccepted(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*scs.SessionManager){
		func(*scs.SessionManager) {},
		func(m *scs.SessionManager) { m.Cookie.Name, m.Cookie.Domain = "session", "app.example.com" },
		func(m *scs.SessionManager) { m.Cookie.Name, m.Cookie.Domain = "session", "example.com" },
		func(m *scs.SessionManager) { m.Cookie.Name, m.Cookie.Domain = "session", ".Example.com" },
		func(m *scs.SessionManager) { m.Cookie.Name = "__Secure-session" },
		func(m *scs.SessionManager) { m.Cookie.Partitioned = true },
		func(m *scs.SessionManager) { m.Cookie.SameSite = 0 },
		func(m *scs.SessionManager) { m.Cookie.Persist = false },
	} {
		m := ownSessions()
		change(m)
		accept(t, func(c *scangate.Config) { c.Session.Manager = m })
	}
}

// TestCaseD06RegisterURL sets a RegisterURL at which the gate itself answers.
func TestCaseD06RegisterURL(t *testing.T) {
	t.Parallel()
	at := func(base, target string) func(*scangate.Config) {
		return func(c *scangate.Config) {
			c.BasePath, c.Registration.Mode, c.Registration.URL = base, scangate.RegisterClosed, target
		}
	}
	for _, c := range []struct{ base, target string }{
		{"", "/wechat/join"},
		{"", "/wechat"},
		{"", "/wechat/?step=1"},
		{"", "/%77echat/join"},
		{"", "/wechat//join"},
		{"", appURL + "/wechat/join"},
		{"/auth/wx", "/auth/wx/join"},
	} {
		if err := refusal(t, at(c.base, c.target)); !strings.HasPrefix(err.Error(), "scangate: Config.Registration.URL: ") {
			t.Errorf("New with BasePath %q and RegisterURL %q: error = %q, want one about RegisterURL", c.base, c.target, err)
		}
	}
	for _, c := range []struct{ base, target string }{{"", "/wechats/join"}, {"/auth/wx", "/wechat/join"}, {"", "/join?from=/wechat/"}} {
		accept(t, at(c.base, c.target))
	}
}

// TestCaseD06NilPointers sets interfaces that hold nil pointers. The first request would
// panic.
func TestCaseD06NilPointers(t *testing.T) {
	var handler *slog.TextHandler
	for field, change := range map[string]func(*scangate.Config){
		"Users":                       func(c *scangate.Config) { c.Users = (*scangate.RedisStore)(nil) },
		"State":                       func(c *scangate.Config) { c.State = (*scangate.RedisStore)(nil) },
		"Logger":                      func(c *scangate.Config) { c.Logger = slog.New(handler) },
		"WeChat.HTTPClient.Transport": func(c *scangate.Config) { c.WeChat.HTTPClient = &http.Client{Transport: (*http.Transport)(nil)} },
		"WeChat.HTTPClient.Jar":       func(c *scangate.Config) { c.WeChat.HTTPClient = &http.Client{Jar: (*cookiejar.Jar)(nil)} },
	} {
		if err := refusal(t, change); !strings.HasPrefix(err.Error(), "scangate: Config."+field+": ") {
			t.Errorf("New with a nil %s: error = %q, want one about %s", field, err, field)
		}
	}
	// A nil pointer in a field of a concrete type means the default.
	accept(t, func(c *scangate.Config) {
		c.Redis, c.Session.Manager, c.WeChat.HTTPClient, c.Logger, c.Pages.Templates = nil, nil, nil, nil, nil
	})
}

// TestThreat19NothingSet starts the gate without any configuration. One error names the
// fields that are required.
func TestThreat19NothingSet(t *testing.T) {
	err := refusal(t, func(c *scangate.Config) { *c = scangate.Config{} })
	for _, field := range []string{"Config.PublicURL: ", "Config.OfficialAccount, Config.Website and Config.MiniProgram: "} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("New with nothing set: error = %q, want one that contains %q", err, field)
		}
	}
}

// refusingUsers is a store that has the methods of a UserStore and keeps no users.
type refusingUsers struct{ *scangate.MemoryStore }

// CheckUsers is for [scangate.New].
func (refusingUsers) CheckUsers() error { return errors.New("it keeps no users") }

func TestUsersThatRefuse(t *testing.T) {
	store := refusingUsers{scangate.NewMemoryStore()}
	config := scangate.Config{PublicURL: appURL, OfficialAccount: official, Users: store, State: store}
	if _, err := scangate.New(config); err == nil || err.Error() != "scangate: Config.Users: it keeps no users" {
		t.Errorf("New with a store that refuses users: error = %v, want Config.Users alone", err)
	}
	config.Users = scangate.NewMemoryStore()
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatalf("New with that store as State: error = %v, want none", err)
	}
	_ = gate.Close()
}
