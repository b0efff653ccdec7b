package main

import (
	"net/http"
	"strings"
)

// words are the texts of the application's pages in one language. The gate's pages have
// their own.
type words struct {
	Lang  string // for HTML
	texts map[string]string
}

// wordsFor returns the texts in the language that the browser prefers, out of Chinese and
// English. A client without a preference gets English.
func wordsFor(r *http.Request) words {
	for tag := range strings.SplitSeq(strings.ToLower(r.Header.Get("Accept-Language")), ",") {
		switch tag = strings.TrimSpace(tag); {
		case strings.HasPrefix(tag, "zh"):
			return words{"zh-CN", chinese}
		case strings.HasPrefix(tag, "en"):
			return words{"en", english}
		}
	}
	return words{"en", english}
}

// T returns a text. A replacement is the name in braces and the value.
func (w words) T(key string, replace ...string) string {
	text := w.texts[key]
	if len(replace) == 2 {
		text = strings.ReplaceAll(text, "{"+replace[0]+"}", replace[1])
	}
	return text
}

// Has reports whether there is a text.
func (w words) Has(key string) bool { return w.texts[key] != "" }

// Split returns the parts of a text before and after a name in braces, between which a page
// puts an element.
func (w words) Split(key string) []string {
	text := w.texts[key]
	before, rest, _ := strings.Cut(text, "{")
	_, after, _ := strings.Cut(rest, "}")
	return []string{before, after}
}

// Note returns the part of the simulator's note about a person in the language of w. The
// notes are "Chinese · English".
func (w words) Note(note string) string {
	chinese, english, _ := strings.Cut(note, " · ")
	if w.Lang == "en" {
		return english
	}
	return chinese
}

// english has the texts in English.
var english = map[string]string{
	"home.title":         "Example",
	"home.heading":       "A public page",
	"home.text":          "The account page requires a login. Open it, log in with WeChat, and you return to it.",
	"home.account":       "My account",
	"home.simulated":     "WeChat is simulated here: you choose the person who scans, and need neither an account nor a phone.",
	"home.try":           "Try every way in",
	"home.api":           "Scripts use {path}. Without a login it returns status 401.",
	"account.hello":      "Hello, {name}!",
	"account.text":       "You are logged in. Your user ID is {id}.",
	"account.logout":     "Log out",
	"account.everywhere": "Log out on all devices",
	"account.json":       "The same data as JSON:",
	"account.back":       "Back to the public page",
	"account.nameless":   "WeChat user",
	"try.title":          "Try every way in",
	"try.text":           "WeChat is simulated. You play both devices.",
	"try.home":           "Home page",
	"try.ways":           "Ways in",
	"try.desktop":        "Desktop",
	"try.phone":          "Phone",
	"try.person":         "Whose phone is it?",
	"try.screen":         "The phone's screen",
	"try.site":           "WeChat's page on the desktop",
	"try.scan":           "Scan the code",
	"try.open":           "Open WeChat",
	"try.blank":          "Choose a person and scan.",
	"try.hello":          "{name} is logged in on this desktop.",
	"try.again":          "Log out and try again",
	"try.refused":        "The login was not completed.",
	"try.restart":        "Try again",
	"allowed.heading":    "Allowed",
	"allowed.text":       "Look at the desktop.",
	"way.web":            "Scan",
	"way.follow":         "Follow",
	"way.message":        "Send digits",
	"way.mini":           "Mini program",
	"way.website":        "WeChat's own page",
	"web.1":              "Choose a person, and scan the code on the desktop.",
	"web.2":              "Compare the number on both screens, and approve on the phone.",
	"web.3":              "Confirm the account on the desktop.",
	"follow.1":           "Choose a person, scan the account's code, and follow the account.",
	"follow.2":           "Send the number from the desktop to the account.",
	"follow.3":           "Confirm the account on the desktop.",
	"message.1":          "Choose a person, open WeChat, and follow the account.",
	"message.2":          "Send the digits from the desktop to the account, and answer its question.",
	"message.3":          "Confirm the account on the desktop.",
	"mini.1":             "Choose a person, and scan the code, which opens the mini program.",
	"mini.2":             "Approve in the mini program.",
	"mini.3":             "Confirm the account on the desktop.",
	"website.1":          "Choose a person, and scan the code of WeChat's own page. (The simulator's code is a drawing. The button scans it.)",
	"website.2":          "Allow the login on the phone.",
	"website.3":          "The desktop is logged in at once.",
	"mini.heading":       "Log in to {app}?",
	"mini.device":        "Device",
	"mini.place":         "Place",
	"mini.number":        "Number",
	"mini.type":          "Type the number on the desktop",
	"mini.warning":       "If you did not open the login page on that screen yourself, refuse.",
	"mini.approve":       "Log in",
	"mini.deny":          "Refuse",
	"mini.approved":      "Approved",
	"mini.approved.text": "Go on at the desktop.",
	"mini.denied":        "Refused",
	"mini.denied.text":   "The desktop is not logged in.",
	"mini.problem":       "This login cannot go on",
	"mini.problem.text":  "Scan the code on the desktop again.",
}

