package scangate_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

func TestLangChoosesTheLanguage(t *testing.T) {
	t.Parallel()
	withPortuguese := withTexts("pt-BR", "login.heading", "Entrar")
	for _, c := range []struct{ query, accept, want string }{
		{"lang=zh", "en", "zh-CN"},
		{"lang=zh-CN", "en", "zh-CN"},
		{"lang=zh-Hant", "en", "zh-Hant"},
		{"lang=zh-TW", "en", "zh-Hant"},
		{"lang=ZH-hk", "en", "zh-Hant"},
		{"lang=en-GB", "zh", "en"},
		{"lang=pt-BR", "zh", "pt-BR"},
		{"lang=pt", "zh", "pt-BR"},
		{"lang=pt-PT", "zh", "pt-BR"},
		// ignored
		{"lang=ja", "zh", "zh-CN"},
		{"lang=", "en", "en"},
		{"lang=*", "en", "en"},
		{"lang=zh;q=1", "en", "en"},
		{"lang=zh%2Cen", "en", "en"},
		{"lang=zh%0d%0aSet-Cookie:a=b", "en", "en"},
		{"lang=%22%3E%3Cscript%3E", "en", "en"},
		{"lang=" + strings.Repeat("zh-", 1000), "en", "en"},
		{"slang=zh", "en", "en"},
	} {
		a := newWorld(t, withPortuguese).desktop().get("/wechat/login?"+c.query, "Accept-Language", c.accept)
		if got := a.Header.Get("Content-Language"); got != c.want || !strings.Contains(a.body, `<html lang="`+c.want+`"`) {
			t.Errorf("GET login?%.60s with Accept-Language %s: Content-Language = %q, want %q", c.query, c.accept, got, c.want)
		}
	}
}

// cookieOf returns the answer's cookie for the language, or nil.
func cookieOf(a answer) *http.Cookie {
	for _, cookie := range a.Cookies() {
		if cookie.Name == "__Host-scangate-lang" {
			return cookie
		}
	}
	return nil
}

// The browser keeps the language for an hour, for pages that follow a redirect of WeChat's or
// a form, and for errors.
func TestLangLastsForTheLogin(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("yueyue")
	login := desktop.start()
	want := func(what string, a answer) answer {
		t.Helper()
		if got := a.Header.Get("Content-Language"); got != "zh-Hant" {
			t.Errorf("%s: Content-Language = %q, want zh-Hant", what, got)
		}
		return a
	}
	profile := want("the profile page after scan?lang=zh-TW", phone.open(login.ScanURL+"?lang=zh-TW"))
	want("the confirm page", w.tapThroughProfile(phone, profile))
	want("an answer that is malformed", phone.answer(login, "perhaps"))
	phone.answer(login, "approve")
	want("the page after the approval", phone.get(login.confirmURL()))
	want("an unknown login", phone.get("/wechat/scan/x"))
	if got := phone.get(login.confirmURL() + "?lang=en").Header.Get("Content-Language"); got != "en" {
		t.Errorf("the page with lang=en: Content-Language = %q, want en", got)
	}
	if got := phone.get(login.confirmURL()).Header.Get("Content-Language"); got != "en" {
		t.Errorf("the next page: Content-Language = %q, want en", got)
	}
	if got := desktop.get("/wechat/login").Header.Get("Content-Language"); got != "en" {
		t.Errorf("the desktop: Content-Language = %q, want its own, en", got)
	}
}

// The cookie holds a tag that the gate offers, and only pages set it.
func TestLangCookieHoldsNothingElse(t *testing.T) {
	desktop := newWorld(t).desktop()
	for _, c := range []struct{ target, want string }{
		{"/wechat/login?lang=en-GB-oed", "en"},
		{"/wechat/login?lang=zh-TW&return_to=/a", "zh-Hant"},
		{"/wechat/scan/x?lang=zh", "zh"},
		{"/wechat/login?lang=fr", ""},
		{"/wechat/login?lang=visitor17", ""},
		{"/wechat/login?lang=zh&lang=en", ""},
		{"/wechat/login", ""},
		{"/wechat/me?lang=zh", ""},
		{"/wechat/callback?lang=zh", ""},
		{desktop.get("/wechat/login").find(t, regexp.MustCompile(`src="([^"]*\.js)"`)) + "?lang=zh", ""},
		{"/account?lang=zh", ""},
	} {
		cookie := cookieOf(desktop.get(c.target))
		if c.want == "" {
			if cookie != nil {
				t.Errorf("GET %s: set %v, want no cookie for the language", c.target, cookie)
			}
			continue
		}
		if cookie == nil || cookie.Value != c.want || !cookie.HttpOnly || !cookie.Secure || cookie.Path != "/" || cookie.MaxAge != 3600 {
			t.Errorf("GET %s: cookie = %v, want %q for an hour, HttpOnly and Secure", c.target, cookie, c.want)
		}
	}
}

// A cookie that another host planted, or that an earlier configuration set, changes nothing.
func TestLangCookieMustNameALanguage(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Pages.Languages = []string{"en", "zh"} })
	for _, value := range []string{"fr", `"><script>`, "", "*", strings.Repeat("zh-", 2000)} {
		a := w.desktop().get("/wechat/login", "Cookie", "__Host-scangate-lang="+value)
		if got := a.Header.Get("Content-Language"); got != "en" {
			t.Errorf("GET login with the cookie %.30q: Content-Language = %q, want en", value, got)
		}
	}
	if got := w.desktop().get("/wechat/login", "Cookie", "__Host-scangate-lang=zh").Header.Get("Content-Language"); got != "zh-CN" {
		t.Errorf("GET login with the cookie zh: Content-Language = %q, want zh-CN", got)
	}
}
