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

// texts is where codes are sent to in tests.
type texts struct {
	mu   sync.Mutex
	last map[string]string // codes by their numbers
	sent int
	fail error
}

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

func (s *texts) to(phone string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[phone]
}

// withPhone requires a number of everybody.
func (s *texts) withPhone(c *scangate.Config) { c.Phone.Require, c.Phone.SendCode = true, s.send }

// byPhone admits people whose number is known.
func (s *texts) byPhone(c *scangate.Config) {
	c.Registration, c.Phone.SendCode = scangate.RegisterByPhone, s.send
}

func closed(c *scangate.Config) { c.Registration = scangate.RegisterClosed }

const mobile, mobile2 = "+8613800138000", "+8613900139000"

// knowPhone makes somebody with that number a user.
func (w *world) knowPhone(phone string, who scangate.Identity) scangate.User {
	w.t.Helper()
	u, err := w.users.Register(w.t.Context(), scangate.NewUser{Identity: who, Phone: phone})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// identity is the person's at the official account.
func (w *world) identity(person string) scangate.Identity {
	return scangate.Identity{AppID: official.AppID, OpenID: w.wechat.OpenID(person, official.AppID)}
}

// clerk is an identity that is nobody's in the simulator: how a user came to be
// whom the application knows by number.
func clerk(name string) scangate.Identity {
	return scangate.Identity{AppID: "elsewhere", OpenID: name}
}

// sendCode posts the number on the phone page, and returns the answer.
func (b *browser) sendCode(page answer, phone string) answer {
	b.t.Helper()
	return b.post(page.Request.URL.Path+"/code", url.Values{"token": {page.find(b.t, tokenPattern)}, "phone": {phone}})
}

// typeCode posts the code on the phone page, and goes where that leads.
func (b *browser) typeCode(page answer, code string) answer {
	b.t.Helper()
	return b.submit(page.Request.URL.Path, url.Values{"token": {page.find(b.t, tokenPattern)}, "code": {code}})
}

// prove does the whole phone page.
func (b *browser) prove(s *texts, page answer, phone string) answer {
	b.t.Helper()
	if a := b.sendCode(page, phone); a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("sending a code: %d\n%s", a.StatusCode, a.body)
	}
	return b.typeCode(page, s.to(phone))
}

func TestPhoneBinding(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	if !strings.HasPrefix(page.Request.URL.Path, "/wechat/phone/") {
		t.Fatalf("the phone is at %s", page.Request.URL)
	}
	phone.sendCode(page, "138 0013 8000")
	if a := phone.get(page.Request.URL.Path); !strings.Contains(html.UnescapeString(a.body), "+86138****8000") || strings.Contains(a.body, mobile) {
		t.Errorf("after sending the page shows\n%s", a.body)
	}
	if a := phone.typeCode(page, s.to(mobile)); a.Request.URL.Path != login.confirmURL() {
		t.Fatalf("after the code the phone is at %s\n%s", a.Request.URL, a.body)
	}
	phone.answer(login, "approve")
	desktop.finish(login)
	if desktop.user() == "" {
		t.Error("not logged in")
	}
	if user, err := w.users.FindByPhone(t.Context(), mobile); err != nil || user.ID != desktop.user() {
		t.Errorf("the number is %q's, %v", user.ID, err)
	}
	w.scanLogin(w.desktop(), w.phone("lin")) // the second login asks for no number
	if s.sent != 1 {
		t.Errorf("%d codes sent", s.sent)
	}
}

