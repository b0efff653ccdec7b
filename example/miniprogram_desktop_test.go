package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// withMiniProgram makes the mini program the only account.
func withMiniProgram(c *scangate.Config) {
	c.OfficialAccount = wechat.Account{}
	c.MiniProgram = wechat.Account{AppID: miniAppID, Secret: simulatedSecret}
}

// desktop is a browser whose user logs in with a phone. It keeps cookies, and runs no
// scripts.
type desktop struct {
	t      *testing.T
	site   *site
	client *http.Client
	login  struct {
		ScanURL   string `json:"scan_url"`
		StateURL  string `json:"state_url"`
		FinishURL string `json:"finish_url"`
		Number    int    `json:"match_number"`
	}
}

// newDesktop returns a desktop that has started a login.
func newDesktop(t *testing.T, s *site) *desktop {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desktop{t: t, site: s, client: &http.Client{Jar: jar}}
	d.start()
	return d
}

// start starts another login.
func (d *desktop) start() {
	d.t.Helper()
	d.startAt("/wechat/login")
}

// startAt is start for another route, such as the one that adds a WeChat to an account.
func (d *desktop) startAt(path string) {
	d.t.Helper()
	status, text := d.send(http.MethodPost, path, `{"return_to":"/account"}`)
	if err := json.Unmarshal([]byte(text), &d.login); err != nil || status != http.StatusCreated {
		d.t.Fatalf("starting a login: status = %d, body = %s, want 201", status, text)
	}
}

// renew has the login page show a newer code. The earlier one ends.
func (d *desktop) renew() {
	d.t.Helper()
	d.startAt("/wechat/login/" + d.id() + "/renew")
}

// send sends a request, and returns the answer's status and body.
func (d *desktop) send(method, address, content string) (int, string) {
	d.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = d.site.url + address
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, address, strings.NewReader(content))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", wechattest.UserAgentChrome)
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, body(d.t, resp)
}

// wantState checks the state that the login page shows.
func (d *desktop) wantState(want string) {
	d.t.Helper()
	if _, got := d.send(http.MethodGet, d.login.StateURL, ""); !strings.Contains(got, `"state":"`+want+`"`) {
		d.t.Errorf("the desktop's login page: state = %s, want %s", got, want)
	}
}

// finish ends the approved login, and checks that the desktop is logged in.
func (d *desktop) finish() {
	d.t.Helper()
	d.wantState("approved")
	if status, text := d.send(http.MethodPost, d.login.FinishURL, "{}"); status != http.StatusOK {
		d.t.Fatalf("finish: status = %d, body = %s, want 200", status, text)
	}
	if status, text := d.send(http.MethodGet, "/api/account", ""); status != http.StatusOK {
		d.t.Errorf("the desktop's account: status = %d, body = %s, want 200", status, text)
	}
}

// id returns the ID of the login.
func (d *desktop) id() string { return d.login.ScanURL[strings.LastIndex(d.login.ScanURL, "/")+1:] }

// number returns the number that the desktop shows.
func (d *desktop) number() string { return strconv.Itoa(d.login.Number) }
