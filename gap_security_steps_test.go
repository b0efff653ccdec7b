package scangate_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// stateOf returns the OAuth state in a link to WeChat.
func stateOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || len(u.Query().Get("state")) < 26 {
		t.Fatalf("%q has no OAuth state: %v", link, err)
	}
	return u.Query().Get("state")
}

// TestDecliningProfileNeedsToken posts the profile form without the token that its
// page holds.
func TestDecliningProfileNeedsToken(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	page := phone.scan(s)
	other := w.phone("lin").scan(w.desktop().start())
	for name, form := range map[string]url.Values{
		"no token":              {},
		"an empty token":        {"token": {""}},
		"another login's token": {"token": {other.find(t, tokenPattern)}},
		"a token given twice":   {"token": {page.find(t, tokenPattern), page.find(t, tokenPattern)}},
	} {
		want := http.StatusForbidden
		if len(form["token"]) > 1 {
			want = http.StatusBadRequest
		}
		if a := phone.post(page.Request.URL.Path, form); a.StatusCode != want {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, want)
		}
		if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
			t.Errorf("the profile page after %s: status = %d to %q, want 200", name, a.StatusCode, a.location())
		}
	}
	a := phone.post(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
	if a.StatusCode != http.StatusSeeOther || a.location() != s.confirmURL() {
		t.Errorf("its own token: status = %d to %q, want 303 to %q", a.StatusCode, a.location(), s.confirmURL())
	}
}

// TestScanOfSameDeviceLogin opens the QR code's page of a login that has no QR
// code.
func TestScanOfSameDeviceLogin(t *testing.T) {
	w := newWorld(t, withProfile)
	phone, attacker := w.phone("lin"), w.phone("wang")
	attacker.start() // the attacker's browser has a key
	unknown := "/wechat/scan/" + strings.Repeat("A", 26)
	id := stateOf(t, phone.get("/wechat/login?return_to=/account").Header.Get("Location"))[:26]
	same(t, "waiting, another browser", id, attacker.get("/wechat/scan/"+id), attacker.get(unknown))
	same(t, "waiting, its own browser", id, phone.get("/wechat/scan/"+id), phone.get(unknown))

	page := phone.open("/account")
	id = strings.TrimPrefix(page.Request.URL.Path, "/wechat/profile/")
	same(t, "identified, another browser", id, attacker.get("/wechat/scan/"+id), attacker.get(unknown))
	same(t, "identified, its own browser", id, phone.get("/wechat/scan/"+id), phone.get(unknown))
}

// TestChangingNumberIsLimited begins changes of number until the address has used
// up its logins.
func TestChangingNumberIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &texts{}
		w := newWorld(t, func(c *scangate.Config) { c.Phone.SendCode, c.Limits.Address = s.send, 5 })
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
		s := &texts{}
		w := newWorld(t, s.withPhone, func(c *scangate.Config) { c.State = state })
		phone := w.phone("lin")
		page := phone.open("/account")
		state.marking = true // asking for a code creates the counts alone
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusSeeOther || len(state.marked) == 0 {
			t.Fatalf("the first code: status = %d, %d counts, want 303 and some", a.StatusCode, len(state.marked))
		}
		state.marking, state.damaging = false, true
		pass(2 * time.Minute)
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusSeeOther || s.sent != 2 {
			t.Errorf("with unreadable counts: status = %d, %d codes sent, want 303 and 2", a.StatusCode, s.sent)
		}
		state.damaging = false
		if a := phone.sendCode(page, mobile); a.StatusCode != http.StatusTooManyRequests || s.sent != 2 {
			t.Errorf("within the new window: status = %d, %d codes sent, want 429 and 2", a.StatusCode, s.sent)
		}
	})
}
