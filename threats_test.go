package scangate_test

// Attacks, and what becomes of them: each test is one row of SECURITY.md's table.
// Cookie jars: D is the desktop, P a phone, P2 another phone, X the attacker.
// "Calls" are calls that the simulated WeChat received.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// --- The attempt ---

func TestThreat01GuessAnAttempt(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 20_000 })
	seen := map[string]bool{}
	for range 10_000 {
		var s scan
		w.desktop().postJSON("/wechat/login", `{}`, &s)
		if len(s.ID) < 22 || seen[s.ID] {
			t.Fatalf("id %q after %d", s.ID, len(seen))
		}
		seen[s.ID] = true
	}
	w = newWorld(t, func(c *scangate.Config) { c.Limits.Address = 30 })
	x := w.desktop()
	unknown := strings.Repeat("A", 26)
	for i := range 40 {
		want := http.StatusNotFound
		if i >= 30 {
			want = http.StatusTooManyRequests
		}
		if a := x.get("/wechat/scan/" + unknown); a.StatusCode != want {
			t.Fatalf("guess %d: %d, want %d", i, a.StatusCode, want)
		}
	}
}

func TestThreat02ChosenAttempt(t *testing.T) {
	w := newWorld(t)
	x := w.desktop()
	chosen := strings.Repeat("A", 26)
	u, _ := url.Parse(appURL)
	x.client.Jar.SetCookies(u, []*http.Cookie{{Name: "login", Value: chosen, Path: "/", Secure: true}})
	var s scan
	x.postJSON("/wechat/login?id="+chosen+"&login="+chosen, `{"id":"`+chosen+`","login":"`+chosen+`"}`, &s)
	if s.ID == chosen || s.ID == "" {
		t.Errorf("id %q", s.ID)
	}
	if a := x.get(s.urlOf(chosen, s.StateURL)); a.StatusCode != http.StatusNotFound {
		t.Errorf("the chosen id exists: %d", a.StatusCode)
	}
}

// urlOf is the login's URL with another id in it.
func (s scan) urlOf(id, of string) string { return strings.Replace(of, s.ID, id, 1) }

func TestThreat03UnboundAttempt(t *testing.T) {
	w := newWorld(t)
	d, p, x := w.desktop(), w.phone("lin"), w.desktop()
	x.start() // X has a key of its own
	s := d.start()
	compare := func(when string) {
		t.Helper()
		unknown := strings.Repeat("A", 26)
		for _, target := range []string{s.StateURL + "?seen=none", s.QRURL, s.confirmURL(), "/wechat/profile/" + s.ID, "/wechat/phone/" + s.ID, "/wechat/resume/" + s.ID} {
			same(t, when+", GET "+target, s.ID, x.get(target), x.get(s.urlOf(unknown, target)))
		}
		for _, target := range []string{s.FinishURL, s.confirmURL(), "/wechat/profile/" + s.ID, "/wechat/phone/" + s.ID, "/wechat/phone/" + s.ID + "/code"} {
			same(t, when+", POST "+target, s.ID, x.post(target, nil), x.post(s.urlOf(unknown, target), nil))
		}
	}
	compare("waiting")
	p.scan(s)
	compare("identified")
	p.answer(s, "approve")
	compare("approved")
	d.finish(s)
	compare("finished")
}

// same demands two answers that can't be told apart.
func same(t *testing.T, what, id string, got, want answer) {
	t.Helper()
	if got.StatusCode != http.StatusNotFound || got.StatusCode != want.StatusCode || got.body != want.body || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
		t.Errorf("%s: %d %v, the unknown id's answer is %d %v", what, got.StatusCode, got.Header, want.StatusCode, want.Header)
	}
	if strings.Contains(got.body, id) {
		t.Errorf("%s: the answer holds the id", what)
	}
}

func TestThreat03ForeignReturnTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withWebsite)
		d, x := w.desktop(), w.phone("wang")
		var s scan
		d.postJSON("/wechat/login", `{"return_to":"/invite/secret"}`, &s)
		direct, _ := url.Parse(d.get("/wechat/login?return_to=/invite/secret&with=website").Header.Get("Location"))
		pass(6 * time.Minute)
		if a := x.get(s.ScanURL); a.StatusCode != http.StatusGone || strings.Contains(a.body, "secret") {
			t.Errorf("an expired attempt tells where it was to return to: %d\n%s", a.StatusCode, a.body)
		}
		if a := x.get("/wechat/callback?code=x&state=" + direct.Query().Get("state")); strings.Contains(a.body, "secret") {
			t.Errorf("the callback tells it:\n%s", a.body)
		}
	})
}

func TestThreat03AttemptOfAnotherGate(t *testing.T) {
	state := scangate.NewMemoryStore()
	shared := func(c *scangate.Config) { c.State = state }
	customers, staff := newWorld(t, shared), newWorld(t, shared, withWebsiteOnly)
	d, p := customers.desktop(), customers.phone("lin")
	s := d.start()
	p.scan(s)
	p.answer(s, "approve")
	d.client.Transport = staff.hosts
	if a := d.finish(s); a.StatusCode != http.StatusNotFound {
		t.Errorf("finishing at another gate: %d", a.StatusCode)
	}
}

func TestThreat04Replay(t *testing.T) {
	w := newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	p.scan(s)
	p.answer(s, "approve")
	var finishes sync.WaitGroup
	var in, conflicts, others atomic.Int64
	for range 50 {
		finishes.Go(func() {
			a, err := d.try(t.Context(), false, http.MethodPost, s.FinishURL, "")
			switch {
			case err == nil && a.StatusCode == http.StatusSeeOther && sessionCookie(a) != nil:
				in.Add(1)
			case err == nil && a.StatusCode == http.StatusConflict && sessionCookie(a) == nil:
				conflicts.Add(1)
			default:
				others.Add(1)
			}
		})
	}
	finishes.Wait()
	if in.Load() != 1 || conflicts.Load() != 49 {
		t.Errorf("%d sessions, %d conflicts, %d others", in.Load(), conflicts.Load(), others.Load())
	}
}

