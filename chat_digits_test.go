package scangate_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// fewDigits is a state store in which only two different digits exist: odd ones and even
// ones. So the gate must issue the same digits again, or none.
type fewDigits struct{ scangate.StateStore }

func (s fewDigits) key(key string) string {
	before, digits, ok := strings.Cut(key, ":digits:")
	if !ok {
		return key
	}
	return before + ":digits:" + map[bool]string{true: "odd", false: "even"}[digits[len(digits)-1]%2 == 1]
}

func (s fewDigits) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.StateStore.Create(ctx, s.key(key), value, ttl)
}

func (s fewDigits) Load(ctx context.Context, key string) ([]byte, int64, error) {
	return s.StateStore.Load(ctx, s.key(key))
}

// Digits are not issued again for an hour after they were used, or after their time. A
// person may find them in the chat or on a screen and send them again.
func TestDigitsAreNotReissuedForAnHour(t *testing.T) {
	const ttl = 10 * time.Minute
	for name, used := range map[string]bool{"used": true, "expired": false} {
		synctest.Test(t, func(t *testing.T) {
			w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) {
				c.State, c.Limits.LoginTTL = fewDigits{scangate.NewMemoryStore()}, ttl
			})
			first, second := w.desktop(), w.desktop()
			logins := map[*browser]scan{first: first.start(), second: second.start()}
			pass(ttl - time.Second)
			for desktop, s := range logins {
				if !used {
					continue
				}
				person := s.ID
				w.say(person, s.Digits)
				if got := w.say(person, "1"); got != textApproved || desktop.finish(s).StatusCode != http.StatusSeeOther {
					t.Errorf("%s: answer: reply %q, want %q and a login", name, got, textApproved)
				}
			}
			if !used {
				pass(time.Second)
			}
			pass(time.Hour - time.Second)
			if a := w.desktop().postJSON("/wechat/login", "{}", nil); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: a login within the hour: status = %d, body = %s, want %d because all digits are taken", name, a.StatusCode, a.body, http.StatusServiceUnavailable)
			}
			pass(3 * time.Second)
			if s := w.desktop().start(); len(s.Digits) != 8 {
				t.Errorf("%s: a login after the hour: %+v, want digits", name, s)
			}
		})
	}
}

// Digits are valid for LoginTTL. The page shows them as long, because a person who follows
// the account first needs more time than for a scan.
func TestDigitsAreValidForLoginTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 7 * time.Minute
		w := newChatWorld(t, scangate.ScanMessage, withoutSecret, func(c *scangate.Config) { c.Limits.LoginTTL = ttl })
		desktop := w.desktop()
		var s struct {
			scan
			ExpiresIn int `json:"expires_in"`
		}
		desktop.postJSON("/wechat/login", `{"return_to":"/account"}`, &s)
		if s.ExpiresIn != int(ttl/time.Second) {
			t.Errorf("POST login: expires_in = %d, want %v", s.ExpiresIn, ttl/time.Second)
		}
		if page := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(page.body, `data-renew-in="420"`) {
			t.Errorf("login page: got\n%s\nwant data-renew-in of 420", page.body)
		}
		pass(ttl - time.Second)
		if again := desktop.start(); again.Digits != s.Digits {
			t.Errorf("POST login before their end: digits %q, want the same, %q", again.Digits, s.Digits)
		}
		if got := w.say("lin", s.Digits); !strings.Contains(got, textOne) {
			t.Errorf("digits in their last second: reply %q, want the question", got)
		}
		late := w.desktop().start()
		missed := w.say("wang", "00000000")
		pass(ttl)
		if got := w.say("wang", late.Digits); got != missed {
			t.Errorf("expired digits: reply %q, want that to wrong ones, %q", got, missed)
		}
	})
}