func TestPhoneDecidesWhoOneIs(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    func(*texts) func(*scangate.Config)
		before  func(w *world) (want string) // the user who it should be; empty for somebody new
		status  int
		refused string
	}{
		{"number unknown, open", (*texts).openMode, func(*world) string { return "" }, 200, ""},
		{"number known, open", (*texts).openMode, func(w *world) string { return w.knowPhone(mobile, clerk("a")).ID }, 200, ""},
		{"number known, by phone", (*texts).phoneMode, func(w *world) string { return w.knowPhone(mobile, clerk("a")).ID }, 200, ""},
		{"number unknown, by phone", (*texts).phoneMode, func(*world) string { return "" }, 403, "no account of yours"},
		{"number of somebody with another WeChat", (*texts).openMode, func(w *world) string { w.knowPhone(mobile, w.identity("wang")); return "" }, 409, "another WeChat"},
		{"number of somebody with another WeChat, by phone", (*texts).phoneMode, func(w *world) string { w.knowPhone(mobile, w.identity("wang")); return "" }, 409, "another WeChat"},
		{"known without a number, number unknown", (*texts).openMode, func(w *world) string { return w.know("lin").ID }, 200, ""},
		{"known without a number, number of somebody else", (*texts).openMode, func(w *world) string {
			w.knowPhone(mobile, clerk("a"))
			w.know("lin")
			return ""
		}, 409, "another WeChat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &texts{}
			w := newWorld(t, c.mode(s))
			want := c.before(w)
			phone := w.phone("lin")
			a := phone.prove(s, phone.open("/account"), mobile)
			if a.StatusCode != c.status || !strings.Contains(a.body, c.refused) {
				t.Fatalf("%d, want %d\n%s", a.StatusCode, c.status, a.body)
			}
			if c.status != 200 {
				if phone.user() != "" {
					t.Error("logged in all the same")
				}
				return
			}
			if got := phone.user(); got == "" || want != "" && got != want {
				t.Errorf("user %q, want %q", got, want)
			}
			if user, err := w.users.FindByPhone(t.Context(), mobile); err != nil || user.ID != phone.user() {
				t.Errorf("the number is %q's, %v", user.ID, err)
			}
			again := w.phone("lin")
			if again.open("/account"); again.user() != phone.user() {
				t.Errorf("the next time the user is %q", again.user())
			}
		})
	}
}

func (s *texts) openMode() func(*scangate.Config)  { return s.withPhone }
func (s *texts) phoneMode() func(*scangate.Config) { return s.byPhone }

func TestAnotherNumberAfterARefusal(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	w.knowPhone(mobile, w.identity("wang"))
	phone := w.phone("lin")
	page := phone.open("/account")
	phone.prove(s, page, mobile)
	if a := phone.prove(s, page, mobile2); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
}

func TestPhoneFormRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		number string
		form   func(code string) url.Values
		status int
	}{
		{"no code", mobile, func(string) url.Values { return url.Values{} }, 403},
		{"a wrong code", mobile, func(code string) url.Values { return url.Values{"code": {wrong(code)}} }, 403},
		{"another number with the code", mobile, func(code string) url.Values { return url.Values{"code": {code}, "phone": {mobile2}} }, 403},
		{"nonsense for a number with the code", mobile, func(code string) url.Values { return url.Values{"code": {code}, "phone": {"x"}} }, 403},
		{"two codes", mobile, func(code string) url.Values { return url.Values{"code": {code, wrong(code)}} }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &texts{}
			w := newWorld(t, s.withPhone)
			phone := w.phone("lin")
			page := phone.open("/account")
			phone.sendCode(page, c.number)
			form := c.form(s.to(mobile))
			form.Set("token", page.find(t, tokenPattern))
			if a := phone.post(page.Request.URL.Path, form); a.StatusCode != c.status || phone.user() != "" {
				t.Errorf("%d, want %d\n%s", a.StatusCode, c.status, a.body)
			}
		})
	}
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	for _, bad := range []string{"", "110", "13800138000;13900139000", strings.Repeat("1", 1000)} {
		if a := phone.sendCode(page, bad); a.StatusCode != http.StatusBadRequest || s.sent != 0 {
			t.Errorf("%.20q: %d", bad, a.StatusCode)
		}
	}
}

// wrong returns another code.
func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func TestSenderThatFails(t *testing.T) {
	s := &texts{fail: errors.New("no credit for +8613800138000")}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	for range 20 { // none of these counts
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusBadGateway || !strings.Contains(a.body, "could not be sent") {
			t.Fatalf("%d\n%s", a.StatusCode, a.body)
		}
	}
	if strings.Contains(w.log.String(), "13800138000") {
		t.Errorf("the log holds the number:\n%s", w.log)
	}
	s.fail = nil
	if a := phone.prove(s, page, mobile); !strings.HasPrefix(a.body, "user ") {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
}

func TestSlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) {
			c.Phone.Require = true
			c.Phone.SendCode = func(ctx context.Context, _, _ string) error { <-ctx.Done(); return ctx.Err() }
		})
		phone := w.phone("lin")
		page := phone.open("/account")
		begun := time.Now()
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusBadGateway || time.Since(begun) != 8*time.Second {
			t.Errorf("%d after %v", a.StatusCode, time.Since(begun))
		}
	})
}