func TestThreat05StaleAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, p := w.desktop(), w.phone("lin")
		unscanned, scanned := d.start(), w.desktop()
		s := scanned.start()
		p.scan(s)
		token := p.get(s.confirmURL()).find(t, tokenPattern)
		pass(11 * time.Minute)
		for name, a := range map[string]answer{
			"scan":    p.get(s.ScanURL),
			"confirm": p.post(s.confirmURL(), url.Values{"token": {token}, "answer": {"approve"}}),
			"finish":  scanned.finish(s),
		} {
			if a.StatusCode != http.StatusGone {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
		if got := scanned.state(s); got != "expired" {
			t.Errorf("state %q", got)
		}
		if a := d.get(unscanned.StateURL); a.StatusCode != http.StatusNotFound {
			t.Errorf("an attempt long gone: %d", a.StatusCode)
		}
	})
}

func TestThreat05LateFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, p := w.desktop(), w.phone("lin")
		s := d.start()
		p.scan(s)
		p.answer(s, "approve")
		pass(3 * time.Minute)
		if a := d.finish(s); a.StatusCode != http.StatusGone {
			t.Errorf("3 minutes after the approval: %d", a.StatusCode)
		}
	})
}

func TestThreat06QRLjacking(t *testing.T) {
	w := newWorld(t, withNumber)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	confirm := p.scan(s)
	for _, want := range []string{"Chrome", "Windows", "192.0.2.1", `value="deny"`, "in front of you"} {
		if !strings.Contains(confirm.body, want) {
			t.Errorf("the confirm page has no %q", want)
		}
	}
	if a := d.finish(s); a.StatusCode != http.StatusConflict {
		t.Errorf("authorized, not confirmed: finish %d", a.StatusCode)
	}
	p.answer(s, "approve", "number", strconv.Itoa(s.MatchNumber%90+10))
	if got := d.state(s); got != "denied" {
		t.Errorf("a wrong number: state %q", got)
	}
	page := url.Values{"token": {confirm.find(t, tokenPattern)}, "answer": {"approve"}, "number": {strconv.Itoa(s.MatchNumber)}}
	if a := p.post(s.confirmURL(), page); a.StatusCode != http.StatusGone {
		t.Errorf("the right one after that: %d", a.StatusCode)
	}
	if a := d.finish(s); a.StatusCode != http.StatusGone {
		t.Errorf("denied: finish %d", a.StatusCode)
	}
}

func TestThreat07Prefetch(t *testing.T) {
	w := newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	for range 5 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w.desktop().send(t.Context(), false, method, s.ScanURL, "")
		}
	}
	if a := p.scan(s); a.Request.URL.Path != s.confirmURL() {
		t.Errorf("the phone is at %s", a.Request.URL)
	}
}

func TestThreat08SecondPhone(t *testing.T) {
	w := newWorld(t)
	d, p, p2 := w.desktop(), w.phone("lin"), w.phone("wang")
	s := d.start()
	p2callback := p2.callback(s) // P2 was at WeChat before P
	p.scan(s)
	for name, a := range map[string]answer{"scan": p2.scan(s), "callback": p2.open(p2callback)} {
		if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "Another phone") {
			t.Errorf("%s: %d\n%s", name, a.StatusCode, a.body)
		}
	}
	if a := p2.get(s.confirmURL()); a.StatusCode != http.StatusNotFound {
		t.Errorf("P2's confirm: %d", a.StatusCode)
	}
	if a := p.answer(s, "approve"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("P's: %d", a.StatusCode)
	}
}

func TestThreat09IdentityFromTheRequest(t *testing.T) {
	w := newWorld(t)
	victim := w.know("wang")
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	claims := "openid=" + w.wechat.OpenID("wang", official.AppID) + "&unionid=u&user_id=" + victim.ID + "&id=" + victim.ID + "&phone=13800138000"
	p.open(p.callback(s) + "&" + claims)
	token := p.get(s.confirmURL()+"?"+claims).find(t, tokenPattern)
	more, _ := url.ParseQuery(claims)
	more.Set("token", token)
	more.Set("answer", "approve")
	p.post(s.confirmURL(), more)
	d.post(s.FinishURL+"?"+claims, more)
	if got := d.user(); got == "" || got == victim.ID {
		t.Errorf("logged in as %q", got)
	}
}

