package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// startRedis starts redis-server until the test ends, and returns its address. The args
// can make it a replica or a sentinel.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		skipWithout(t, "redis", "there is no redis-server on this machine")
	}
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", append(args, "--bind", host, "--port", port, "--dir", t.TempDir(), "--save", "")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	pool := newRedisPool(address)
	defer func() { _ = pool.Close() }()
	eventually(t, "redis-server answers PING", func() bool {
		conn := pool.Get()
		defer func() { _ = conn.Close() }()
		_, err := conn.Do("PING")
		return err == nil
	})
	return address
}

// eventually calls condition every 20 ms until it returns true. It fails the test after
// patience.
func eventually(t *testing.T, name string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: got false for %v, want true", name, patience)
		}
	}
}

// cluster is the program in several processes, with a simulated WeChat. A proxy sends
// each request to the next process, so that no login stays in one process.
type cluster struct {
	url    string
	wechat *wechattest.WeChat
	open   string         // the URL of WeChat
	served []atomic.Int64 // the number of requests to each process
}

// startCluster starts two processes of the program.
func startCluster(t *testing.T, persons []wechattest.Person, args ...string) *cluster {
	t.Helper()
	account := wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}
	c := &cluster{wechat: wechattest.New(persons, wechattest.App{Account: account}), served: make([]atomic.Int64, 2)}
	weChat := httptest.NewServer(c.wechat)
	t.Cleanup(weChat.Close)
	c.open = weChat.URL

	var next atomic.Int64
	var targets []*url.URL
	// By default the transport keeps two idle connections, and opens one for nearly
	// every request.
	transport := &http.Transport{MaxIdleConnsPerHost: 400}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			turn := int(next.Add(1)) % len(targets)
			c.served[turn].Add(1)
			r.SetURL(targets[turn])
		},
	})
	t.Cleanup(proxy.Close)
	c.url = proxy.URL

	// The proxy reads targets only when requests arrive, after all have been added.
	args = append([]string{
		"-public-url", c.url, "-appid", account.AppID, "-secret", account.Secret,
		"-wechat-open-url", c.open, "-wechat-api-url", c.open,
	}, args...)
	for range c.served {
		targets = append(targets, &url.URL{Scheme: "http", Host: startProcess(t, args...).listen})
	}
	return c
}

// loginURLs are the URLs of a login that waits for a phone.
type loginURLs struct {
	ScanURL   string `json:"scan_url"`
	StateURL  string `json:"state_url"`
	FinishURL string `json:"finish_url"`
}

// logIn logs a new desktop in by a scan, and returns its user.
func (c *cluster) logIn(ctx context.Context, person string) (view, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return view{}, err
	}
	desktop := scriptedBrowser{c.url, &http.Client{Jar: jar}}
	var login loginURLs
	if err := desktop.call(ctx, http.MethodPost, "/wechat/login", &login); err != nil {
		return view{}, err
	}
	approved := make(chan error, 1)
	go func() { approved <- desktop.waitApproved(ctx, login.StateURL) }()
	if err := c.approve(ctx, person, login.ScanURL); err != nil {
		return view{}, err
	}
	select {
	case err = <-approved:
	case <-time.After(10 * time.Second):
		// A desktop that misses the notification notices the approval only when its
		// request ends, after 25 s. The limit has to be shorter than that.
		err = errors.New("desktop: no approval within 10s of the phone's answer")
	}
	if err != nil {
		return view{}, err
	}
	if err := desktop.call(ctx, http.MethodPost, login.FinishURL, nil); err != nil {
		return view{}, err
	}
	var got view
	err = desktop.call(ctx, http.MethodGet, "/api/account", &got)
	return got, err
}

// approve scans the QR code with the phone of a person and approves the login.
func (c *cluster) approve(ctx context.Context, person, scanURL string) error {
	phone := c.wechat.Phone(person, nil, c.open)
	resp, page, err := allow(ctx, phone, scanURL)
	if err != nil {
		return err
	}
	page, err = post(ctx, phone, resp, page, "", url.Values{"answer": {"approve"}})
	if err == nil && formToken.MatchString(page) {
		err = fmt.Errorf("phone: page after approving = %s, want one without a form", page)
	}
	return err
}

// scriptedBrowser sends the requests of a page's script.
type scriptedBrowser struct {
	url    string
	client *http.Client
}

// waitApproved polls the state of a login until the phone approves it. It returns an error
// if the phone refuses or the login expires.
func (b *scriptedBrowser) waitApproved(ctx context.Context, stateURL string) error {
	for seen := "waiting"; seen != "approved"; {
		var now struct{ State string }
		if err := b.call(ctx, http.MethodGet, stateURL+"?seen="+seen, &now); err != nil {
			return err
		}
		if seen = now.State; seen == "denied" || seen == "expired" {
			return fmt.Errorf("desktop: state = %q, want approved", seen)
		}
	}
	return nil
}

