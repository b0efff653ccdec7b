package servertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// browser is a desktop browser with cookies of its own. It does not follow
// redirects, so that tests can check them.
type browser struct {
	t      *testing.T
	site   *site
	client *http.Client
}

// response is an HTTP response that has been read.
type response struct {
	status   int
	location string // the Location header
	header   http.Header
	body     string
}

// loggedOut returns a browser without a login.
func (s *site) loggedOut(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.browser(t, jar)
}

// loggedIn returns a browser in which the person is logged in.
func (s *site) loggedIn(t *testing.T, person string) *browser {
	t.Helper()
	b := s.loggedOut(t)
	s.wechat.LogIn(t, b.client, s.url+"/account", person)
	return b
}

// browser returns a browser with these cookies.
func (s *site) browser(t *testing.T, jar http.CookieJar) *browser {
	t.Helper()
	return &browser{t, s, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open requests a page, as the address bar does. The address may be a path.
func (b *browser) open(address string) response {
	b.t.Helper()
	return b.do(http.MethodGet, address, "text/html,*/*;q=0.8", nil)
}

// get requests JSON, as a page's script does.
func (b *browser) get(path string) response {
	b.t.Helper()
	return b.do(http.MethodGet, path, "application/json", nil)
}

// post sends a JSON object, as a page's script does. A nil object is sent as {}.
func (b *browser) post(path string, object map[string]string) response {
	b.t.Helper()
	if object == nil {
		object = map[string]string{}
	}
	body, err := json.Marshal(object)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(http.MethodPost, path, "application/json", bytes.NewReader(body))
}

// do sends a request and reads the whole response.
func (b *browser) do(method, address, accept string, body io.Reader) response {
	b.t.Helper()
	// A redirect is not an error here, because the client does not follow it.
	resp, err := b.client.Do(b.request(method, address, accept, body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(text)}
}

// request returns a request without cookies: the client adds those.
func (b *browser) request(method, address, accept string, body io.Reader) *http.Request {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.site.url + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	// The gate treats WeChat's own browser in another way.
	req.Header.Set("User-Agent", wechattest.UserAgentChrome)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// login holds the URLs of a login that waits for a phone.
type login struct {
	ScanURL   string `json:"scan_url"`   // for the phone: the content of the QR code
	StateURL  string `json:"state_url"`  // answers when the state changes
	FinishURL string `json:"finish_url"` // creates the session after the approval
}

// startLogin starts a login, as a page's script does.
func (b *browser) startLogin() login {
	b.t.Helper()
	var l login
	got := b.post("/wechat/login", map[string]string{"return_to": "/account"})
	if err := json.Unmarshal([]byte(got.body), &l); err != nil || got.status != http.StatusCreated || l.ScanURL == "" {
		b.t.Fatalf("starting a login: status = %d, body = %s, want 201 with a scan_url", got.status, got.body)
	}
	return l
}

// wantLoggedIn fails the test unless the browser is logged in.
func (b *browser) wantLoggedIn() {
	b.t.Helper()
	if got := b.open("/account"); got.status != http.StatusOK || !strings.Contains(got.body, `action="/wechat/logout"`) {
		b.t.Errorf("account page: status = %d, Location = %q, body = %s, want 200 with a logout form", got.status, got.location, got.body)
	}
}

// wantLoggedOut fails the test if the browser is logged in.
func (b *browser) wantLoggedOut() {
	b.t.Helper()
	if got := b.open("/account"); got.status != http.StatusSeeOther {
		b.t.Errorf("account page without a login: status = %d, body = %s, want 303", got.status, got.body)
	}
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// answer opens the login on the phone of a person, and sends the confirm page's form
// with "approve" or "deny". It returns the phone.
func (s *site) answer(t *testing.T, l login, person, decision string) *wechattest.Phone {
	t.Helper()
	phone := s.wechat.Phone(person, nil, s.wechat.URL)
	resp, err := phone.Open(t.Context(), l.ScanURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	// The form contains a token against cross-site requests.
	token := formToken.FindStringSubmatch(string(page))
	if token == nil {
		t.Fatalf("scanning: status = %d, body = %s, want a page with a form", resp.StatusCode, page)
	}
	done, err := phone.PostForm(t.Context(), resp.Request.URL.String(), url.Values{"token": {token[1]}, "answer": {decision}})
	if err != nil {
		t.Fatal(err)
	}
	_ = done.Body.Close()
	return phone
}
