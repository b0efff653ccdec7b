package wechattest_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechattest"
)

// chatBrowser is a browser at the simulator's pages with chats.
type chatBrowser struct {
	t         *testing.T
	simulator *wechattest.WeChat
	client    *http.Client
	language  string
}

const simulatorURL = "http://wechat.example"

// newChatBrowser returns a browser at a simulator whose shop replies to every message.
func newChatBrowser(t *testing.T) *chatBrowser {
	t.Helper()
	simulator := wechattest.New(nil, wechattest.App{Account: shop, Name: "Shop <b>"}, website)
	simulator.CodesAt(simulatorURL)
	simulator.SetPush(shop.AppID, shopServer())
	network := wechattest.Transport(map[string]http.Handler{"wechat.example": simulator})
	return &chatBrowser{t: t, simulator: simulator, client: newClient(t, network), language: "en"}
}

// get opens a path, or posts a form to it, and returns the page behind the redirects.
func (b *chatBrowser) get(path string, form url.Values) (status int, page string) {
	b.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, simulatorURL+strings.TrimPrefix(path, simulatorURL), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept-Language", b.language)
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// want checks that a page has each of the texts. A text that begins with "!" must be absent.
func (b *chatBrowser) want(step, page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		absent, isAbsent := strings.CutPrefix(text, "!")
		if strings.Contains(page, absent) == isAbsent {
			b.t.Errorf("%s: got %s, want %q", step, page, text)
		}
	}
}

// code returns the address in a new code with a scene, and the same with lin as the owner.
func (b *chatBrowser) code() (link, asLin string) {
	b.t.Helper()
	code, err := clientOf(b.simulator).CreateQRCode(b.t.Context(), "table7", time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	return code.URL, code.URL + "?" + wechattest.PersonParam + "=lin"
}

func TestChatPageFollows(t *testing.T) {
	b := newChatBrowser(t)
	link, asLin := b.code()
	_, page := b.get(link, nil)
	b.want("the code", page, "Whose phone is this", "林小北")
	_, page = b.get(asLin, nil)
	b.want("the account's profile", page, "Shop &lt;b&gt;", "Follow this account", `value="`+link+`"`, "!<form class=\"send\"")
	chat := "/chat/" + shop.AppID + "?" + wechattest.PersonParam + "=lin"
	_, page = b.get(chat, url.Values{"follow": {"1"}, "code": {link}})
	b.want("the chat", page, `event subscribe <a href="https://app.example.com/" target="_blank" rel="noopener">link</a>`, `<form class="send"`, "Shop &lt;b&gt;")
	_, page = b.get(asLin, nil)
	b.want("a follower's scan", page, "event SCAN ")
	_, page = b.get(chat, url.Values{"text": {" <i>42 "}})
	b.want("a text", page, "&lt;i&gt;42</p>", "text ")
	_, page = b.get(chat, url.Values{"text": {"  "}})
	b.want("a text of spaces", page, "&lt;i&gt;42")
	if got := len(regexp.MustCompile(`class="line own"`).FindAllString(page, -1)); got != 1 {
		t.Errorf("the chat has %d texts of the person, want 1", got)
	}
	_, page = b.get(chat, url.Values{"unfollow": {"1"}})
	b.want("after unfollowing", page, "Follow this account", "!42")
	_, page = b.get(chat, url.Values{"follow": {"1"}})
	b.want("following without a code", page, "event subscribe")
}

func TestChatPageOfTheAccountsCode(t *testing.T) {
	b := newChatBrowser(t)
	code := b.simulator.AccountCode(shop.AppID)
	_, page := b.get(code, nil)
	b.want("the code", page, "Whose phone is this")
	code += "?" + wechattest.PersonParam + "=wang"
	_, page = b.get(code, nil)
	b.want("the account's profile", page, "Follow this account")
	chat := "/chat/" + shop.AppID
	_, page = b.get(chat+"?"+wechattest.PersonParam+"=wang", url.Values{"follow": {"1"}})
	b.want("the chat", page, "event subscribe")
	_, page = b.get(code, nil)
	b.want("a follower's scan", page, "event subscribe", "!SCAN")
	b.language = "zh-CN,zh;q=0.9,en;q=0.8"
	_, page = b.get(chat, nil) // the cookie has the person
	b.want("the chat in Chinese", page, `lang="zh-CN"`, "取消关注", "发送")
}

func TestChatPageShowsAFailure(t *testing.T) {
	b := newChatBrowser(t)
	server := shopServer()
	server.Token = "another16characters"
	b.simulator.SetPush(shop.AppID, server)
	_, page := b.get("/chat/"+shop.AppID+"?"+wechattest.PersonParam+"=lin", url.Values{"follow": {"1"}})
	b.want("a server that refuses the push", page, "该公众号提供的服务出现故障")
}

func TestChatPageRefuses(t *testing.T) {
	b := newChatBrowser(t)
	for path, want := range map[string]string{
		"/q/unknown": "is not a QR code with a scene",
		"/chat/" + shop.AppID + "?" + wechattest.PersonParam + "=unknown": "Whose phone is this",
	} {
		_, page := b.get(path, nil)
		b.want(path, page, want)
	}
	_, asLin := b.code()
	b.simulator.FastForward(2 * time.Hour)
	_, page := b.get(asLin, nil)
	b.want("an old code", page, "has expired")
	for _, path := range []string{"/chat/unknown", "/chat/" + website.AppID, "/r/unknown"} {
		if status, _ := b.get(path, nil); status != http.StatusNotFound {
			t.Errorf("GET %s: status = %d, want %d", path, status, http.StatusNotFound)
		}
	}
}
