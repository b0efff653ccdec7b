package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// codeLimit is one limit on one-time codes, and how to reach it without reaching
// another one first.
type codeLimit struct {
	name   string
	max    int
	window time.Duration
	pause  time.Duration // between two requests

	sameNumber, samePerson, sameAddress bool
	total                               bool // the limit is Config.Phone.CodeLimit

	undelivered bool // SendCode fails every time
}

// codeAsker asks for codes, as one person after another, at one address after
// another.
type codeAsker struct {
	w       *world
	phone   *browser
	asked   int
	calls   int    // of SendCode
	user    string // who has the phone's WeChat; empty if no user has it
	address netip.Addr
}

func newCodeAsker(t *testing.T, limit codeLimit) *codeAsker {
	t.Helper()
	c := &codeAsker{}
	c.w = newWorld(t, func(config *scangate.Config) {
		config.Phone.Require, config.Phone.CodeLimit = true, 400
		config.ClientIP = func(*http.Request) netip.Addr { return c.address }
		if limit.total {
			config.Phone.CodeLimit = limit.max
		}
		config.Phone.SendCode = func(context.Context, string, string) error {
			c.calls++
			if limit.undelivered {
				return errors.New("the SMS provider is down")
			}
			return nil
		}
	})
	c.phone = c.w.phone("lin")
	return c
}

// ask begins a login and asks for a code. The person, the number and the address
// are new unless the limit counts by them.
func (c *codeAsker) ask(t *testing.T, limit codeLimit) answer {
	t.Helper()
	c.asked++
	n := 0
	if !limit.sameNumber {
		n = c.asked
	}
	c.address = netip.AddrFrom4([4]byte{192, 0, byte(c.asked >> 8), byte(c.asked)})
	if limit.sameAddress { // one subscriber's /64
		c.address = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", c.asked))
	}
	if !limit.samePerson {
		c.changePerson(t)
	}
	return c.phone.sendCode(c.phone.open("/account"), fmt.Sprintf("+861380013%04d", n))
}

// changePerson gives the phone's WeChat to a user without a number, whom the gate
// has never seen.
func (c *codeAsker) changePerson(t *testing.T) {
	t.Helper()
	if c.user != "" {
		if err := c.w.users.UnlinkWeChat(t.Context(), c.user, c.w.identity("lin")); err != nil {
			t.Fatal(err)
		}
	}
	c.user = c.w.know("lin").ID
}

// TestEveryCodeLimit reaches one limit on codes in each row, and stays below the
// others. Retry-After has to be the rest of that limit's window.
func TestEveryCodeLimit(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, limit := range []codeLimit{
		{name: "gap", max: 1, window: time.Minute, sameNumber: true},
		{name: "phone-hour", max: 5, window: hour, pause: time.Minute, sameNumber: true},
		{name: "phone-day", max: 10, window: day, pause: 20 * time.Minute, sameNumber: true},
		{name: "person-hour", max: 10, window: hour, samePerson: true},
		{name: "person-day", max: 20, window: day, pause: 7 * time.Minute, samePerson: true},
		{name: "address-hour", max: 60, window: hour, sameAddress: true},
		{name: "address-day", max: 300, window: day, pause: 2 * time.Minute, sameAddress: true},
		{name: "all-hour", max: 12, window: hour, total: true},
		// An undelivered code gives its allowances back, but not its tries.
		{name: "phone-tries", max: 30, window: hour, sameNumber: true, undelivered: true},
		{name: "person-tries", max: 30, window: hour, samePerson: true, undelivered: true},
	} {
		t.Run(limit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkCodeLimit(t, limit) })
		})
	}
}

// checkCodeLimit asks as often as the limit allows, then once more, and once again
// when the window is over.
func checkCodeLimit(t *testing.T, limit codeLimit) {
	t.Helper()
	allowed := http.StatusSeeOther
	if limit.undelivered {
		allowed = http.StatusBadGateway
	}
	asker, begun := newCodeAsker(t, limit), time.Now()
	for i := range limit.max {
		if a := asker.ask(t, limit); a.StatusCode != allowed {
			t.Fatalf("code %d of %d: status = %d, want %d\n%s", i+1, limit.max, a.StatusCode, allowed, a.body)
		}
		pass(limit.pause)
	}
	a, left := asker.ask(t, limit), limit.window-time.Since(begun)
	if want := strconv.Itoa(int(left / time.Second)); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != want {
		t.Errorf("code %d: status = %d, Retry-After = %q, want 429 and %q", limit.max+1, a.StatusCode, a.Header.Get("Retry-After"), want)
	}
	if asker.calls != limit.max {
		t.Errorf("SendCode was called %d times, want %d", asker.calls, limit.max)
	}
	pass(left - time.Second)
	if a := asker.ask(t, limit); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second before the window ends: status = %d, want 429", a.StatusCode)
	}
	pass(time.Second)
	if a := asker.ask(t, limit); a.StatusCode != allowed {
		t.Errorf("when the window is over: status = %d, want %d", a.StatusCode, allowed)
	}
}
