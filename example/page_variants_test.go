package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// androidTablet is the User-Agent of a tablet's browser.
const androidTablet = "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// pageVariants are more states of the gate's pages: rare ones, and those of applications that
// configure more.
var pageVariants = []pageState{
	{"login-links", both(withWebsite, withLinks), func(v *visit) { v.login() }},
	{"login-links-on-phone", both(withWebsite, withLinks), func(v *visit) { v.setUserAgent(mobileSafari); v.login() }},
	{"login-tablet", withWebsite, func(v *visit) { v.setUserAgent(androidTablet); v.login() }},
	{"login-last-seconds", withWebsite, func(v *visit) {
		v.login()
		v.evaluate(`{ const then = Date.now() + 112000; Date.now = () => then }`) // and stop there
		v.wantTrue(`document.querySelector(".timer").textContent !== ""`)
	}},
	{"login-number-scanned", withNumber, func(v *visit) { v.login(); v.showState("scanned") }},
	{"login-rejected", nil, func(v *visit) { v.login(); v.showState("rejected") }},
	{"login-on-phone-approved", nil, onPhone("approved")},
	{"login-on-phone-denied", nil, onPhone("denied")},
	{"login-on-phone-expired", nil, onPhone("expired")},
	{"login-on-phone-offline", nil, onPhone("offline")},
	{"finish-brand", withBrand, showFinish("wang")},
	{"finish-nameless", withKnownWang, showFinish("wang")},
	{"finish-picture", withProfile, func(v *visit) {
		showFinish("lin")(v)
		// Tests load nothing from WeChat. The policy allows pictures in the page.
		v.wantTrue(`document.querySelector(".who img").hidden`)
		v.evaluate(`{ const picture = document.querySelector(".who img"); picture.src = "data:image/svg+xml,` + portrait + `"; picture.hidden = false }`)
	}},
	{"finish-offline", nil, func(v *visit) {
		showFinish("wang")(v)
		v.onRequest(func(w http.ResponseWriter, r *http.Request) bool {
			away := strings.HasSuffix(r.URL.Path, "/finish")
			if away {
				w.WriteHeader(http.StatusBadGateway)
			}
			return away
		})
		v.click(`form[data-finish] .primary`)
		v.waitVisible(`.warning`)
	}},
	{"profile-brand", both(withBrand, withProfile), func(v *visit) { v.scan("wang") }},
	{"terms", withLinks, func(v *visit) { v.openInWeChat("wang") }},
	{"terms-wrong", withLinks, func(v *visit) { v.openInWeChat("wang"); v.postWithoutBox(`.primary`) }},
	{"confirm-brand", both(withBrand, withNumber), func(v *visit) { v.scan("lin") }},
	{"confirm-terms", withLinks, func(v *visit) { v.scan("lin") }},
	{"confirm-terms-number", both(withLinks, withNumber), func(v *visit) { v.scan("lin") }},
	{"confirm-terms-wrong", withLinks, func(v *visit) { v.scan("lin"); v.postWithoutBox(`button[value=approve]`) }},
	{"phone-international", withCountries, func(v *visit) { v.scan("wang") }},
	{"phone-abroad", withCountries, func(v *visit) { v.scan("wang"); v.sendCode("+852 123") }},
	{"phone-country", withCountries, func(v *visit) { v.scan("wang"); v.sendCode("+49 1512 3456789") }},
	{"phone-resend", withPhone, func(v *visit) {
		v.scan("wang")
		v.sendCode("13800138000")
		v.advanceClock("61")
		v.wantTrue(`!document.querySelector("button.plain").disabled`)
	}},
	{"phone-too-many-codes", withPhone, func(v *visit) {
		v.scan("wang")
		v.sendCode("13800138000")
		v.advanceClock("61") // the clock of the page, not the gate's
		v.click(`button.plain`)
		v.waitVisible(`[role=alert]`)
	}},
	{"phone-send-failed", both(withPhone, withLostMessages), func(v *visit) { v.scan("wang"); v.sendCode("13800138000") }},
	{"error-bad-request", nil, func(v *visit) { v.open("/wechat/login?with=a&with=b") }},
	{"error-replaced", nil, func(v *visit) {
		v.login()
		last := v.link()
		v.click(`#renew button`)
		v.wantNewLink(last)
		v.setUserAgent(wechattest.UserAgentPhone)
		v.open(last)
	}},
	{"error-forged", nil, func(v *visit) { v.open("about:blank"); v.post(v.url + "/wechat/logout") }},
	{"error-disabled", func(c *scangate.Config) { withKnownWang(c); c.Users = disabledUsers{c.Users} }, func(v *visit) { v.openInWeChat("wang") }},
	{"error-login-required", nil, func(v *visit) { v.login(); v.post("/wechat/unlink") }},
	{"error-not-approved", nil, func(v *visit) {
		v.login()
		v.post(strings.Replace(read[string](v, `document.querySelector("#renew").action`), "/renew", "/finish", 1))
	}},
	{"error-last-identity", nil, func(v *visit) {
		v.setUserAgent(wechattest.UserAgentPhone)
		v.open("/account")
		v.click(`a[href*="person=lin"]`)
		v.waitVisible(`#greeting`)
		v.post("/wechat/unlink", "appid", "wx0000000000000001", "openid", v.wechat.OpenID("lin", "wx0000000000000001"))
	}},
	{"error-identity-taken", both(withAccount, withKnownWang), func(v *visit) {
		v.scanLink("wang")
		v.answer("approve")
	}},
	{"error-finished", nil, func(v *visit) {
		showFinish("lin")(v)
		used := v.scanURL
		v.click(`form[data-finish] .primary`)
		v.waitVisible(`#greeting`)
		v.setUserAgent(wechattest.UserAgentPhone)
		v.open(used)
	}},
	{"error-no-cookies", nil, func(v *visit) {
		v.onRequest(func(_ http.ResponseWriter, r *http.Request) bool {
			for _, c := range r.Cookies() {
				if strings.Contains(c.Name, "session") {
					r.Header.Set("Cookie", strings.ReplaceAll(r.Header.Get("Cookie"), c.Value, "lost"))
				}
			}
			return false
		})
		v.openInWeChat("lin")
	}},
	{"error-links", withLinks, func(v *visit) { v.open("/wechat/scan/" + strings.Repeat("A", 26)) }},
}

