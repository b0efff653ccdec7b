package scangate_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// mobile and mobile2 are phone numbers in E.164 form.
const mobile, mobile2 = "+8613800138000", "+8613900139000"

// texts receives the one-time codes that a gate sends.
type texts struct {
	mu   sync.Mutex
	last map[string]string // the latest code of each number
	sent int
	fail error
}

// send is a Config.Phone.SendCode.
func (s *texts) send(_ context.Context, phone, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.last == nil {
		s.last = map[string]string{}
	}
	s.last[phone] = code
	s.sent++
	return nil
}

// to returns the latest code that was sent to the number.
func (s *texts) to(phone string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[phone]
}

// withPhone is an option of newWorld. It requires a number of each user.
func (s *texts) withPhone(c *scangate.Config) { c.Phone.Require, c.Phone.SendCode = true, s.send }

// sends is an option of newWorld. Users may prove a number, and need none.
func (s *texts) sends(c *scangate.Config) { c.Phone.SendCode = s.send }

// byPhone is an option of newWorld. It admits a new identity only with the number of
// a user.
func (s *texts) byPhone(c *scangate.Config) {
	c.Registration.Mode, c.Phone.SendCode = scangate.RegisterByPhone, s.send
}

// sendCode posts the number on the phone page and returns the answer.
func (b *browser) sendCode(page answer, phone string) answer {
	b.t.Helper()
	return b.post(page.Request.URL.Path+"/code", url.Values{"token": {page.find(b.t, tokenPattern)}, "phone": {phone}})
}

// typeCode posts the code on the phone page and follows the redirect.
func (b *browser) typeCode(page answer, code string) answer {
	b.t.Helper()
	return b.submit(page.Request.URL.Path, url.Values{"token": {page.find(b.t, tokenPattern)}, "code": {code}})
}

// prove asks for a code on the phone page and types it.
func (b *browser) prove(s *texts, page answer, phone string) answer {
	b.t.Helper()
	if a := b.sendCode(page, phone); a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("asking for a code to %s: status = %d, want 303\n%s", phone, a.StatusCode, a.body)
	}
	return b.typeCode(page, s.to(phone))
}

// wrong returns a code that differs from the given one.
func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// TestLoginBindsNumber logs a new user in at a gate that requires a number. The second
// login asks for no number.
func TestLoginBindsNumber(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	if !strings.HasPrefix(page.Request.URL.Path, "/wechat/phone/") {
		t.Fatalf("scan: the phone is at %s, want the phone page", page.Request.URL)
	}
	phone.sendCode(page, "138 0013 8000")
	a := phone.get(page.Request.URL.Path)
	if !strings.Contains(html.UnescapeString(a.body), "138****8000") || strings.Contains(a.body, mobile) {
		t.Errorf("the phone page after sending: want the masked number and not %s\n%s", mobile, a.body)
	}
	if a := phone.typeCode(page, codes.to(mobile)); a.Request.URL.Path != login.confirmURL() {
		t.Fatalf("the code: the phone is at %s, want %s\n%s", a.Request.URL, login.confirmURL(), a.body)
	}
	phone.answer(login, "approve")
	desktop.finish(login)
	if desktop.user() == "" {
		t.Error("finish: the desktop is not logged in")
	}
	w.checkNumber(mobile, desktop.user())
	w.scanLogin(w.desktop(), w.phone("lin"))
	if codes.sent != 1 {
		t.Errorf("after the second login: %d codes sent, want 1", codes.sent)
	}
}

// TestNumberDecidesTheUser proves a number in each row. The number and the WeChat
// identity together decide which user logs in.
func TestNumberDecidesTheUser(t *testing.T) {
	t.Parallel()
	const anotherWeChat = "another WeChat"
	newUser := func(*world) string { return "" }
	numberOfClerk := func(w *world) string { return w.knowPhone(mobile, clerk("a")).ID }
	numberOfWang := func(w *world) string { w.knowPhone(mobile, w.identity("wang")); return "" }
	for _, c := range []struct {
		name    string
		mode    func(*texts, *scangate.Config)
		before  func(w *world) (want string) // the user to log in as; empty for a new user
		status  int
		refused string // the page's text
	}{
		{"number unknown, open", (*texts).withPhone, newUser, 200, ""},
		{"number known, open", (*texts).withPhone, numberOfClerk, 200, ""},
		{"number known, by phone", (*texts).byPhone, numberOfClerk, 200, ""},
		{"number unknown, by phone", (*texts).byPhone, newUser, 403, "no account of yours"},
		{"number of a user with another WeChat", (*texts).withPhone, numberOfWang, 409, anotherWeChat},
		{"number of a user with another WeChat, by phone", (*texts).byPhone, numberOfWang, 409, anotherWeChat},
		{"known without a number, number unknown", (*texts).withPhone, func(w *world) string { return w.know("lin").ID }, 200, ""},
		{"known without a number, number of another user", (*texts).withPhone, func(w *world) string {
			w.knowPhone(mobile, clerk("a"))
			w.know("lin")
			return ""
		}, 409, anotherWeChat},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes := &texts{}
			w := newWorld(t, func(config *scangate.Config) { c.mode(codes, config) })
			want := c.before(w)
			phone := w.phone("lin")
			a := phone.prove(codes, phone.open("/account"), mobile)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.refused) {
				t.Fatalf("the code: status = %d, want %d and %q\n%s", a.StatusCode, c.status, c.refused, a.body)
			}
			if c.status == http.StatusOK {
				checkNumberLogsIn(t, w, phone, want)
			} else if got := phone.user(); got != "" {
				t.Errorf("after the refusal: user %q, want none", got)
			}
		})
	}
}

