package main

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// TestChatLogin logs in to the program by the simulated chat with the account, from the
// public page to the greeting.
func TestChatLogin(t *testing.T) {
	browser := startChromium(t)
	for _, tt := range []struct {
		name string
		args []string
		test func(*testing.T, *tab)
	}{
		{"a known person follows the account", []string{"-scan", "follow"}, testFollows},
		{"a follower scans", []string{"-scan", "follow"}, testFollowerScans},
		{"a known person sends digits", []string{"-scan", "message"}, testSendsDigits},
		{"a new person shares their name by a link in the chat", []string{"-scan", "follow"}, testNewPersonByLink},
		{"a new person gives a phone number by a link in the chat", []string{"-scan", "message", "-require-phone"}, testPhoneByLink},
		{"a person is not registered", []string{"-scan", "follow", "-registration", "closed"}, testChatClosed},
		{"a user links another WeChat", []string{"-scan", "follow"}, testLinksInChat},
		{"a person refuses in the chat", []string{"-scan", "message"}, testChatRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, openTabAt(t, browser, windows[0], startProgram(t, tt.args...)))
		})
	}
}

func testFollows(t *testing.T, desktop *tab) {
	desktop.toLogin("follow")
	phone := desktop.scan("lin")
	phone.waitVisible(`button[name=follow]`)
	phone.screenshot("account")
	phone.click(`button[name=follow]`)
	phone.waitReply("If you only wanted to follow")
	phone.screenshot("follow-question")
	phone.send(desktop.number())
	phone.waitReply("Confirmed")
	phone.screenshot("follow-answered")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 林小北!")
}

func testFollowerScans(t *testing.T, desktop *tab) {
	testFollows(t, desktop)
	desktop.click(`#logout-everywhere`)
	desktop.toLogin("follower")
	phone := desktop.scan("lin")
	phone.waitReply("If you only wanted to follow")
	phone.send(desktop.number())
	phone.waitReply("Confirmed")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 林小北!")
}

// testSendsDigits uses a phone with cookies of its own.
func testSendsDigits(t *testing.T, desktop *tab) {
	desktop.toLogin("message")
	phone := desktop.sendDigits()
	phone.screenshot("message-question")
	phone.send("1")
	phone.waitReply("Confirmed")
	phone.screenshot("message-answered")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 林小北!")
}

func testNewPersonByLink(t *testing.T, desktop *tab) {
	desktop.toLogin("chat-new")
	number := desktop.number()
	phone := desktop.elsewhere("yueyue")
	phone.click(`button[name=follow]`)
	phone.waitReply("continue by the link")
	phone.screenshot("link-question")
	page := phone.tapLink()
	page.screenshot("link-page")
	page.click(`form[method=post] .primary`) // the link is from this person's chat
	page.click(`a.primary`)                  // share the profile
	page.click(`a[href*="answer=allow"]`)
	page.typeInto(`#number`, number)
	page.click(`button[value=approve]`)
	page.waitText(`h1`, "Done")
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 月月🌙🐰!")
}

func testPhoneByLink(t *testing.T, desktop *tab) {
	desktop.toLogin("chat-phone")
	phone := desktop.elsewhere("lin")
	phone.click(`button[name=follow]`)
	phone.waitVisible(`input[name=text]`)
	phone.send(desktop.number())
	phone.waitReply("continue by the link")
	page := phone.tapLink()
	page.click(`form[method=post] .primary`)
	page.waitVisible(`#phone`)
	page.screenshot("link-phone")
}

func testChatClosed(t *testing.T, desktop *tab) {
	desktop.toLogin("chat-closed")
	phone := desktop.elsewhere("wang")
	phone.click(`button[name=follow]`)
	phone.waitVisible(`.line:not(.own) .bubble`)
	phone.screenshot("chat-closed")
	desktop.front()
	desktop.waitVisible(`[data-show=rejected]`)
}

// testLinksInChat adds the official account's identity to a user of the website application.
func testLinksInChat(t *testing.T, desktop *tab) {
	logInOnWeChatsPage(desktop)
	desktop.do("opening the page that links a WeChat", chromedp.Evaluate[chromedp.Void](`location.href = "/wechat/link?return_to=/account"`))
	desktop.waitVisible(`a.qr img`)
	phone := desktop.elsewhere("chen")
	phone.click(`button[name=follow]`)
	phone.waitReply("continue by the link")
	page := phone.tapLink()
	page.click(`form[method=post] .primary`)
	page.typeInto(`#number`, desktop.number())
	page.click(`button[value=approve]`)
	page.waitVisible(`.icon.check`)
	desktop.confirmAccount()
	desktop.waitText(`#greeting`, "Hello, 陈默!")
}

// logInOnWeChatsPage logs in on the page of the website application.
func logInOnWeChatsPage(desktop *tab) {
	desktop.toLogin("chat-website")
	desktop.click(`a[href*="with=website"]`)
	desktop.click(`a[href*="person=chen"]`)
	desktop.click(`a[href*="answer=allow"]`)
	desktop.waitText(`#greeting`, "Hello, 陈默!")
}

