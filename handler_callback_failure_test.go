package scangate_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestCancelledInsideWeChat(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	callback, err := w.wechat.Refuse(phone.get("/wechat/login?return_to=/account").Header.Get("Location"))
	if err != nil {
		t.Fatalf("refuse at WeChat: %v", err)
	}
	if a := phone.open(callback); !strings.Contains(a.body, "return_to=%2Faccount") || phone.user() != "" {
		t.Errorf("callback without a code: status = %d, user = %q, want a link back to the login and no user\n%s", a.StatusCode, phone.user(), a.body)
	}
	if a := phone.open(callback + "&code=authdeny"); !strings.Contains(a.body, "You cancelled") {
		t.Errorf("callback with code=authdeny: status = %d, want \"You cancelled\"\n%s", a.StatusCode, a.body)
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("two cancelled callbacks: %d calls to WeChat, want 0", got)
	}
}

func TestCancelledAtWeChatsOwnPage(t *testing.T) {
	w := newWorld(t, withWebsiteOnly)
	desktop := w.desktop()
	callback, err := w.wechat.Refuse(desktop.get("/wechat/login").Header.Get("Location"))
	if err != nil {
		t.Fatalf("refuse at WeChat: %v", err)
	}
	if a := desktop.open(callback); !strings.Contains(a.body, "You cancelled") {
		t.Errorf("callback without a code: status = %d, want \"You cancelled\"\n%s", a.StatusCode, a.body)
	}
}

func TestCancelledCallbacksOfGoneLoginsCountAsGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Address = limit })
		phone := w.phone("lin")
		callback, err := w.wechat.Refuse(phone.get("/wechat/login").Header.Get("Location"))
		if err != nil {
			t.Fatalf("refuse at WeChat: %v", err)
		}
		pass(20 * time.Minute) // the store has dropped the login, the phone keeps its key
		for i := range limit {
			if a := phone.get(callback); a.StatusCode != http.StatusNotFound {
				t.Errorf("cancelled callback %d of a login that is gone: status = %d, want 404", i+1, a.StatusCode)
			}
		}
		if a := phone.get(callback); a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("cancelled callback over the limit: status = %d, want 429", a.StatusCode)
		}
	})
}

func TestFailedExchangeLeavesTheLoginOpen(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029, Errmsg: "invalid code"})
	if a := phone.scan(s); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="/wechat/scan/`+s.ID) {
		t.Fatalf("scan with a failed exchange: status = %d, want 400 and a link to scan again\n%s", a.StatusCode, a.body)
	}
	if a := phone.scan(s); a.Request.URL.Path != s.confirmURL() {
		t.Errorf("scan again: status = %d at %s, want the confirm page", a.StatusCode, a.Request.URL)
	}
}

func TestWeChatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault wechattest.Fault
	}{
		{"hangs", wechattest.Fault{Hang: true}},
		{"busy", wechattest.Fault{Errcode: -1, Errmsg: "system error"}},
		{"secret is wrong", wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret"}},
		{"HTML", wechattest.Fault{Body: "<html>"}},
		{"500", wechattest.Fault{Status: http.StatusInternalServerError}},
		{"redirect", wechattest.Fault{Location: "https://elsewhere.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.wechat.Fail(wechattest.OpExchange, 9, c.fault)
				began := time.Now()
				a := w.phone("lin").open("/account")
				if took := time.Since(began); a.StatusCode != http.StatusBadGateway || took > 6*time.Second {
					t.Errorf("login: status = %d after %v, want 502 within 6s", a.StatusCode, took)
				}
				if !strings.Contains(a.body, "return_to=%2Faccount") {
					t.Errorf("login: got\n%s\nwant a link back to the login", a.body)
				}
				if n := w.users.total(); n != 0 {
					t.Errorf("login: %d calls to the user store, want 0", n)
				}
			})
		})
	}
}

// exchangeCounter is a transport that counts how many exchanges run at the same time.
type exchangeCounter struct {
	next          http.RoundTripper
	mu            sync.Mutex
	running, most int
}

// RoundTrip implements [http.RoundTripper].
func (c *exchangeCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.add(1)
	defer c.add(-1)
	return c.next.RoundTrip(r)
}

func (c *exchangeCounter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += n
	c.most = max(c.most, c.running)
}