func TestCodeLimits(t *testing.T) {
	endWithin(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		s := &texts{}
		w := newWorld(t, s.withPhone, func(c *scangate.Config) { c.Phone.CodeLimit = 12 })
		phone := w.phone("lin")
		page := phone.open("/account")
		send := func(number string, status int) {
			t.Helper()
			a := phone.sendCode(page, number)
			if a.StatusCode != status || (a.Header.Get("Retry-After") != "") != (status == http.StatusTooManyRequests) {
				t.Errorf("%s: %d, want %d", number, a.StatusCode, status)
			}
		}
		for range 5 { // an hour's worth for one number
			send(mobile, 303)
			send("+86 138-0013-8000", 429) // within a minute
			pass(time.Minute)
		}
		send(mobile, 429)
		for i := range 5 { // an hour's worth for one person
			send("1390013900"+string(rune('0'+i)), 303)
		}
		send("13900139009", 429)
		phone = w.phone("wang")
		page = phone.open("/account")
		send("13700137000", 303) // another person, but the 11th of 12 of all
		send("13700137001", 303)
		send("13700137002", 429)
		pass(time.Hour)
		phone = w.phone("chen")
		page = phone.open("/account")
		send("13700137002", 303)
	})
}

func TestRegisterClosed(t *testing.T) {
	w := newWorld(t, closed)
	if a := w.phone("lin").open("/account"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "no account of yours") {
		t.Errorf("somebody new: %d\n%s", a.StatusCode, a.body)
	}
	w.know("wang")
	w.scanLogin(w.desktop(), w.phone("wang"))
}

// registering adds the application's own registration page to the world.
func registering(w *world) {
	app := application(w.gate)
	mux := http.NewServeMux()
	mux.Handle("/", app)
	mux.HandleFunc("/join", func(rw http.ResponseWriter, r *http.Request) {
		pending, err := w.gate.Pending(r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusNotFound)
			return
		}
		if r.Method == http.MethodPost {
			if _, err := w.users.Register(r.Context(), scangate.NewUser{Identity: pending.Identity, Nickname: r.FormValue("name")}); err != nil {
				http.Error(rw, err.Error(), http.StatusConflict)
				return
			}
		}
		http.Redirect(rw, r, pending.ContinueURL, http.StatusSeeOther)
	})
	w.hosts = transportWith(w.hosts, mux)
}

func TestOwnRegistrationPage(t *testing.T) {
	w := newWorld(t, closed, func(c *scangate.Config) { c.RegisterURL = "/join?lang=zh" })
	registering(w)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	join := phone.get(phone.callback(s))
	if join.location() != "/join?lang=zh&login="+s.ID {
		t.Fatalf("%d %s", join.StatusCode, join.location())
	}
	for name, b := range map[string]*browser{"the desktop": desktop, "another phone": w.phone("wang")} {
		if a := b.get("/join?login=" + s.ID); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s sees who it is: %d", name, a.StatusCode)
		}
	}
	for _, id := range []string{"", "x", strings.Repeat("A", 26)} {
		if a := phone.get("/join?login=" + id); a.StatusCode != http.StatusNotFound {
			t.Errorf("login %q: %d", id, a.StatusCode)
		}
	}
	if a := phone.open("/join?login=" + s.ID); a.StatusCode != http.StatusForbidden {
		t.Errorf("coming back unregistered: %d\n%s", a.StatusCode, a.body)
	}
	if a := phone.submit("/join", url.Values{"login": {s.ID}, "name": {"Lin"}}); a.Request.URL.Path != s.confirmURL() {
		t.Fatalf("coming back registered: %d %s\n%s", a.StatusCode, a.Request.URL, a.body)
	}
	phone.answer(s, "approve")
	desktop.finish(s)
	if user, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || desktop.user() != user.ID || user.Nickname != "Lin" {
		t.Errorf("logged in as %q, want %+v, %v", desktop.user(), user, err)
	}
	if a := phone.get("/join?login=" + s.ID); a.StatusCode != http.StatusNotFound {
		t.Errorf("after the login: %d", a.StatusCode)
	}
}

// callback is where WeChat sends the phone after a scan.
func (b *browser) callback(s scan) string {
	b.t.Helper()
	return b.get(b.get(s.ScanURL).Header.Get("Location")).Header.Get("Location")
}

