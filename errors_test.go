package scangate_test

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// checkErrorText demands that an error that leaves the package begins with its prefix,
// has it once, and stands on one line.
func checkErrorText(t *testing.T, doing string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: error = nil, want one", doing)
		return
	}
	text := err.Error()
	if !strings.HasPrefix(text, "scangate: ") || strings.Count(text, "scangate: ") != 1 {
		t.Errorf("%s: error = %q, want the prefix \"scangate: \" once", doing, text)
	}
	if strings.ContainsAny(text, "\r\n") {
		t.Errorf("%s: error = %q, want one line", doing, text)
	}
}

func TestErrorsOfNewHaveOnePrefix(t *testing.T) {
	t.Parallel()
	broken := template.Must(template.New("login.html").Parse("{{.Missing}}"))
	for name, option := range map[string]func(*scangate.Config){
		"no PublicURL":     func(c *scangate.Config) { c.PublicURL = "" },
		"a base path":      func(c *scangate.Config) { c.BasePath = "wechat\n" },
		"a bad account":    func(c *scangate.Config) { c.OfficialAccount.Secret = "" },
		"a bad endpoint":   func(c *scangate.Config) { c.WeChat.Endpoint.API = "http://\x7f" },
		"no account":       func(c *scangate.Config) { c.OfficialAccount = wechat.Account{} },
		"a bad template":   func(c *scangate.Config) { c.Pages.Templates = broken },
		"a bad pool":       func(c *scangate.Config) { c.Redis = &redis.Pool{} },
		"a bad prefix":     func(c *scangate.Config) { c.RedisPrefix = "a\nb" },
		"a limit":          func(c *scangate.Config) { c.Limits.Address = -1 },
		"an open session":  func(c *scangate.Config) { c.Session.Manager = scs.New() },
		"a way to be sent": func(c *scangate.Config) { c.Phone.Require = true },
	} {
		config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
		option(&config)
		_, err := scangate.New(config)
		checkErrorText(t, "New with "+name, err)
	}
}

// awkwardUsers is a user store whose errors have this package's prefix and line breaks.
type awkwardUsers struct {
	scangate.UserStore
	awkward bool
}

var errAwkward = errors.New("scangate: reading\nscangate: and reading again")

func (u *awkwardUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if u.awkward {
		return scangate.User{}, errAwkward
	}
	return u.UserStore.FindByID(ctx, id)
}

func TestErrorsOfTheGateHaveOnePrefix(t *testing.T) {
	var users awkwardUsers
	w := newWorld(t, func(c *scangate.Config) { users.UserStore = c.Users; c.Users = &users })
	phone := w.phone("lin")
	phone.open("/account")
	users.awkward = true
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appURL+"/account", nil)
	for _, cookie := range phone.client.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	_, err := w.gate.Check(r)
	checkErrorText(t, "Check with a failing user store", err)
	if !errors.Is(err, errAwkward) {
		t.Errorf("Check: error = %v, want one that wraps the store's", err)
	}
	if a := phone.get("/account"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("gated page: status = %d, want %d", a.StatusCode, http.StatusServiceUnavailable)
	}
	if log := w.log.String(); strings.Contains(log, "scangate: reading the user: scangate:") || !strings.Contains(log, "scangate: reading the user: reading; and reading again") {
		t.Errorf("log: the store's error is not on one line with one prefix:\n%s", log)
	}
}

func TestErrorsOfRedisStoreHaveOnePrefix(t *testing.T) {
	server := miniredis.RunT(t)
	addr := server.Addr()
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
	store, err := scangate.NewRedisStore(pool, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	server.Close()
	ctx := t.Context()
	_, err = store.FindByID(ctx, "id")
	checkErrorText(t, "FindByID", err)
	_, _, err = store.Load(ctx, "key")
	checkErrorText(t, "Load", err)
	checkErrorText(t, "Create", store.Create(ctx, "key", nil, time.Minute))
	_, err = scangate.NewRedisStore(&redis.Pool{}, "")
	checkErrorText(t, "NewRedisStore", err)
}