func TestThreat10CrossSitePost(t *testing.T) {
	w := newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	token := p.scan(s).find(t, tokenPattern)
	form := url.Values{"token": {token}, "answer": {"approve"}}
	for name, a := range map[string]answer{
		"foreign Origin":                p.post(s.confirmURL(), form, "Origin", "https://evil.example"),
		"Origin null":                   p.post(s.confirmURL(), form, "Origin", "null"),
		"cross-site":                    p.post(s.confirmURL(), form, "Origin", "", "Sec-Fetch-Site", "cross-site"),
		"same-site":                     p.post(s.confirmURL(), form, "Origin", "", "Sec-Fetch-Site", "same-site"),
		"no token":                      p.post(s.confirmURL(), url.Values{"answer": {"approve"}}),
		"another token":                 p.post(s.confirmURL(), url.Values{"answer": {"approve"}, "token": {strings.Repeat("A", 32)}}),
		"finish from elsewhere":         d.post(s.FinishURL, nil, "Origin", "https://evil.example"),
		"logout from elsewhere":         d.post("/wechat/logout", nil, "Origin", "https://evil.example"),
		"a login from elsewhere":        d.post("/wechat/login", nil, "Origin", "https://evil.example", "Content-Type", "application/json"),
		"unlinking, asked by elsewhere": d.post("/wechat/unlink", nil, "Origin", "https://evil.example"),
	} {
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if got := d.state(s); got != "scanned" {
		t.Errorf("state %q: something changed", got)
	}
	if a := p.post(s.confirmURL(), form, "Origin", "null", "Sec-Fetch-Site", "same-origin"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("our own page in a modern browser: %d", a.StatusCode)
	}
}

func TestThreat11ForeignAccount(t *testing.T) {
	w := newWorld(t, withProfile)
	d, x := w.desktop(), w.phone("wang")
	s := d.start()
	w.tapThroughProfile(x, x.scan(s))
	x.answer(s, "approve")
	if a := d.get("/wechat/login?return_to=/account"); !strings.Contains(a.body, "Wang Wei") || !strings.Contains(a.body, "not your account") {
		t.Errorf("the page does not say whose account it is:\n%s", a.body)
	}
	if d.user() != "" {
		t.Error("a GET logged in")
	}
}

func TestThreat12StateLeaks(t *testing.T) {
	w := newWorld(t, withProfile)
	d, p := w.desktop(), w.phone("wang")
	s := d.start()
	look := func(want string) {
		t.Helper()
		if a := d.get(s.StateURL + "?seen=none"); a.body != `{"state":"`+want+`"}` {
			t.Errorf("body %s, want the word %q alone", a.body, want)
		}
	}
	look("waiting")
	profile := p.scan(s)
	look("scanned")
	w.tapThroughProfile(p, profile)
	look("scanned")
	p.answer(s, "approve")
	look("approved")
	d.finish(s)
	look("approved")
}

// --- OAuth ---

func TestThreat13ForeignState(t *testing.T) {
	w := newWorld(t)
	p, x := w.phone("lin"), w.phone("wang")
	callback := func(b *browser) *url.URL {
		u, err := url.Parse(b.get(b.get("/wechat/login?return_to=/account").Header.Get("Location")).Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	mine, foreign := callback(p), callback(x)
	state := mine.Query().Get("state")
	for name, query := range map[string]url.Values{
		"missing":               {"code": mine.Query()["code"]},
		"empty":                 {"code": mine.Query()["code"], "state": {""}},
		"wrong":                 {"code": mine.Query()["code"], "state": {state[:58] + "0"}},
		"another jar's":         foreign.Query(),
		"another attempt's MAC": {"code": mine.Query()["code"], "state": {foreign.Query().Get("state")[:27] + state[27:]}},
		"fixed":                 {"code": mine.Query()["code"], "state": {"STATE"}},
		"another round's":       {"code": mine.Query()["code"], "state": {state[:26] + "1" + state[27:]}},
	} {
		a := p.get("/wechat/callback?" + query.Encode())
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Try again") {
			t.Errorf("%s: %d\n%s", name, a.StatusCode, a.body)
		}
	}
	if a := w.desktop().get(mine.String()); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a browser without a key: %d", a.StatusCode)
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("%d calls", got)
	}
}

func TestThreat14CallbackTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, p := w.desktop(), w.phone("lin")
		s := d.start()
		callback := p.callback(s)
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: time.Second})
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if a, err := p.try(t.Context(), false, http.MethodGet, callback, ""); err != nil || a.location() != s.confirmURL() {
					t.Errorf("at once: %v, %+v", err, a.Response)
				}
			})
		}
		both.Wait()
		if a := p.get(callback); a.location() != s.confirmURL() {
			t.Errorf("later: %d %s", a.StatusCode, a.location())
		}
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
			t.Errorf("%d exchanges", got)
		}
	})
}

func TestThreat15CodeInTheHistory(t *testing.T) {
	w := newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	scanCallback := p.callback(s)
	inside := w.phone("wang")
	directCallback := inside.get(inside.get("/wechat/login").Header.Get("Location")).Header.Get("Location")
	for name, a := range map[string]answer{"scan": p.get(scanCallback), "direct": inside.get(directCallback), "refused": p.get("/wechat/callback?code=CODE&state=STATE")} {
		if l := a.Header.Get("Location"); strings.Contains(l, "code=") || strings.Contains(l, "state=") || a.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Location %q, Referrer-Policy %q", name, l, a.Header.Get("Referrer-Policy"))
		}
		if name == "refused" && (strings.Contains(a.body, "CODE") || strings.Contains(a.body, "STATE")) {
			t.Errorf("%s: the page repeats them", name)
		}
	}
}

func TestThreat16MixUp(t *testing.T) {
	w := newWorld(t, withWebsite)
	d := w.desktop()
	// A code of the official account, delivered to a login by the website.
	inside := w.phone("lin")
	foreign, err := w.wechat.Approve(inside.get("/wechat/login").Header.Get("Location"), "lin")
	if err != nil {
		t.Fatal(err)
	}
	foreignURL, _ := url.Parse(foreign)
	callback, _ := url.Parse(w.websiteCallback(d, "lin"))
	mixed := url.Values{"code": foreignURL.Query()["code"], "state": callback.Query()["state"]}
	if a := d.get("/wechat/callback?" + mixed.Encode()); a.StatusCode != http.StatusBadGateway || d.user() != "" {
		t.Errorf("%d", a.StatusCode)
	}
	// The official account never saw it: its own login still works with it.
	if a := inside.open(foreign); a.StatusCode != http.StatusOK || inside.open("/account").StatusCode != http.StatusOK {
		t.Errorf("the code was used up: %d\n%s", a.StatusCode, a.body)
	}
}

func TestThreat17HostHeader(t *testing.T) {
	w := newWorld(t)
	hostile := []string{"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example;proto=http"}
	d, p := w.desktop(), w.phone("lin")
	w.hosts = roundTripper(func(r *http.Request) (*http.Response, error) { return nil, errors.New("not used") })
	honest, _ := url.Parse(p.get("/wechat/login").Header.Get("Location"))
	p2 := w.phone("lin")
	p2.client.Transport = hostTransport{p.client.Transport}
	got, _ := url.Parse(p2.get("/wechat/login", hostile...).Header.Get("Location"))
	if want := honest.Query().Get("redirect_uri"); got.Query().Get("redirect_uri") != want || !strings.HasPrefix(want, appURL) {
		t.Errorf("redirect_uri %q, want %q", got.Query().Get("redirect_uri"), want)
	}
	d2 := *d
	client := *d.client
	client.Transport = hostTransport{d.client.Transport}
	d2.client = &client
	var s scan
	d2.postJSON("/wechat/login", `{}`, &s)
	if !strings.HasPrefix(s.ScanURL, appURL+"/wechat/scan/") {
		t.Errorf("scan_url %q", s.ScanURL)
	}
	if page := d2.get("/wechat/login", hostile...); strings.Contains(page.body, "evil") {
		t.Error("the page names the hostile host")
	}
}

// hostTransport sends another Host header than the URL's.
type hostTransport struct{ next http.RoundTripper }

func (h hostTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == "app.example.com" {
		r.Host = "evil.example"
	}
	return h.next.RoundTrip(r)
}

