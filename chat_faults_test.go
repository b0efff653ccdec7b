package scangate_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
)

// The store loses its answer to the write of a denial, which takes place. The person gets the
// reply all the same.
func TestWrongNumberIsAnsweredWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lostAnswer{StateStore: scangate.NewMemoryStore(), part: ":login:"}
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.State = store })
		desktop := w.desktop()
		s := desktop.start()
		w.scanCode("lin", s)
		store.lose = true
		if got := w.say("lin", s.wrongNumber()); got != textDenied || desktop.state(s) != "denied" || store.lose {
			t.Errorf("wrong number: reply %q, state %q, lost = %v, want %q, denied and a lost answer", got, desktop.state(s), !store.lose, textDenied)
		}
	})
}

// The store loses its answer to each write of an echo, which takes place. The echo counts
// once, and gets its reply.
func TestEchoCountsOnceWhenTheStoreFails(t *testing.T) {
	for person, last := range map[string]struct {
		by   int
		want string
	}{"lin": {0, "This is your phone."}, "wang": {3, textDenied}} {
		synctest.Test(t, func(t *testing.T) {
			sms, store := &texts{}, &lostAnswer{StateStore: scangate.NewMemoryStore(), part: ":login:"}
			w := newChatWorld(t, scangate.ScanMessage, withoutSecret, sms.withPhone, func(c *scangate.Config) { c.State = store })
			s := w.desktop().start()
			followAccount(t, w, person)
			link := linkIn(t, w.say(person, s.Digits))
			digits := w.phone(person).openLink(link).find(t, echoPattern)
			for i, by := range []int{1, 2, last.by} {
				want := "These digits are wrong."
				if i == 2 {
					want = last.want
				}
				store.lose = true
				if got := w.say(person, otherDigits(t, digits, by)); !strings.HasPrefix(got, want) || store.lose {
					t.Errorf("echo %d of %s: reply %q, lost = %v, want %q and a lost answer", i+1, person, got, !store.lose, want)
				}
			}
			if got := strings.Count(strings.Join(w.happened(), " "), "denied"); got > 1 {
				t.Errorf("events of a denial = %d, want at most one", got)
			}
		})
	}
}

// otherDigits returns the four digits, with their number increased.
func otherDigits(t *testing.T, digits string, by int) string {
	t.Helper()
	return fmt.Sprintf("%04d", (atoi(t, digits)+by)%10_000)
}