// sendDigits follows the account on lin's phone, which has cookies of its own, and sends the
// digits of the login page. It returns the phone when the question has come.
func (tab *tab) sendDigits() *tab {
	tab.t.Helper()
	phone := tab.elsewhere("lin")
	phone.click(`button[name=follow]`)
	phone.waitVisible(`input[name=text]`)
	phone.send(tab.number())
	phone.waitReply("Login to Example")
	return phone
}

func testChatRefused(t *testing.T, desktop *tab) {
	desktop.toLogin("chat-refused")
	phone := desktop.sendDigits()
	phone.send("0")
	phone.waitReply("Refused")
	desktop.front()
	desktop.waitVisible(`[data-show=denied]`)
}

// number returns the digits that the login page shows.
func (tab *tab) number() string {
	tab.t.Helper()
	return tab.text(`[data-number]`)
}

// eval returns the result of a script.
func (tab *tab) eval(script string) (result string) {
	tab.t.Helper()
	tab.do("running "+script, func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		result, err = chromedp.Evaluate[string](script)(ctx, target)
		return none, err
	})
	return strings.TrimSpace(result)
}

// elsewhere opens the link of the QR code as a person's phone, which shares no cookies with
// the desktop.
func (tab *tab) elsewhere(person string) *tab {
	tab.t.Helper()
	link := tab.eval(`document.querySelector("a.qr").href`)
	phone := openTabAt(tab.t, tab.browser, windows[1], link)
	phone.click(`a[href*="person=` + person + `"]`)
	return phone
}

// send types a text into the chat and sends it.
func (tab *tab) send(text string) {
	tab.t.Helper()
	tab.typeInto(`input[name=text]`, text)
	tab.click(`.send button`)
}

// waitReply waits until the newest reply in the chat contains a text.
func (tab *tab) waitReply(text string) {
	tab.t.Helper()
	tab.waitFor("a reply with "+text, `[...document.querySelectorAll(".line:not(.own) .bubble")].slice(-1).some(e => e.textContent.includes("`+text+`"))`)
}

// tapLink opens the link in the newest reply in a new tab.
func (tab *tab) tapLink() *tab {
	tab.t.Helper()
	return tab.opensTab(`.line:last-child .bubble a`)
}

// TestChatFlags logs in to the program with the flags and the environment of an account that
// is not the program's own simulation.
func TestChatFlags(t *testing.T) {
	official := wechat.Account{AppID: "wx00000000000000ab", Secret: simulatedSecret}
	for _, way := range []string{"follow", "message"} {
		t.Run(way, func(t *testing.T) {
			simulator := wechattest.NewServer(t, wechattest.App{Account: official})
			t.Setenv("WECHAT_SECRET", official.Secret)
			t.Setenv("WECHAT_PUSH_TOKEN", testPush.Token)
			t.Setenv("WECHAT_PUSH_KEY", testPush.EncodingAESKey)
			address := startProgram(t, "-appid", official.AppID, "-wechat-open-url", simulator.URL, "-wechat-api-url", simulator.URL,
				"-fetch-profile=false", "-scan", way, "-account-qr", simulator.AccountCode(official.AppID))
			simulator.SetPush(official.AppID, wechattest.PushServer{
				URL: address + "/wechat/push", Token: testPush.Token, EncodingAESKey: testPush.EncodingAESKey,
			})
			checkLogin(t, address, func(client *http.Client) {
				if way == "follow" {
					simulator.LogInByFollow(t, client, address+"/account", "lin")
				} else {
					simulator.LogInByMessage(t, client, address+"/account", "lin")
				}
			})
		})
	}
}

// TestMiniProgramFlags logs in by the mini program that the flags name.
func TestMiniProgramFlags(t *testing.T) {
	mini := wechat.Account{AppID: "wx00000000000000cd", Secret: simulatedSecret}
	simulator := wechattest.NewServer(t, wechattest.App{Account: mini, MiniProgram: true})
	t.Setenv("WECHAT_MINI_SECRET", mini.Secret)
	address := startProgram(t, "-mini-appid", mini.AppID, "-wechat-open-url", simulator.URL, "-wechat-api-url", simulator.URL)
	checkLogin(t, address, func(client *http.Client) {
		simulator.LogInByMiniProgram(t, client, address+"/wechat/mini/login", mini.AppID, "lin")
	})
}

// checkLogin logs a client in to the program at address, and opens its account.
func checkLogin(t *testing.T, address string, logIn func(*http.Client)) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	logIn(client)
	resp, err := client.Get(address + "/api/account")
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); resp.StatusCode != http.StatusOK {
		t.Errorf("GET /api/account = %d, %q, want %d", resp.StatusCode, got, http.StatusOK)
	}
}

// TestEchoInChat opens the page behind a link in the chat of an account without web
// authorization. The page goes on by itself when the person has sent its digits.
func TestEchoInChat(t *testing.T) {
	page := newVisit(t, startChromium(t), "en", both(withMessage, both(withoutSecret, withLinks)))
	page.openChat("yueyue")
	page.send(page.digits)
	page.waitVisible(`.bubble a`)
	web := page.tapLink()
	web.click(`form[method=post] .primary`)
	digits := web.text(`.number b`)
	page.front()
	page.send(digits)
	page.waitReply("已确认是你的手机") // the desktop of openChat names no language
	web.front()
	web.click(`[name=agree]`)
	web.click(`button[value=approve]`)
	web.waitText(`h1`, "Done")
}
