package scangate_test

// Rows 13 to 19: OAuth, URLs and the configuration.

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat13ForeignState: the attacker has the phone open a callback with the
// attacker's code or state (login CSRF). The state carries a MAC under the browser's
// key; without it the gate makes no call to WeChat.
func TestThreat13ForeignState(t *testing.T) {
	w := newWorld(t)
	phone, attacker := w.phone("lin"), w.phone("wang")
	callback := func(b *browser) *url.URL {
		u, err := url.Parse(b.get(b.get("/wechat/login?return_to=/account").Header.Get("Location")).Header.Get("Location"))
		if err != nil {
			t.Fatalf("callback: %v", err)
		}
		return u
	}
	own, foreign := callback(phone), callback(attacker)
	code := own.Query()["code"]
	// A state is an ID of 26 characters, the scope in one, and the MAC.
	state, foreignState := own.Query().Get("state"), foreign.Query().Get("state")
	for _, c := range []struct {
		name  string
		query url.Values
		known bool // it names a same-device login, which can begin again
	}{
		{"no state", url.Values{"code": code}, false},
		{"an empty state", url.Values{"code": code, "state": {""}}, false},
		{"a wrong MAC", url.Values{"code": code, "state": {state[:58] + "0"}}, true},
		{"another browser's callback", foreign.Query(), true},
		{"another login's ID, own MAC", url.Values{"code": code, "state": {foreignState[:27] + state[27:]}}, true},
		{"a fixed state", url.Values{"code": code, "state": {"STATE"}}, false},
		{"another scope, own MAC", url.Values{"code": code, "state": {state[:26] + "3" + state[27:]}}, true},
	} {
		a := phone.get("/wechat/callback?" + c.query.Encode())
		if a.StatusCode != http.StatusBadRequest || strings.Contains(a.body, "Try again") != c.known {
			t.Errorf("callback with %s: status = %d, want %d and %q: %v in\n%s", c.name, a.StatusCode, http.StatusBadRequest, "Try again", c.known, a.body)
		}
	}
	if got := w.desktop().get(own.String()).StatusCode; got != http.StatusBadRequest {
		t.Errorf("callback in a browser without a key: status = %d, want %d", got, http.StatusBadRequest)
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("after the callbacks: calls to WeChat = %d, want 0", got)
	}
}

// TestThreat14CallbackTwice: WeChat's browser opens a callback twice at once, and again
// later. Every time it gets to the confirm page, and the code is exchanged once.
func TestThreat14CallbackTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		callback := phone.callback(login)
		// The delay makes the second request arrive during the first one's exchange.
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Delay: time.Second})
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				a, err := phone.try(t.Context(), false, http.MethodGet, callback, "")
				if err != nil {
					t.Errorf("callback at the same time: error = %v, want none", err)
				} else if a.location() != login.confirmURL() {
					t.Errorf("callback at the same time: status = %d, location = %q, want %q", a.StatusCode, a.location(), login.confirmURL())
				}
			})
		}
		both.Wait()
		if a := phone.get(callback); a.location() != login.confirmURL() {
			t.Errorf("callback later: status = %d, location = %q, want %q", a.StatusCode, a.location(), login.confirmURL())
		}
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 {
			t.Errorf("three callbacks: exchanges = %d, want 1", got)
		}
	})
}

// TestThreat15CodeInTheHistory: the attacker reads code and state in the history or in a
// Referer. The callback redirects to a clean URL, with no-referrer.
func TestThreat15CodeInTheHistory(t *testing.T) {
	w := newWorld(t)
	desktop, phone, secondPhone := w.desktop(), w.phone("lin"), w.phone("wang")
	scanCallback := phone.callback(desktop.start())
	directCallback := secondPhone.get(secondPhone.get("/wechat/login").Header.Get("Location")).Header.Get("Location")
	refused := phone.get("/wechat/callback?code=CODE&state=STATE")
	for name, a := range map[string]answer{
		"callback after a scan":      phone.get(scanCallback),
		"callback inside WeChat":     secondPhone.get(directCallback),
		"callback with a wrong code": refused,
	} {
		if to := a.Header.Get("Location"); strings.Contains(to, "code=") || strings.Contains(to, "state=") {
			t.Errorf("%s: location = %q, want neither code nor state", name, to)
		}
		if got := a.Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy = %q, want %q", name, got, "no-referrer")
		}
	}
	if strings.Contains(refused.body, "CODE") || strings.Contains(refused.body, "STATE") {
		t.Errorf("callback with a wrong code: the page repeats code or state, want neither:\n%s", refused.body)
	}
}

