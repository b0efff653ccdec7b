package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// mobileSafari is the User-Agent of a phone's browser other than WeChat's.
const mobileSafari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"

// pageState is a page of the gate in one of its states.
type pageState struct {
	name   string
	config func(*scangate.Config)
	show   func(*visit)
}

// pageStates are the gate's pages in each of their states. See also pageVariants.
var pageStates = []pageState{
	{"login", withWebsite, func(v *visit) { v.login() }},
	{"login-brand", withBrand, func(v *visit) { v.login() }},
	{"login-number", withNumber, func(v *visit) { v.login() }},
	{"login-scanned", nil, func(v *visit) { v.login(); v.phoneScans("lin"); v.waitVisible(`[data-show=scanned]`) }},
	{"login-approved", nil, func(v *visit) { v.login(); v.showState("approved") }},
	{"login-denied", nil, func(v *visit) { v.login(); v.phoneAnswers("lin", "deny"); v.waitVisible(`[data-show=denied]`) }},
	{"login-expired", nil, func(v *visit) { v.login(); v.showState("expired") }},
	{"login-offline", nil, func(v *visit) { v.login(); v.showState("offline") }},
	{"login-on-phone", nil, func(v *visit) { v.setUserAgent(mobileSafari); v.login() }},
	{"login-on-phone-scanned", nil, func(v *visit) { v.setUserAgent(mobileSafari); v.login(); v.showState("scanned") }},
	{"login-link", withAccount, func(v *visit) { v.open("/wechat/link?return_to=/account") }},
	{"finish", withProfile, showFinish("yueyue")},
	{"finish-new", nil, showFinish("wang")},
	{"finish-number", withKnownNumber, showFinish("wang")},
	{"finish-link", withAccount, func(v *visit) {
		v.open("/wechat/link?return_to=/account")
		v.phoneAnswers("wang", "approve")
		v.waitVisible(`button[value=deny]`)
	}},
	{"profile", withProfile, func(v *visit) { v.scan("wang") }},
	{"profile-known", withWebsite, func(v *visit) { v.scan("wang") }},
	{"profile-needed", withWebsite, func(v *visit) {
		v.scan("wang")
		v.click(`button.plain`)
		v.wantTrue(`document.readyState === "complete" && !document.querySelector("form")`)
	}},
	{"confirm", nil, func(v *visit) { v.scan("lin") }},
	{"confirm-number", withNumber, func(v *visit) { v.scan("lin") }},
	{"confirm-link", withAccount, func(v *visit) { v.scanLink("wang") }},
	{"confirm-link-here", withAccount, func(v *visit) { v.linkHere("wang") }},
	{"done-approved", nil, func(v *visit) { v.scan("lin"); v.answer("approve") }},
	{"done-denied", nil, func(v *visit) { v.scan("lin"); v.answer("deny") }},
	{"done-link-approved", withAccount, func(v *visit) { v.scanLink("wang"); v.answer("approve") }},
	{"done-link-denied-here", withAccount, func(v *visit) { v.linkHere("wang"); v.answer("deny") }},
	{"phone", withPhone, func(v *visit) { v.scan("wang") }},
	{"phone-invalid", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("12345") }},
	{"phone-code", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000") }},
	{"phone-code-wrong", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000"); v.typeCode("000000") }},
	{"phone-other", withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000"); v.click(`summary`) }},
	{"error-unknown", nil, func(v *visit) { v.open("/wechat/scan/" + strings.Repeat("A", 26)) }},
	{"error-in-use", nil, func(v *visit) {
		v.startElsewhere("/wechat/login")
		v.phoneScans("lin")
		v.setUserAgent(wechattest.UserAgentPhone)
		v.open(v.scanURL)
	}},
	{"error-denied", nil, func(v *visit) { v.startElsewhere("/wechat/login"); v.phoneAnswers("lin", "deny"); v.open(v.scanURL) }},
	{"error-bad-state", nil, func(v *visit) { v.open("/wechat/callback?code=a&state=b") }},
	{"error-cancelled", withWebsite, func(v *visit) {
		v.login()
		v.click(`a[href*="with=website"]`)
		v.click(`a[href*="person=chen"]`)
		v.click(`a[href*="answer=refuse"]`)
		v.waitVisible(`h1`)
	}},
	{"error-wechat", nil, func(v *visit) {
		v.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125})
		v.openInWeChat("wang")
	}},
	{"error-restart", nil, func(v *visit) {
		v.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029})
		v.openInWeChat("wang")
	}},
	{"error-rejected", func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return errors.New("rejected by the test") }
	}, func(v *visit) { v.openInWeChat("wang") }},
	{"error-not-registered", func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed }, func(v *visit) { v.openInWeChat("wang") }},
	{"error-snapshot", withProfile, func(v *visit) {
		v.scan("zhao")
		v.click(`a.primary`)
		v.click(`a[href*="answer=allow"]`)
		v.waitVisible(`.bar`)
	}},
	{"error-too-many", func(c *scangate.Config) { c.Limits.Address = 1 }, func(v *visit) { v.startElsewhere("/wechat/login"); v.open("/wechat/login") }},
	{"error-unavailable", func(c *scangate.Config) { c.Users = brokenUsers{c.Users} }, func(v *visit) { v.openInWeChat("wang") }},
}

// withWebsite adds a website application.
func withWebsite(c *scangate.Config) {
	c.Website = wechat.Account{AppID: "wx0000000000000002", Secret: simulatedSecret}
}

// withProfile asks new users for their profile.
func withProfile(c *scangate.Config) { c.Registration.FetchProfile = true }

// withNumber makes the person enter the number that the desktop shows.
func withNumber(c *scangate.Config) { c.MatchNumber = true }