func TestNumberRequiredLater(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	phone.prove(s, phone.open("/account"), mobile)
	id := phone.user()
	if err := w.users.BindPhone(t.Context(), id, ""); err != nil { // the application takes it away
		t.Fatal(err)
	}
	if a := phone.get("/account?x=1"); a.location() != "/wechat/phone?return_to=%2Faccount%3Fx%3D1" {
		t.Errorf("a page load: %d %s", a.StatusCode, a.location())
	}
	if a := phone.get("/account", "Accept", "application/json"); a.StatusCode != 401 || !strings.Contains(a.body, `"phone_required","login_url":"/wechat/phone"`) {
		t.Errorf("a script: %d %s", a.StatusCode, a.body)
	}
	if a := phone.get("/wechat/login?return_to=/account"); a.location() != "/wechat/phone?return_to=%2Faccount" {
		t.Errorf("the login page: %d %s", a.StatusCode, a.location())
	}
	if a := phone.get("/wechat/me"); a.StatusCode != 200 || !strings.Contains(a.body, `"phone_bound":false`) {
		t.Errorf("me: %d %s", a.StatusCode, a.body)
	}
	page := phone.open("/account")
	if a := phone.prove(s, page, mobile2); a.body != "user "+id {
		t.Errorf("after proving a number: %d\n%s", a.StatusCode, a.body)
	}
}

func TestChangeNumber(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	phone.prove(s, phone.open("/account"), mobile)
	w.knowPhone("+8613700137000", clerk("a"))
	page := phone.open("/wechat/phone?return_to=/account")
	if a := phone.prove(s, page, "+8613700137000"); a.StatusCode != http.StatusConflict {
		t.Errorf("somebody else's number: %d", a.StatusCode)
	}
	if a := phone.prove(s, page, mobile2); a.body != "user "+phone.user() {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
	if user, err := w.users.FindByPhone(t.Context(), mobile2); err != nil || user.ID != phone.user() {
		t.Errorf("the new number is %q's, %v", user.ID, err)
	}
	if _, err := w.users.FindByPhone(t.Context(), mobile); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("the old number: %v", err)
	}
	if a := w.phone("wang").get("/wechat/phone"); a.location() != "/wechat/login?return_to=%2Fwechat%2Fphone" {
		t.Errorf("nobody: %d %s", a.StatusCode, a.location())
	}
}

