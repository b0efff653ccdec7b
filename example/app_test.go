package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// testApp is the application on a server of its own, with a simulated WeChat that fails
// the test if the gate breaks the protocol.
type testApp struct {
	url    string
	wechat *wechattest.Server
}

// newTestApp starts the application until the test ends. One user is registered, 林小北.
func newTestApp(t *testing.T) *testApp {
	t.Helper()
	o := options{official: wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}}
	a := &testApp{wechat: wechattest.NewServer(t, wechattest.App{Account: o.official})}
	// Not started yet: the gate needs the server's address first.
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	a.url = "http://" + server.Listener.Addr().String()
	o.publicURL, o.endpoint = a.url, a.wechat.Endpoint()
	users := scangate.NewMemoryStore()
	lin := scangate.Identity{AppID: o.official.AppID, OpenID: a.wechat.OpenID("lin", o.official.AppID)}
	if _, err := users.Register(t.Context(), scangate.NewUser{Identity: lin, Nickname: "林小北"}); err != nil {
		t.Fatal(err)
	}
	gate, err := newGate(o, users)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = newApp(gate)
	server.Start()
	return a
}

// phone returns the phone of a person, which opens pages in WeChat's own browser.
func (a *testApp) phone(person string) *wechattest.Phone {
	return a.wechat.Phone(person, nil, a.wechat.URL)
}

// open opens a path of the application on the phone and returns the page.
func (a *testApp) open(t *testing.T, phone *wechattest.Phone, path string) string {
	t.Helper()
	resp, err := phone.Open(t.Context(), a.url+path)
	if err != nil {
		t.Fatal(err)
	}
	return body(t, resp)
}

// logout sends the form of the account page.
func (a *testApp) logout(t *testing.T, phone *wechattest.Phone, form url.Values) {
	t.Helper()
	resp, err := phone.PostForm(t.Context(), a.url+"/wechat/logout", form)
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, resp); !strings.Contains(page, "A public page") {
		t.Errorf("page after the logout: got %s at %s, want the public page", page, resp.Request.URL)
	}
}

// loggedIn reports whether the phone is logged in.
func (a *testApp) loggedIn(t *testing.T, phone *wechattest.Phone) bool {
	t.Helper()
	// A request of a script: opening a page in WeChat would start a login.
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

// body reads and closes a response's body.
func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// get sends a request without cookies. It does not follow redirects.
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

// TestLoggedOut requests pages without a login.
func TestLoggedOut(t *testing.T) {
	a := newTestApp(t)
	const html, anything = "text/html,*/*;q=0.8", "*/*"
	for _, tt := range []struct {
		name, path, accept string
		status             int
		location, body     string
	}{
		{"the home page is public", "/", html, 200, "", "A public page"},
		{"a browser is redirected to the login", "/account?tab=2", html, 303, "/wechat/login?return_to=%2Faccount%3Ftab%3D2", ""},
		{"a script gets a problem", "/account", anything, 401, "", `"code":"login_required"`},
		{"the API returns a problem", "/api/account", anything, 401, "", `"login_url":"/wechat/login"`},
		{"the API redirects a browser to the login", "/api/account", html, 303, "/wechat/login?return_to=%2Fapi%2Faccount", ""},
		{"an unknown path is not found", "/nothing", html, 404, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(t, a.url+tt.path, tt.accept)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
				t.Errorf("GET %s: status = %d, Location = %q, want %d, %q", tt.path, resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
			}
			if got := body(t, resp); !strings.Contains(got, tt.body) {
				t.Errorf("GET %s: body = %s, want it to contain %q", tt.path, got, tt.body)
			}
		})
	}
}

