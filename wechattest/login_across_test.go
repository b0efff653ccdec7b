package wechattest_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// chatPush are the settings of the account's messages.
var chatPush = scangate.Push{
	Token: "abcdefghijklmnop", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
	AccountQR: "http://weixin.qq.com/r/account",
}

// newChatTransport is newAppTransport for an application whose gate takes the account's
// messages.
func newChatTransport(t *testing.T, simulator *wechattest.WeChat, config scangate.Config) http.RoundTripper {
	t.Helper()
	config.OfficialAccount, config.Push = official.Account, chatPush
	network := newAppTransport(t, simulator, config)
	simulator.SetPush(official.AppID, wechattest.PushServer{
		URL: "https://app.example.com/wechat/push", Token: chatPush.Token, EncodingAESKey: chatPush.EncodingAESKey, Transport: network,
	})
	return network
}

// logInWays are the helpers that log in another browser than WeChat's.
var logInWays = map[scangate.ScanMode]func(*wechattest.WeChat, testing.TB, *http.Client, string, string){
	scangate.ScanWeb:     (*wechattest.WeChat).LogInByScan,
	scangate.ScanFollow:  (*wechattest.WeChat).LogInByFollow,
	scangate.ScanMessage: (*wechattest.WeChat).LogInByMessage,
}

func TestLogInAcross(t *testing.T) {
	terms := []scangate.Link{{Text: "Terms", URL: "/terms", Version: "1"}}
	for name, config := range map[string]scangate.Config{
		"":                  {},
		" with the profile": {Registration: scangate.Registration{FetchProfile: true}},
		" with terms":       {Pages: scangate.Pages{Terms: terms}},
		" with a number":    {MatchNumber: true},
		" with all":         {Registration: scangate.Registration{FetchProfile: true}, MatchNumber: true, Pages: scangate.Pages{Terms: terms}},
	} {
		for mode, logIn := range logInWays {
			t.Run(string(mode)+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					config := config
					config.Scan = mode
					simulator := wechattest.NewStrict(t, official)
					network := newChatTransport(t, simulator, config)
					// The second login is that of a follower who is a user.
					for _, address := range []string{"/account", "/wechat/login?return_to=/account"} {
						client := newClient(t, network)
						logIn(simulator, t, client, "https://app.example.com"+address, "yueyue")
						checkNickname(t, client, config.Registration.FetchProfile, "月月🌙🐰")
					}
				})
			})
		}
	}
}

// checkNickname checks that the client is logged in as a person, whose nickname the
// application has if it fetches profiles.
func checkNickname(t *testing.T, client *http.Client, fetched bool, want string) {
	t.Helper()
	if !fetched {
		want = ""
	}
	resp, err := client.Get("https://app.example.com/account")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(page) != want {
		t.Errorf("GET /account = %d, %q, %v, want 200, %q", resp.StatusCode, page, err, want)
	}
}