func TestChangeNumberEndsWithTheUserWhoBegan(t *testing.T) {
	s := &texts{}
	w := newWorld(t, func(c *scangate.Config) { c.Phone.SendCode = s.send })
	w.know("lin")
	phone := w.phone("lin")
	phone.open("/account")
	page := phone.open("/wechat/phone")
	phone.sendCode(page, mobile)
	phone.dropCookie("__Host-session")
	if a := phone.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusForbidden {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
	if _, err := w.users.FindByPhone(t.Context(), mobile); !errors.Is(err, scangate.ErrNotFound) {
		t.Error("bound")
	}
}

func TestPhoneJSON(t *testing.T) {
	s := &texts{}
	w := newWorld(t, s.withPhone)
	phone := w.phone("lin")
	page := phone.open("/account")
	token := page.find(t, tokenPattern)
	var sent struct {
		ResendIn int `json:"resend_in"`
	}
	if a := phone.postJSON(page.Request.URL.Path+"/code", `{"token":"`+token+`","phone":"13800138000"}`, &sent); a.StatusCode != 200 || sent.ResendIn != 60 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	var problem struct{ Code string }
	body, _ := json.Marshal(map[string]string{"token": token, "code": wrong(s.to(mobile))})
	if a := phone.postJSON(page.Request.URL.Path, string(body), &problem); a.StatusCode != 403 || problem.Code != "code_wrong" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	body, _ = json.Marshal(map[string]string{"token": token, "code": s.to(mobile)})
	if a := phone.postJSON(page.Request.URL.Path, string(body), nil); a.StatusCode != 303 || a.location() != "/account" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestLink(t *testing.T) {
	// The application's own login is a cookie with the user's id.
	own := func(c *scangate.Config) {
		c.CurrentUser = func(r *http.Request) (string, bool) {
			cookie, err := r.Cookie("own")
			if err != nil {
				return "", false
			}
			return cookie.Value, true
		}
	}
	setup := func(t *testing.T, options ...func(*scangate.Config)) (*world, scangate.User, *browser) {
		w := newWorld(t, append(options, own)...)
		user := w.knowPhone("", clerk("a"))
		desktop := w.desktop()
		u, _ := url.Parse(appURL)
		desktop.client.Jar.SetCookies(u, []*http.Cookie{{Name: "own", Value: user.ID}})
		return w, user, desktop
	}
	begin := func(desktop *browser) scan {
		return scan{ID: desktop.get("/wechat/link?return_to=/account").find(desktop.t, statePattern)}.urls()
	}
	t.Run("on a desktop", func(t *testing.T) {
		w, user, desktop := setup(t)
		s := begin(desktop)
		phone := w.phone("lin")
		if a := phone.scan(s); !strings.Contains(a.body, "Add this WeChat") {
			t.Fatalf("the confirm page:\n%s", a.body)
		}
		phone.answer(s, "approve")
		if a := desktop.finish(s); a.location() != "/account" || sessionCookie(a) != nil {
			t.Errorf("%d %s, session %v", a.StatusCode, a.location(), sessionCookie(a))
		}
		w.scanLogin(desktop, w.phone("lin"))
		if desktop.user() != user.ID {
			t.Errorf("the WeChat logs in %q, want %q", desktop.user(), user.ID)
		}
	})
	t.Run("inside WeChat", func(t *testing.T) {
		w, user, desktop := setup(t)
		phone := w.phone("lin")
		u, _ := url.Parse(appURL)
		phone.client.Jar.SetCookies(u, desktop.client.Jar.Cookies(u))
		page := phone.open("/wechat/link?return_to=/")
		if !strings.Contains(page.body, "Add this WeChat") {
			t.Fatalf("the confirm page:\n%s", page.body)
		}
		if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
			t.Error("linked before the person was asked")
		}
		a := phone.submit(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}})
		if a.body != "public" {
			t.Errorf("%d %s\n%s", a.StatusCode, a.Request.URL, a.body)
		}
		if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID != user.ID {
			t.Errorf("linked to %q, %v", got.ID, err)
		}
	})
	t.Run("refused on the phone", func(t *testing.T) {
		w, _, desktop := setup(t)
		s := begin(desktop)
		phone := w.phone("lin")
		phone.scan(s)
		phone.answer(s, "deny")
		if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) || desktop.state(s) != "denied" {
			t.Errorf("%v, %s", err, desktop.state(s))
		}
	})
	t.Run("a WeChat that is somebody else's", func(t *testing.T) {
		w, user, desktop := setup(t)
		w.know("lin")
		s := begin(desktop)
		phone := w.phone("lin")
		phone.scan(s)
		if a := phone.answer(s, "approve"); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another account") {
			t.Errorf("%d\n%s", a.StatusCode, a.body)
		}
		if got := desktop.state(s); got != "denied" {
			t.Errorf("the desktop: %s", got)
		}
		if got, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); err != nil || got.ID == user.ID {
			t.Errorf("the WeChat is %q's, %v", got.ID, err)
		}
	})
	t.Run("nobody is logged in", func(t *testing.T) {
		w, _, _ := setup(t)
		if a := w.desktop().get("/wechat/link"); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d", a.StatusCode)
		}
	})
	t.Run("by somebody disabled", func(t *testing.T) {
		users := &changingUsers{}
		w, _, desktop := setup(t, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
		s := begin(desktop)
		phone := w.phone("lin")
		phone.scan(s)
		phone.answer(s, "approve")
		users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
		unlink := url.Values{"appid": {"a"}, "openid": {"a"}}
		for name, a := range map[string]answer{
			"finish": desktop.finish(s), "begin": desktop.get("/wechat/link"), "unlink": desktop.post("/wechat/unlink", unlink),
		} {
			if a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
		if _, err := w.users.FindByWeChat(t.Context(), w.identity("lin")); !errors.Is(err, scangate.ErrNotFound) {
			t.Error("linked")
		}
	})
	t.Run("a link is no login", func(t *testing.T) {
		w, _, desktop := setup(t)
		s := begin(desktop)
		phone := w.phone("lin")
		phone.scan(s)
		phone.answer(s, "approve")
		desktop.dropCookie("own")
		u, _ := url.Parse(appURL)
		desktop.client.Jar.SetCookies(u, []*http.Cookie{{Name: "own", Value: "somebody else"}})
		if a := desktop.finish(s); a.StatusCode != http.StatusForbidden || desktop.user() != "" {
			t.Errorf("%d, user %q", a.StatusCode, desktop.user())
		}
	})
}

// urls fills in the URLs of a login whose id was read from a page.
func (s scan) urls() scan {
	s.ScanURL, s.StateURL, s.FinishURL = "/wechat/scan/"+s.ID, "/wechat/login/"+s.ID+"/state", "/wechat/login/"+s.ID+"/finish"
	return s
}

func TestUnlink(t *testing.T) {
	w := newWorld(t, withWebsite)
	phone := w.phone("chen")
	profile := phone.open("/account")
	phone.submit(profile.Request.URL.Path, url.Values{"token": {profile.find(t, tokenPattern)}})
	id := phone.user()
	who := w.identity("chen")
	form := url.Values{"appid": {who.AppID}, "openid": {who.OpenID}, "return_to": {"/account"}}
	if a := phone.post("/wechat/unlink", form); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "only way in") {
		t.Errorf("the last one: %d\n%s", a.StatusCode, a.body)
	}
	if err := w.users.LinkWeChat(t.Context(), id, clerk("a")); err != nil {
		t.Fatal(err)
	}
	other := w.know("wang")
	foreign := url.Values{"appid": {official.AppID}, "openid": {w.wechat.OpenID("wang", official.AppID)}}
	if a := phone.post("/wechat/unlink", foreign); a.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's (%s): %d", other.ID, a.StatusCode)
	}
	if a := phone.post("/wechat/unlink", form); a.location() != "/account" {
		t.Errorf("one of two: %d %s", a.StatusCode, a.location())
	}
	if _, err := w.users.FindByWeChat(t.Context(), who); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("still linked: %v", err)
	}
	if a := w.desktop().post("/wechat/unlink", form); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %d", a.StatusCode)
	}
}

