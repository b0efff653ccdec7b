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

// visitor is a browser that is not WeChat's, with cookies of its own. It follows
// no redirects, so that tests see them.
type visitor struct {
	t      *testing.T
	site   *site
	client *http.Client
}

// answer is what a visitor gets.
type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, s, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// member is a visitor who is logged in.
func (s *site) member(t *testing.T, person string) *visitor {
	t.Helper()
	v := s.visitor(t)
	s.wechat.LogIn(t, v.client, s.url+"/account", person)
	return v
}

// page opens a page, at a path or a whole address.
func (v *visitor) page(address string) answer {
	v.t.Helper()
	return v.do(http.MethodGet, address, "text/html,*/*;q=0.8", nil)
}

// get is what a script does.
func (v *visitor) get(path string) answer {
	v.t.Helper()
	return v.do(http.MethodGet, path, "application/json", nil)
}

// post is what a script does, with a JSON object.
func (v *visitor) post(path string, object map[string]string) answer {
	v.t.Helper()
	if object == nil {
		object = map[string]string{}
	}
	body, err := json.Marshal(object)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(http.MethodPost, path, "application/json", bytes.NewReader(body))
}

// do makes a request and reads all of the answer.
func (v *visitor) do(method, address, accept string, body io.Reader) answer {
	v.t.Helper()
	resp, err := v.client.Do(v.request(method, address, accept, body))
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(text)}
}

func (v *visitor) request(method, address, accept string, body io.Reader) *http.Request {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.site.url + address
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, address, body)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", wechattest.UserAgentChrome)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// login is a login that waits for a phone.
type login struct {
	ScanURL   string `json:"scan_url"`
	StateURL  string `json:"state_url"`
	FinishURL string `json:"finish_url"`
}

// begin begins a login as a page's script does.
func (v *visitor) begin() login {
	v.t.Helper()
	var l login
	got := v.post("/wechat/login", map[string]string{"return_to": "/account"})
	if err := json.Unmarshal([]byte(got.body), &l); err != nil || got.status != http.StatusCreated || l.ScanURL == "" {
		v.t.Fatalf("no login begins: %d %s", got.status, got.body)
	}
	return l
}

// wantMember fails the test unless the visitor is logged in.
func (v *visitor) wantMember() {
	v.t.Helper()
	if got := v.page("/account"); got.status != http.StatusOK || !strings.Contains(got.body, `action="/wechat/logout"`) {
		v.t.Errorf("the account page is %d to %q: %s", got.status, got.location, got.body)
	}
}

// wantStranger fails the test if the visitor is logged in.
func (v *visitor) wantStranger() {
	v.t.Helper()
	if got := v.page("/account"); got.status != http.StatusSeeOther {
		v.t.Errorf("the account page is %d: %s", got.status, got.body)
	}
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// answer has a person open the login on their phone, and answer what it asks.
func (s *site) answer(t *testing.T, l login, person, with string) *wechattest.Phone {
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
	token := formToken.FindStringSubmatch(string(page))
	if token == nil {
		t.Fatalf("the phone is not asked: %d %s", resp.StatusCode, page)
	}
	done, err := phone.PostForm(t.Context(), resp.Request.URL.String(), url.Values{"token": {token[1]}, "answer": {with}})
	if err != nil {
		t.Fatal(err)
	}
	_ = done.Body.Close()
	return phone
}
