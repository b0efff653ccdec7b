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

// TestLogInExample runs the test of the example, which go test only compiles.
func TestLogInExample(t *testing.T) { testAccount(t) }

// TestFollowExample runs the test of that example.
func TestFollowExample(t *testing.T) { testFollow(t) }

// newAppTransport returns a transport to an application whose page /account shows
// the user's nickname. The transport does not reach the simulator's pages.
func newAppTransport(t *testing.T, simulator *wechattest.WeChat, config scangate.Config) http.RoundTripper {
	t.Helper()
	config.PublicURL = "https://app.example.com"
	config.WeChat.HTTPClient = &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})}
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
	// A page with an invalid link to WeChat.
	mux.HandleFunc("/link", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `<a href="https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx00000000official">`)
	})
	// A login that sets the same cookie in every answer, and never starts a session.
	mux.HandleFunc("/no-session", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "visitor", Value: "1"})
		if r.FormValue("code") == "" {
			http.Redirect(w, r, "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx00000000official&redirect_uri=https%3A%2F%2Fapp.example.com%2Fno-session&response_type=code&scope=snsapi_base&state=1#wechat_redirect", http.StatusFound)
			return
		}
		_, _ = fmt.Fprint(w, "<head><title>x</title></head><p>No session.</p>")
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop?again", http.StatusFound) })
	return wechattest.Transport(map[string]http.Handler{"app.example.com": mux})
}

// newClient returns a client with an empty jar.
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
		config       scangate.Config
		address      string
		person, want string // want is the content of /account: the nickname, if it is fetched
	}{
		"from a gated page":                  {scangate.Config{OfficialAccount: official.Account}, "/account", "lin", ""},
		"from the login":                     {scangate.Config{OfficialAccount: official.Account}, "/wechat/login", "lin", ""},
		"with the profile page":              {scangate.Config{OfficialAccount: official.Account, Registration: scangate.Registration{FetchProfile: true}}, "/account", "yueyue", "月月🌙🐰"},
		"as a snapshot user":                 {scangate.Config{OfficialAccount: official.Account, Registration: scangate.Registration{FetchProfile: true}}, "/account", "zhao", "赵一"},
		"with both accounts":                 {scangate.Config{OfficialAccount: official.Account, Website: website.Account, Registration: scangate.Registration{FetchProfile: true}}, "/account", "chen", "陈默"},
		"with a website application":         {scangate.Config{Website: website.Account, Registration: scangate.Registration{FetchProfile: true}}, "/account", "wang", "Wang Wei"},
		"by a link that chooses the website": {scangate.Config{OfficialAccount: official.Account, Website: website.Account, Registration: scangate.Registration{FetchProfile: true}}, "/wechat/login?with=website", "wang", "Wang Wei"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				simulator := wechattest.NewStrict(t, official, website)
				client := newClient(t, newAppTransport(t, simulator, test.config))
				simulator.LogIn(t, client, "https://app.example.com"+test.address, test.person)
				resp, err := client.Get("https://app.example.com/account")
				if err != nil {
					t.Fatal(err)
				}
				page, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || string(page) != test.want {
					t.Errorf("GET /account = %d, %q, %v, want 200, %q", resp.StatusCode, page, err, test.want)
				}
			})
		})
	}
}

func TestLogInFails(t *testing.T) {
	open := scangate.Config{OfficialAccount: official.Account}
	closed := scangate.Config{OfficialAccount: official.Account, Registration: scangate.Registration{Mode: scangate.RegisterClosed}}
	for name, test := range map[string]struct {
		config          scangate.Config
		address, person string
		jar             bool
		want            string
	}{
		"unknown person": {open, "/account", "unknown", true, `logging in as "unknown": unknown person`},
		"no jar":         {open, "/account", "lin", false, "the client has no Jar"},
		"no login":       {open, "/wechat/me", "lin", true, "does not lead to WeChat: the login ends at https://app.example.com/wechat/me with status 401"},
		"unknown page":   {open, "/nothing", "lin", true, "/nothing with status 404"},
		"unknown host":   {open, ".other/", "lin", true, "no handler for host"},
		"redirect loop":  {open, "/loop", "lin", true, "does not end after 20 pages; the next is https://app.example.com/loop"},
		"not registered": {closed, "/account", "lin", true, "no session begins: the login ends at https://app.example.com/wechat/callback with status 403"},
		"no session":     {open, "/no-session", "wang", true, "no session begins: the login ends at https://app.example.com/no-session with status 200: \"No session.\""},
		"invalid link":   {open, "/link", "lin", true, "#wechat_redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			simulator := wechattest.New(nil, official)
			client := newClient(t, newAppTransport(t, simulator, test.config))
			if !test.jar {
				client.Jar = nil
			}
			got := fatalMessage(t, func(t testing.TB) {
				simulator.LogIn(t, client, "https://app.example.com"+test.address, test.person)
			})
			if !strings.Contains(got, test.want) {
				t.Errorf("LogIn fails with %q, want %q in it", got, test.want)
			}
			if strings.Count(got, "wechattest: ") != 1 {
				t.Errorf("LogIn fails with %q, want the package's prefix once", got)
			}
			if strings.Contains(got, "state=") || strings.Contains(got, "code=") {
				t.Errorf("LogIn fails with %q, want no secret in it", got)
			}
		})
	}
}

func TestLogInTwice(t *testing.T) {
	simulator := wechattest.New(nil, official)
	client := newClient(t, newAppTransport(t, simulator, scangate.Config{OfficialAccount: official.Account}))
	simulator.LogIn(t, client, "https://app.example.com/account", "lin")
	got := fatalMessage(t, func(t testing.TB) { simulator.LogIn(t, client, "https://app.example.com/account", "wang") })
	if want := "does not lead to WeChat"; !strings.Contains(got, want) {
		t.Errorf("second LogIn fails with %q, want %q in it", got, want)
	}
}

// fatalT is a testing.TB whose Fatalf records its message and panics.
type fatalT struct {
	testing.TB
	message string
}

func (f *fatalT) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

// fatalMessage returns the message with which test calls Fatalf, or "".
func fatalMessage(t *testing.T, test func(testing.TB)) (message string) {
	t.Helper()
	f := &fatalT{TB: t}
	defer func() {
		if cause := recover(); cause != nil && cause != any(f) {
			panic(cause)
		}
		message = f.message
	}()
	test(f)
	return ""
}
