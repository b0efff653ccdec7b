package scangate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestMain(m *testing.M) {
	// scs.New's own store can't be told to stop.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
}

const (
	appURL  = "https://app.example.com"
	openURL = "https://open.weixin.qq.com"
)

var (
	official = wechat.Account{AppID: "wx0000000000official", Secret: "official-secret-0123456789abcdef"}
	website  = wechat.Account{AppID: "wx00000000000website", Secret: "website-secret-0123456789abcdef0"}
)

// world is an application with a gate, and WeChat, without sockets: requests go
// from handler to handler, so that all of it works in a synctest bubble.
type world struct {
	t      testing.TB
	gate   *scangate.Gate
	wechat *wechattest.WeChat
	users  *countingUsers
	hosts  http.RoundTripper
	log    *syncBuffer

	mu     sync.Mutex
	events []scangate.Event
}

// newWorld makes one whose gate serves the official account, unless the options
// say otherwise.
func newWorld(t testing.TB, options ...func(*scangate.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &syncBuffer{}, users: &countingUsers{UserStore: scangate.NewMemoryStore()}}
	w.wechat = wechattest.NewStrict(t,
		wechattest.App{Account: official, Hosts: []string{"app.example.com"}},
		wechattest.App{Account: website, Website: true, Hosts: []string{"app.example.com"}})
	hosts := map[string]http.Handler{"open.weixin.qq.com": w.wechat, "api.weixin.qq.com": w.wechat}
	config := scangate.Config{
		PublicURL:       appURL,
		AppName:         "Example",
		OfficialAccount: official,
		Users:           w.users,
		HTTPClient:      &http.Client{Transport: wechattest.Transport(hosts)},
		Logger:          slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnEvent: func(_ context.Context, e scangate.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for _, option := range options {
		option(&config)
	}
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	w.gate = gate
	hosts["app.example.com"] = application(gate)
	w.hosts = wechattest.Transport(hosts)
	return w
}

// application is what a user of the library writes.
func application(gate *scangate.Gate) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") })
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		_, _ = io.WriteString(w, "user "+user.ID)
	})))
	return mux
}

// Options of newWorld.
func withWebsite(c *scangate.Config) { c.Website = website }

func withWebsiteOnly(c *scangate.Config) { c.OfficialAccount, c.Website = wechat.Account{}, website }
func withProfile(c *scangate.Config)     { c.FetchProfile = true }
func withNumber(c *scangate.Config)      { c.MatchNumber = true }

// browser is somebody's browser, with its own cookies. It follows no redirect
// unless it is told to.
type browser struct {
	t      testing.TB
	client *http.Client
	agent  string
}

func (w *world) browser(agent string) *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{t: w.t, client: &http.Client{Transport: w.hosts, Jar: jar}, agent: agent}
}

// desktop returns an ordinary browser.
func (w *world) desktop() *browser {
	w.t.Helper()
	return w.browser(wechattest.UserAgentChrome)
}

// phone returns WeChat's browser in a person's hand.
func (w *world) phone(person string) *browser {
	w.t.Helper()
	return &browser{t: w.t, client: w.wechat.Phone(person, w.hosts, openURL).Client}
}

// answer is a response, read to its end.
type answer struct {
	*http.Response
	body string
}

// location returns where a redirect leads, as a path on the application if it leads
// there. An empty fragment, which only replaces the browser's, is left out.
func (a answer) location() string {
	return strings.TrimSuffix(strings.TrimPrefix(a.Header.Get("Location"), appURL), "#")
}

var (
	wechatURLPattern = regexp.MustCompile(`href="(https://open\.weixin\.qq\.com/[^"]*)"`)
	tokenPattern     = regexp.MustCompile(`name="token" value="([^"]*)"`)
	statePattern     = regexp.MustCompile(`data-state-url="/wechat/login/([A-Z2-7]{26})/state"`)
)

// find returns the one group that the pattern has in the body.
func (a answer) find(t testing.TB, pattern *regexp.Regexp) string {
	t.Helper()
	m := pattern.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("%s: no %v in\n%s", a.Request.URL, pattern, a.body)
	}
	return html.UnescapeString(m[1])
}

// request is one that a browser is about to send; header entries replace its own.
func (b *browser) send(ctx context.Context, follow bool, method, target, body string, header ...string) answer {
	b.t.Helper()
	a, err := b.try(ctx, follow, method, target, body, header...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

func (b *browser) try(ctx context.Context, follow bool, method, target, body string, header ...string) (answer, error) {
	if strings.HasPrefix(target, "/") {
		target = appURL + target
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en")
	if b.agent != "" {
		req.Header.Set("User-Agent", b.agent)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := *b.client
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if strings.Contains(string(text), "%!") {
		b.t.Errorf("%s: a text and its arguments do not fit:\n%s", target, text)
	}
	return answer{resp, string(text)}, err
}

// get sends a GET and shows a redirect as it is.
func (b *browser) get(target string, header ...string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), false, http.MethodGet, target, "", header...)
}

// open sends a GET and follows where it leads.
func (b *browser) open(target string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), true, http.MethodGet, target, "")
}