func TestThreat18OpenRedirect(t *testing.T) {
	w := newWorld(t)
	p := w.phone("lin")
	p.open("/account")
	for _, to := range []string{
		"//e", `/\e`, `\/e`, "https:e", "https://e", "/%5ce", "/%5Ce", "/%2fe", "/\t/e", "/\n/e", "/\r\nX: y", "/\x00", "/%00", "javascript:alert(1)",
		"/\u2044e", "/\u2215e", "/\uff0fe", "/\uff3ce", "/\u29f8e", "http:///e", "///e", "e", "", "?x", "#x", "/" + strings.Repeat("a", 8<<10),
	} {
		if a := p.get("/wechat/login?return_to=" + url.QueryEscape(to)); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
			t.Errorf("%.20q: %d to %.40q", to, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := p.get("/wechat/login?return_to=%2Faccount%3Fx%3D1"); a.Header.Get("Location") != "/account?x=1" {
		t.Errorf("a local path: to %q", a.Header.Get("Location"))
	}
}

func TestThreat19EmptyConfiguration(t *testing.T) {
	for _, c := range []struct {
		field  string
		config scangate.Config
	}{
		{"PublicURL", scangate.Config{}},
		{"PublicURL", scangate.Config{PublicURL: "http://app.example.com", OfficialAccount: official}},
		{"OfficialAccount", scangate.Config{PublicURL: appURL}},
		{"OfficialAccount", scangate.Config{PublicURL: appURL, OfficialAccount: wechat.Account{AppID: "wx1"}}},
		{"Website", scangate.Config{PublicURL: appURL, Website: wechat.Account{AppID: "wx1"}}},
	} {
		if _, err := scangate.New(c.config); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%v, want an error about %s", err, c.field)
		}
	}
}

// --- WeChat ---

func TestThreat20Nonsense(t *testing.T) {
	edit := func(field string, value any) wechattest.Fault {
		return wechattest.Fault{Edit: func(m map[string]any) { m[field] = value }}
	}
	for _, c := range []struct {
		name  string
		op    wechattest.Op
		fault wechattest.Fault
	}{
		{"an errcode in a 200", wechattest.OpExchange, wechattest.Fault{Errcode: 40029, Errmsg: "invalid code"}},
		{"an empty openid", wechattest.OpExchange, edit("openid", "")},
		{"an openid that is a number", wechattest.OpExchange, edit("openid", 1)},
		{"an empty token", wechattest.OpExchange, edit("access_token", "")},
		{"HTML", wechattest.OpExchange, wechattest.Fault{Body: "<html>busy</html>"}},
		{"2 MB", wechattest.OpExchange, wechattest.Fault{Body: `{"openid":"` + strings.Repeat("a", 2<<20) + `"}`}},
		{"broken JSON", wechattest.OpExchange, wechattest.Fault{Body: `{"openid":`}},
		{"nothing", wechattest.OpExchange, wechattest.Fault{Body: " "}},
		{"another openid in userinfo", wechattest.OpUserInfo, edit("openid", "oSomebodyElse")},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withWebsiteOnly, withProfile)
			w.wechat.Fail(c.op, 9, c.fault)
			d := w.desktop()
			a := d.open(w.websiteCallback(d, "lin"))
			if a.StatusCode != http.StatusBadGateway || d.user() != "" {
				t.Errorf("%d\n%s", a.StatusCode, a.body)
			}
			if n := w.users.total() - w.users.calls["FindByWeChat"]; n != 0 || c.op == wechattest.OpExchange && w.users.total() != 0 {
				t.Errorf("calls to the store: %v", w.users.calls)
			}
		})
	}
}

func TestThreat21SnapshotUser(t *testing.T) {
	w := newWorld(t, withProfile)
	d, p := w.desktop(), w.phone("zhao")
	s := d.start()
	profile := p.scan(s)
	before := w.users.total()
	if a := w.tapThroughProfile(p, profile); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "使用完整服务") {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
	if got := w.users.total(); got != before {
		t.Errorf("%d calls to the store", got-before)
	}
	if got := d.state(s); got != "scanned" {
		t.Errorf("state %q", got)
	}
	consent := p.open(p.get("/wechat/profile/"+s.ID).find(t, wechatURLPattern))
	if a := w.tap(p, consent, wechattest.FullService); a.Request.URL.Path != s.confirmURL() {
		t.Errorf("with the full service: %s", a.Request.URL)
	}
}

func TestThreat22SameOpenIDElsewhere(t *testing.T) {
	w := newWorld(t, withWebsiteOnly)
	w.knowPhone("", scangate.Identity{AppID: "another", OpenID: w.wechat.OpenID("chen", website.AppID)})
	w.knowPhone("", scangate.Identity{AppID: "third", OpenID: "x"}) // its unionid is empty, as chen's is
	d := w.desktop()
	d.open(w.websiteCallback(d, "chen"))
	user, err := w.users.FindByWeChat(t.Context(), scangate.Identity{AppID: website.AppID, OpenID: w.wechat.OpenID("chen", website.AppID)})
	if err != nil || len(user.Identities) != 1 || d.user() != user.ID {
		t.Errorf("%+v, %v", user, err)
	}
}

func TestThreat23WeChatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Hang: true})
		begun := time.Now()
		if a := w.phone("lin").open("/account"); a.StatusCode != http.StatusBadGateway || time.Since(begun) > 6*time.Second {
			t.Errorf("%d after %v", a.StatusCode, time.Since(begun))
		}
		// The transport knows no such host: a redirect that is followed would fail
		// the call in another way, and be counted here.
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Location: "https://api.weixin.qq.com/sns/auth"})
		if a := w.phone("lin").open("/account"); a.StatusCode != http.StatusBadGateway {
			t.Errorf("a redirect: %d", a.StatusCode)
		}
		if got := w.wechat.Calls(wechattest.OpVerify); got != 0 {
			t.Errorf("the redirect was followed %d times", got)
		}
	})
}

func TestThreat24AvatarAimsInside(t *testing.T) {
	var calls atomic.Int64
	w := newWorld(t, withProfile, func(c *scangate.Config) {
		next := c.HTTPClient.Transport
		c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "api.weixin.qq.com" {
				calls.Add(1)
			}
			return next.RoundTrip(r)
		})}
	})
	w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(m map[string]any) { m["headimgurl"] = "http://169.254.169.254/latest/meta-data" }})
	p := w.phone("lin")
	w.tapThroughProfile(p, p.open("/account"))
	if p.user() == "" || calls.Load() != 0 {
		t.Errorf("user %q, %d outgoing calls", p.user(), calls.Load())
	}
}

// --- Phones ---