// portrait is a picture of a person, in a data: URL.
const portrait = `%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 72 72'%3E%3Crect width='72' height='72' fill='%23b7d3f2'/%3E` +
	`%3Ccircle cx='36' cy='28' r='13' fill='%23e8b48f'/%3E%3Cpath d='M10 72a26 26 0 0 1 52 0z' fill='%233b5b8c'/%3E%3C/svg%3E`

// onPhone returns a function that shows the login page of a phone outside WeChat in a state.
func onPhone(state string) func(*visit) {
	return func(v *visit) { v.setUserAgent(mobileSafari); v.login(); v.showState(state) }
}

// both applies several options.
func both(options ...func(*scangate.Config)) func(*scangate.Config) {
	return func(c *scangate.Config) {
		for _, option := range options {
			option(c)
		}
	}
}

// withLinks adds all that a site in China has: terms, other logins, a footer, and a place.
func withLinks(c *scangate.Config) {
	text := func(zh, hant, en string) scangate.Link {
		return scangate.Link{Text: zh, Texts: map[string]string{"zh-Hant": hant, "en": en}}
	}
	link := func(zh, hant, en, url, version string) scangate.Link {
		l := text(zh, hant, en)
		l.URL, l.Version = url, version
		return l
	}
	c.Pages.Terms = []scangate.Link{
		link("《用户协议》", "《使用者條款》", "Terms of Use", "/terms", "1"),
		link("《隐私政策》", "《隱私權政策》", "Privacy Policy", "/privacy", "1"),
	}
	c.Pages.Links = []scangate.Link{
		link("密码登录", "密碼登入", "Log in with a password", "/password", ""),
		link("短信登录", "簡訊登入", "By text message", "/sms", ""),
		link("帮助", "說明", "Help", "/help", ""),
	}
	c.Pages.Footer = []scangate.Link{
		text("© 2025 示例网络科技有限公司", "© 2025 範例網路科技有限公司", "© 2025 Example Network Technology Co., Ltd."),
		link("沪ICP备00000000号-1", "沪ICP备00000000号-1", "沪ICP备00000000号-1", "https://beian.miit.gov.cn/", ""),
		link("沪公网安备00000000000000号", "沪公网安备00000000000000号", "沪公网安备00000000000000号", "https://beian.mps.gov.cn/", ""),
	}
	c.Locate = func(netip.Addr) string { return "上海市 浦东新区" }
}

// withCountries is withPhone for numbers of Hong Kong too.
func withCountries(c *scangate.Config) {
	withPhone(c)
	c.Phone.Countries = []string{"852"}
}

// withLostMessages has the application fail to send codes.
func withLostMessages(c *scangate.Config) {
	c.Phone.SendCode = func(context.Context, string, string) error { return errors.New("no credit") }
}

// withKnownWang registers wang, without a name or a number.
func withKnownWang(c *scangate.Config) {
	wang := scangate.Identity{AppID: c.OfficialAccount.AppID, OpenID: wechattest.New(wechattest.People(), wechattest.App{Account: c.OfficialAccount}).OpenID("wang", c.OfficialAccount.AppID)}
	_, _ = c.Users.Register(context.Background(), scangate.NewUser{Identity: wang})
}

// disabledUsers is a store whose users are disabled.
type disabledUsers struct{ scangate.UserStore }

func (d disabledUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := d.UserStore.FindByWeChat(ctx, who)
	user.Disabled = true
	return user, err
}

// postWithoutBox clicks a button of a form whose box is not ticked, in a browser that does
// not check it.
func (v *visit) postWithoutBox(button string) {
	v.t.Helper()
	v.evaluate(`document.querySelector("form").noValidate = true`)
	v.click(button)
	v.waitVisible(`[role=alert]`)
}

// post sends a form with these fields to a URL, and waits for the page.
func (v *visit) post(to string, fields ...string) {
	v.t.Helper()
	v.evaluate(`{
		const form = document.createElement("form"), fields = "` + strings.Join(fields, "\t") + `".split("\t");
		form.method = "post";
		form.action = "` + to + `";
		for (let i = 0; i + 1 < fields.length; i += 2) {
			const field = form.appendChild(document.createElement("input"));
			field.name = fields[i];
			field.value = fields[i + 1];
		}
		document.body.appendChild(form);
		form.submit();
	}`)
	v.waitVisible(`.icon`)
}
