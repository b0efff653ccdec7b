package scangate_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

const userAgentSafari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"

var wayPattern = regexp.MustCompile(`<a href="([^"]*[?&;]with=([a-z]+))">([^<]*)</a>`)

// ways returns the ways to which a login page links, in their order.
func (a answer) ways() []string {
	var ways []string
	for _, m := range wayPattern.FindAllStringSubmatch(a.body, -1) {
		ways = append(ways, m[2])
	}
	return ways
}

// withoutAccountQR is an option of newChatWorld for an account whose code the gate lacks.
func withoutAccountQR(c *scangate.Config) { c.Push.AccountQR = "" }

// The login page links to each other way that is configured, and to no other.
func TestLoginPageLinksToTheOtherWays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		mode    scangate.ScanMode
		agent   string
		options []func(*scangate.Config)
		target  string
		want    string
	}{
		{"all, web by default", "", "", []func(*scangate.Config){withWebsite}, "login", "follow message website"},
		{"all, follow", scangate.ScanFollow, "", []func(*scangate.Config){withWebsite}, "login", "web message website"},
		{"all, message", scangate.ScanMessage, "", []func(*scangate.Config){withWebsite}, "login", "web follow website"},
		{"all, web asked for", scangate.ScanFollow, "", []func(*scangate.Config){withWebsite}, "login?with=web", "follow message website"},
		{"all, on a phone", scangate.ScanWeb, userAgentSafari, []func(*scangate.Config){withWebsite}, "login", "message website"},
		{"follow, on a phone", scangate.ScanFollow, userAgentSafari, nil, "login", "web"},
		{"no website", scangate.ScanFollow, "", nil, "login", "web message"},
		{"no code of the account", scangate.ScanFollow, "", []func(*scangate.Config){withoutAccountQR}, "login", "web"},
		{"no Secret", scangate.ScanMessage, "", []func(*scangate.Config){withoutSecret}, "login", ""},
		{"no Secret, a website", scangate.ScanMessage, "", []func(*scangate.Config){withoutSecret, withWebsite}, "login", "website"},
		{"digits in WeChat", scangate.ScanMessage, wechattest.UserAgentPhone, []func(*scangate.Config){withoutSecret, withWebsite}, "login", "website"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newChatWorld(t, c.mode, c.options...)
			desktop := w.desktop()
			if c.agent != "" {
				desktop = w.browser(c.agent)
			}
			if got := strings.Join(desktop.get("/wechat/"+c.target).ways(), " "); got != c.want {
				t.Errorf("GET %s: links to the ways %q, want %q", c.target, got, c.want)
			}
			var s struct {
				OtherWays []struct{ Way, URL string } `json:"other_ways"`
			}
			_, with, _ := strings.Cut(c.target, "with=")
			desktop.postJSON("/wechat/login", `{"with":"`+with+`"}`, &s)
			var ways []string
			for _, other := range s.OtherWays {
				ways = append(ways, other.Way)
				if want := "/wechat/login?return_to=%2F&with=" + other.Way; other.URL != want {
					t.Errorf("POST login: URL of %s = %q, want %q", other.Way, other.URL, want)
				}
			}
			if got := strings.Join(ways, " "); got != c.want {
				t.Errorf("POST login: other_ways = %q, want %q", got, c.want)
			}
		})
	}
	if got := newWorld(t).desktop().get("/wechat/login").ways(); len(got) > 0 {
		t.Errorf("only the official account: links to the ways %q, want none", got)
	}
}

// A request can ask for each way that is configured. Any other value is ignored, as if the
// request had none.
func TestWithChoosesTheWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		with    string
		agent   string
		options []func(*scangate.Config)
		want    string // "way" of the JSON, or the beginning of the redirect
	}{
		{"", "", nil, "follow"},
		{"follow", "", nil, "follow"},
		{"web", "", nil, ""},
		{"message", "", nil, "message"},
		{"website", "", []func(*scangate.Config){withWebsite}, openURL + "/connect/qrconnect"},
		{"website", "", nil, "follow"},
		{"mini", "", nil, "follow"},
		{"unknown", "", nil, "follow"},
		{"Web", "", nil, "follow"},
		{"message", "", []func(*scangate.Config){withoutAccountQR}, "follow"},
		{"follow", userAgentSafari, nil, "message"},
		{"", wechattest.UserAgentPhone, nil, openURL + "/connect/oauth2/authorize"},
		{"web", wechattest.UserAgentPhone, nil, openURL + "/connect/oauth2/authorize"},
		{"message", wechattest.UserAgentPhone, nil, "message"},
	} {
		w := newChatWorld(t, scangate.ScanFollow, c.options...)
		desktop := w.desktop()
		if c.agent != "" {
			desktop = w.browser(c.agent)
		}
		var s struct {
			Way         string
			RedirectURL string `json:"redirect_url"`
		}
		a := desktop.postJSON("/wechat/login", `{"with":"`+c.with+`"}`, &s)
		to, _, _ := strings.Cut(s.RedirectURL, "?")
		if got := s.Way + to; a.StatusCode != http.StatusCreated || got != c.want {
			t.Errorf("POST login with %q as %.30q: status = %d, way = %q, want %d and %q", c.with, c.agent, a.StatusCode, got, http.StatusCreated, c.want)
		}
	}
}

