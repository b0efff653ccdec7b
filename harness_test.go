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
	"github.com/scangate/scangate/internal/testparallel"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestMain(m *testing.M) {
	testparallel.More()
	// The store that scs.New makes starts a goroutine that cannot be stopped.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
}

const (
	appURL  = "https://app.example.com"
	openURL = "https://open.weixin.qq.com"
)

var (
	official = wechat.Account{AppID: "wx00000000official", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}
	website  = wechat.Account{AppID: "wx000000000website", Secret: "3eb517e03eb517e03eb517e03eb517e0"}
	mini     = wechat.Account{AppID: "wx000000000000mini", Secret: "31210a9031210a9031210a9031210a90"}
)

// world is an application with a gate, and a simulator of WeChat. It has no sockets:
// requests go from handler to handler, so a world works in a synctest bubble.
type world struct {
	t      testing.TB
	gate   *scangate.Gate
	wechat *wechattest.WeChat
	users  *countingUsers
	hosts  http.RoundTripper
	log    *syncBuffer

	servers map[string]http.Handler // by host

	mu     sync.Mutex
	events []scangate.Event
}

// newWorld returns a world whose gate has the official account only. Options change the
// gate's Config. The gate closes when t ends.
func newWorld(t testing.TB, options ...func(*scangate.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &syncBuffer{}, users: &countingUsers{UserStore: scangate.NewMemoryStore()}}
	w.wechat = wechattest.NewStrict(t,
		wechattest.App{Account: official, Hosts: []string{"app.example.com", "login.example.com"}}, // WeChat registers two
		wechattest.App{Account: website, Website: true, Hosts: []string{"app.example.com"}},
		wechattest.App{
			Account: mini, MiniProgram: true, Pages: []string{"pages/login/login"},
			Links: []wechattest.LinkRule{{Prefix: appURL + "/wechat/scan/", Page: "pages/login/login"}},
		})
	hosts := map[string]http.Handler{"open.weixin.qq.com": w.wechat, "api.weixin.qq.com": w.wechat}
	config := scangate.Config{
		PublicURL:       appURL,
		AppName:         "Example",
		OfficialAccount: official,
		Users:           w.users,
		WeChat:          scangate.WeChat{HTTPClient: &http.Client{Transport: wechattest.Transport(hosts)}},
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
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	w.gate = gate
	w.servers = hosts
	w.addHost("app.example.com", application(gate))
	return w
}

// addHost adds a server to those that browsers and the gate reach, or replaces one. Call it
// before making the browsers that need it.
func (w *world) addHost(host string, server http.Handler) {
	w.servers[host] = server
	w.hosts = wechattest.Transport(w.servers)
}

// application returns an application of the library: a public page, the gate, and a page
// behind it that shows the user's ID.
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

// withWebsite, withWebsiteOnly, withProfile and withNumber are options of newWorld.
func withWebsite(c *scangate.Config) { c.Website = website }

func withWebsiteOnly(c *scangate.Config) { c.OfficialAccount, c.Website = wechat.Account{}, website }
func withProfile(c *scangate.Config)     { c.Registration.FetchProfile = true }
func withNumber(c *scangate.Config)      { c.MatchNumber = true }

// browser is the browser of a desktop or a phone, with its own cookies. Its methods fail t
// if a request gets no answer.
type browser struct {
	t      testing.TB
	client *http.Client
	agent  string
}

// browser returns a browser with that User-Agent and no cookies.
func (w *world) browser(agent string) *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatalf("make a cookie jar: %v", err)
	}
	return &browser{t: w.t, client: &http.Client{Transport: w.hosts, Jar: jar}, agent: agent}
}

// desktop returns Chrome on a computer.
func (w *world) desktop() *browser {
	w.t.Helper()
	return w.browser(wechattest.UserAgentChrome)
}

// phone returns the browser inside WeChat on a person's phone.
func (w *world) phone(person string) *browser {
	w.t.Helper()
	return &browser{t: w.t, client: w.wechat.Phone(person, w.hosts, openURL).Client}
}

// answer is a response with its whole body.
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

// find returns the group of the pattern's first match in the body. It fails t without a
// match.
func (a answer) find(t testing.TB, pattern *regexp.Regexp) string {
	t.Helper()
	m := pattern.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("%s %s: status = %d, got\n%s\nwant a match of %v", a.Request.Method, a.Request.URL, a.StatusCode, a.body, pattern)
	}
	return html.UnescapeString(m[1])
}

// send sends a request as a page or a form does, and returns the answer. Pairs of names and
// values in header replace the browser's own headers. With follow it follows redirects.
func (b *browser) send(ctx context.Context, follow bool, method, target, body string, header ...string) answer {
	b.t.Helper()
	a, err := b.try(ctx, follow, method, target, body, header...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

// try is send, but returns the error of a request without an answer.
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
	// A picture may have any bytes.
	kind := resp.Header.Get("Content-Type")
	if picture := strings.HasPrefix(kind, "image/") && kind != "image/svg+xml"; !picture && strings.Contains(string(text), "%!") {
		b.t.Errorf("%s %s: got a text whose arguments do not match it, want no %%!:\n%s", method, target, text)
	}
	return answer{resp, string(text)}, err
}

// get sends a GET. It does not follow a redirect.
func (b *browser) get(target string, header ...string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), false, http.MethodGet, target, "", header...)
}

// open sends a GET and follows redirects.
func (b *browser) open(target string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), true, http.MethodGet, target, "")
}

// post sends a form. It does not follow a redirect.
func (b *browser) post(target string, form url.Values, header ...string) answer {
	b.t.Helper()
	return b.send(b.t.Context(), false, http.MethodPost, target, form.Encode(), header...)
}

