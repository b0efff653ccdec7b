package wechattest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestLogInExample(t *testing.T) { testAccount(t) }

// gated returns an application in memory that shows who is logged in, and the
// network by which a client reaches it: the simulator's pages are not there.
func gated(t *testing.T, sim *wechattest.WeChat, config scangate.Config) http.RoundTripper {
	t.Helper()
	config.PublicURL = "https://app.example.com"
	config.HTTPClient = &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": sim})}
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		_, _ = fmt.Fprint(w, user.Nickname)
	})))
	mux.HandleFunc("/link", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `<a href="https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxofficial">`)
	})
	mux.HandleFunc("/known", func(w http.ResponseWriter, r *http.Request) {
		// It gives everybody a cookie, the same each time, and nobody a session.
		http.SetCookie(w, &http.Cookie{Name: "visitor", Value: "1"})
		if r.FormValue("code") == "" {
			http.Redirect(w, r, "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxofficial&redirect_uri=https%3A%2F%2Fapp.example.com%2Fknown&response_type=code&scope=snsapi_base&state=1#wechat_redirect", http.StatusFound)
			return
		}
		_, _ = fmt.Fprint(w, "<head><title>x</title></head><p>You again.</p>")
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round?again", http.StatusFound) })
	return wechattest.Transport(map[string]http.Handler{"app.example.com": mux})
}

// newClient returns a client without a cookie.
func newClient(t *testing.T, network http.RoundTripper) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: network, Jar: jar}
}

func TestLogIn(t *testing.T) {
	for name, test := range map[string]struct {
		config         scangate.Config
		address        string
		person, called string
	}{
		"from a gated page":           {scangate.Config{OfficialAccount: official.Account}, "/account", "lin", ""},
		"from the login":              {scangate.Config{OfficialAccount: official.Account}, "/wechat/login", "lin", ""},
		"with the profile page":       {scangate.Config{OfficialAccount: official.Account, FetchProfile: true}, "/account", "yueyue", "月月🌙🐰"},
		"who only gets snapshots":     {scangate.Config{OfficialAccount: official.Account, FetchProfile: true}, "/account", "zhao", "赵一"},
		"with both accounts":          {scangate.Config{OfficialAccount: official.Account, Website: website.Account, FetchProfile: true}, "/account", "chen", "陈默"},
		"with a website application":  {scangate.Config{Website: website.Account, FetchProfile: true}, "/account", "wang", "Wang Wei"},
		"by a link that names WeChat": {scangate.Config{OfficialAccount: official.Account, Website: website.Account, FetchProfile: true}, "/wechat/login?with=website", "wang", "Wang Wei"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := wechattest.NewStrict(t, official, website)
				client := newClient(t, gated(t, sim, test.config))
				sim.LogIn(t, client, "https://app.example.com"+test.address, test.person)
				resp, err := client.Get("https://app.example.com/account")
				if err != nil {
					t.Fatal(err)
				}
				page, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || string(page) != test.called {
					t.Errorf("the page says %d %q %v, want %q", resp.StatusCode, page, err, test.called)
				}
			})
		})
	}
}

func TestLogInFails(t *testing.T) {
	open := scangate.Config{OfficialAccount: official.Account}
	closed := scangate.Config{OfficialAccount: official.Account, Registration: scangate.RegisterClosed}
	for name, test := range map[string]struct {
		config          scangate.Config
		address, person string
		jar             bool
		want            string
	}{
		"nobody":              {open, "/account", "nobody", true, `logging "nobody" in: nobody is called that`},
		"no jar":              {open, "/account", "lin", false, "the client has no Jar"},
		"no login":            {open, "/wechat/me", "lin", true, "doesn't lead to WeChat, but ends at https://app.example.com/wechat/me with 401"},
		"no such page":        {open, "/nothing", "lin", true, "/nothing with 404"},
		"no such host":        {open, ".other/", "lin", true, "there is no host"},
		"in circles":          {open, "/round", "lin", true, "after 20 steps it leads on still, to https://app.example.com/round"},
		"not registered":      {closed, "/account", "lin", true, "no session has begun when it ends at https://app.example.com/wechat/callback with 403"},
		"disabled, and known": {open, "/known", "wang", true, "no session has begun when it ends at https://app.example.com/known with 200: \"You again.\""},
		"a link that is bad":  {open, "/link", "lin", true, "#wechat_redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			sim := wechattest.New(nil, official)
			client := newClient(t, gated(t, sim, test.config))
			if !test.jar {
				client.Jar = nil
			}
			stopped := fatally(t, func(t testing.TB) {
				sim.LogIn(t, client, "https://app.example.com"+test.address, test.person)
			})
			if !strings.Contains(stopped, test.want) {
				t.Errorf("the test stops with %q, want something about %q", stopped, test.want)
			}
			if strings.Contains(stopped, "state=") || strings.Contains(stopped, "code=") {
				t.Errorf("%q holds a secret", stopped)
			}
		})
	}
}

func TestLogInTwice(t *testing.T) {
	sim := wechattest.New(nil, official)
	client := newClient(t, gated(t, sim, scangate.Config{OfficialAccount: official.Account}))
	sim.LogIn(t, client, "https://app.example.com/account", "lin")
	stopped := fatally(t, func(t testing.TB) { sim.LogIn(t, client, "https://app.example.com/account", "wang") })
	if !strings.Contains(stopped, "doesn't lead to WeChat") {
		t.Errorf("the test goes on, or stops with %q", stopped)
	}
}

// fatal is a test that Fatalf ends.
type fatal struct {
	testing.TB
	message string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

// fatally returns what a test fails with, or "".
func fatally(t *testing.T, test func(testing.TB)) (message string) {
	t.Helper()
	f := &fatal{TB: t}
	defer func() {
		if ended := recover(); ended != nil && ended != any(f) {
			panic(ended)
		}
		message = f.message
	}()
	test(f)
	return ""
}
