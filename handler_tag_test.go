package scangate_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// account gets the account of a login as a script does.
func (b *browser) account(s scan) answer {
	b.t.Helper()
	return b.get("/wechat/login/"+s.ID+"/account", "Accept", "application/json")
}

func TestCaseB04ScriptLearnsTheAccountAfterTheApproval(t *testing.T) {
	w := newWorld(t)
	if _, err := w.users.Register(t.Context(), scangate.NewUser{
		Identity: w.identity("lin"), Nickname: "林小北", Phone: "+8613800138000", AvatarURL: "https://wx.qlogo.cn/mmopen/a/132",
	}); err != nil {
		t.Fatalf("Register: %v", err)
	}
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	check := func(when string, status int, want string) {
		t.Helper()
		a := desktop.account(s)
		if a.StatusCode != status || !strings.Contains(a.body, want) {
			t.Errorf("account, %s: status = %d, body = %s, want %d and %s", when, a.StatusCode, a.body, status, want)
		}
		if status != http.StatusOK && regexp.MustCompile(`林|8000|qlogo`).MatchString(a.body) {
			t.Errorf("account, %s: body = %s, want nothing about the person", when, a.body)
		}
	}
	check("waiting", http.StatusConflict, `"code":"not_approved"`)
	phone.scan(s)
	check("scanned", http.StatusConflict, `"code":"not_approved"`)
	phone.answer(s, "approve")
	const known = `{"nickname":"林小北","avatar_url":"https://wx.qlogo.cn/mmopen/a/132","phone_tail":"8000","new_account":false,"auto_finish":`
	check("approved", http.StatusOK, known+`false}`)
	if a := desktop.post(s.FinishURL, url.Values{}, "Accept", "application/json"); a.StatusCode != http.StatusOK {
		t.Fatalf("finish: status = %d, want 200\n%s", a.StatusCode, a.body)
	}
	check("finished, by another tab", http.StatusOK, known+`true}`) // so that this tab goes on too

	desktop.loseSession()
	s = desktop.start()
	phone.scan(s)
	phone.answer(s, "approve")
	check("approved by the browser's last user", http.StatusOK, known+`true}`)

	desktop = w.desktop()
	s = desktop.start()
	phone.scan(s)
	phone.answer(s, "deny")
	check("denied", http.StatusGone, `"code":"denied"`)
}

func TestScriptLearnsThatTheAccountIsNew(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("wang")
	s := w.approved(desktop, phone)
	if a := desktop.account(s); !strings.Contains(a.body, `"nickname":"","avatar_url":"","phone_tail":"","new_account":true,"auto_finish":false}`) {
		t.Errorf("account of a new person: status = %d, body = %s, want a new account without a name", a.StatusCode, a.body)
	}
}

func TestScriptLearnsWhatItLinks(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("wang")
	w.know("lin")
	w.scanLogin(desktop, w.phone("lin"))
	var s scan
	desktop.postJSON("/wechat/link", `{"return_to":"/settings"}`, &s)
	phone.scan(s)
	phone.answer(s, "approve")
	if a := desktop.account(s); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"auto_finish":false,"target_name":"lin"}`) {
		t.Errorf("account of a link: status = %d, body = %s, want the target lin", a.StatusCode, a.body)
	}
}

func TestTagIsRevalidated(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Pages.AccentColor = "#ffc53d" })
	for _, file := range []string{"/wechat/assets/login.js", "/wechat/assets/login.json?lang=en"} {
		desktop := w.desktop()
		a := desktop.get(file, "Accept", "*/*")
		tag := a.Header.Get("ETag")
		if a.StatusCode != http.StatusOK || tag == "" || a.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("GET %s: status = %d, ETag = %q, Cache-Control = %q, want 200, one, private, no-cache", file, a.StatusCode, tag, a.Header.Get("Cache-Control"))
		}
		if again := desktop.get(file, "If-None-Match", tag); again.StatusCode != http.StatusNotModified || again.body != "" {
			t.Errorf("GET %s with its ETag: status = %d, %d bytes, want 304 without a body", file, again.StatusCode, len(again.body))
		}
	}
	script := w.desktop().get("/wechat/assets/login.js")
	style := w.desktop().get(script.find(t, regexp.MustCompile(`"style":"([^"]*)"`)))
	if !strings.Contains(style.body, ":host{--accent:#8f6e22}") || !strings.Contains(style.body, ":host([scheme=dark]) {--accent:#ffc53d}") || strings.Contains(style.body, ":root") {
		t.Errorf("the style of the tag: status = %d, want the accent color for the shadow root:\n%s", style.StatusCode, style.body)
	}
	if got := style.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("the style of the tag: Cache-Control = %q, want immutable", got)
	}
}

func TestTagTexts(t *testing.T) {
	numbered := newWorld(t, withNumber)
	w := newWorld(t, func(c *scangate.Config) {
		c.Pages.Texts = map[string]map[string]string{"en": {"login.heading": "Log in to {app}"}}
	})
	for _, c := range []struct {
		name      string
		browser   *browser
		query     string
		lang, key string
		want      string
		onPhone   bool
	}{
		{"the browser's language", w.desktop(), "", "en", "login.renew", "New code", false},
		{"a text of the application's own", w.desktop(), "", "en", "login.heading", "Log in to Example", false},
		{"the language that is asked for", w.desktop(), "?lang=zh-TW", "zh-Hant", "again", "重試", false},
		{"no such language", w.desktop(), "?lang=tlh", "en", "again", "Try again", false},
		{"an error", w.desktop(), "", "en", "error.disabled.heading", "You can't log in", false},
		{"a number to compare", w.desktop(), "", "en", "login.number", "Same number in WeChat", false},
		{"a number to type", numbered.desktop(), "", "en", "login.number", "Type this in WeChat", false},
		{"a phone", w.browser(wechattest.UserAgentPhone), "", "en", "login.copy", "Copy the link", true},
	} {
		var got struct {
			Lang    string
			OnPhone bool `json:"on_phone"`
			Texts   map[string]string
		}
		a := c.browser.get("/wechat/assets/login.json"+c.query, "Accept", "*/*")
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatalf("%s: status = %d, body = %s, want JSON: %v", c.name, a.StatusCode, a.body, err)
		}
		if got.Lang != c.lang || got.Texts[c.key] != c.want || got.OnPhone != c.onPhone {
			t.Errorf("%s: lang = %q, %s = %q, on a phone = %t, want %q, %q, %t", c.name, got.Lang, c.key, got.Texts[c.key], got.OnPhone, c.lang, c.want, c.onPhone)
		}
	}
}
