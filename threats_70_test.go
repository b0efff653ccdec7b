package scangate_test

import (
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat70WebsiteAroundTheNumber: the attacker opens login?with=website and shows
// WeChat's own QR page to a victim, who sees no number and no page of the gate's. New
// refuses MatchNumber together with Website, and no field changes that.
func TestThreat70WebsiteAroundTheNumber(t *testing.T) {
	for name, account := range map[string]wechat.Account{"both accounts": official, "the website only": {}} {
		err := refusal(t, func(c *scangate.Config) {
			c.OfficialAccount, c.Website, c.MatchNumber = account, website, true
			c.InsecureHTTP = true
		})
		for _, field := range []string{"Config.MatchNumber", "Config.Website"} {
			if !strings.Contains(err.Error(), field) {
				t.Errorf("New with MatchNumber and %s: error = %q, want one that names %s", name, err, field)
			}
		}
	}
}

// TestCaseB02WebsiteWithMatchNumber: without MatchNumber, New accepts a website application.
func TestCaseB02WebsiteWithMatchNumber(t *testing.T) {
	accept(t, func(c *scangate.Config) { c.Website = website })
}

// TestThreat74InvisibleName: the attacker's name has no visible character, so that the
// page of the account would name no one, and go on by itself. Such a name is none, and the
// page waits for a tap.
func TestThreat74InvisibleName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"\u3164", "\u200b", "\u2060\ufeff", "\u115f\u1160\uffa0", "\u2800", "\U000e0041\U000e007f", "\ufe0f", "\u3000\u00a0", strings.Repeat("\u0301", 62)} {
		w := newWorld(t, withProfile)
		w.wechat.Fail(wechattest.OpUserInfo, 1, setField("nickname", name))
		desktop, attacker := w.desktop(), w.phone("wang")
		login := desktop.start()
		w.tapThroughProfile(attacker, attacker.scan(login))
		attacker.answer(login, "approve")
		page := desktop.accountPage()
		page.checkAsked(t, "a new user without a name", true)
		if who := page.find(t, whoPattern); !strings.Contains(who, "<b>New account</b>") || strings.Contains(who, name) {
			t.Errorf("page of a new account with the name %+q: want \"New account\" and no name\n%s", name, who)
		}
		desktop.finish(login)
		if a := desktop.get("/wechat/me"); !strings.Contains(a.body, `"nickname":""`) {
			t.Errorf("GET me with the name %+q: got %s, want no name", name, a.body)
		}
		checkInvisibleNameOfKnown(t, name)
	}
}

// checkInvisibleNameOfKnown checks every page that shows the name of a user whom the
// application's own table calls by that name.
func checkInvisibleNameOfKnown(t *testing.T, name string) {
	t.Helper()
	w := newWorld(t)
	if _, err := w.users.Register(t.Context(), scangate.NewUser{Identity: w.identity("lin"), Nickname: name}); err != nil {
		t.Fatalf("Register: %v", err)
	}
	desktop := w.desktop()
	login := w.approved(desktop, w.phone("lin"))
	page := desktop.accountPage()
	page.checkAsked(t, "a known user without a name", true)
	if who := page.find(t, whoPattern); !strings.Contains(who, "<b>Account without a name</b>") {
		t.Errorf("page of a known account with the name %+q: want \"Account without a name\"\n%s", name, who)
	}
	desktop.finish(login)
	for path, want := range map[string]string{"/wechat/me": `"nickname":""`, "/wechat/link": "data-state-url"} {
		if a := desktop.get(path); !strings.Contains(a.body, want) || strings.Contains(a.body, name) {
			t.Errorf("GET %s with the name %+q: want %s and no name\n%s", path, name, want, a.body)
		}
	}
	link := desktop.beginLink()
	if a := w.phone("wang").scan(link); !strings.Contains(a.body, `id="who">WeChat user<`) {
		t.Errorf("confirm page of a link to the name %+q: want \"WeChat user\"\n%s", name, a.body)
	}
}
