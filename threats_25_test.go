package scangate_test

// Rows 25 to 28: phone numbers.

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// different returns code, or another one if it happens to equal other.
func different(code, other string) string {
	if code == other {
		return wrong(code)
	}
	return code
}

// TestThreat25UnprovedPhone: the attacker binds a number that it has not proved. A code
// is valid for its number, its login and its browser only.
func TestThreat25UnprovedPhone(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone)
	phone, attacker := w.phone("lin"), w.phone("wang")
	page, attackerPage := phone.open("/account"), attacker.open("/account")
	phone.sendCode(page, mobile)
	attacker.sendCode(attackerPage, mobile2)
	token := page.find(t, tokenPattern)
	for name, form := range map[string]url.Values{
		"no code":                        {"token": {token}},
		"the code with another number":   {"token": {token}, "code": {sms.to(mobile)}, "phone": {mobile2}},
		"the code of the other's number": {"token": {token}, "code": {different(sms.to(mobile2), sms.to(mobile))}},
	} {
		if got := phone.post(page.Request.URL.Path, form).StatusCode; got != http.StatusForbidden {
			t.Errorf("phone form with %s: status = %d, want %d", name, got, http.StatusForbidden)
		}
	}
	stolen := url.Values{"token": {token}, "code": {sms.to(mobile)}}
	if got := attacker.post(page.Request.URL.Path, stolen).StatusCode; got != http.StatusNotFound {
		t.Errorf("phone form from another browser: status = %d, want %d", got, http.StatusNotFound)
	}
	if user, err := w.users.FindByPhone(t.Context(), mobile); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByPhone after refused forms: user = %q, error = %v, want %v", user.ID, err, scangate.ErrNotFound)
	}
}

// wrongCodes returns n different codes that are not the right one.
func wrongCodes(right string, n int) []string {
	var codes []string
	for i := 0; len(codes) < n; i++ {
		if code := fmt.Sprintf("%06d", i); code != right {
			codes = append(codes, code)
		}
	}
	return codes
}

// TestThreat26GuessTheCode: the attacker guesses the code of a number, one guess after
// the other or many at once. After 5 wrong guesses the right code is refused too.
func TestThreat26GuessTheCode(t *testing.T) {
	t.Run("one after the other", func(t *testing.T) {
		sms := &texts{}
		w := newWorld(t, sms.withPhone)
		attacker := w.phone("lin")
		page := attacker.open("/account")
		attacker.sendCode(page, mobile)
		for _, guess := range wrongCodes(sms.to(mobile), 5) {
			attacker.typeCode(page, guess)
		}
		if got := attacker.typeCode(page, sms.to(mobile)).StatusCode; got != http.StatusForbidden {
			t.Errorf("the right code after 5 wrong ones: status = %d, want %d", got, http.StatusForbidden)
		}
		if got := attacker.user(); got != "" {
			t.Errorf("the right code after 5 wrong ones: user = %q, want none", got)
		}
	})
	t.Run("20 at once", func(t *testing.T) {
		sms := &texts{}
		w := newWorld(t, sms.withPhone)
		attacker := w.phone("lin")
		page := attacker.open("/account")
		attacker.sendCode(page, mobile)
		token := page.find(t, tokenPattern)
		var guesses sync.WaitGroup
		for _, guess := range wrongCodes(sms.to(mobile), 20) {
			guesses.Go(func() {
				form := url.Values{"token": {token}, "code": {guess}}
				_, _ = attacker.try(t.Context(), false, http.MethodPost, page.Request.URL.Path, form.Encode())
			})
		}
		guesses.Wait()
		if got := attacker.typeCode(page, sms.to(mobile)).StatusCode; got != http.StatusForbidden {
			t.Errorf("the right code after 20 wrong ones at once: status = %d, want %d", got, http.StatusForbidden)
		}
	})
}

// TestThreat26ExpiredCode: the attacker finds a code in an old message. A code is valid
// for 5 minutes.
func TestThreat26ExpiredCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sms := &texts{}
		w := newWorld(t, sms.withPhone)
		attacker := w.phone("lin")
		page := attacker.open("/account")
		attacker.sendCode(page, mobile)
		pass(5 * time.Minute)
		if got := attacker.typeCode(page, sms.to(mobile)).StatusCode; got != http.StatusForbidden {
			t.Errorf("the right code after 5 minutes: status = %d, want %d", got, http.StatusForbidden)
		}
	})
}