// TestCallbackGivesUpBeforeAnotherTakesOver has a callback whose exchange hangs. It must
// give up before its lease ends. Otherwise two callbacks could send a code to WeChat at
// the same time.
func TestCallbackGivesUpBeforeAnotherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := &exchangeCounter{}
		w := newWorld(t, func(c *scangate.Config) {
			counter.next = c.WeChat.HTTPClient.Transport
			c.WeChat.HTTPClient = &http.Client{Transport: counter, Timeout: time.Minute}
		})
		phone := w.phone("lin")
		callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
		w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Hang: true})
		began := time.Now()
		var first sync.WaitGroup
		first.Go(func() {
			a, err := phone.try(t.Context(), false, http.MethodGet, callback, "")
			if took := time.Since(began); err != nil || a.StatusCode != http.StatusBadGateway || took != 8*time.Second {
				t.Errorf("first callback: got %v, error = %v after %v, want 502 after 8s", a.Response, err, took)
			}
		})
		pass(time.Second)
		if a := phone.get(callback); a.StatusCode != http.StatusConflict {
			t.Errorf("second callback: status = %d, want 409 after 5 s", a.StatusCode)
		}
		first.Wait()
		if got := w.wechat.Calls(wechattest.OpExchange); got != 1 || counter.most != 1 {
			t.Errorf("two callbacks: %d exchanges, at most %d at once, want 1 and 1", got, counter.most)
		}
	})
}

// loginOfState returns the ID of the login in the OAuth state of a URL at WeChat.
func loginOfState(t *testing.T, wechatURL string) string {
	t.Helper()
	u, err := url.Parse(wechatURL)
	if err != nil || len(u.Query().Get("state")) < 26 {
		t.Fatalf("read the OAuth state of %q: error = %v, want at least 26 characters", wechatURL, err)
	}
	return u.Query().Get("state")[:26]
}

// forgeState returns the OAuth state of any login, signed with the browser's own key. It
// fails t unless it can also make the genuine state that the gate made for that browser.
func forgeState(t *testing.T, b *browser, genuine, id string) string {
	t.Helper()
	u, _ := url.Parse(appURL)
	var key string
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "__Host-scangate" {
			key, _, _ = strings.Cut(c.Value, ".")
		}
	}
	state := func(id string) string {
		mac := hmac.New(sha256.New, []byte(key))
		named := id + genuine[26:27] // the kind and the scope
		mac.Write([]byte("state " + named))
		return named + base32.StdEncoding.EncodeToString(mac.Sum(nil)[:20])
	}
	if own := genuine[:26]; state(own) != genuine {
		t.Fatalf("forge the state of the browser's own login: got %q, want %q: forgeState is out of date", state(own), genuine)
	}
	return state(id)
}

// TestForgedStateOfASameDeviceLogin has an attacker with the ID of another browser's
// login. The attacker signs the state with their own key, so the signature is right.
func TestForgedStateOfASameDeviceLogin(t *testing.T) {
	w := newWorld(t)
	phone, attacker := w.phone("lin"), w.phone("wang")
	id := loginOfState(t, phone.get("/wechat/login?return_to=/account").Header.Get("Location"))
	own, err := url.Parse(attacker.get("/wechat/login").Header.Get("Location"))
	if err != nil {
		t.Fatalf("parse the attacker's URL at WeChat: %v", err)
	}
	forged := forgeState(t, attacker, own.Query().Get("state"), id)
	unknown := forgeState(t, attacker, own.Query().Get("state"), strings.Repeat("A", 26))
	for _, code := range []string{"", "&code=authdeny", "&code=" + strings.Repeat("c", 32)} {
		a := attacker.get("/wechat/callback?state=" + forged + code)
		want := attacker.get("/wechat/callback?state=" + unknown + code)
		if a.StatusCode != http.StatusNotFound || a.body != want.body {
			t.Errorf("callback with a forged state and %q: status = %d, want 404, and got\n%s\nwant the page of an unknown login\n%s",
				code, a.StatusCode, a.body, want.body)
		}
	}
	if got := w.wechat.TotalCalls(); got != 0 {
		t.Errorf("callbacks with forged states: %d calls to WeChat, want 0", got)
	}
}