// checkNumberLogsIn demands that the phone is logged in as the user, or as any user if
// want is empty, that mobile is the user's, and that the next login ends at the same
// user.
func checkNumberLogsIn(t *testing.T, w *world, phone *browser, want string) {
	t.Helper()
	if got := phone.user(); got == "" || want != "" && got != want {
		t.Errorf("after the code: user %q, want %q", got, want)
	}
	w.checkNumber(mobile, phone.user())
	second := w.phone("lin")
	if second.open("/account"); second.user() != phone.user() {
		t.Errorf("the next login: user %q, want %q", second.user(), phone.user())
	}
}

func TestAnotherNumberAfterARefusal(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	w.knowPhone(mobile, w.identity("wang"))
	phone := w.phone("lin")
	page := phone.open("/account")
	phone.prove(codes, page, mobile)
	if a := phone.prove(codes, page, mobile2); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("proving another number: status = %d, want a user\n%s", a.StatusCode, a.body)
	}
}

func TestPhoneFormRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		form   func(code string) url.Values
		status int
	}{
		{"no code", func(string) url.Values { return url.Values{} }, 403},
		{"a wrong code", func(code string) url.Values { return url.Values{"code": {wrong(code)}} }, 403},
		{"another number with the code", func(code string) url.Values { return url.Values{"code": {code}, "phone": {mobile2}} }, 403},
		{"a malformed number with the code", func(code string) url.Values { return url.Values{"code": {code}, "phone": {"x"}} }, 403},
		{"two codes", func(code string) url.Values { return url.Values{"code": {code, wrong(code)}} }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes := &texts{}
			w := newWorld(t, codes.withPhone)
			phone := w.phone("lin")
			page := phone.open("/account")
			phone.sendCode(page, mobile)
			form := c.form(codes.to(mobile))
			form.Set("token", page.find(t, tokenPattern))
			if a := phone.post(page.Request.URL.Path, form); a.StatusCode != c.status || phone.user() != "" {
				t.Errorf("posting %s: status = %d, user %q, want %d and no user\n%s", c.name, a.StatusCode, phone.user(), c.status, a.body)
			}
		})
	}
}

func TestMalformedNumberGetsNoCode(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	for _, bad := range []string{"", "110", "13800138000;13900139000", strings.Repeat("1", 1000)} {
		if a := phone.sendCode(page, bad); a.StatusCode != http.StatusBadRequest || codes.sent != 0 {
			t.Errorf("asking for a code to %.20q: status = %d, %d codes sent, want 400 and none", bad, a.StatusCode, codes.sent)
		}
	}
}

func TestSendCodeFails(t *testing.T) {
	codes := &texts{fail: errors.New("no credit for +8613800138000")}
	w := newWorld(t, codes.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	for i := range 20 { // more than the limit for one number: undelivered codes do not count
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusBadGateway || !strings.Contains(a.body, "could not be sent") {
			t.Fatalf("undelivered code %d: status = %d, want 502\n%s", i+1, a.StatusCode, a.body)
		}
	}
	if strings.Contains(w.log.String(), "13800138000") {
		t.Errorf("SendCode failed: the log holds the number, want it masked:\n%s", w.log)
	}
	codes.fail = nil
	if a := phone.prove(codes, page, mobile); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("proving the number afterwards: status = %d, want a user\n%s", a.StatusCode, a.body)
	}
}

func TestSendCodeHas10Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) {
			c.Phone.Require = true
			c.Phone.SendCode = func(ctx context.Context, _, _ string) error { <-ctx.Done(); return ctx.Err() }
		})
		phone := w.phone("lin")
		page := phone.open("/account")
		begun := time.Now()
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusBadGateway || time.Since(begun) != 8*time.Second {
			t.Errorf("SendCode does not return: status = %d after %v, want 502 after 10s", a.StatusCode, time.Since(begun))
		}
	})
}

func TestPhoneJSON(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	token := page.find(t, tokenPattern)
	var sent struct {
		ResendIn int `json:"resend_in"`
	}
	if a := phone.postJSON(page.Request.URL.Path+"/code", `{"token":"`+token+`","phone":"13800138000"}`, &sent); a.StatusCode != 200 || sent.ResendIn != 60 {
		t.Errorf("asking for a code: %d %s, want 200 and resend_in 60", a.StatusCode, a.body)
	}
	var problem struct{ Code string }
	body, _ := json.Marshal(map[string]string{"token": token, "code": wrong(codes.to(mobile))})
	if a := phone.postJSON(page.Request.URL.Path, string(body), &problem); a.StatusCode != 403 || problem.Code != "code_wrong" {
		t.Errorf("a wrong code: %d %s, want 403 and code_wrong", a.StatusCode, a.body)
	}
	body, _ = json.Marshal(map[string]string{"token": token, "code": codes.to(mobile)})
	if a := phone.postJSON(page.Request.URL.Path, string(body), nil); a.StatusCode != 303 || a.location() != "/account" {
		t.Errorf("the right code: %d to %q, want 303 to /account\n%s", a.StatusCode, a.location(), a.body)
	}
}
