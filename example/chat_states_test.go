package main

import (
	"strings"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// chatStates are the gate's pages of logins that the chat with the account authorizes.
var chatStates = []pageState{
	{"login-follow", withFollow, func(v *visit) { v.login() }},
	{"login-follow-on-phone", withFollow, func(v *visit) { v.setUserAgent(mobileSafari); v.login() }},
	{"login-follow-scanned", withFollow, func(v *visit) { v.login(); v.showState("scanned") }},
	{"login-follow-expired", withFollow, func(v *visit) { v.login(); v.showState("expired") }},
	{"login-message", withMessage, func(v *visit) { v.login() }},
	{"login-message-on-phone", withMessage, func(v *visit) { v.setUserAgent(mobileSafari); v.login() }},
	{"login-message-scanned", withMessage, func(v *visit) { v.login(); v.showState("scanned") }},
	{"login-follow-fallback", both(withFollow, withLinks), func(v *visit) {
		v.wechat.Fail(wechattest.OpCreateQRCode, 1, wechattest.Fault{Errcode: 45009})
		v.login()
		v.waitVisible(`.digits`)
	}},
	{"chat", both(withFollow, withProfile), func(v *visit) { v.openChat("yueyue"); v.openReplyLink() }},
	{"chat-echo", both(withMessage, both(withoutSecret, withLinks)), func(v *visit) {
		v.openChat("yueyue")
		v.send(v.digits)
		v.waitVisible(`.bubble a`)
		v.openReplyLink()
		v.click(`form[method=post] .primary`)
		v.waitVisible(`.number b`)
	}},
}

// simulatorStates are the pages of the simulated chat.
var simulatorStates = []pageState{
	{"simulator-account", withFollow, func(v *visit) { v.openCode("lin") }},
	{"simulator-follow", withFollow, func(v *visit) { v.openChat("lin") }},
	{"simulator-follow-long", both(withFollow, withBrand), func(v *visit) {
		v.openChat("yueyue")
		for _, text := range []string{"你好", "请问怎么登录？ How do I log in? " + strings.Repeat("long", 40), "0"} {
			v.evaluate(`document.querySelector("input[name=text]").value = "` + text + `"`) // faster than by keys
			v.click(`.send button`)
			v.waitFor("the text "+text, `[...document.querySelectorAll(".own .bubble")].slice(-1).some(e => e.textContent.endsWith("`+text+`"))`)
		}
	}},
	{"simulator-message", withMessage, func(v *visit) {
		v.openChat("wang")
		v.send(v.digits)
		v.waitVisible(`.line:not(.own)`)
	}},
	{"simulator-link", both(withMessage, withLinks), func(v *visit) {
		v.openChat("wang")
		v.send(v.digits)
		v.waitVisible(`.bubble a`)
	}},
	{"simulator-menu", withFollow, func(v *visit) { v.openChat("lin"); v.click(`summary`) }},
	{"simulator-failure", withFollow, func(v *visit) {
		v.openCode("lin")
		v.wechat.SetPush("wx0000000000000001", wechattest.PushServer{
			URL: v.url + "/wechat/push", Token: "another16characters", EncodingAESKey: testPush.EncodingAESKey,
		})
		v.click(`button[name=follow]`)
		v.waitVisible(`.notice`)
	}},
}

// testPush are the settings of the account's messages. A site sets AccountQR.
var testPush = scangate.Push{Token: "abcdefghijklmnop", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}

// withFollow makes logins begin with following the account.
func withFollow(c *scangate.Config) { c.Scan, c.Push = scangate.ScanFollow, testPush }

// withMessage makes logins begin with digits for the account.
func withMessage(c *scangate.Config) { c.Scan, c.Push = scangate.ScanMessage, testPush }

// withoutSecret is an account without web authorization.
func withoutSecret(c *scangate.Config) { c.OfficialAccount.Secret = "" }

// openCode opens the code of a login on another desktop as a person's phone.
func (v *visit) openCode(person string) {
	v.t.Helper()
	v.startElsewhere("/wechat/login")
	v.setUserAgent(wechattest.UserAgentPhone)
	v.open(v.scanURL)
	v.click(`a[href*="person=` + person + `"]`)
	v.waitVisible(`button[name=follow]`)
}

// openChat is openCode by a person who then follows the account.
func (v *visit) openChat(person string) {
	v.t.Helper()
	v.openCode(person)
	v.click(`button[name=follow]`)
	v.waitVisible(`input[name=text]`)
}

// openReplyLink opens the link in the reply.
func (v *visit) openReplyLink() {
	v.t.Helper()
	v.open(read[string](v, `document.querySelector(".bubble a").href`))
	v.waitVisible(`form[method=post] .primary`)
}