// The person takes the link to another way, and all of that page's URLs stay with it.
func TestLoginByAnotherWay(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop, phone := w.desktop(), w.phone("lin")
	page := desktop.get("/wechat/login?return_to=/account")
	i := slices.Index(page.ways(), "web")
	if i < 0 {
		t.Fatalf("login page: links to %q, want one to web", page.ways())
	}
	link := html.UnescapeString(wayPattern.FindAllStringSubmatch(page.body, -1)[i][1])
	page = desktop.get(link)
	restart := html.UnescapeString(page.find(t, regexp.MustCompile(`data-login-url="([^"]*)"`)))
	if q, err := url.Parse(restart); err != nil || q.Query().Get("with") != "web" || q.Query().Get("return_to") != "/account" {
		t.Errorf("login page by the link: data-login-url = %q, want one with web and /account", restart)
	}
	s := scan{ID: page.find(t, statePattern)}
	s.FinishURL = "/wechat/login/" + s.ID + "/finish"
	s.ScanURL = appURL + "/wechat/scan/" + s.ID
	phone.scan(s)
	phone.answer(s, "approve")
	// The page goes to data-login-url, which has to find the approved login.
	if a := desktop.get(restart); a.StatusCode != http.StatusOK || !strings.Contains(a.body, s.FinishURL) {
		t.Errorf("GET %s after the approval: status = %d, want the finish page\n%s", restart, a.StatusCode, a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || a.location() != "/account" {
		t.Errorf("finish: status = %d, location = %q, want %d to /account", a.StatusCode, a.location(), http.StatusSeeOther)
	}
}

// A new code of another way is one of the same way.
func TestRenewedCodeKeepsTheWay(t *testing.T) {
	w := newChatWorld(t, scangate.ScanWeb)
	desktop := w.desktop()
	var s, renewed struct {
		scan
		Way      string
		RenewURL string `json:"renew_url"`
	}
	desktop.postJSON("/wechat/login", `{"with":"message"}`, &s)
	desktop.postJSON(s.RenewURL, `{}`, &renewed)
	if renewed.Way != "message" || len(renewed.Digits) != 8 || renewed.Digits == s.Digits {
		t.Errorf("renewed: way = %q, digits = %q, want message and other digits than %q", renewed.Way, renewed.Digits, s.Digits)
	}
	if a := desktop.post(renewed.RenewURL, nil); a.location() != "/wechat/login?with=message" {
		t.Errorf("renewed by a form: location = %q, want the same way", a.location())
	}
	if got := w.say("lin", s.Digits); strings.Contains(got, textOne) {
		t.Errorf("digits of the former code: reply %q, want no question", got)
	}
}

// A link to add a WeChat offers the ways too, and the language is the page's.
func TestWaysOfALinkInTheirLanguages(t *testing.T) {
	user := ""
	w := newChatWorld(t, scangate.ScanWeb, withWebsite, func(c *scangate.Config) {
		c.CurrentUser = func(*http.Request) (string, bool) { return user, user != "" }
	})
	user = w.know("lin").ID
	for lang, want := range map[string][]string{
		"en":      {"Scan and follow the account", "Send digits to the account", "Use WeChat&#39;s own login page"},
		"zh":      {"扫码关注公众号", "向公众号发送数字", "使用微信官方登录页"},
		"zh-Hant": {"掃碼關注公眾號", "傳送數字給公眾號", "使用微信官方登入頁"},
	} {
		a := w.desktop().get("/wechat/link?return_to=/account&lang=" + lang)
		var texts []string
		for _, m := range wayPattern.FindAllStringSubmatch(a.body, -1) {
			texts = append(texts, m[3])
			if !strings.HasPrefix(m[1], "/wechat/link?return_to=%2Faccount&amp;with=") {
				t.Errorf("%s: URL = %q, want one of the same link", lang, m[1])
			}
		}
		if !slices.Equal(texts, want) {
			t.Errorf("%s: links %q, want %q", lang, texts, want)
		}
	}
}