// TestThreat27SMSBombing: the attacker has codes sent to a victim's number. The gate
// sends none before WeChat has identified a person. Afterwards it sends one per minute to
// a number, in all its spellings and for all persons together.
func TestThreat27SMSBombing(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, sms.withPhone)
	desktop := w.desktop()
	login := desktop.start()
	early := desktop.post("/wechat/phone/"+login.ID+"/code", url.Values{"phone": {mobile}})
	if early.StatusCode != http.StatusNotFound || sms.sent != 0 {
		t.Errorf("asking for a code before WeChat: status = %d, codes sent = %d, want %d and 0", early.StatusCode, sms.sent, http.StatusNotFound)
	}
	attacker := w.phone("lin")
	page := attacker.open("/account")
	attacker.sendCode(page, mobile)
	for _, spelling := range []string{"13800138000", "+86 138 0013 8000", "0086-138-0013-8000", "１３８００１３８０００", "8613800138000"} {
		a := attacker.sendCode(page, spelling)
		if a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("second code to %s: status = %d, want %d", spelling, a.StatusCode, http.StatusTooManyRequests)
		}
		retryAfter := a.Header.Get("Retry-After")
		if seconds, _ := strconv.Atoi(retryAfter); seconds < 1 || seconds > 60 {
			t.Errorf("second code to %s: Retry-After = %q, want 1 to 60", spelling, retryAfter)
		}
	}
	secondPhone := w.phone("wang")
	if got := secondPhone.sendCode(secondPhone.open("/account"), mobile).StatusCode; got != http.StatusTooManyRequests {
		t.Errorf("code to the same number for another person: status = %d, want %d", got, http.StatusTooManyRequests)
	}
	if sms.sent != 1 {
		t.Errorf("codes sent = %d, want 1", sms.sent)
	}
}

// TestThreat27FailingSender: a sender reports a failure for messages that it sent, and
// the attacker keeps asking. Failed calls are bounded as well.
func TestThreat27FailingSender(t *testing.T) {
	calls := 0
	w := newWorld(t, (&texts{}).withPhone, func(c *scangate.Config) {
		c.Phone.SendCode = func(context.Context, string, string) error { calls++; return errors.New("timed out") }
	})
	attacker := w.phone("lin")
	page := attacker.open("/account")
	for range 50 {
		attacker.sendCode(page, mobile)
	}
	if calls > 30 {
		t.Errorf("50 requests for a code: calls of a sender that fails = %d, want 30 at most", calls)
	}
}

// TestThreat28AccountEnumeration: the attacker types numbers to learn which of them have
// an account. The answers are equal until a number is proved, whether the gate registers new
// persons or not.
func TestThreat28AccountEnumeration(t *testing.T) {
	t.Parallel()
	for mode, option := range map[string]func(*texts, *scangate.Config){"by phone": (*texts).byPhone, "open": (*texts).withPhone} {
		for owner, person := range map[string]string{"a user of the application": "", "a user with another WeChat": "yueyue"} {
			synctest.Test(t, func(t *testing.T) {
				sms := &texts{}
				w := newWorld(t, func(c *scangate.Config) { option(sms, c) })
				identity := clerk("a")
				if person != "" {
					identity = w.identity(person)
				}
				w.knowPhone(mobile, identity)
				known, unknown := w.askForCode(sms, "lin", mobile), w.askForCode(sms, "wang", mobile2)
				for doing, k := range known {
					if u := unknown[doing]; k != u {
						t.Errorf("%s, %s, %s: got %s\nif the number has an account, and if not\n%s\nwant equal answers", mode, owner, doing, k, u)
					}
				}
			})
		}
	}
}

// askForCode has a code sent to the number and types wrong ones. It returns each answer,
// without the values of one login, one number and one browser.
func (w *world) askForCode(sms *texts, person, number string) map[string]string {
	w.t.Helper()
	attacker := w.phone(person)
	page := attacker.open("/account")
	path := page.Request.URL.Path
	id, token := strings.TrimPrefix(path, "/wechat/phone/"), page.find(w.t, tokenPattern)
	answers := map[string]string{}
	note := func(doing string, want int, a answer) {
		w.t.Helper()
		if a.StatusCode != want {
			w.t.Errorf("%s: status = %d, want %d\n%s", doing, a.StatusCode, want, a.body)
		}
		local := strings.TrimPrefix(number, "+86")
		own := strings.NewReplacer(id, "ID", token, "TOKEN", local, "NUMBER", local[:3]+"****"+local[7:], "MASKED")
		answers[doing] = own.Replace(fmt.Sprintf("%d %v %s", a.StatusCode, a.Header, html.UnescapeString(a.body)))
	}
	form := func(code string) url.Values { return url.Values{"token": {token}, "code": {code}} }
	note("asking for a code", http.StatusSeeOther, attacker.sendCode(page, number))
	note("the page with the code's field", http.StatusOK, attacker.get(path))
	note("asking again at once", http.StatusTooManyRequests, attacker.sendCode(page, number))
	for i, code := range wrongCodes(sms.to(number), 5) {
		note(fmt.Sprintf("wrong code %d", i+1), http.StatusForbidden, attacker.post(path, form(code)))
		note(fmt.Sprintf("the page after wrong code %d", i+1), http.StatusOK, attacker.get(path))
	}
	return answers
}
