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
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// startRedis starts a redis-server, or what else args make of it, that ends with
// the test, and returns its address.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		without(t, "redis", "there is no redis-server on this machine")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
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
	eventually(t, "redis-server answers", func() bool {
		conn := pool.Get()
		defer func() { _ = conn.Close() }()
		_, err := conn.Do("PING")
		return err == nil
	})
	return address
}

// eventually returns when something has become true, which may not take long.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// cluster is the program in several processes behind a proxy that gives each
// request to the next one, and one WeChat.
type cluster struct {
	url    string
	wechat *wechattest.WeChat
	open   string // WeChat's address
	served []atomic.Int64
}

// startCluster starts two processes of the program.
func startCluster(t *testing.T, people []wechattest.Person, args ...string) *cluster {
	t.Helper()
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}
	c := &cluster{wechat: wechattest.New(people, wechattest.App{Account: account}), served: make([]atomic.Int64, 2)}
	weChat := httptest.NewServer(c.wechat)
	t.Cleanup(weChat.Close)
	c.open = weChat.URL

	var next atomic.Int64
	var targets []*url.URL
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

	args = append([]string{
		"-public-url", c.url, "-appid", account.AppID, "-secret", account.Secret,
		"-wechat-open-url", c.open, "-wechat-api-url", c.open,
	}, args...)
	for range c.served {
		targets = append(targets, &url.URL{Scheme: "http", Host: startProcess(t, args...).listen})
	}
	return c
}

// logIn does one scan login, and returns whom the desktop is logged in as.
func (c *cluster) logIn(ctx context.Context, person string) (view, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return view{}, err
	}
	d := desktop{c.url, &http.Client{Jar: jar}}
	var login struct {
		ScanURL   string `json:"scan_url"`
		StateURL  string `json:"state_url"`
		FinishURL string `json:"finish_url"`
	}
	if err := d.call(ctx, http.MethodPost, "/wechat/login", &login); err != nil {
		return view{}, err
	}
	told := make(chan error, 1)
	go func() { told <- d.wait(ctx, login.StateURL) }()
	if err := c.approve(ctx, person, login.ScanURL); err != nil {
		return view{}, err
	}
	select {
	case err = <-told:
	case <-time.After(10 * time.Second): // before its request would end and be made again
		err = errors.New("the desktop is stuck")
	}
	if err != nil {
		return view{}, err
	}
	if err := d.call(ctx, http.MethodPost, login.FinishURL, nil); err != nil {
		return view{}, err
	}
	var got view
	return got, d.call(ctx, http.MethodGet, "/api/account", &got)
}

// approve is what the person does on their phone.
func (c *cluster) approve(ctx context.Context, person, scanURL string) error {
	phone := c.wechat.Phone(person, nil, c.open)
	resp, page, err := allow(ctx, phone, scanURL)
	if err != nil {
		return err
	}
	page, err = post(ctx, phone, resp, page, "", url.Values{"answer": {"approve"}})
	if err == nil && formToken.MatchString(page) {
		err = fmt.Errorf("after their yes the phone shows %s", page)
	}
	return err
}

// desktop is a browser with a page's script.
type desktop struct {
	url    string
	client *http.Client
}

// wait returns when the phone has said yes.
func (d *desktop) wait(ctx context.Context, stateURL string) error {
	for seen := "waiting"; seen != "approved"; {
		var now struct{ State string }
		if err := d.call(ctx, http.MethodGet, stateURL+"?seen="+seen, &now); err != nil {
			return err
		}
		if seen = now.State; seen == "denied" || seen == "expired" {
			return fmt.Errorf("the desktop is told %q", seen)
		}
	}
	return nil
}

// call makes one request, which has to go well.
func (d *desktop) call(ctx context.Context, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, d.url+path, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	if method == http.MethodGet {
		req.Body = http.NoBody
		req.ContentLength = 0
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	text, err := readAll(resp)
	if err != nil || resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s, %v: %s", method, path, resp.Status, err, text) //nolint:errorlint // there may be none
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal([]byte(text), answer)
}

// logInAll has each of the people log in twice, all at once, and returns who is
// who.
func (c *cluster) logInAll(t *testing.T, people []wechattest.Person) map[string]view {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	users := make(map[string]view) // by person
	var mu sync.Mutex
	var logins sync.WaitGroup
	for _, person := range append(people, people...) {
		logins.Go(func() {
			got, err := c.logIn(ctx, person.ID)
			mu.Lock()
			defer mu.Unlock()
			before, known := users[person.ID]
			switch {
			case err != nil:
				t.Errorf("%s: %v", person.ID, err)
			case got.Name != person.Nickname:
				t.Errorf("%s is logged in as %+v", person.Nickname, got)
			case known && before != got:
				t.Errorf("%s is two users, %+v and %+v", person.Nickname, before, got)
			}
			users[person.ID] = got
		})
	}
	logins.Wait()
	ids := make(map[string]bool)
	for _, user := range users {
		ids[user.ID] = true
	}
	if len(ids) != len(people) {
		t.Errorf("%d people are %d users", len(people), len(ids))
	}
	for i := range c.served {
		if c.served[i].Load() == 0 {
			t.Errorf("process %d has served nothing", i)
		}
	}
	return users
}

// crowd makes that many people.
func crowd(n int) []wechattest.Person {
	people := make([]wechattest.Person, n)
	for i := range people {
		people[i] = wechattest.Person{ID: fmt.Sprintf("person%d", i), Nickname: fmt.Sprintf("Person %d", i)}
	}
	return people
}

// TestTwoProcesses does 200 scan logins at once, of 100 people new to the
// application who each log in on two desktops.
func TestTwoProcesses(t *testing.T) {
	people := crowd(100)
	startCluster(t, people, "-redis", startRedis(t)).logInAll(t, people)
}

// TestTwoProcessesRegister has one person log in for the first time on many
// desktops at once, with the users in a database that both processes share.
func TestTwoProcessesRegister(t *testing.T) {
	for _, tt := range []struct {
		name string
		dsn  func(t *testing.T) string
	}{
		{"sqlite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "users.db") }},
		{"mysql", emptyMySQL},
		{"postgres", emptyPostgres},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn, people := tt.dsn(t), crowd(1)
			c := startCluster(t, people, "-redis", startRedis(t), "-db", dsn)
			var logins sync.WaitGroup
			for range 10 {
				logins.Go(func() { c.logInAll(t, people) })
			}
			logins.Wait()
			db, _, err := openDatabase(dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			for _, table := range []string{"scangate_users", "scangate_identities"} {
				var rows int
				if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil || rows != 1 {
					t.Errorf("%s has %d rows, want 1: %v", table, rows, err)
				}
			}
		})
	}
}