// post sends a form and shows a redirect as it is.
func (b *browser) post(target string, form url.Values, header ...string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), false, http.MethodPost, target, form.Encode(), header...)
}

// submit sends a form and follows where it leads.
func (b *browser) submit(target string, form url.Values) answer {
	b.t.Helper()
	return b.send(b.t.Context(), true, http.MethodPost, target, form.Encode())
}

// postJSON posts as a script does, and decodes the answer into v unless it is nil.
func (b *browser) postJSON(target, body string, v any) answer {
	b.t.Helper()
	a := b.send(b.t.Context(), false, http.MethodPost, target, body, "Content-Type", "application/json", "Accept", "application/json")
	if v != nil {
		if err := json.Unmarshal([]byte(a.body), v); err != nil {
			b.t.Fatalf("POST %s: %d %s", target, a.StatusCode, a.body)
		}
	}
	return a
}

// scan is a login that a desktop has begun.
type scan struct {
	ID          string `json:"id"`
	ScanURL     string `json:"scan_url"`
	QRURL       string `json:"qr_url"`
	StateURL    string `json:"state_url"`
	FinishURL   string `json:"finish_url"`
	MatchNumber int    `json:"match_number"`
	ExpiresAt   string `json:"expires_at"`
	WebsiteURL  string `json:"website_url"`
	RedirectURL string `json:"redirect_url"`
}

func (s scan) confirmURL() string { return "/wechat/confirm/" + s.ID }

// start begins a scan login to /account.
func (b *browser) start() scan {
	b.t.Helper()
	var s scan
	if a := b.postJSON("/wechat/login", `{"return_to":"/account"}`, &s); a.StatusCode != http.StatusCreated {
		b.t.Fatalf("starting a login: %d %s", a.StatusCode, a.body)
	}
	return s
}

// state asks what the login's state is.
func (b *browser) state(s scan) string {
	b.t.Helper()
	return b.stateSince(s, "none")
}

// stateSince waits for news.
func (b *browser) stateSince(s scan, seen string) string {
	b.t.Helper()
	a := b.get(s.StateURL + "?seen=" + seen)
	var got struct{ State string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != http.StatusOK {
		b.t.Fatalf("state: %d %s", a.StatusCode, a.body)
	}
	return got.State
}

// scan opens the QR code's page and goes as far as WeChat lets it without a tap.
func (b *browser) scan(s scan) answer {
	b.t.Helper()
	return b.open(s.ScanURL)
}

// answer gives the phone's answer on the confirm page.
func (b *browser) answer(s scan, answer string, more ...string) answer {
	b.t.Helper()
	page := b.get(s.confirmURL())
	form := url.Values{"token": {page.find(b.t, tokenPattern)}, "answer": {answer}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.post(s.confirmURL(), form)
}

// finish posts what the waiting page posts in the end.
func (b *browser) finish(s scan) answer {
	b.t.Helper()
	return b.post(s.FinishURL, nil)
}

// user is the id of whom the browser is logged in as, or "".
func (b *browser) user() string {
	b.t.Helper()
	a := b.get("/account")
	if a.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimPrefix(a.body, "user ")
}

// scanLogin does a whole scan login.
func (w *world) scanLogin(desktop, phone *browser) scan {
	w.t.Helper()
	s := desktop.start()
	if a := phone.scan(s); a.StatusCode != http.StatusOK || a.Request.URL.Path != s.confirmURL() {
		w.t.Fatalf("scanning: %d %s\n%s", a.StatusCode, a.Request.URL, a.body)
	}
	if a := phone.answer(s, "approve", "number", strconv.Itoa(s.MatchNumber)); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approving: %d\n%s", a.StatusCode, a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		w.t.Fatalf("finishing: %d %s\n%s", a.StatusCode, a.location(), a.body)
	}
	return s
}

// know makes a person a user before they ever log in.
func (w *world) know(person string) scangate.User {
	w.t.Helper()
	u, err := w.users.Register(w.t.Context(), scangate.NewUser{
		Identity: scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID(person, official.AppID)},
		Nickname: person,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// happened returns the names of the events so far.
func (w *world) happened() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, e := range w.events {
		names = append(names, string(e.Name))
	}
	return names
}

// countingUsers counts calls by the method's name.
type countingUsers struct {
	scangate.UserStore
	mu    sync.Mutex
	calls map[string]int
	fail  error
}

func (c *countingUsers) count(method string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[string]int)
	}
	c.calls[method]++
	return c.fail
}

// total is the number of calls of all methods.
func (c *countingUsers) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, calls := range c.calls {
		n += calls
	}
	return n
}

// failWith makes every call fail, or work again with nil.
func (c *countingUsers) failWith(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *countingUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if err := c.count("FindByID"); err != nil {
		return scangate.User{}, err
	}
	return c.UserStore.FindByID(ctx, id)
}

func (c *countingUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if err := c.count("FindByWeChat"); err != nil {
		return scangate.User{}, err
	}
	return c.UserStore.FindByWeChat(ctx, who)
}

func (c *countingUsers) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if err := c.count("Register"); err != nil {
		return scangate.User{}, err
	}
	return c.UserStore.Register(ctx, who)
}

// syncBuffer is a bytes.Buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }
