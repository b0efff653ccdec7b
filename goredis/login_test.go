package goredis_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const publicURL = "https://app.example.com"

// process is one process of an application: a gate that keeps all in a store of its own
// on a shared Redis.
type process struct {
	store   *goredis.Store
	manager *scs.SessionManager
	gate    *scangate.Gate
	app     http.Handler
}

// newProcess returns a process. Without users, they are in the store.
func newProcess(t *testing.T, o redis.UniversalOptions, users scangate.UserStore, simulator http.Handler) process {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	store, err := goredis.New(goredis.Options{Redis: o, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if users == nil {
		users = store
	}
	manager, err := store.SessionManager(publicURL, "")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL: publicURL, OfficialAccount: account, Logger: logger,
		Users: users, State: store, Session: scangate.Session{Manager: manager},
		WeChat: scangate.WeChat{HTTPClient: &http.Client{Transport: wechattest.Transport(map[string]http.Handler{"api.weixin.qq.com": simulator})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		_, _ = io.WriteString(w, "user "+user.ID)
	})))
	return process{store, manager, gate, mux}
}

var account = wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}

// network reaches a process and WeChat.
func (p process) network(simulator http.Handler) http.RoundTripper {
	return wechattest.Transport(map[string]http.Handler{"app.example.com": p.app, "open.weixin.qq.com": simulator})
}

// body returns the body of an answer with that status.
func body(t *testing.T, resp *http.Response, err error, status int) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("%s %s: status = %d, %v, want %d\n%s", resp.Request.Method, resp.Request.URL, resp.StatusCode, err, status, text)
	}
	return string(text)
}

// request sends a request of the desktop.
func request(t *testing.T, client *http.Client, method, path, content string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, publicURL+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	return client.Do(req)
}

// TestLogin logs a desktop in at one process with a phone at another, on one server and
// on a Cluster.
func TestLogin(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		testLogin(t, redis.UniversalOptions{Addrs: []string{redistest.Start(t).Addr}}, nil)
	})
	t.Run("Cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		testLogin(t, redis.UniversalOptions{Addrs: cluster.Addrs()}, scangate.NewMemoryStore())
	})
}

var token = regexp.MustCompile(`name="token" value="([^"]+)"`)

func testLogin(t *testing.T, o redis.UniversalOptions, users scangate.UserStore) {
	simulator := wechattest.NewStrict(t, wechattest.App{Account: account, Hosts: []string{"app.example.com"}})
	here, there := newProcess(t, o, users, simulator), newProcess(t, o, users, simulator)
	jar, _ := cookiejar.New(nil) // the error is always nil
	desktop := &http.Client{Jar: jar, Transport: here.network(simulator)}
	phone := simulator.Phone("lin", there.network(simulator), "https://open.weixin.qq.com")

	var login struct {
		ScanURL   string `json:"scan_url"`
		StateURL  string `json:"state_url"`
		FinishURL string `json:"finish_url"`
	}
	resp, err := request(t, desktop, http.MethodPost, "/wechat/login", `{"return_to":"/account"}`)
	if err := json.Unmarshal([]byte(body(t, resp, err, http.StatusCreated)), &login); err != nil {
		t.Fatal(err)
	}
	approved := make(chan string, 1)
	go func() {
		for seen := "waiting"; ; {
			resp, err := request(t, desktop, http.MethodGet, path(login.StateURL)+"?seen="+seen, "")
			if err != nil {
				approved <- err.Error()
				return
			}
			var state struct{ State string }
			err = json.NewDecoder(resp.Body).Decode(&state)
			_ = resp.Body.Close()
			if seen = state.State; err != nil || seen != "waiting" && seen != "scanned" {
				approved <- seen
				return
			}
		}
	}()
	page, err := phone.Open(t.Context(), publicURL+path(login.ScanURL))
	found := token.FindStringSubmatch(body(t, page, err, http.StatusOK))
	if found == nil {
		t.Fatalf("the phone is at %s, want the confirm page", page.Request.URL)
	}
	resp, err = phone.PostForm(t.Context(), page.Request.URL.String(), url.Values{"token": {found[1]}, "answer": {"approve"}})
	body(t, resp, err, http.StatusOK)
	if got := <-approved; got != "approved" {
		t.Fatalf("state at the desktop = %q, want %q", got, "approved")
	}
	resp, err = request(t, desktop, http.MethodPost, path(login.FinishURL), "")
	body(t, resp, err, http.StatusOK)

	desktop.Transport = there.network(simulator) // the session holds at both processes
	resp, err = request(t, desktop, http.MethodGet, "/account", "")
	if got := body(t, resp, err, http.StatusOK); !strings.HasPrefix(got, "user ") {
		t.Errorf("GET /account = %q, want a user", got)
	}
}

// path returns the path of a URL, which may be a path already.
func path(address string) string { return strings.TrimPrefix(address, publicURL) }
