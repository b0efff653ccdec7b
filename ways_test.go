package scangate_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestAskerDeclines has the waiting browser's owner say that it was not them who
// scanned.
func TestAskerDeclines(t *testing.T) {
	for _, c := range []struct {
		name, accept string
		status       int
		location     string
	}{
		{"by the page", "text/html", http.StatusSeeOther, "/wechat/login?return_to=%2Faccount"},
		{"by a script", "application/json", http.StatusNoContent, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			d, x := w.desktop(), w.phone("wang")
			s := d.start()
			x.scan(s)
			x.answer(s, "approve")
			if a := d.post(s.FinishURL, url.Values{"answer": {"deny"}}, "Accept", c.accept); a.StatusCode != c.status || a.location() != c.location {
				t.Errorf("%d %q, want %d %q", a.StatusCode, a.location(), c.status, c.location)
			}
			if a := d.finish(s); a.StatusCode != http.StatusGone || d.user() != "" {
				t.Errorf("after that: finish %d, logged in as %q", a.StatusCode, d.user())
			}
			if a := d.get("/wechat/login?return_to=/account"); a.find(t, statePattern) == s.ID {
				t.Error("the same login is offered again")
			}
			if a := x.get(s.confirmURL()); !strings.Contains(a.body, "Refused") {
				t.Errorf("the phone is shown\n%s", a.body)
			}
			if got := w.happened(); !slices.Contains(got, "denied") {
				t.Errorf("events %v", got)
			}
		})
	}
	t.Run("before anybody has approved", func(t *testing.T) {
		w := newWorld(t)
		d := w.desktop()
		s := d.start()
		if a := d.post(s.FinishURL, url.Values{"answer": {"deny"}}); a.StatusCode != http.StatusSeeOther || d.state(s) != "denied" {
			t.Errorf("%d, state %s", a.StatusCode, d.state(s))
		}
	})
	t.Run("somebody else's", func(t *testing.T) {
		w := newWorld(t)
		s := w.desktop().start()
		if a := w.desktop().post(s.FinishURL, url.Values{"answer": {"deny"}}); a.StatusCode != http.StatusNotFound {
			t.Errorf("%d", a.StatusCode)
		}
	})
	t.Run("a WeChat that was to be added", func(t *testing.T) {
		w := newWorld(t)
		d := w.desktop()
		w.scanLogin(d, w.phone("lin"))
		s := scan{ID: d.get("/wechat/link?return_to=/settings").find(t, statePattern)}.urls()
		p := w.phone("wang")
		p.scan(s)
		p.answer(s, "approve")
		if a := d.post(s.FinishURL, url.Values{"answer": {"deny"}}); a.location() != "/settings" || d.user() == "" {
			t.Errorf("%d %q, logged in as %q", a.StatusCode, a.location(), d.user())
		}
		if a := d.finish(s); a.StatusCode != http.StatusGone {
			t.Errorf("after that: finish %d", a.StatusCode)
		}
	})
}

// TestPhoneAsksInItsOwnBrowser has a phone open the login page outside WeChat,
// where nothing can scan the QR code that it shows.
func TestPhoneAsksInItsOwnBrowser(t *testing.T) {
	w := newWorld(t)
	for agent, here := range map[string]bool{
		wechattest.UserAgentChrome: false,
		wechattest.UserAgentWeCom:  true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": true,
		"Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0":                                                                    true,
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile":        true,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                   false,
	} {
		a := w.browser(agent).get("/wechat/login")
		if got := strings.Contains(a.body, `value="`+appURL+"/wechat/scan/"); got != here {
			t.Errorf("%s: is given a link: %v, want %v", agent, got, here)
		}
		if !strings.Contains(a.body, "/qr.svg") {
			t.Errorf("%s: is given no QR code", agent)
		}
	}
}

// TestNoNumberWithoutAnotherScreen adds a WeChat in WeChat's own browser, which
// has no screen beside it to read a number from.
func TestNoNumberWithoutAnotherScreen(t *testing.T) {
	for _, answer := range []string{"approve", "deny"} {
		t.Run(answer, func(t *testing.T) {
			user := ""
			w := newWorld(t, withNumber, func(c *scangate.Config) {
				c.CurrentUser = func(*http.Request) (string, bool) { return user, true }
			})
			user = w.knowPhone("", clerk("a")).ID
			p := w.phone("lin")
			page := p.open("/wechat/link?return_to=/settings")
			if strings.Contains(page.body, `name="number"`) || strings.Contains(page.body, "192.0.2.1") {
				t.Errorf("the page asks for a number, or tells where the phone is:\n%s", page.body)
			}
			form := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {answer}}
			a := p.post(page.Request.URL.Path, form)
			if answer == "approve" {
				if a.location() != "/settings" {
					t.Errorf("%d %q\n%s", a.StatusCode, a.location(), a.body)
				}
				return
			}
			if a = p.get(page.Request.URL.Path); !strings.Contains(a.body, `href="/settings"`) || !strings.Contains(a.body, "not added") {
				t.Errorf("no way back:\n%s", a.body)
			}
		})
	}
}

// TestSendAgain has a second code sent to a number that nobody types again.
func TestSendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &texts{}
		w := newWorld(t, s.withPhone)
		p := w.phone("lin")
		page := p.scan(w.desktop().start())
		if a := p.sendCode(page, ""); a.StatusCode != http.StatusBadRequest || s.sent != 0 {
			t.Errorf("no number at all: %d, %d sent", a.StatusCode, s.sent)
		}
		p.sendCode(page, mobile)
		first := s.to(mobile)
		if a := p.sendCode(page, ""); a.StatusCode != http.StatusTooManyRequests || s.sent != 1 {
			t.Errorf("again at once: %d, %d sent", a.StatusCode, s.sent)
		}
		pass(time.Minute)
		if a := p.sendCode(page, ""); a.StatusCode != http.StatusSeeOther || s.sent != 2 {
			t.Fatalf("again: %d, %d sent", a.StatusCode, s.sent)
		}
		if a := p.typeCode(page, first); s.to(mobile) != first && a.StatusCode != http.StatusForbidden {
			t.Errorf("the first code: %d", a.StatusCode)
		}
		if a := p.typeCode(page, s.to(mobile)); a.StatusCode != http.StatusOK || !strings.Contains(a.Request.URL.Path, "/confirm/") {
			t.Errorf("the second code: %d at %s", a.StatusCode, a.Request.URL.Path)
		}
	})
}

// TestDoneIsSilentOfTheAsker sees that a phone isn't told where the other screen
// was going.
func TestDoneIsSilentOfTheAsker(t *testing.T) {
	for _, answer := range []string{"approve", "deny"} {
		w := newWorld(t)
		d, p := w.desktop(), w.phone("lin")
		s := d.start()
		p.scan(s)
		p.answer(s, answer)
		if a := p.get(s.confirmURL()); strings.Contains(a.body, "/account") || strings.Contains(a.body, "<a ") {
			t.Errorf("%s: the phone is told\n%s", answer, a.body)
		}
	}
}
