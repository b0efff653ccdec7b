package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// codeRequests asks for codes, with one person, number and address after another.
type codeRequests struct {
	w       *world
	phone   *browser
	asked   int
	calls   int    // of SendCode
	user    string // the user of the phone's WeChat; empty if it has none
	address netip.Addr
}

// newCodeRequests returns a world whose other limits on codes are not reached.
func newCodeRequests(t *testing.T, limit codeLimit) *codeRequests {
	t.Helper()
	c := &codeRequests{}
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
func (c *codeRequests) ask(t *testing.T, limit codeLimit) answer {
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

// changePerson gives the phone's WeChat to a new user without a number.
func (c *codeRequests) changePerson(t *testing.T) {
	t.Helper()
	if c.user != "" {
		if err := c.w.users.UnlinkWeChat(t.Context(), c.user, c.w.identity("lin")); err != nil {
			t.Fatalf("UnlinkWeChat: %v, want no error", err)
		}
	}
	c.user = c.w.know("lin").ID
}

// TestCodeLimitsTogether reaches one limit after another with the same configuration.
func TestCodeLimitsTogether(t *testing.T) {
	endWithin(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		codes := &texts{}
		w := newWorld(t, codes.withPhone, func(c *scangate.Config) { c.Phone.CodeLimit = 12 })
		phone := w.phone("lin")
		page := phone.open("/account")
		send := func(number string, status int) {
			t.Helper()
			a := phone.sendCode(page, number)
			if retryAfter := a.Header.Get("Retry-After"); a.StatusCode != status || (retryAfter != "") != (status == http.StatusTooManyRequests) {
				t.Errorf("code to %s: status = %d, Retry-After = %q, want %d and a time for 429 alone", number, a.StatusCode, retryAfter, status)
			}
		}
		for range 5 { // the limit of an hour for one number
			send(mobile, 303)
			send("+86 138-0013-8000", 429) // within a minute
			pass(time.Minute)
		}
		send(mobile, 429)
		for i := range 5 { // the limit of an hour for one person
			send("1390013900"+string(rune('0'+i)), 303)
		}
		send("13900139009", 429)
		phone = w.phone("wang")
		page = phone.open("/account")
		send("13700137000", 303) // another person, and the 11th of 12 codes in total
		send("13700137001", 303)
		send("13700137002", 429)
		pass(time.Hour)
		phone = w.phone("chen")
		page = phone.open("/account")
		send("13700137002", 303)
	})
}

// TestEveryCodeLimit reaches one limit on codes in each row, and stays below the
// others. Retry-After has to be the rest of that limit's window.
func TestEveryCodeLimit(t *testing.T) {
	t.Parallel()
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
		// The gate refunds an undelivered code's allowances, but not its tries.
		{name: "phone-tries", max: 30, window: hour, sameNumber: true, undelivered: true},
		{name: "person-tries", max: 30, window: hour, samePerson: true, undelivered: true},
	} {
		t.Run(limit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkCodeLimit(t, limit) })
		})
	}
}

// checkCodeLimit asks as often as the limit allows, then once more, and again
// when the window is over.
func checkCodeLimit(t *testing.T, limit codeLimit) {
	t.Helper()
	allowed := http.StatusSeeOther
	if limit.undelivered {
		allowed = http.StatusBadGateway
	}
	requests, begun := newCodeRequests(t, limit), time.Now()
	for i := range limit.max {
		if a := requests.ask(t, limit); a.StatusCode != allowed {
			t.Fatalf("code %d of %d: status = %d, want %d\n%s", i+1, limit.max, a.StatusCode, allowed, a.body)
		}
		pass(limit.pause)
	}
	a, left := requests.ask(t, limit), limit.window-time.Since(begun)
	if want := strconv.Itoa(int(left / time.Second)); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != want {
		t.Errorf("code %d: status = %d, Retry-After = %q, want 429 and %q", limit.max+1, a.StatusCode, a.Header.Get("Retry-After"), want)
	}
	if requests.calls != limit.max {
		t.Errorf("SendCode was called %d times, want %d", requests.calls, limit.max)
	}
	pass(left - time.Second)
	if a := requests.ask(t, limit); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second before the window ends: status = %d, want 429", a.StatusCode)
	}
	pass(time.Second)
	if a := requests.ask(t, limit); a.StatusCode != allowed {
		t.Errorf("when the window is over: status = %d, want %d", a.StatusCode, allowed)
	}
}

// damagedState damages the records that were created while marking was on.
type damagedState struct {
	scangate.StateStore
	mu                sync.Mutex
	marking, damaging bool
	marked            map[string]bool
}

func (s *damagedState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.mu.Lock()
	if s.marking {
		s.marked[key] = true
	}
	s.mu.Unlock()
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *damagedState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	value, version, err := s.StateStore.Load(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.damaging && s.marked[key] {
		value = []byte("damaged")
	}
	return value, version, err
}

// TestUnreadableCodeCountBeginsAnew reads counts of codes that another version has
// written. They must not lock the number out until their window ends.
func TestUnreadableCodeCountBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &damagedState{StateStore: scangate.NewMemoryStore(), marked: map[string]bool{}}
		codes := &texts{}
		w := newWorld(t, codes.withPhone, func(c *scangate.Config) { c.State = state })
		phone := w.phone("lin")
		page := phone.open("/account")
		state.marking = true // asking for a code creates the counts alone
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusSeeOther || len(state.marked) == 0 {
			t.Fatalf("the first code: status = %d, %d counts, want 303 and some", a.StatusCode, len(state.marked))
		}
		state.marking, state.damaging = false, true
		pass(2 * time.Minute)
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusSeeOther || codes.sent != 2 {
			t.Errorf("with unreadable counts: status = %d, %d codes sent, want 303 and 2", a.StatusCode, codes.sent)
		}
		state.damaging = false
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusTooManyRequests || codes.sent != 2 {
			t.Errorf("within the new window: status = %d, %d codes sent, want 429 and 2", a.StatusCode, codes.sent)
		}
	})
}

// quotaRecords counts the records of quotas in a state store.
type quotaRecords struct {
	scangate.StateStore
	created atomic.Int32
}

func (s *quotaRecords) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	err := s.StateStore.Create(ctx, key, value, ttl)
	if err == nil && strings.Contains(key, ":codes:") {
		s.created.Add(1)
	}
	return err
}

// One person asks for codes to ever new numbers. Each refused request would otherwise leave
// records in the store for up to a day, and no other person could get a code in the end.
func TestRefusedCodesLeaveNoRecords(t *testing.T) {
	state := &quotaRecords{StateStore: scangate.NewMemoryStore()}
	sms := &texts{}
	w := newWorld(t, sms.withPhone, func(c *scangate.Config) { c.State = state })
	phone := w.phone("lin")
	page := phone.open("/account")
	form := url.Values{"token": {page.find(t, tokenPattern)}}
	number := 0
	ask := func() int {
		number++
		form.Set("phone", fmt.Sprintf("138%08d", number))
		return phone.post(page.Request.URL.Path+"/code", form).StatusCode
	}
	for ask() == http.StatusSeeOther {
	}
	before := state.created.Load()
	for range 100 {
		if got := ask(); got != http.StatusTooManyRequests {
			t.Fatalf("code for number %d: status = %d, want 429", number, got)
		}
	}
	if got := state.created.Load() - before; got != 0 {
		t.Errorf("records that 100 refused requests have made = %d, want 0", got)
	}
}