// TestThreat16AccountMixUp: the attacker brings a code of the official account to a
// login by the website. The login keeps its account, so that the code is never sent to
// the wrong one.
func TestThreat16AccountMixUp(t *testing.T) {
	w := newWorld(t, withWebsite)
	desktop, phone := w.desktop(), w.phone("lin")
	officialCallback, err := w.wechat.Approve(phone.get("/wechat/login").Header.Get("Location"), "lin")
	if err != nil {
		t.Fatalf("approving at the official account: %v", err)
	}
	officialURL, _ := url.Parse(officialCallback)
	websiteURL, _ := url.Parse(w.websiteCallback(desktop, "lin"))
	mixed := url.Values{"code": officialURL.Query()["code"], "state": websiteURL.Query()["state"]}
	if got := desktop.get("/wechat/callback?" + mixed.Encode()).StatusCode; got != http.StatusBadRequest {
		t.Errorf("the official account's code at the website's callback: status = %d, want %d", got, http.StatusBadRequest)
	}
	if got := desktop.user(); got != "" {
		t.Errorf("after the mixed callback: user = %q, want none", got)
	}
	// The official account has not seen the code, so its own login can still use it.
	if a := phone.open(officialCallback); a.StatusCode != http.StatusOK {
		t.Errorf("the code at its own callback: status = %d, want %d\n%s", a.StatusCode, http.StatusOK, a.body)
	}
	if got := phone.open("/account").StatusCode; got != http.StatusOK {
		t.Errorf("gated page after that: status = %d, want %d", got, http.StatusOK)
	}
}

// evilHost sends every request to the application with the Host header evil.example.
type evilHost struct{ next http.RoundTripper }

func (e evilHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == "app.example.com" {
		r.Host = "evil.example"
	}
	return e.next.RoundTrip(r)
}

// TestThreat17HostHeader: the attacker sends the name of its own host in Host,
// X-Forwarded-Host and Forwarded. The gate builds URLs from PublicURL only.
func TestThreat17HostHeader(t *testing.T) {
	w := newWorld(t)
	hostile := []string{"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example;proto=http"}
	honestURL, _ := url.Parse(w.phone("lin").get("/wechat/login").Header.Get("Location"))
	want := honestURL.Query().Get("redirect_uri")
	if !strings.HasPrefix(want, appURL) {
		t.Errorf("redirect_uri of an honest request = %q, want the prefix %q", want, appURL)
	}
	phone := w.phone("lin")
	phone.client.Transport = evilHost{phone.client.Transport}
	hostileURL, _ := url.Parse(phone.get("/wechat/login", hostile...).Header.Get("Location"))
	if got := hostileURL.Query().Get("redirect_uri"); got != want {
		t.Errorf("redirect_uri of a hostile request = %q, want %q", got, want)
	}
	attacker := w.desktop()
	honest := attacker.client.Transport
	attacker.client.Transport = evilHost{honest}
	var login scan
	attacker.postJSON("/wechat/login", `{}`, &login)
	if !strings.HasPrefix(login.ScanURL, appURL+"/wechat/scan/") {
		t.Errorf("scan_url of a hostile request = %q, want the prefix %q", login.ScanURL, appURL+"/wechat/scan/")
	}
	if page := attacker.get("/wechat/login", hostile...); strings.Contains(page.body, "evil") {
		t.Errorf("login page of a hostile request: it names the hostile host:\n%s", page.body)
	}
	hostileQR := attacker.get(login.QRURL, hostile...)
	attacker.client.Transport = honest
	honestQR := attacker.get(login.QRURL)
	if honestQR.StatusCode != http.StatusOK || hostileQR.body != honestQR.body {
		t.Errorf("QR code: status = %d, want %d; the hostile request gets the honest one's QR code = %t, want true",
			honestQR.StatusCode, http.StatusOK, hostileQR.body == honestQR.body)
	}
}

// TestThreat18OpenRedirect: the attacker sends a victim to the login with a return_to
// that leads elsewhere. The gate redirects to local paths only, and to / otherwise.
func TestThreat18OpenRedirect(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	for _, to := range []string{
		"//e", `/\e`, `\/e`, "https:e", "https://e", "/%5ce", "/%5Ce", "/%2fe", "/\t/e", "/\n/e", "/\r\nX: y", "/\x00", "/%00", "javascript:alert(1)",
		"/\u2044e", "/\u2215e", "/\uff0fe", "/\uff3ce", "/\u29f8e", "http:///e", "///e", "e", "", "?x", "#x", "/" + strings.Repeat("a", 8<<10),
	} {
		a := phone.get("/wechat/login?return_to=" + url.QueryEscape(to))
		if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != "/" {
			t.Errorf("return_to %.20q: status = %d, location = %.40q, want %d and /", to, a.StatusCode, got, http.StatusSeeOther)
		}
	}
	if got := phone.get("/wechat/login?return_to=%2Faccount%3Fx%3D1").Header.Get("Location"); got != "/account?x=1" {
		t.Errorf("return_to of a local path: location = %q, want /account?x=1", got)
	}
}

// TestThreat19EmptyConfiguration: an application starts with a configuration that
// protects nothing. New refuses it with an error that names the field.
func TestThreat19EmptyConfiguration(t *testing.T) {
	for _, c := range []struct {
		name, field string
		config      scangate.Config
	}{
		{"nothing set", "PublicURL", scangate.Config{}},
		{"plain http", "PublicURL", scangate.Config{PublicURL: "http://app.example.com", OfficialAccount: official}},
		{"no account", "OfficialAccount", scangate.Config{PublicURL: appURL}},
		{"no secret", "OfficialAccount", scangate.Config{PublicURL: appURL, OfficialAccount: wechat.Account{AppID: official.AppID}}},
		{"no website secret", "Website", scangate.Config{PublicURL: appURL, Website: wechat.Account{AppID: official.AppID}}},
	} {
		if _, err := scangate.New(c.config); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("New with %s: error = %v, want one that names %s", c.name, err, c.field)
		}
	}
}
