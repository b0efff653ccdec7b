package scangate_test

import (
	"errors"
	"log"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// withTexts returns an option of newWorld that sets one text.
func withTexts(tag, key, text string) func(*scangate.Config) {
	return func(c *scangate.Config) { c.Pages.Texts = map[string]map[string]string{tag: {key: text}} }
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tag, key, text, accept, want string }{
		{"en", "login.heading", "Sign in at {app}", "en", "<h1>Sign in at Example</h1>"},
		{"en", "login.heading", "Sign in", "zh", "<h1>微信登录</h1>"},
		{"en", "login.renews", "{time} left", "en", `data-text="{time} left"`},
		{"zh", "login.heading", "扫码登录", "zh-CN", "<h1>扫码登录</h1>"},
		{"zh", "login.heading", "扫码登录", "zh-TW", "<h1>微信登入</h1>"},
		{"ja", "login.heading", "ログイン", "ja-JP,ja;q=0.9,en;q=0.8", `<html lang="ja">`},
		{"ja", "login.heading", "ログイン", "ja", "<h1>ログイン</h1>"},
		{"ja", "login.heading", "ログイン", "ja", "<li>Open WeChat on your phone</li>"},
		{"ja", "login.heading", "ログイン", "ko", "<h1>Log in with WeChat</h1>"},
		{"pt-BR", "login.heading", "Entrar", "pt", `<html lang="pt-BR">`},
		{"pt-BR", "login.heading", "Entrar", "pt-PT, en;q=0.9", `<html lang="pt-BR">`},
		{"en-GB", "login.heading", "Log in, please", "en-GB, en;q=0.9", "<h1>Log in, please</h1>"},
		{"en-GB", "login.heading", "Log in, please", "en-US, en;q=0.9", `<html lang="en">`},
	} {
		w := newWorld(t, withTexts(c.tag, c.key, c.text))
		if a := w.desktop().get("/wechat/login", "Accept-Language", c.accept); !strings.Contains(a.body, c.want) {
			t.Errorf("text %s of %s is %q; GET login with Accept-Language %q: want %q in\n%s", c.key, c.tag, c.text, c.accept, c.want, a.body)
		}
	}
}

// Pages in a language that the gate does not ship show English where a text is missing. The
// log names the keys once, when the gate is made.
func TestMissingTextsAreLogged(t *testing.T) {
	w := newWorld(t, withTexts("ja", "login.heading", "ログイン"))
	line := w.log.String()
	if strings.Count(line, "\n") != 1 || !strings.Contains(line, "language=ja") || !strings.Contains(line, " login.step1 ") || strings.Contains(line, " login.heading ") {
		t.Errorf("New with one Japanese text: log = %q, want one line with the missing keys", line)
	}
	if w := newWorld(t, withTexts("en", "login.heading", "Sign in")); w.log.String() != "" {
		t.Errorf("New with one English text: log = %q, want none", w.log)
	}
}

func TestNewRefusesTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tag, key, text, want string }{
		{"", "again", "x", `"" is no language`},
		{"e", "again", "x", `"e" is not a language tag`},
		{"ja\n", "again", "x", `"ja\n" is not a language tag`},
		{`en" onload="`, "again", "x", "is not a language tag"},
		{"EN", "again", "x", `"EN" is not a language tag`},
		{"zh-TW", "again", "x", `"zh-TW" is not one of the tags for Chinese`},
		{"yue", "again", "x", `"yue" is not one of the tags for Chinese`},
		{"en", "login.head", "x", `"en": the text "login.head" does not exist`},
		{"en", "login.scanned", "x", `"login.scanned" does not exist`},
		{"en", "again", " ", `"again" is empty`},
		{"en", "again", "a\nb", `"again" contains control characters`},
		{"en", "again", "a\x00b", `"again" contains control characters`},
		{"en", "again", "\xff", `"again" contains control characters or is not UTF-8`},
		{"en", "again", strings.Repeat("好", 1001), "has more than 1000 characters"},
		{"en", "login.renews", "soon", `"login.renews" lacks {time}`},
		{"ja", "phone.sent", "送信しました", `"ja": the text "phone.sent" lacks {phone}`},
		{"en", "again", "{time}", `"again" has an unknown placeholder at "{time}"`},
		{"en", "again", "{.App}", "has an unknown placeholder"},
		{"en", "again", "{ app }", "has an unknown placeholder"},
		{"en", "again", "a } b", `has an unknown placeholder at "} b"`},
		{"en", "login.renews", "{time} {place}", `has an unknown placeholder at "{place}"`},
	} {
		config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
		withTexts(c.tag, c.key, c.text)(&config)
		_, err := scangate.New(config)
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config.Pages.Texts: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New with the text %q of %q: error = %v, want one about Config.Pages.Texts with %q", c.key, c.tag, err, c.want)
		}
	}
}

// New reports every text at fault, and languages that no page would use.
func TestNewRefusesTextsAtOnce(t *testing.T) {
	_, err := scangate.New(scangate.Config{PublicURL: appURL, OfficialAccount: official, Pages: scangate.Pages{
		Languages: []string{"ja", "ko"},
		Texts:     map[string]map[string]string{"ja": {"a": "x", "again": ""}, "fr": {"again": "x"}, "": {}},
	}})
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) || len(all.Unwrap()) != 5 {
		t.Fatalf("New: error = %v, want five faults", err)
	}
	for _, want := range []string{`"" is no language`, `"fr" is not among Pages.Languages`, `"ja": the text "a"`, `"again" is empty`, `Pages.Languages: "ko"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New: error = %v, want %q in it", err, want)
		}
	}
	config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
	config.Pages.Texts = map[string]map[string]string{"pt-BR": {}, "pt-br": {}}
	if _, err := scangate.New(config); err == nil || !strings.Contains(err.Error(), "letter case") {
		t.Errorf("New with pt-BR and pt-br: error = %v, want one about letter case", err)
	}
}

// A text replaces the built-in one of its language and key. {app} is Config.AppName.
func ExamplePages_texts() {
	pages := scangate.Pages{Texts: map[string]map[string]string{
		"zh": {"login.heading": "扫码登录 {app}", "error.not_registered.text": "请拨打 010-12345678 开通账号。"},
		"en": {"login.heading": "Scan to log in to {app}"},
	}}
	gate, err := scangate.New(scangate.Config{PublicURL: "https://app.example.com", OfficialAccount: account, Pages: pages})
	if err != nil {
		log.Fatal(err)
	}
	_ = gate.Close()
	// Output:
}
