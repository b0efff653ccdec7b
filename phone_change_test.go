package scangate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// TestNumberRequiredLater removes the number of a user who is logged in. The gate asks
// for a number again, and keeps the session.
func TestNumberRequiredLater(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	phone := w.phone("lin")
	phone.prove(codes, phone.open("/account"), mobile)
	id := phone.user()
	if err := w.users.BindPhone(t.Context(), id, ""); err != nil { // the application removes it
		t.Fatalf("BindPhone: %v, want no error", err)
	}
	if a := phone.get("/account?x=1"); a.location() != "/wechat/phone?return_to=%2Faccount%3Fx%3D1" {
		t.Errorf("a page load: %d to %q, want the phone page", a.StatusCode, a.location())
	}
	if a := phone.get("/account", "Accept", "application/json"); a.StatusCode != 401 || !strings.Contains(a.body, `"phone_required","login_url":"/wechat/phone"`) {
		t.Errorf("a script: %d %s, want 401 and phone_required", a.StatusCode, a.body)
	}
	if a := phone.get("/wechat/login?return_to=/account"); a.location() != "/wechat/phone?return_to=%2Faccount" {
		t.Errorf("the login page: %d to %q, want the phone page", a.StatusCode, a.location())
	}
	if a := phone.get("/wechat/me"); a.StatusCode != 200 || !strings.Contains(a.body, `"phone_bound":false`) {
		t.Errorf("me: %d %s, want 200 and phone_bound false", a.StatusCode, a.body)
	}
	page := phone.open("/account")
	if a := phone.prove(codes, page, mobile2); a.body != "user "+id {
		t.Errorf("proving a number: status = %d, want user %q\n%s", a.StatusCode, id, a.body)
	}
}

func TestChangeNumber(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, codes.withPhone)
	phone := w.phone("lin")
	phone.prove(codes, phone.open("/account"), mobile)
	if phone.user() == "" {
		t.Fatal("login: the phone is not logged in")
	}
	w.knowPhone("+8613700137000", clerk("a"))
	page := phone.open("/wechat/phone?return_to=/account")
	if a := phone.prove(codes, page, "+8613700137000"); a.StatusCode != http.StatusConflict {
		t.Errorf("proving another user's number: status = %d, want 409", a.StatusCode)
	}
	if a := phone.prove(codes, page, mobile2); a.body != "user "+phone.user() {
		t.Errorf("proving the new number: status = %d, want user %q\n%s", a.StatusCode, phone.user(), a.body)
	}
	w.checkNumber(mobile2, phone.user())
	w.checkNumber(mobile, "")
	if a := w.phone("wang").get("/wechat/phone"); a.location() != "/wechat/login?return_to=%2Fwechat%2Fphone" {
		t.Errorf("the phone page without a session: %d to %q, want the login page", a.StatusCode, a.location())
	}
}

// TestChangeOfNumberNeedsItsSession ends the session between asking for a code and
// typing it.
func TestChangeOfNumberNeedsItsSession(t *testing.T) {
	codes := &texts{}
	w := newWorld(t, func(c *scangate.Config) { c.Phone.SendCode = codes.send })
	w.know("lin")
	phone := w.phone("lin")
	phone.open("/account")
	page := phone.open("/wechat/phone")
	phone.sendCode(page, mobile)
	phone.dropCookie("__Host-session")
	if a := phone.typeCode(page, codes.to(mobile)); a.StatusCode != http.StatusForbidden {
		t.Errorf("the code without a session: status = %d, want 403\n%s", a.StatusCode, a.body)
	}
	w.checkNumber(mobile, "")
}

// TestChangingNumberIsLimited begins changes of number until the address has used
// up its logins.
func TestChangingNumberIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codes := &texts{}
		w := newWorld(t, func(c *scangate.Config) { c.Phone.SendCode, c.Limits.Address = codes.send, 5 })
		phone := w.phone("lin")
		phone.open("/account") // one login
		for i := range 4 {
			if a := phone.get("/wechat/phone"); a.StatusCode != http.StatusSeeOther {
				t.Errorf("change %d of 4: status = %d, want 303", i+1, a.StatusCode)
			}
		}
		a := phone.get("/wechat/phone")
		if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "60" {
			t.Errorf("change 5: status = %d, Retry-After = %q, want 429 and 60", a.StatusCode, a.Header.Get("Retry-After"))
		}
		pass(time.Minute)
		if a := phone.open("/wechat/phone"); a.StatusCode != http.StatusOK {
			t.Errorf("a minute later: status = %d, want 200", a.StatusCode)
		}
	})
}