// call sends a request and decodes the JSON of the answer, unless answer is nil. A status
// of 300 or more is an error.
func (b *scriptedBrowser) call(ctx context.Context, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	if method == http.MethodGet {
		req.Body = http.NoBody
		req.ContentLength = 0
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	text, err := readAll(resp)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status = %s, body = %s", method, path, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal([]byte(text), answer)
}

// logInAll logs each person in on two desktops, all at the same time. Both desktops must
// get the same user, and every process must serve requests. It returns the users by the
// IDs of the persons.
func (c *cluster) logInAll(t *testing.T, persons []wechattest.Person) map[string]view {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var mu sync.Mutex // guards users
	users := make(map[string]view)
	var logins sync.WaitGroup
	for _, person := range append(persons, persons...) {
		logins.Go(func() {
			got, err := c.logIn(ctx, person.ID)
			mu.Lock()
			defer mu.Unlock()
			first, known := users[person.ID]
			switch {
			case err != nil:
				t.Errorf("logging in %s: %v", person.ID, err)
			case got.Name != person.Nickname:
				t.Errorf("logging in %s: user = %+v, want the same name", person.Nickname, got)
			case known && first != got:
				t.Errorf("second login of %s: user = %+v, want %+v", person.Nickname, got, first)
			}
			users[person.ID] = got
		})
	}
	logins.Wait()
	ids := make(map[string]bool)
	for _, user := range users {
		ids[user.ID] = true
	}
	if len(ids) != len(persons) {
		t.Errorf("%d persons: got %d users, want one each", len(persons), len(ids))
	}
	for i := range c.served {
		if c.served[i].Load() == 0 {
			t.Errorf("process %d: got no requests, want some", i)
		}
	}
	return users
}

// newPersons returns n persons for the simulator.
func newPersons(n int) []wechattest.Person {
	persons := make([]wechattest.Person, n)
	for i := range persons {
		persons[i] = wechattest.Person{ID: fmt.Sprintf("person%d", i), Nickname: fmt.Sprintf("Person %d", i)}
	}
	return persons
}

// large reports whether tests should use large numbers of logins, which take a machine
// without other work.
func large() bool { return os.Getenv("SCANGATE_LARGE") == "1" }

// TestTwoProcesses logs new persons in through two processes that share Redis. Each logs
// in on two desktops, and all do so at the same time.
func TestTwoProcesses(t *testing.T) {
	skipShort(t, "each of its logins has 10 s on the wall clock")
	// 20 logins take about a second on two cores, a tenth of the limit in logIn.
	persons := newPersons(10)
	if large() {
		persons = newPersons(100)
	}
	startCluster(t, persons, "-redis", startRedis(t)).logInAll(t, persons)
}

// TestTwoProcessesRegister logs a new person in on many desktops at the same time. Two
// processes share the users in Redis. All logins must be those of one user.
func TestTwoProcessesRegister(t *testing.T) {
	skipShort(t, "each of its logins has 10 s on the wall clock")
	rounds := 3 // of two desktops
	if large() {
		rounds = 10
	}
	person := newPersons(1)
	c := startCluster(t, person, "-redis", startRedis(t))
	users := make(chan string, 2*rounds)
	var logins sync.WaitGroup
	for range 2 * rounds {
		logins.Go(func() {
			user, err := c.logIn(t.Context(), person[0].ID)
			if err != nil {
				t.Errorf("logging in: %v", err)
			}
			users <- user.ID
		})
	}
	logins.Wait()
	first := <-users
	for range 2*rounds - 1 {
		if got := <-users; got != first || got == "" {
			t.Errorf("user of a desktop = %q, want %q on all desktops", got, first)
		}
	}
}

// TestUsersPersist starts the program twice. A person who logs in to both must be the
// same user. The folder sql has this test for databases.
func TestUsersPersist(t *testing.T) {
	args := []string{"-redis", startRedis(t)}
	first, second := logInOnce(t, args), logInOnce(t, args)
	if first.ID == "" || first != second {
		t.Errorf("user after a restart = %+v, want %+v with an ID", second, first)
	}
}

// logInOnce starts the program, logs the person wang in, and stops the program. It
// returns the user. At the first call the person is new to the program.
func logInOnce(t *testing.T, args []string) view {
	t.Helper()
	p := startProcess(t, args...)
	defer p.stop()
	phone := wechattest.New(nil).Phone("wang", nil, p.wechat)
	if _, _, err := allow(t.Context(), phone, p.url+"/account"); err != nil {
		t.Fatal(err)
	}
	resp, err := phone.Open(t.Context(), p.url+"/api/account")
	if err != nil {
		t.Fatal(err)
	}
	var got view
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	return got
}