func TestThreat25UnprovedPhone(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	p, x := w.phone("lin"), w.phone("wang")
	page, foreign := p.open("/account"), x.open("/account")
	p.sendCode(page, mobile)
	x.sendCode(foreign, mobile2)
	token := page.find(t, tokenPattern)
	for name, form := range map[string]url.Values{
		"no code":           {"token": {token}},
		"another number's":  {"token": {token}, "code": {s.to(mobile)}, "phone": {mobile2}},
		"another attempt's": {"token": {token}, "code": {different(s.to(mobile2), s.to(mobile))}},
	} {
		if a := p.post(page.Request.URL.Path, form); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if a := x.post(page.Request.URL.Path, url.Values{"token": {token}, "code": {s.to(mobile)}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("another browser: %d", a.StatusCode)
	}
	if _, err := w.users.FindByPhone(t.Context(), mobile); !errors.Is(err, scangate.ErrNotFound) {
		t.Error("bound")
	}
}

// different returns a, or another code if it happens to be b.
func different(a, b string) string {
	if a == b {
		return wrong(a)
	}
	return a
}

func TestThreat26GuessTheCode(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	p := w.phone("lin")
	page := p.open("/account")
	p.sendCode(page, mobile)
	for range 5 {
		p.typeCode(page, wrong(s.to(mobile)))
	}
	if a := p.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusForbidden || p.user() != "" {
		t.Errorf("5 wrong, then right: %d", a.StatusCode)
	}
	// Guesses at once count as well.
	w = newWorld(t, s.withPhone)
	p = w.phone("lin")
	page = p.open("/account")
	p.sendCode(page, mobile)
	form := url.Values{"token": {page.find(t, tokenPattern)}, "code": {wrong(s.to(mobile))}}
	var guesses sync.WaitGroup
	for range 20 {
		guesses.Go(func() { _, _ = p.try(t.Context(), false, http.MethodPost, page.Request.URL.Path, form.Encode()) })
	}
	guesses.Wait()
	if a := p.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusForbidden {
		t.Errorf("20 wrong at once, then right: %d", a.StatusCode)
	}
}

func TestThreat26OldCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &texts{}
		w := newWorld(t, s.withPhone)
		p := w.phone("lin")
		page := p.open("/account")
		p.sendCode(page, mobile)
		pass(5 * time.Minute)
		if a := p.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusForbidden {
			t.Errorf("5 minutes later: %d", a.StatusCode)
		}
	})
}

func TestThreat27SMSBombing(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	d := w.desktop()
	login := d.start()
	if a := d.post("/wechat/phone/"+login.ID+"/code", url.Values{"phone": {mobile}}); a.StatusCode != http.StatusNotFound || s.sent != 0 {
		t.Errorf("before WeChat: %d", a.StatusCode)
	}
	p := w.phone("lin")
	page := p.open("/account")
	p.sendCode(page, mobile)
	for _, spelling := range []string{"13800138000", "+86 138 0013 8000", "0086-138-0013-8000", "１３８００１３８０００", "8613800138000"} {
		a := p.sendCode(page, spelling)
		if after, _ := strconv.Atoi(a.Header.Get("Retry-After")); a.StatusCode != http.StatusTooManyRequests || after < 1 || after > 60 {
			t.Errorf("%s: %d, Retry-After %q", spelling, a.StatusCode, a.Header.Get("Retry-After"))
		}
	}
	x := w.phone("wang")
	if a := x.sendCode(x.open("/account"), mobile); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("another person, the same number: %d", a.StatusCode)
	}
	if s.sent != 1 {
		t.Errorf("%d sent", s.sent)
	}
	// A sender that reports failures is not asked without end.
	calls := 0
	w = newWorld(t, s.withPhone, func(c *scangate.Config) {
		c.Phone.SendCode = func(context.Context, string, string) error { calls++; return errors.New("timed out") }
	})
	p = w.phone("lin")
	page = p.open("/account")
	for range 50 {
		p.sendCode(page, mobile)
	}
	if calls > 30 {
		t.Errorf("%d calls of a sender that fails", calls)
	}
}

func TestThreat28WhoHasAnAccount(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.byPhone)
	w.knowPhone(mobile, clerk("a"))
	var answers []answer
	for i, number := range []string{mobile, mobile2} {
		p := w.phone([]string{"lin", "wang"}[i])
		page := p.open("/account")
		sent := p.sendCode(page, number)
		sent.Header.Set("Location", strings.Replace(sent.location(), strings.TrimPrefix(page.Request.URL.Path, "/wechat/phone/"), "ID", 1))
		answers = append(answers, sent)
	}
	known, unknown := answers[0], answers[1]
	if known.StatusCode != unknown.StatusCode || known.body != unknown.body || fmt.Sprint(known.Header) != fmt.Sprint(unknown.Header) {
		t.Errorf("known: %d %v %q, unknown: %d %v %q", known.StatusCode, known.Header, known.body, unknown.StatusCode, unknown.Header, unknown.body)
	}
}

// --- Users and sessions ---

func TestThreat29BarredMeanwhile(t *testing.T) {
	users := &changingUsers{UserStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.Users = users })
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	p.scan(s)
	p.answer(s, "approve")
	users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
	if a := d.finish(s); a.StatusCode != http.StatusForbidden || sessionCookie(a) != nil {
		t.Errorf("%d, session %v", a.StatusCode, sessionCookie(a))
	}
}

func TestThreat29SignedOutMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		victim := w.phone("lin")
		victim.open("/account")
		x, p := w.desktop(), w.phone("lin")
		s := x.start()
		pass(time.Second)
		p.scan(s)
		p.answer(s, "approve")
		victim.post("/wechat/logout", url.Values{"everywhere": {"true"}})
		if a := x.finish(s); a.StatusCode != http.StatusGone || x.user() != "" {
			t.Errorf("approved before, finished after signing out everywhere: %d", a.StatusCode)
		}
	})
}