// withBrand sets a long name, a light accent color and a logo, which are hard cases for the
// layout and the contrast.
func withBrand(c *scangate.Config) {
	c.AppName, c.Pages.AccentColor = "A rather long name, of a shop 北京图书馆", "#ffc53d"
	c.Pages.Logo = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'%3E%3Crect width='40' height='20' rx='6' fill='%23d4380d'/%3E%3C/svg%3E"
	c.Pages.Logo = strings.ReplaceAll(c.Pages.Logo, " ", "%20")
}

// withAccount makes every browser logged in by the application's own login, to which a
// WeChat can be linked.
func withAccount(c *scangate.Config) {
	user, err := c.Users.Register(context.Background(), scangate.NewUser{
		Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Nickname: "林小北",
	})
	c.CurrentUser = func(*http.Request) (string, bool) { return user.ID, err == nil }
}

// withPhone requires a phone number. The verification codes are lost.
func withPhone(c *scangate.Config) {
	c.Phone.Require = true
	c.Phone.SendCode = func(context.Context, string, string) error { return nil }
}

// withKnownNumber has the application know wang by a number, but not by a name.
func withKnownNumber(c *scangate.Config) {
	wang := scangate.Identity{AppID: c.OfficialAccount.AppID, OpenID: wechattest.New(wechattest.People(), wechattest.App{Account: c.OfficialAccount}).OpenID("wang", c.OfficialAccount.AppID)}
	_, _ = c.Users.Register(context.Background(), scangate.NewUser{Identity: wang, Phone: "+8613800138000"})
}

// brokenUsers is a store of users whose reads fail.
type brokenUsers struct{ scangate.UserStore }

func (brokenUsers) FindByWeChat(context.Context, scangate.Identity) (scangate.User, error) {
	return scangate.User{}, errors.New("no such table")
}

// showFinish returns a function that shows the finish page, where the desktop confirms the
// login of a person.
func showFinish(person string) func(*visit) {
	return func(v *visit) {
		v.login()
		v.phoneAnswers(person, "approve")
		v.waitVisible(`form[data-finish]`)
	}
}

// TestWithoutScript logs in with a browser that runs no scripts.
func TestWithoutScript(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.turnScriptsOff()
	desktop.login()
	desktop.waitVisible(`[data-show=waiting]`)
	desktop.phoneScans("lin")
	desktop.waitVisible(`[data-show=scanned]`)
	desktop.phoneAnswers("lin", "approve")
	desktop.confirmAccount()
	desktop.waitVisible(`#greeting`)
}

// TestFinishPage gives each answer on the finish page, which names the person who has
// scanned and asks the desktop's user to confirm.
func TestFinishPage(t *testing.T) {
	browser := startChromium(t)
	t.Run("the page waits, and the next one of the same user does not", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		showFinish("wang")(desktop)
		desktop.wantTrue(`document.activeElement.matches("form[data-finish]:not([data-auto]) .primary")`)
		desktop.confirmAccount()
		desktop.waitVisible(`#greeting`)
		desktop.call("deleting the session", func(ctx context.Context) error {
			for _, name := range []string{"session", "scangate-issued"} {
				if _, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: desktop.url}); err != nil {
					return err
				}
			}
			return nil
		})
		desktop.login()
		desktop.scanURL = "" // the next code's
		desktop.phoneAnswers("wang", "approve")
		desktop.waitVisible(`#greeting`)
	})
	t.Run("a picture that does not load leaves the letter", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", withProfile)
		showFinish("wang")(desktop)
		desktop.waitFor("the hidden picture", `document.querySelector(".who img").hidden && document.querySelector(".who i").innerText === "W"`)
	})
	t.Run("the desktop refuses another person", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", nil)
		showFinish("wang")(desktop)
		desktop.click(`button[value=deny]`)
		desktop.waitVisible(`[data-show=waiting]`)
		if got := read[string](desktop, `document.querySelector("a.qr").href`); got == desktop.scanURL {
			t.Error("QR code after the refusal: got the one that was scanned, want a new one")
		}
		desktop.open("/account")
		desktop.waitVisible(`a.qr`) // the desktop is not logged in
	})
	t.Run("the desktop does not link a WeChat", func(t *testing.T) {
		desktop := newVisit(t, browser, "en", withAccount)
		desktop.open("/wechat/link?return_to=/")
		desktop.phoneAnswers("wang", "approve")
		desktop.waitVisible(`button[value=deny]`)
		desktop.click(`button[value=deny]`)
		desktop.waitVisible(`#account`)
	})
}

// TestCopyLink copies the link that the login page shows to a phone outside WeChat.
func TestCopyLink(t *testing.T) {
	phone := newVisit(t, startChromium(t), "en", nil)
	phone.setUserAgent(mobileSafari)
	phone.login()
	phone.click(`[data-copy]`)
	phone.waitText(`button`, "Copied")
	if got := read[string](phone, `getSelection().toString() || document.querySelector("#link").value`); !strings.HasPrefix(got, phone.url+"/wechat/scan/") {
		t.Errorf("copied link = %q, want %s/wechat/scan/...", got, phone.url)
	}
}

// TestExpiredGetsFocus renews an expired QR code with the Enter key, without a click.
func TestExpiredGetsFocus(t *testing.T) {
	desktop := newVisit(t, startChromium(t), "en", nil)
	desktop.login()
	desktop.showState("expired")
	desktop.fakeState.Store("")
	desktop.wantTrue(`document.activeElement.matches("button")`)
	desktop.do("pressing Enter", chromedp.KeyEvent("\r"))
	desktop.waitVisible(`[data-show=waiting]`)
}