// TestLoginInWeChat logs in with WeChat's own browser, where no QR code is needed.
func TestLoginInWeChat(t *testing.T) {
	a := newTestApp(t)
	phone := a.phone("lin")
	if page := a.open(t, phone, "/account"); !strings.Contains(page, "Hello, 林小北!") {
		t.Fatalf("account page = %s, want a greeting of 林小北", page)
	}
	var got view
	if err := json.Unmarshal([]byte(a.open(t, phone, "/api/account")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "林小北" || got.ID == "" {
		t.Errorf("API = %+v, want an ID and the name 林小北", got)
	}
	a.logout(t, phone, nil)
	if a.loggedIn(t, phone) {
		t.Error("after the logout the phone is logged in, want logged out")
	}
}

// TestLogout logs out a phone while a tablet is logged in as the same user.
func TestLogout(t *testing.T) {
	for _, tt := range []struct {
		name        string
		form        url.Values
		tabletStays bool
	}{
		{"on this device only", nil, true},
		{"on all devices", url.Values{"everywhere": {"true"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestApp(t)
			phone, tablet := a.phone("lin"), a.phone("lin")
			a.open(t, phone, "/account")
			a.open(t, tablet, "/account")
			a.logout(t, phone, tt.form)
			if a.loggedIn(t, phone) {
				t.Error("after the logout the phone is logged in, want logged out")
			}
			if got := a.loggedIn(t, tablet); got != tt.tabletStays {
				t.Errorf("after the logout the tablet is logged in: %v, want %v", got, tt.tabletStays)
			}
		})
	}
}

// startProgram runs the program until the test ends, and returns its address.
func startProgram(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"-addr", "127.0.0.1:0"}, args...)
	// Not t.Context, which ends before a browser has closed its pages.
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
			t.Errorf("run: %v, want nil after its context ends", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			// Read the rest too, until the program closes the pipe. Otherwise its
			// next write blocks.
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return address
		}
	}
	t.Fatal("the program ended its output without a line \"Open ...\"")
	return ""
}

// TestProgram starts the program with the simulator. The login page must offer both
// kinds of login.
func TestProgram(t *testing.T) {
	address := startProgram(t)
	resp := get(t, address+"/wechat/login?return_to=/account", "text/html")
	page := body(t, resp)
	for _, want := range []*regexp.Regexp{
		regexp.MustCompile(`href="` + regexp.QuoteMeta(address) + `/wechat/scan/[A-Z2-7]{26}"`),
		regexp.MustCompile(`href="/wechat/login\?[^"]*with=website`),
	} {
		if !want.MatchString(page) {
			t.Errorf("login page = %s, want a match of %s", page, want)
		}
	}
}

// TestProgramRefuses starts the program with wrong settings. The error must name the
// setting.
func TestProgramRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown flag", []string{"-nonsense"}, "-nonsense"},
		{"an argument", []string{"nonsense"}, "nonsense"},
		{"an account without its secret", []string{"-appid", "wx0000000000000001"}, "Config.OfficialAccount"},
		{"a WeChat URL without an AppID", []string{"-wechat-api-url", "http://127.0.0.1:1"}, "-appid"},
		{"plain http on another host", []string{"-public-url", "http://192.168.1.5:8080"}, "Config.PublicURL"},
		{"push settings without an AppID", []string{"-push-token", "0123456789abcdef"}, "-appid"},
		{"an unknown way", []string{"-scan", "sometimes"}, "Config.Scan"},
		{"a way without push settings", []string{"-appid", "wx0000000000000001", "-secret", simulatedSecret, "-scan", "follow"}, "Config.Push"},
		{"an unknown registration", []string{"-registration", "sometimes"}, "Config.Registration.Mode"},
		{"an unreachable Redis", []string{"-redis", "127.0.0.1:1"}, "Redis"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The developer's environment may contain a secret.
			for _, name := range []string{"WECHAT_SECRET", "WECHAT_PUSH_TOKEN", "WECHAT_PUSH_KEY"} {
				t.Setenv(name, "")
			}
			err := run(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, tt.args...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("run %q: error = %v, want one that contains %q", tt.args, err, tt.want)
			}
		})
	}
}