func TestThreat30TwoFirstLogins(t *testing.T) {
	w := newWorld(t)
	var logins sync.WaitGroup
	var mu sync.Mutex
	users := map[string]int{}
	for range 20 {
		d, p := w.desktop(), w.phone("lin")
		s := d.start()
		p.scan(s)
		form := url.Values{"token": {p.get(s.confirmURL()).find(t, tokenPattern)}, "answer": {"approve"}}
		logins.Go(func() {
			_, _ = p.try(t.Context(), false, http.MethodPost, s.confirmURL(), form.Encode())
			_, _ = d.try(t.Context(), false, http.MethodPost, s.FinishURL, "")
			a, err := d.try(t.Context(), false, http.MethodGet, "/account", "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				users[a.body]++
			}
		})
	}
	logins.Wait()
	if len(users) != 1 {
		t.Errorf("users %v", users)
	}
}

func TestThreat31SessionFixation(t *testing.T) {
	m := ownSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	p := w.phone("lin")
	u, _ := url.Parse(appURL)
	ctx, err := m.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	m.Put(ctx, "planted", true)
	fixed, _, err := m.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.client.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-session", Value: fixed, Path: "/", Secure: true}})
	p.open("/account")
	for _, c := range p.client.Jar.Cookies(u) {
		if c.Name == "__Host-session" && c.Value == fixed {
			t.Error("the token is the planted one")
		}
	}
	x := w.desktop()
	x.client.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-session", Value: fixed, Path: "/", Secure: true}})
	if p.user() == "" || x.user() != "" {
		t.Errorf("user %q, the attacker is %q", p.user(), x.user())
	}
}

func TestThreat31NextPersonsSession(t *testing.T) {
	m := ownSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	d, u := w.desktop(), &url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}
	w.scanLogin(d, w.phone("lin"))
	load := func() context.Context {
		var token string
		for _, c := range d.client.Jar.Cookies(u) {
			if c.Name == "__Host-session" {
				token = c.Value
			}
		}
		ctx, err := m.Load(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	ctx := load()
	m.Put(ctx, "draft", "private")
	if _, _, err := m.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	lin := d.user()
	if err := w.users.EndSessions(t.Context(), lin, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w.scanLogin(d, w.phone("wang"))
	if got := m.GetString(load(), "draft"); got != "" || d.user() == lin {
		t.Errorf("the next person on the same computer finds %q", got)
	}
}

func TestThreat32RevivedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &scs.SessionManager{
			Lifetime: 24 * time.Hour, IdleTimeout: time.Hour, Store: &mapSessions{m: map[string][]byte{}}, Codec: scs.GobCodec{},
			Cookie: scs.SessionCookie{Name: "__Host-session", Path: "/", HttpOnly: true, Secure: true},
		}
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
		d, p := w.desktop(), w.phone("lin")
		s := d.start()
		var tabs sync.WaitGroup
		for range 2 {
			tabs.Go(func() { _, _ = d.try(t.Context(), false, http.MethodGet, s.StateURL+"?seen=scanned", "") })
		}
		p.scan(s)
		synctest.Wait()
		p.answer(s, "approve")
		d.finish(s)
		u, _ := url.Parse(appURL)
		old := d.client.Jar.Cookies(u)
		if d.user() == "" {
			t.Fatal("not logged in")
		}
		d.post("/wechat/logout", nil)
		tabs.Wait()
		d.client.Jar.SetCookies(u, secure(old))
		if d.user() != "" {
			t.Error("what was logged out is logged in")
		}
	})
}

// mapSessions is a session store without a goroutine.
type mapSessions struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *mapSessions) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.m[token]
	return b, ok, nil
}

func (s *mapSessions) Commit(token string, b []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[token] = b
	return nil
}

func (s *mapSessions) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, token)
	return nil
}

// recordingState notes every key and value that a gate stores.
type recordingState struct {
	scangate.StateStore
	mu   sync.Mutex
	text strings.Builder
}

func (s *recordingState) note(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(key)
	s.text.Write(value)
}