// submit sends a form and follows redirects.
func (b *browser) submit(target string, form url.Values) answer {
	b.t.Helper()
	return b.send(b.t.Context(), true, http.MethodPost, target, form.Encode())
}

// postJSON posts a JSON body as a script does, and decodes the answer into v unless v is
// nil.
func (b *browser) postJSON(target, body string, v any) answer {
	b.t.Helper()
	a := b.send(b.t.Context(), false, http.MethodPost, target, body, "Content-Type", "application/json", "Accept", "application/json")
	if v != nil {
		if err := json.Unmarshal([]byte(a.body), v); err != nil {
			b.t.Fatalf("POST %s: status = %d, body = %s, want JSON: %v", target, a.StatusCode, a.body, err)
		}
	}
	return a
}

// scan is the answer to a JSON request that starts a login.
type scan struct {
	ID          string `json:"id"`
	ScanURL     string `json:"scan_url"`
	QRURL       string `json:"qr_url"`
	StateURL    string `json:"state_url"`
	FinishURL   string `json:"finish_url"`
	MatchNumber int    `json:"match_number"`
	Digits      string `json:"digits"`
	ExpiresAt   string `json:"expires_at"`
	RedirectURL string `json:"redirect_url"`
	OtherWays   []struct {
		Way scangate.Way `json:"way"`
		URL string       `json:"url"`
	} `json:"other_ways"`
}

// by returns where the same login in another way begins, or "".
func (s scan) by(way scangate.Way) string {
	for _, other := range s.OtherWays {
		if other.Way == way {
			return other.URL
		}
	}
	return ""
}

// confirmURL returns the path of the phone's confirm page.
func (s scan) confirmURL() string { return "/wechat/confirm/" + s.ID }

// start starts a login by a scan that returns to /account.
func (b *browser) start() scan {
	b.t.Helper()
	var s scan
	if a := b.postJSON("/wechat/login", `{"return_to":"/account"}`, &s); a.StatusCode != http.StatusCreated {
		b.t.Fatalf("start: status = %d, body = %s, want 201", a.StatusCode, a.body)
	}
	return s
}

// state returns the login's state as the initiating browser sees it.
func (b *browser) state(s scan) string {
	b.t.Helper()
	return b.stateSince(s, "none")
}

// stateSince returns the login's state. If it is still the state that was seen, the gate
// waits for the next one.
func (b *browser) stateSince(s scan, seen string) string {
	b.t.Helper()
	a := b.get(s.StateURL + "?seen=" + seen)
	var got struct{ State string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != http.StatusOK {
		b.t.Fatalf("state: status = %d, body = %s, want 200 with a state", a.StatusCode, a.body)
	}
	return got.State
}

// scan opens the URL of the QR code and follows redirects, through WeChat, to the first page
// that needs a tap.
func (b *browser) scan(s scan) answer {
	b.t.Helper()
	return b.open(s.ScanURL)
}

// answer posts the answer "approve" or "deny" on the confirm page, with pairs of names and
// values as further fields. It does not follow a redirect.
func (b *browser) answer(s scan, answer string, more ...string) answer {
	b.t.Helper()
	page := b.get(s.confirmURL())
	form := url.Values{"token": {page.find(b.t, tokenPattern)}, "answer": {answer}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.post(s.confirmURL(), form)
}

// finish finishes an approved login as the login page does. It does not follow a redirect.
func (b *browser) finish(s scan) answer {
	b.t.Helper()
	return b.post(s.FinishURL, nil)
}

// user returns the ID of the user that the browser is logged in as, or "".
func (b *browser) user() string {
	b.t.Helper()
	a := b.get("/account")
	if a.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimPrefix(a.body, "user ")
}

// scanLogin logs the desktop in by a scan with the phone.
func (w *world) scanLogin(desktop, phone *browser) scan {
	w.t.Helper()
	s := desktop.start()
	if a := phone.scan(s); a.StatusCode != http.StatusOK || a.Request.URL.Path != s.confirmURL() {
		w.t.Fatalf("scan: status = %d at %s, want 200 at %s\n%s", a.StatusCode, a.Request.URL, s.confirmURL(), a.body)
	}
	if a := phone.answer(s, "approve", "number", strconv.Itoa(s.MatchNumber)); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("approve: status = %d, want 303\n%s", a.StatusCode, a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		w.t.Fatalf("finish: status = %d, location = %q, want 303 to /account\n%s", a.StatusCode, a.location(), a.body)
	}
	return s
}

// know registers a person before their first login.
func (w *world) know(person string) scangate.User {
	w.t.Helper()
	u, err := w.users.Register(w.t.Context(), scangate.NewUser{
		Identity: scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID(person, official.AppID)},
		Nickname: person,
	})
	if err != nil {
		w.t.Fatalf("register %s: %v", person, err)
	}
	return u
}

// happened returns the names of all events since the world was made.
func (w *world) happened() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, e := range w.events {
		names = append(names, string(e.Name))
	}
	return names
}

// countingUsers is a UserStore that counts calls by method. While fail is set, the counted
// methods return it.
type countingUsers struct {
	scangate.UserStore
	mu    sync.Mutex
	calls map[string]int
	fail  error
}

// count counts a call and returns the error that the method must return.
func (c *countingUsers) count(method string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[string]int)
	}
	c.calls[method]++
	return c.fail
}

// total returns the number of calls of all methods.
func (c *countingUsers) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, calls := range c.calls {
		n += calls
	}
	return n
}

// failWith makes every counted method return err. With nil, they work again.
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

// syncBuffer is a bytes.Buffer that is safe for concurrent use.
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

// pass advances the time of a synctest bubble by d.
func pass(d time.Duration) { <-time.After(d) }
