package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// testApp is the application on a server of its own, beside a WeChat that fails
// the test when the protocol is broken.
type testApp struct {
	url    string
	wechat *wechattest.Server
}

func newTestApp(t *testing.T) *testApp {
	t.Helper()
	o := options{official: wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}}
	a := &testApp{wechat: wechattest.NewServer(t, wechattest.App{Account: o.official})}
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	a.url = "http://" + server.Listener.Addr().String()
	o.publicURL, o.endpoint = a.url, a.wechat.Endpoint()
	users := scangate.NewMemoryStore()
	lin := scangate.Identity{AppID: o.official.AppID, OpenID: a.wechat.OpenID("lin", o.official.AppID)}
	if _, err := users.Register(t.Context(), scangate.NewUser{Identity: lin, Nickname: "林小北"}); err != nil {
		t.Fatal(err)
	}
	counts := newMetrics()
	gate, err := newGate(o, users, counts)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = counts.around(newApp(gate), gate)
	server.Start()
	return a
}

// phone is WeChat's own browser in a person's hand.
func (a *testApp) phone(person string) *wechattest.Phone {
	return a.wechat.Phone(person, nil, a.wechat.URL)
}

// open returns the page that the phone is shown at path.
func (a *testApp) open(t *testing.T, phone *wechattest.Phone, path string) string {
	t.Helper()
	resp, err := phone.Open(t.Context(), a.url+path)
	if err != nil {
		t.Fatal(err)
	}
	return body(t, resp)
}

// logout posts the form of the account page.
func (a *testApp) logout(t *testing.T, phone *wechattest.Phone, form url.Values) {
	t.Helper()
	resp, err := phone.PostForm(t.Context(), a.url+"/wechat/logout", form)
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, resp); !strings.Contains(page, "A page for everybody") {
		t.Errorf("logging out led to %s with %s", resp.Request.URL, page)
	}
}

// loggedIn asks the API, which sends nobody to WeChat.
func (a *testApp) loggedIn(t *testing.T, phone *wechattest.Phone) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/api/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := phone.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body(t, resp)
	return resp.StatusCode == http.StatusOK
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// get is a request of somebody whom nobody knows. Redirects are not followed.
func get(t *testing.T, address, accept string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestStrangers(t *testing.T) {
	a := newTestApp(t)
	const html, anything = "text/html,*/*;q=0.8", "*/*"
	for _, tt := range []struct {
		name, path, accept string
		status             int
		location, body     string
	}{
		{"the public page is for all", "/", html, 200, "", "A page for everybody"},
		{"a page leads to the login and back", "/account?tab=2", html, 303, "/wechat/login?return_to=%2Faccount%3Ftab%3D2", ""},
		{"a program is told", "/account", anything, 401, "", `"code":"login_required"`},
		{"the API tells as well", "/api/account", anything, 401, "", `"login_url":"/wechat/login"`},
		{"the API in a browser leads to the login", "/api/account", html, 303, "/wechat/login?return_to=%2Fapi%2Faccount", ""},
		{"there is no other page", "/nothing", html, 404, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(t, a.url+tt.path, tt.accept)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
				t.Errorf("got %d to %q, want %d to %q", resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
			}
			if got := body(t, resp); !strings.Contains(got, tt.body) {
				t.Errorf("%q is not in %s", tt.body, got)
			}
		})
	}
}

func TestLoginInWeChat(t *testing.T) {
	a := newTestApp(t)
	phone := a.phone("lin")
	if page := a.open(t, phone, "/account"); !strings.Contains(page, "Hello, 林小北!") {
		t.Fatalf("no greeting in %s", page)
	}
	var got view
	if err := json.Unmarshal([]byte(a.open(t, phone, "/api/account")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "林小北" || got.ID == "" {
		t.Errorf("the API answers %+v", got)
	}
	a.logout(t, phone, nil)
	if a.loggedIn(t, phone) {
		t.Error("after logging out the API answers still")
	}
}

func TestLogout(t *testing.T) {
	for _, tt := range []struct {
		name       string
		form       url.Values
		otherStays bool
	}{
		{"here: the other device stays logged in", nil, true},
		{"everywhere: the other device is logged out", url.Values{"everywhere": {"true"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestApp(t)
			one, other := a.phone("lin"), a.phone("lin")
			a.open(t, one, "/account")
			a.open(t, other, "/account")
			a.logout(t, one, tt.form)
			if a.loggedIn(t, one) {
				t.Error("this device is logged in still")
			}
			if got := a.loggedIn(t, other); got != tt.otherStays {
				t.Errorf("the other device is logged in: %v, want %v", got, tt.otherStays)
			}
		})
	}
}

// startProgram runs the program until the test ends, with a database of its own
// unless args name one, and returns its address.
func startProgram(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "users.db")}, args...)
	// Not t.Context, which ends before the browser has closed its pages.
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, in)
		_ = in.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until the program closes it
			return address
		}
	}
	t.Fatal("the program printed no address")
	return ""
}

func TestProgram(t *testing.T) {
	address := startProgram(t)
	resp := get(t, address+"/wechat/login?return_to=/account", "text/html")
	page := body(t, resp)
	for _, want := range []*regexp.Regexp{
		regexp.MustCompile(`href="` + regexp.QuoteMeta(address) + `/wechat/scan/[A-Z2-7]{26}"`),
		regexp.MustCompile(`href="/wechat/login\?[^"]*with=website`),
	} {
		if !want.MatchString(page) {
			t.Errorf("%s matches nothing in %s", want, page)
		}
	}
}

func TestProgramRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown flag", []string{"-nonsense"}, "-nonsense"},
		{"an argument", []string{"nonsense"}, "nonsense"},
		{"an account without its secret", []string{"-appid", "wx1"}, "Config.OfficialAccount"},
		{"another WeChat without an account", []string{"-wechat-api-url", "http://127.0.0.1:1"}, "-appid"},
		{"plain http for others", []string{"-public-url", "http://192.168.1.5:8080"}, "Config.PublicURL"},
		{"another registration", []string{"-registration", "nobody"}, "Config.Registration"},
		{"another database", []string{"-db", "oracle://scott:tiger@127.0.0.1/x"}, "oracle://"},
		{"a file in no folder", []string{"-db", "nowhere/users.db"}, "database file"},
		{"a Redis that is not there", []string{"-db", "", "-redis", "127.0.0.1:1"}, "Redis"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WECHAT_SECRET", "")
			err := run(t.Context(), append([]string{"-addr", "127.0.0.1:0", "-db", "memory"}, tt.args...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "tiger") {
				t.Errorf("got %v, want something about %s", err, tt.want)
			}
		})
	}
}
