package scangate_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSendCodeAgain requests a second code without the number. The login remembers it.
func TestSendCodeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &texts{}
		w := newWorld(t, s.withPhone)
		phone := w.phone("lin")
		page := phone.scan(w.desktop().start())
		if a := phone.sendCode(page, ""); a.StatusCode != http.StatusBadRequest || s.sent != 0 {
			t.Errorf("send a code without any number: status = %d, %d sent, want 400 and 0", a.StatusCode, s.sent)
		}
		phone.sendCode(page, mobile)
		first := s.to(mobile)
		if a := phone.sendCode(page, ""); a.StatusCode != http.StatusTooManyRequests || s.sent != 1 {
			t.Errorf("send a code again at once: status = %d, %d sent, want 429 and 1", a.StatusCode, s.sent)
		}
		pass(time.Minute)
		if a := phone.sendCode(page, ""); a.StatusCode != http.StatusSeeOther || s.sent != 2 {
			t.Fatalf("send a code again after a minute: status = %d, %d sent, want 303 and 2", a.StatusCode, s.sent)
		}
		// The two random codes can be equal.
		if a := phone.typeCode(page, first); s.to(mobile) != first && a.StatusCode != http.StatusForbidden {
			t.Errorf("type the first code: status = %d, want 403", a.StatusCode)
		}
		if a := phone.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusOK || !strings.Contains(a.Request.URL.Path, "/confirm/") {
			t.Errorf("type the second code: status = %d at %s, want 200 at the confirm page", a.StatusCode, a.Request.URL.Path)
		}
	})
}

func TestFullWidthDigitsOfANumber(t *testing.T) {
	for typed, want := range map[string]string{
		"１３９００１３９０００":    "+8613900139000",
		"１５６７８９０１２３４":    "+8615678901234",
		"＋８６１９９９９９９９９９９": "+8619999999999",
		"１３９：０１３９０００":    "", // the character after the full-width nine
		"１３９／０１３９０００":    "", // the character before the full-width zero
	} {
		s := &texts{}
		w := newWorld(t, s.withPhone)
		phone := w.phone("lin")
		a := phone.sendCode(phone.open("/account"), typed)
		if want == "" {
			if a.StatusCode != http.StatusBadRequest || s.sent != 0 {
				t.Errorf("send a code to %q: status = %d, %d sent, want 400 and 0", typed, a.StatusCode, s.sent)
			}
			continue
		}
		if a.StatusCode != http.StatusSeeOther || s.to(want) == "" {
			t.Errorf("send a code to %q: status = %d, sent to %v, want 303 and %s", typed, a.StatusCode, s.last, want)
		}
	}
}
