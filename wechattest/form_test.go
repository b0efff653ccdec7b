package wechattest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// roundTripper is an http.RoundTripper made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ExampleSubmit is the part of a test that proves a phone number.
func ExampleSubmit() {
	test := func(t *testing.T, phone *wechattest.Phone, codes *wechattest.Codes) {
		page, err := phone.Open(t.Context(), "https://app.example.com/wechat/phone")
		if err != nil {
			t.Fatal(err)
		}
		page = wechattest.Submit(t, phone.Client, page, url.Values{"phone": {"13800138000"}})
		page = wechattest.Submit(t, phone.Client, page, url.Values{"code": {codes.To("+8613800138000")}})
		if err := page.Body.Close(); err != nil || page.StatusCode != http.StatusOK {
			t.Errorf("the page after the code: status %d, %v, want 200", page.StatusCode, err)
		}
	}
	_ = test // go test calls it
}

// A test types a number and a code into the gate's pages, without a regular expression.
func TestSubmitBindsPhone(t *testing.T) {
	var codes wechattest.Codes
	simulator := wechattest.New(nil, official)
	network := newAppTransport(t, simulator, scangate.Config{
		OfficialAccount: official.Account, Phone: scangate.Phone{Require: true, SendCode: codes.Send},
	})
	phone := simulator.Phone("lin", roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "open.weixin.qq.com" {
			return wechattest.Transport(map[string]http.Handler{r.URL.Host: simulator}).RoundTrip(r)
		}
		return network.RoundTrip(r)
	}), "https://open.weixin.qq.com")
	if codes.Last() != "" || codes.To("+8613800138000") != "" {
		t.Error("codes before the first one: want none")
	}
	page, err := phone.Open(t.Context(), "https://app.example.com/account")
	if err != nil {
		t.Fatal(err)
	}
	page = wechattest.Submit(t, phone.Client, page, url.Values{"phone": {"13800138000"}})
	if codes.Last() == "" || codes.To("+8613800138000") != codes.Last() {
		t.Errorf("codes: last %q, to the number %q, want the same code", codes.Last(), codes.To("+8613800138000"))
	}
	page = wechattest.Submit(t, phone.Client, page, url.Values{"code": {codes.Last()}})
	defer func() { _ = page.Body.Close() }()
	if page.StatusCode != http.StatusOK || page.Request.URL.Path != "/account" {
		t.Errorf("after the code: %s with status %d, want /account with 200", page.Request.URL.Path, page.StatusCode)
	}
}

func TestLinkByScan(t *testing.T) {
	users := scangate.NewMemoryStore()
	clerk, err := users.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}})
	if err != nil {
		t.Fatal(err)
	}
	simulator := wechattest.New(nil, official)
	network := newAppTransport(t, simulator, scangate.Config{
		OfficialAccount: official.Account, Users: users,
		CurrentUser: func(*http.Request) (string, bool) { return clerk.ID, true },
	})
	simulator.LinkByScan(t, newClient(t, network), "https://app.example.com/wechat/link", "lin")
	lin := scangate.Identity{AppID: official.AppID, OpenID: simulator.OpenID("lin", official.AppID)}
	if user, err := users.FindByWeChat(context.Background(), lin); err != nil || user.ID != clerk.ID {
		t.Errorf("FindByWeChat after LinkByScan: user %q, %v, want %q", user.ID, err, clerk.ID)
	}
}

// pageWith returns a page of a server that echoes the forms that it gets.
func pageWith(t *testing.T, body string) (*http.Client, *http.Response) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			_, _ = io.WriteString(w, r.URL.Path+" "+r.PostForm.Encode()+" "+r.Header.Get("Origin"))
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	page, err := server.Client().Get(server.URL + "/page")
	if err != nil {
		t.Fatal(err)
	}
	return server.Client(), page
}

func TestSubmitFillsForms(t *testing.T) {
	const two = `<form method="post" action="/other"><input name="a" value="1"></form>
		<form class="x" method="post" action="next?q=1"><input type="hidden" name="token" value="&lt;t&gt;">
		<input name="b"><input type="checkbox" name="agree" value="v1"><input name="c" value="kept">
		<button name="answer" value="approve"></button><button name="answer" value="deny"></button></form>`
	for name, test := range map[string]struct {
		body   string
		fields url.Values
		want   string
	}{
		"the form with the field":  {two, url.Values{"b": {"2"}}, "/next answer=approve&b=2&c=kept&token=%3Ct%3E http"},
		"no field: the first form": {two, nil, "/other a=1 http"},
		"a box and a button":       {two, url.Values{"agree": {"v1"}, "answer": {"deny"}}, "/next agree=v1&answer=deny&c=kept&token=%3Ct%3E http"},
		"no address: the page's":   {`<form method="post"><input name="a"></form>`, url.Values{"a": {"1"}}, "/page a=1 http"},
	} {
		t.Run(name, func(t *testing.T) {
			client, page := pageWith(t, test.body)
			answer := wechattest.Submit(t, client, page, test.fields)
			defer func() { _ = answer.Body.Close() }()
			if got, err := io.ReadAll(answer.Body); err != nil || !strings.HasPrefix(string(got), test.want) {
				t.Errorf("posted: %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestSubmitFails(t *testing.T) {
	for body, want := range map[string]string{
		"no form": `the page http`,
		`<form method="post" action="/x"><input name="a"></form>`:        `has no form with the fields ["code"]`,
		`<form method="post" action="http://[::1"><input name="code">`:   `has no form`,
		`<form method="post" action=":%"><input name="code"></form>`:     `the form's address is not a URL`,
		`<form method="get" action="/search"><input name="code"></form>`: `has no form`,
	} {
		client, page := pageWith(t, body)
		got := fatalMessage(t, func(t testing.TB) { _ = wechattest.Submit(t, client, page, url.Values{"code": {"1"}}) }) //nolint:bodyclose // there is no answer
		if !strings.Contains(got, want) {
			t.Errorf("Submit on %q fails with %q, want %q in it", body, got, want)
		}
	}
}