func TestOpenIDAndUnionIDOfTwoUsers(t *testing.T) {
	w := newWorld(t, withWebsiteOnly)
	byOpenID := w.knowPhone("", scangate.Identity{AppID: website.AppID, OpenID: w.wechat.OpenID("lin", website.AppID)})
	w.knowPhone("", scangate.Identity{AppID: "elsewhere", OpenID: "x", UnionID: w.wechat.UnionID("lin")})
	desktop := w.desktop()
	desktop.open(w.websiteCallback(desktop, "lin"))
	if got := desktop.user(); got != byOpenID.ID {
		t.Errorf("user %q, want the openid's, %q", got, byOpenID.ID)
	}
	if !strings.Contains(strings.Join(w.happened(), " "), "conflict") {
		t.Errorf("nobody is told: %v", w.happened())
	}
}

func TestTwoFirstLoginsAtOnce(t *testing.T) {
	w := newWorld(t)
	var logins sync.WaitGroup
	users := make([]string, 20)
	for i := range users {
		phone := w.phone("lin")
		logins.Go(func() {
			if _, err := phone.try(t.Context(), true, http.MethodGet, "/account", ""); err == nil {
				users[i] = phone.user()
			}
		})
	}
	logins.Wait()
	for i, id := range users {
		if id == "" || id != users[0] {
			t.Errorf("login %d: user %q, want %q", i, id, users[0])
		}
	}
}

func TestRegisterClosedSendsNoCode(t *testing.T) {
	s := &texts{}
	w := newWorld(t, closed, s.withPhone)
	w.knowPhone(mobile, clerk("a"))
	d, p := w.desktop(), w.phone("lin")
	login := d.start()
	if a := p.scan(login); a.StatusCode != http.StatusForbidden {
		t.Errorf("somebody new: %d", a.StatusCode)
	}
	if a := p.get("/wechat/phone/" + login.ID); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "<form") {
		t.Errorf("the phone page, opened by hand: %d", a.StatusCode)
	}
	form := url.Values{"phone": {mobile}, "token": {strings.Repeat("A", 32)}}
	if a := p.post("/wechat/phone/"+login.ID+"/code", form); a.StatusCode != http.StatusForbidden || s.sent != 0 {
		t.Errorf("asking for a code: %d, %d sent", a.StatusCode, s.sent)
	}
}