func (s *recordingState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *recordingState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func TestThreat33CookieTheft(t *testing.T) {
	state := &recordingState{StateStore: scangate.NewMemoryStore()}
	s := &texts{}
	w := newWorld(t, s.withPhone, func(c *scangate.Config) { c.State = state })
	p := w.phone("lin")
	first := p.get("/wechat/login")
	second := p.prove(s, p.open("/account"), mobile)
	if second.StatusCode != http.StatusOK {
		t.Fatal(second.body)
	}
	for _, c := range first.Cookies() {
		checkCookie(t, c)
	}
	u, _ := url.Parse(appURL)
	secrets := []string{s.to(mobile)}
	for _, c := range p.client.Jar.Cookies(u) {
		secrets = append(secrets, c.Value)
	}
	if len(secrets) != 4 { // the code, the browser key, the session, and the mark of the login
		t.Fatalf("%d secrets", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(state.text.String(), `"`+secret+`"`) || len(secret) > 6 && strings.Contains(state.text.String(), secret) {
			t.Error("the store holds a cookie's value or a code")
		}
	}
	d, p2 := w.desktop(), w.phone("lin")
	login := d.start()
	p2.scan(login)
	p2.answer(login, "approve")
	for _, c := range d.finish(login).Cookies() {
		checkCookie(t, c)
	}
}

func checkCookie(t *testing.T, c *http.Cookie) {
	t.Helper()
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("Set-Cookie: %v", c)
	}
}

func TestThreat33SessionTokensInTheStore(t *testing.T) {
	sessions := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store, m.HashTokenInStore = sessions, true
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	p := w.phone("lin")
	p.open("/account")
	u, _ := url.Parse(appURL)
	for _, c := range p.client.Jar.Cookies(u) {
		if _, ok := sessions.m[c.Value]; ok {
			t.Error("the store's key is the cookie's value")
		}
	}
	if len(sessions.m) != 1 || p.user() == "" {
		t.Errorf("%d sessions", len(sessions.m))
	}
}

func TestThreat34LogoutByLink(t *testing.T) {
	w := newWorld(t)
	p := w.phone("lin")
	p.open("/account")
	if a := p.get("/wechat/logout"); a.StatusCode != http.StatusMethodNotAllowed || p.user() == "" {
		t.Errorf("GET: %d", a.StatusCode)
	}
	u, _ := url.Parse(appURL)
	old := p.client.Jar.Cookies(u)
	p.post("/wechat/logout", nil)
	p.client.Jar.SetCookies(u, secure(old))
	if p.user() != "" {
		t.Error("the old cookie is somebody")
	}
	// A user store that is away keeps nobody from logging out here.
	p = w.phone("lin")
	p.open("/account")
	w.users.failWith(errors.New("away"))
	if a := p.post("/wechat/logout", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the user store is away: %d", a.StatusCode)
	}
	if a := p.post("/wechat/logout", url.Values{"everywhere": {"true"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("nobody, everywhere: %d", a.StatusCode)
	}
	w.users.failWith(nil)
	if p.user() != "" {
		t.Error("still logged in")
	}
}

// --- Pages and requests ---

func TestThreat35CachingFramingSniffing(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone, withWebsite)
	d, p := w.desktop(), w.phone("lin")
	login := d.start()
	page := p.scan(login)
	id := strings.Repeat("A", 26)
	answers := map[string]answer{
		"login": d.get("/wechat/login"), "login JSON": d.postJSON("/wechat/login", `{}`, nil), "QR": d.get(login.QRURL),
		"PNG": d.get(strings.Replace(login.QRURL, "svg", "png", 1)), "state": d.get(login.StateURL), "scan": p.get(login.ScanURL),
		"page": page, "callback": p.get("/wechat/callback"), "unknown": p.get("/wechat/scan/" + id), "no route": d.get("/wechat/nothing"),
		"method": d.get("/wechat/logout"), "me": d.get("/wechat/me"), "finish": d.finish(login), "forged": d.post(login.FinishURL, nil, "Origin", "null"),
		"gated": d.get("/account"), "gated JSON": d.get("/account", "Accept", "application/json"), "logout": d.post("/wechat/logout", nil),
		"link": d.get("/wechat/link"), "change number": d.get("/wechat/phone"), "doubled": d.get("/wechat/login?return_to=/&return_to=/"),
	}
	w.users.failWith(errors.New("away"))
	in := w.phone("wang")
	answers["store away"] = in.open("/account")
	w.users.failWith(nil)
	for name, a := range answers {
		h := a.Header
		csp := h.Get("Content-Security-Policy")
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(csp, "frame-ancestors 'none'") ||
			!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s (%d): %v", name, a.StatusCode, h)
		}
		for _, inline := range []string{"<script>", " onclick=", " onload=", " style=", "<style", "javascript:"} {
			if strings.Contains(a.body, inline) {
				t.Errorf("%s: the page has %q", name, inline)
			}
		}
	}
}

func TestThreat35StoreAwayBehindTheGate(t *testing.T) {
	w := newWorld(t)
	p := w.phone("lin")
	p.open("/account")
	w.users.failWith(errors.New("away"))
	a := p.get("/account")
	if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}

func TestThreat36NicknameAsMarkup(t *testing.T) {
	for name, c := range map[string]struct {
		nickname any
		bad      string
	}{
		"script":            {"<script>alert(1)</script>", "<script>alert"},
		"attribute":         {`"><img src=x onerror=alert(1)>`, "<img src=x"},
		"template":          {"{{.}}", ""},
		"turned around":     {"a\u202eb", "\u202e"},
		"10,000 characters": {strings.Repeat("啊", 10_000), strings.Repeat("啊", 65)},
		"broken UTF-8":      {"a\xff\xfeb", "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withProfile)
			w.wechat.Fail(wechattest.OpUserInfo, 1, wechattest.Fault{Edit: func(m map[string]any) { m["nickname"] = c.nickname }})
			d, p := w.desktop(), w.phone("wang")
			s := d.start()
			w.tapThroughProfile(p, p.scan(s))
			p.answer(s, "approve")
			page := d.get("/wechat/login?return_to=/account")
			d.finish(s)
			me := d.get("/wechat/me")
			for where, a := range map[string]answer{"finish page": page, "me": me} {
				if a.StatusCode != http.StatusOK || c.bad != "" && strings.Contains(a.body, c.bad) {
					t.Errorf("%s: %d\n%.500s", where, a.StatusCode, a.body)
				}
			}
		})
	}
}

func TestThreat37SecretsInLogs(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone, withProfile, func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return nil }
	})
	d, p := w.desktop(), w.phone("wang")
	login := d.start()
	callback := p.callback(login)
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret " + official.Secret})
	pages := []answer{p.get(callback)}
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Status: http.StatusBadGateway, Body: official.Secret})
	pages = append(pages, p.get(callback))
	profile := p.open(callback)
	phonePage := w.tapThroughProfile(p, profile)
	pages = append(pages, p.sendCode(phonePage, "110"), p.sendCode(phonePage, mobile), p.sendCode(phonePage, mobile))
	code := s.to(mobile)
	pages = append(pages, p.typeCode(phonePage, wrong(code)), p.typeCode(phonePage, code), p.answer(login, "approve"), d.finish(login), d.finish(login))
	w.users.failWith(errors.New("away"))
	pages = append(pages, d.get("/account"))
	w.users.failWith(nil)
	pages = append(pages, d.post("/wechat/logout", nil))

	u, _ := url.Parse(callback)
	secrets := map[string]string{"secret": official.Secret, "code": u.Query().Get("code"), "state": u.Query().Get("state"), "phone": "13800138000", "one-time code": code, "token": phonePage.find(t, tokenPattern)}
	for _, b := range []*browser{d, p} {
		for _, c := range b.client.Jar.Cookies(&url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}) {
			secrets["cookie "+c.Name] = c.Value
		}
	}
	w.mu.Lock()
	events := fmt.Sprintf("%+v", w.events)
	w.mu.Unlock()
	for name, secret := range secrets {
		switch {
		case len(secret) < 6:
			t.Errorf("the test has no %s", name)
		case strings.Contains(w.log.String(), secret):
			t.Errorf("the log holds the %s:\n%s", name, w.log)
		case strings.Contains(events, secret):
			t.Errorf("the events hold the %s: %s", name, events)
		}
		for _, a := range pages {
			if name != "token" && strings.Contains(a.body, secret) {
				t.Errorf("%s: the page holds the %s", a.Request.URL.Path, name)
			}
		}
	}
}

func TestThreat38ForgedAddress(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = 3 })
	for i := range 5 {
		d := w.desktop()
		forged := fmt.Sprintf("203.0.113.%d", i)
		a := d.get("/wechat/login", "X-Forwarded-For", forged, "X-Real-IP", forged, "Forwarded", "for="+forged, "CF-Connecting-IP", forged)
		want := http.StatusOK
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if a.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, a.StatusCode, want)
		}
	}
	w = newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	id := d.get("/wechat/login", "X-Forwarded-For", "203.0.113.7").find(t, statePattern)
	if a := p.scan(scan{ID: id}.urls()); !strings.Contains(a.body, "192.0.2.1") || strings.Contains(a.body, "203.0.113.7") {
		t.Errorf("the confirm page shows a forged address:\n%s", a.body)
	}
}

