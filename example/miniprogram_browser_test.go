package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/scangate/scangate"
)

// TestMiniProgramAndBrowser logs a real browser in. The mini program scans the code that
// the browser shows.
func TestMiniProgramAndBrowser(t *testing.T) {
	for name, option := range map[string]func(*scangate.Config){"the gate's number": withMiniProgram, "a typed number": both(withMiniProgram, withNumber)} {
		t.Run(name, func(t *testing.T) {
			v := newVisit(t, startChromium(t), "en", option)
			phone := newMiniPhone(t, v.site, "wang")
			v.login()
			v.wantTrue(`document.querySelector(".qr img").naturalWidth > 0`)
			number := read[string](v, `document.querySelector(".number b").textContent`)
			// The picture's address holds the ID, and the code in it the scan URL.
			id := read[string](v, `document.querySelector(".qr img").src.split("/").at(-2)`)
			phone.scan(v.url + "/wechat/scan/" + id)
			v.waitVisible(`[data-show=scanned]`)
			if len(phone.screen.Inputs) > 0 {
				phone.typeInto("Type the two digits on the other screen", number)
			} else {
				phone.want("Number on its screen " + number)
			}
			phone.tap("Log in")
			phone.want("Done")
			v.click(`form[data-finish] .primary`)
			v.waitText(`#greeting`, "Hello, WeChat user!")
		})
	}
}

// look is a screen of the mini program, drawn as HTML.
type look struct{ name, html string }

// englishLabels and chineseLabels are the labels that looks taps.
var (
	englishLabels = map[string]string{
		"continue": "Continue", "again": "Try again", "box": "I have read and agree to these documents", "agree": "Agree and continue",
		"number": "Use my WeChat phone number", "check": "Continue", "code": "6-digit code", "approve": "Log in",
		"digits": "Type the two digits on the other screen", "login": "Log in with WeChat",
	}
	chineseLabels = map[string]string{
		"continue": "继续", "again": "重试", "box": "我已阅读并同意上述协议", "agree": "同意并继续",
		"number": "使用微信手机号", "check": "确定", "code": "6 位验证码", "approve": "登录",
		"digits": "请输入另一个屏幕上的两位数字", "login": "微信登录",
	}
)

// looks returns screens of the mini program in a language of WeChat, by walking through
// logins. With labels it taps what the walk needs.
func looks(t *testing.T, language string, labels map[string]string) []look {
	t.Helper()
	var all []look
	s := newSite(t, both(withMiniProgram, withPhone, withLinks, withNumber, func(c *scangate.Config) {
		register(t, c, scangate.NewUser{Identity: scangate.Identity{AppID: "elsewhere", OpenID: "clerk"}, Phone: "+8613580006666"})
	}))
	phone := newMiniPhone(t, s, "wang", "LANGUAGE="+language)
	take := func(name string) { all = append(all, look{name, phone.screen.HTML}) }
	phone.open(sceneRecents, miniIndex, nil)
	take("index")
	desktop := newDesktop(t, s)
	phone.open(sceneCard, miniLogin, nil)
	take("refused")
	phone.open(1048, miniLogin, map[string]string{"scene": desktop.id()})
	take("picture")
	o := (&outage{site: s, fail: cutOff}).begin()
	phone.tap(labels["continue"])
	take("offline")
	o.end(t)
	phone.tap(labels["again"])
	phone.tap(labels["box"])
	take("terms")
	phone.tap(labels["agree"])
	take("phone")
	phone.do(command{"do": "number", "label": labels["number"], "phone": "13580006666"})
	phone.tap(labels["check"])
	take("code")
	phone.do(command{"do": "type", "label": labels["code"], "text": s.code.Load()})
	phone.tap(labels["check"])
	phone.tap(labels["approve"])
	take("confirm-number")
	phone.typeInto(labels["digits"], desktop.number())
	phone.tap(labels["approve"])
	take("done")
	phone.scan(desktop.login.ScanURL[:len(desktop.login.ScanURL)-26] + "AAAAAAAAAAAAAAAAAAAAAAAAAA")
	take("unknown")

	s = newSite(t, withMiniProgram)
	desktop, phone = newDesktop(t, s), newMiniPhone(t, s, "wang", "LANGUAGE="+language)
	phone.scan(desktop.login.ScanURL)
	take("confirm")
	phone.open(sceneRecents, miniIndex, nil)
	phone.tap(labels["login"])
	take("account")

	s = newSite(t, both(withMiniProgram, func(c *scangate.Config) {
		c.Registration.Mode, c.Registration.URL = scangate.RegisterClosed, "/register"
	}))
	phone = newMiniPhone(t, s, "wang", "LANGUAGE="+language)
	phone.scan(newDesktop(t, s).login.ScanURL)
	take("register")
	return all
}

// TestMiniProgramLooks draws the screens of the mini program in a browser, whose boxes and
// colors stand for WeChat's. No button is less than 44 pixels high, and nothing is wider than
// a small phone. axe-core finds no fault in light and dark colors.
func TestMiniProgramLooks(t *testing.T) {
	browser := startChromium(t)
	axe := axeCore(t)
	var page string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	schemes := []string{"light", "dark"}
	if axe == "" && os.Getenv("SCANGATE_SCREENSHOTS") == "" {
		schemes = schemes[:1] // no one looks at the colors
	}
	for turn, language := range []string{"en", "zh_CN"} {
		v := newVisit(t, browser, language, nil)
		for i, look := range looks(t, language, map[string]map[string]string{"en": englishLabels, "zh_CN": chineseLabels}[language]) {
			if i%2 != turn && !hasAll() {
				continue
			}
			page = look.html
			for _, scheme := range schemes {
				v.setWindow(window{"phone", 360, 740}, scheme)
				v.open(server.URL)
				v.screenshot("mini-" + look.name + "-" + language + "-" + scheme)
				if axe != "" {
					v.inject(axe)
					checkAccessibility(t, v)
				}
			}
			v.setWindow(window{"narrow", 320, 568}, "light")
			for what, script := range map[string]string{"too wide": wideElements, "too small to tap": smallTargets} {
				if got := read[[]string](v, script); len(got) > 0 {
					t.Errorf("%s in %s: %d elements are %s, want none; the first: %.200s", look.name, language, len(got), what, got[0])
				}
			}
		}
	}
}