func TestLogInAcrossFails(t *testing.T) {
	open := scangate.Config{}
	phone := scangate.Config{Phone: scangate.Phone{Require: true, SendCode: func(context.Context, string, string) error { return nil }}}
	closed := scangate.Config{Registration: scangate.Registration{Mode: scangate.RegisterClosed}}
	for name, test := range map[string]struct {
		config            scangate.Config
		mode, by          scangate.ScanMode
		address, person   string
		withoutJar, quiet bool
		want              string
	}{
		"unknown person":          {open, scangate.ScanFollow, scangate.ScanFollow, "/account", "unknown", false, false, `logging in as "unknown": unknown person`},
		"no jar":                  {open, scangate.ScanFollow, scangate.ScanFollow, "/account", "lin", true, false, "the client has no Jar"},
		"no login":                {open, scangate.ScanFollow, scangate.ScanFollow, "/wechat/me", "lin", false, false, "does not lead to a login page: the way ends at https://app.example.com/wechat/me with status 401"},
		"redirect loop":           {open, scangate.ScanFollow, scangate.ScanFollow, "/loop", "lin", false, false, "no login page after 20 pages"},
		"unknown host":            {open, scangate.ScanFollow, scangate.ScanFollow, ".other/", "lin", false, false, "no handler for host"},
		"no push server":          {open, scangate.ScanMessage, scangate.ScanMessage, "/account", "lin", false, true, "0 accounts have a push server, want 1: see SetPush"},
		"phone number, by scan":   {phone, scangate.ScanWeb, scangate.ScanWeb, "/account", "lin", false, false, `the page asks for "phone"`},
		"phone number, by follow": {phone, scangate.ScanFollow, scangate.ScanFollow, "/account", "lin", false, false, `the page asks for "phone"`},
		"not registered, scan":    {closed, scangate.ScanWeb, scangate.ScanWeb, "/account", "lin", false, false, "the login cannot go on at this page"},
		"not registered, follow":  {closed, scangate.ScanFollow, scangate.ScanFollow, "/account", "lin", false, false, "the login is rejected; the account's last reply is"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Scan = test.mode
			simulator := wechattest.New(nil, official)
			var network http.RoundTripper
			if test.quiet {
				test.config.OfficialAccount, test.config.Push = official.Account, chatPush
				network = newAppTransport(t, simulator, test.config)
			} else {
				network = newChatTransport(t, simulator, test.config)
			}
			client := newClient(t, network)
			if test.withoutJar {
				client.Jar = nil
			}
			got := fatalMessage(t, func(t testing.TB) {
				logInWays[test.by](simulator, t, client, "https://app.example.com"+test.address, test.person)
			})
			if !strings.Contains(got, test.want) || strings.Count(got, "wechattest: ") != 1 {
				t.Errorf("the login fails with %q, want %q in it, and the package's prefix once", got, test.want)
			}
		})
	}
}

// A login page of another program has no login to start.
func TestLogInAcrossNeedsAGate(t *testing.T) {
	simulator := wechattest.New(nil, official)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<p data-state-url="/x">`) })
	client := newClient(t, wechattest.Transport(map[string]http.Handler{"app.example.com": page}))
	got := fatalMessage(t, func(t testing.TB) { simulator.LogInByScan(t, client, "https://app.example.com/", "lin") })
	if want := "the login page is not a scangate gate's"; !strings.Contains(got, want) {
		t.Errorf("LogInByScan fails with %q, want %q in it", got, want)
	}
}

// A gate with a website application alone has no page with a code.
func TestLogInByScanOnWeChatsPage(t *testing.T) {
	simulator := wechattest.New(nil, website)
	client := newClient(t, newAppTransport(t, simulator, scangate.Config{Website: website.Account}))
	got := fatalMessage(t, func(t testing.TB) { simulator.LogInByScan(t, client, "https://app.example.com/account", "lin") })
	if want := "use LogIn"; !strings.Contains(got, want) {
		t.Errorf("LogInByScan fails with %q, want %q in it", got, want)
	}
}

func TestAccountCode(t *testing.T) {
	simulator := wechattest.New(nil, official)
	if got, want := simulator.AccountCode(official.AppID), "http://weixin.qq.com/r/"+official.AppID; got != want {
		t.Errorf("AccountCode = %q, want %q", got, want)
	}
	simulator.CodesAt("http://127.0.0.1:9/wechat/")
	if got, want := simulator.AccountCode(official.AppID), "http://127.0.0.1:9/wechat/r/"+official.AppID; got != want {
		t.Errorf("AccountCode after CodesAt = %q, want %q", got, want)
	}
	client, err := wechat.NewClient(official.Account, wechat.Endpoint{}, &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})})
	if err != nil {
		t.Fatal(err)
	}
	code, err := client.CreateQRCode(t.Context(), "table7", time.Hour)
	u, _ := url.Parse(code.URL)
	if err != nil || u.Host != "127.0.0.1:9" || !strings.HasPrefix(u.Path, "/wechat/q/") {
		t.Errorf("CreateQRCode after CodesAt = %v, %v, want a URL below http://127.0.0.1:9/wechat/q/", code, err)
	}
}
