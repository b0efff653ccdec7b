package scangate_test

// Case B05 for the functions of Config that a request calls.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// panickingHook is a request during which a function of Config panics once.
type panickingHook struct {
	name string
	// configure sets the function, which calls boom.
	configure func(c *scangate.Config, boom func())
	// request sends the request and returns the status, or 0 after a panic. It begins what
	// the request needs in its first call.
	request func(w *world) func() int
	want    int
}

// panickingHooks returns the rows of TestCaseB05PanicInAHookCostsOneRequest.
func panickingHooks() []panickingHook {
	allow := func(boom func()) func(*url.URL) bool {
		return func(u *url.URL) bool {
			boom()
			return u.Host == "shop.example.org"
		}
	}
	onLogin := func(c *scangate.Config, boom func()) {
		c.OnLogin = func(context.Context, scangate.Login) error {
			boom()
			return nil
		}
	}
	return []panickingHook{
		{"OnLogin at a callback", onLogin, callbackInside, http.StatusSeeOther},
		{"OnLogin at a finish", onLogin, finishOfAScan, http.StatusSeeOther},
		{"CurrentUser", func(c *scangate.Config, boom func()) {
			ownLogin(c)
			next := c.CurrentUser
			c.CurrentUser = func(r *http.Request) (string, bool) {
				boom()
				return next(r)
			}
		}, startOfALink, http.StatusOK},
		{"AllowReturnTo", func(c *scangate.Config, boom func()) { c.AllowReturnTo = allow(boom) }, func(w *world) func() int {
			desktop := w.desktop()
			return func() int { return desktop.tryGet("/wechat/login?return_to=https://shop.example.org/") }
		}, http.StatusOK},
		{"Phone.Normalize", func(c *scangate.Config, boom func()) {
			(&texts{}).withPhone(c)
			c.Phone.Normalize = func(typed string) (string, error) {
				boom()
				return "+86" + typed, nil
			}
		}, codeForANumber, http.StatusSeeOther},
	}
}

// callbackInside returns the callback of a login inside WeChat.
func callbackInside(w *world) func() int {
	phone := w.phone("lin")
	callback := w.approvedCallback(phone, "lin", "/wechat/login?return_to=/account")
	return func() int {
		status := phone.tryGet(callback)
		if got := phone.user(); (got != "") != (status != 0) {
			w.t.Errorf("callback with the status %d: user = %q, want one unless it panicked", status, got)
		}
		return status
	}
}

// finishOfAScan returns the finish of an approved login.
func finishOfAScan(w *world) func() int {
	desktop, phone := w.desktop(), w.phone("lin")
	login := w.approved(desktop, phone)
	return func() int {
		status := desktop.tryPost(login.FinishURL, "")
		if got := desktop.user(); (got != "") != (status != 0) {
			w.t.Errorf("finish with the status %d: user = %q, want one unless it panicked", status, got)
		}
		return status
	}
}

// startOfALink returns the start of a link by a user of the application's own login.
func startOfALink(w *world) func() int {
	desktop := w.desktop()
	desktop.logInAs(w.knowPhone("", clerk("a")))
	return func() int { return desktop.tryGet("/wechat/link?return_to=/account") }
}

// codeForANumber returns the form that asks for a code.
func codeForANumber(w *world) func() int {
	phone := w.phone("lin")
	page := phone.open("/account")
	form := url.Values{"phone": {"13800138000"}, "token": {page.find(w.t, tokenPattern)}}
	return func() int { return phone.tryPost(page.Request.URL.Path+"/code", form.Encode()) }
}

func TestCaseB05PanicInAHookCostsOneRequest(t *testing.T) {
	for _, hook := range panickingHooks() {
		t.Run(hook.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				boom := panicOnce()
				w := newWorld(t, func(c *scangate.Config) { hook.configure(c, boom) })
				request := hook.request(w)
				begun := time.Now()
				if got := request(); got != 0 {
					t.Fatalf("the first request: status = %d, want a panic", got)
				}
				if got := request(); got != hook.want {
					t.Errorf("the request again: status = %d, want %d", got, hook.want)
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("both requests: %v, want no waiting", took)
				}
			})
		})
	}
}

// The source of access tokens panics while the gate creates a QR code. The next request asks
// it again.
func TestCaseB05PanicInTheTokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := panicOnce()
		var service *wechat.Client
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
			c.Push.TokenSource = func(ctx context.Context) (wechat.AccountToken, error) {
				boom()
				return service.AccessToken(ctx)
			}
		})
		var err error
		if service, err = wechat.NewClient(official, wechat.Endpoint{}, &http.Client{Transport: w.hosts}); err != nil {
			t.Fatal(err)
		}
		desktop := w.desktop()
		begun := time.Now()
		if got := desktop.tryGet("/wechat/login"); got != 0 {
			t.Fatalf("login page while the source panics: status = %d, want a panic", got)
		}
		w.login(desktop, "lin")
		if took := time.Since(begun); took != 0 {
			t.Errorf("login after a panic of the source: %v, want no waiting", took)
		}
	})
}

// Each event of a one-time code panics in turn. The same request works when it is repeated,
// or the next one shows that it has worked.
func TestCaseB05PanicAtTheEventsOfANumber(t *testing.T) {
	for _, name := range []scangate.EventName{scangate.EventCodeSent, scangate.EventCodeWrong, scangate.EventBound} {
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var emitted atomic.Bool
				boom, sms := panicOnce(), &texts{}
				w := newWorld(t, sms.withPhone, func(c *scangate.Config) {
					c.OnEvent = func(_ context.Context, e scangate.Event) {
						if e.Name == name {
							emitted.Store(true)
							boom()
						}
					}
				})
				user, begun := w.know("lin"), time.Now()
				if err := stumbleOverANumber(w, sms); err != nil {
					t.Errorf("number after a panic at the event %s: %v", name, err)
				}
				if took := time.Since(begun); !emitted.Load() || took != 0 {
					t.Errorf("number after a panic at the event %s: emitted: %v, took %v, want the event and no waiting", name, emitted.Load(), took)
				}
				w.checkNumber(mobile, user.ID)
			})
		})
	}
}

// stumbleOverANumber proves a number inside WeChat and repeats each request that panics.
func stumbleOverANumber(w *world, sms *texts) error {
	phone := w.phone("lin")
	page := phone.open("/account")
	path, token := page.Request.URL.Path, page.find(w.t, tokenPattern)
	twice := func(path string, form url.Values) int {
		form.Set("token", token)
		status := phone.tryPost(path, form.Encode())
		if status == 0 {
			status = phone.tryPost(path, form.Encode())
		}
		return status
	}
	// Once a code was sent, the next one is refused for a minute.
	if got := twice(path+"/code", url.Values{"phone": {"13800138000"}}); got != http.StatusSeeOther && got != http.StatusTooManyRequests {
		return fmt.Errorf("ask for a code: status = %d, want %d or %d", got, http.StatusSeeOther, http.StatusTooManyRequests)
	}
	code := sms.to(mobile)
	if got := twice(path, url.Values{"code": {wrong(code)}}); got != http.StatusForbidden {
		return fmt.Errorf("type a wrong code: status = %d, want %d", got, http.StatusForbidden)
	}
	if got := twice(path, url.Values{"code": {code}}); got != http.StatusSeeOther || phone.user() == "" {
		return fmt.Errorf("type the code: status = %d, user = %q, want %d and a user", got, phone.user(), http.StatusSeeOther)
	}
	return nil
}