func TestThreat39FloodOfAttempts(t *testing.T) {
	sessions := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store = sessions
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	limited := 0
	for range 1000 {
		a := w.desktop().get("/wechat/login")
		if a.StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if limited != 400 || len(sessions.m) != 0 {
		t.Errorf("%d of 1,000 limited, %d sessions", limited, len(sessions.m))
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("600 logins hold %d KB", grown>>10)
	}
}

func TestThreat39FloodOfCallbacks(t *testing.T) {
	w := newWorld(t)
	x := w.phone("lin")
	s := w.desktop().start()
	callback, _ := url.Parse(x.callback(s))
	for i := range 50 {
		q := callback.Query()
		q.Set("code", fmt.Sprintf("junk%d", i))
		x.get("/wechat/callback?" + q.Encode())
	}
	if got := w.wechat.Calls(wechattest.OpExchange); got > 10 {
		t.Errorf("one login made %d calls", got)
	}
}

func TestThreat40HoardedLongPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Waiting = 100 })
		var waits sync.WaitGroup
		var refused atomic.Int64
		for range 4 {
			x := w.desktop()
			s := x.start()
			for range 6 {
				waits.Go(func() {
					if a, err := x.try(t.Context(), false, http.MethodGet, s.StateURL+"?seen=waiting", ""); err != nil || a.StatusCode == http.StatusTooManyRequests {
						refused.Add(1)
					}
				})
			}
		}
		waits.Wait()
		// One address may hold a tenth of 100: 10 of these 24.
		if refused.Load() != 14 {
			t.Errorf("%d of 24 refused", refused.Load())
		}
		// A goroutine that were left would keep the bubble from ending.
	})
}

func TestThreat40BodyThatNeverComes(t *testing.T) {
	w := newWorld(t)
	d := w.desktop()
	s := d.start()
	if a := d.send(t.Context(), false, http.MethodGet, s.StateURL+"?seen=waiting", "x"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("waiting with a body: %d", a.StatusCode)
	}
}

func TestThreat41KeysAsCommands(t *testing.T) {
	state := &recordingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	x := w.desktop()
	for _, id := range []string{"%7D", "%7B%7D", "a%0D%0ADEL%20x", "*", "%00", strings.Repeat("A", 10<<10), strings.Repeat("a", 26), strings.Repeat("%C3%A9", 13), "..%2F.."} {
		for _, target := range []string{"/wechat/scan/" + id, "/wechat/login/" + id + "/state", "/wechat/confirm/" + id, "/wechat/phone/" + id} {
			if a := x.get(target); a.StatusCode != http.StatusNotFound {
				t.Errorf("%.60s: %d", target, a.StatusCode)
			}
		}
	}
	if state.text.Len() != 0 {
		t.Errorf("the store was told %q", state.text.String())
	}
}

// failingState is a state store that goes away.
type failingState struct {
	scangate.StateStore
	err atomic.Pointer[error]
}

func (s *failingState) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *failingState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *failingState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if err := s.failure(); err != nil {
		return nil, 0, err
	}
	return s.StateStore.Load(ctx, key)
}

func (s *failingState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func (s *failingState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if err := s.failure(); err != nil {
		return 0, err
	}
	return s.StateStore.Add(ctx, key, window)
}

func TestThreat42StateStoreAway(t *testing.T) {
	state := &failingState{StateStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.State = state })
	d, p, in := w.desktop(), w.phone("lin"), w.phone("wang")
	in.open("/account")
	s := d.start()
	callback := p.callback(s)
	away := errors.New("connection refused")
	state.err.Store(&away)
	for name, a := range map[string]answer{
		"login": d.get("/wechat/login"), "login JSON": d.postJSON("/wechat/login", `{}`, nil), "state": d.get(s.StateURL), "QR": d.get(s.QRURL),
		"scan": p.get(s.ScanURL), "callback": p.get(callback), "strange callback": w.phone("chen").get(callback), "confirm": p.get(s.confirmURL()), "finish": d.finish(s),
	} {
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if in.user() == "" {
		t.Error("somebody was logged out")
	}
	state.err.Store(nil)
	p.open(callback)
	p.answer(s, "approve")
	if a := d.finish(s); a.StatusCode != http.StatusSeeOther {
		t.Errorf("when it is back: %d", a.StatusCode)
	}
}

func TestThreat43DoubledParameters(t *testing.T) {
	w := newWorld(t)
	d, p := w.desktop(), w.phone("lin")
	s := d.start()
	callback := p.callback(s)
	u, _ := url.Parse(callback)
	for name, a := range map[string]answer{
		"two codes":          p.get(callback + "&code=x"),
		"two states":         p.get(callback + "&state=" + u.Query().Get("state")),
		"two return_tos":     d.get("/wechat/login?return_to=/a&return_to=/b"),
		"two answers":        p.post(s.confirmURL(), url.Values{"answer": {"deny", "approve"}}),
		"two in JSON":        d.postJSON("/wechat/login", `{"return_to":"/a","return_to":"/b"}`, nil),
		"a broken query":     p.get("/wechat/callback?code=%zz"),
		"a semicolon":        p.get("/wechat/callback?code=a;state=b"),
		"two in a form-data": d.post("/wechat/logout", nil, "Content-Type", "multipart/form-data; boundary=x"),
	} {
		want := http.StatusBadRequest
		if name == "two answers" {
			want = http.StatusNotFound // nobody has authorized yet
		}
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, want)
		}
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("%d calls", got)
	}
}

func TestThreat44ForgedUserAgent(t *testing.T) {
	w := newWorld(t)
	x := w.browser(wechattest.UserAgentPhone + " <script>alert(1)</script>")
	if a := x.get("/account"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a gated page: %d", a.StatusCode)
	}
	s := w.desktop().start()
	for _, target := range []string{s.confirmURL(), s.StateURL} {
		if a := x.get(target); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", target, a.StatusCode)
		}
	}
	if got := w.happened(); slices.Contains(got, "finished") {
		t.Errorf("events %v", got)
	}
}