// chinese has the texts in Simplified Chinese.
var chinese = map[string]string{
	"home.title":         "示例",
	"home.heading":       "公开页面",
	"home.text":          "账号页需要登录。打开它，用微信登录后会自动返回该页面。",
	"home.account":       "我的账号",
	"home.simulated":     "这里的微信是模拟的：扫码的人由你来选，不需要微信账号，也不需要手机。",
	"home.try":           "体验各种登录方式",
	"home.api":           "脚本请使用 {path}，未登录时返回状态码 401。",
	"account.hello":      "你好，{name}！",
	"account.text":       "你已登录，用户 ID 为 {id}。",
	"account.logout":     "退出登录",
	"account.everywhere": "在所有设备上退出登录",
	"account.json":       "同样的数据（JSON）：",
	"account.back":       "返回公开页面",
	"account.nameless":   "微信用户",
	"try.title":          "体验各种登录方式",
	"try.text":           "微信是模拟的，电脑和手机都由你来操作。",
	"try.home":           "首页",
	"try.ways":           "登录方式",
	"try.desktop":        "电脑",
	"try.phone":          "手机",
	"try.person":         "这是谁的手机？",
	"try.screen":         "手机屏幕",
	"try.site":           "电脑上的微信扫码页",
	"try.scan":           "扫一扫",
	"try.open":           "打开微信",
	"try.blank":          "先选一个人，再扫码。",
	"try.hello":          "{name} 已在这台电脑上登录。",
	"try.again":          "退出并重试",
	"try.refused":        "登录没有完成。",
	"try.restart":        "再试一次",
	"allowed.heading":    "已允许",
	"allowed.text":       "请看电脑。",
	"way.web":            "扫码",
	"way.follow":         "关注公众号",
	"way.message":        "发送数字",
	"way.mini":           "小程序",
	"way.website":        "微信官方扫码页",
	"web.1":              "选一个人，扫描电脑上的二维码。",
	"web.2":              "核对两边的数字是否一致，然后在手机上确认。",
	"web.3":              "在电脑上确认账号。",
	"follow.1":           "选一个人，扫描公众号的二维码并关注。",
	"follow.2":           "把电脑上的数字发给公众号。",
	"follow.3":           "在电脑上确认账号。",
	"message.1":          "选一个人，打开微信并关注公众号。",
	"message.2":          "把电脑上的数字发给公众号，并按提示回复。",
	"message.3":          "在电脑上确认账号。",
	"mini.1":             "选一个人，扫码打开小程序。",
	"mini.2":             "在小程序里确认登录。",
	"mini.3":             "在电脑上确认账号。",
	"website.1":          "选一个人，扫描微信官方页面上的二维码。（模拟的二维码只是图案，请点按钮扫码。）",
	"website.2":          "在手机上允许登录。",
	"website.3":          "电脑随即登录。",
	"mini.heading":       "登录 {app}？",
	"mini.device":        "设备",
	"mini.place":         "地点",
	"mini.number":        "数字",
	"mini.type":          "请输入电脑上显示的数字",
	"mini.warning":       "如果那块屏幕上的登录页不是你本人打开的，请拒绝。",
	"mini.approve":       "登录",
	"mini.deny":          "拒绝",
	"mini.approved":      "已确认",
	"mini.approved.text": "请回到电脑继续。",
	"mini.denied":        "已拒绝",
	"mini.denied.text":   "电脑没有登录。",
	"mini.problem":       "登录无法继续",
	"mini.problem.text":  "请重新扫描电脑上的二维码。",
}
