package wechattest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestPagesWithoutCookie(t *testing.T) {
	w := newStrictWorld(t)
	resp, body := w.get(t, authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"))
	page := resp.Request.URL
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "这是谁的手机") || !strings.Contains(body, "月月🌙🐰") {
		t.Fatalf("first page: status = %d, want 200 and the list of persons; body: %s", resp.StatusCode, body)
	}
	resp, body = w.get(t, tap(t, page, body, wechattest.PersonParam, "yueyue"))
	if cookies := resp.Cookies(); len(cookies) != 1 || cookies[0].Value != "yueyue" {
		t.Fatalf("page after the choice: cookies = %v, want one with the value yueyue", resp.Cookies())
	}
	if !strings.Contains(body, "月月🌙🐰") || strings.Contains(body, "full") {
		t.Fatalf("page after the choice: got %s, want a consent page without the full service", body)
	}
	if _, people := w.get(t, tap(t, page, body, wechattest.PersonParam, "")); !strings.Contains(people, "这是谁的手机") {
		t.Errorf("page for another person: got %s, want the list of persons", people)
	}
	if refused, _ := w.get(t, tap(t, page, body, wechattest.AnswerParam, "refuse")); refused.Header.Get("Location") != callbackURL+"?state=s1" {
		t.Errorf("refusal: Location = %q, want %q", refused.Header.Get("Location"), callbackURL+"?state=s1")
	}
	allowed, text := w.get(t, tap(t, page, body, wechattest.AnswerParam, "allow"))
	if location := allowed.Header.Get("Location"); allowed.StatusCode != http.StatusFound || query(t, location).Get("code") == "" || text != "" {
		t.Errorf("consent: status = %d, Location = %q, body = %q, want 302, a code and no body", allowed.StatusCode, location, text)
	}
}

func TestBaseScopeIsSilent(t *testing.T) {
	w := newStrictWorld(t)
	link := authorize(official, callbackURL, wechat.ScopeBase, "s1")
	_, body := w.get(t, link)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := w.get(t, tap(t, u, body, wechattest.PersonParam, "wang"))
	again, _ := w.get(t, link, first.Cookies()...)
	for name, resp := range map[string]*http.Response{"first visit": first, "second visit": again} {
		if location := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || !strings.HasPrefix(location, callbackURL+"?code=") {
			t.Errorf("%s: status = %d, Location = %q, want 302 to %s with a code", name, resp.StatusCode, location, callbackURL)
		}
	}
}

func TestInvalidTaps(t *testing.T) {
	for name, test := range map[string]struct{ add, cookie, want string }{
		"an unknown person":               {"&wechattest_person=unknown", "lin", "这是谁的手机"},
		"a cookie with an unknown person": {"", "unknown", "这是谁的手机"},
		"a broken cookie":                 {"", "%zz", "这是谁的手机"},
		"an unknown answer":               {"&wechattest_answer=maybe", "lin", "申请获取"},
		"markup for a person":             {"&wechattest_person=" + url.QueryEscape("<script>"), "", "这是谁的手机"},
	} {
		t.Run(name, func(t *testing.T) {
			link := strings.Replace(authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"), "#", test.add+"#", 1)
			_, body := newStrictWorld(t).get(t, link, &http.Cookie{Name: "wechattest_person", Value: test.cookie})
			if !strings.Contains(body, test.want) || strings.Contains(body, "<script") {
				t.Errorf("page: got %s, want %q in it and no script", body, test.want)
			}
		})
	}
}

func TestPagesEscape(t *testing.T) {
	person := wechattest.Person{ID: `a"><b>`, Nickname: `<img src=x>`, Note: `<i>`}
	w := worldOf(wechattest.New([]wechattest.Person{person}, official))
	link := authorize(official, callbackURL+`?q="><script>`, wechat.ScopeUserInfo, "s1")
	resp, body := w.get(t, link)
	if strings.ContainsAny(strings.ReplaceAll(body, "<i>", "\x00"), "\x00") || strings.Contains(body, "<img") || strings.Contains(body, "<script") {
		t.Errorf("page: got %s, want all markup escaped", body)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy = %q, want default-src 'none' first", csp)
	}
	_, body = w.get(t, tap(t, resp.Request.URL, body, wechattest.PersonParam, person.ID))
	allowed, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "allow"))
	if got := query(t, allowed.Header.Get("Location")).Get("q"); got != `"><script>` {
		t.Errorf("the callback's own parameter q = %q, want %q", got, `"><script>`)
	}
}

func TestQRConnectPages(t *testing.T) {
	w := newStrictWorld(t)
	// The cookie belongs to the desktop. It must not choose the person that scans.
	desktopCookie := &http.Cookie{Name: "wechattest_person", Value: "lin"}
	resp, body := w.get(t, qrconnect(website, "s1"), desktopCookie)
	if !strings.Contains(body, "<svg") || !strings.Contains(body, "谁来扫码") {
		t.Fatalf("first page: got %s, want a QR code and the list of persons", body)
	}
	_, body = w.get(t, tap(t, resp.Request.URL, body, wechattest.PersonParam, "wang"))
	if !strings.Contains(body, "申请登录") {
		t.Fatalf("page after the scan: got %s, want a consent page", body)
	}
	if refused, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "refuse")); refused.Header.Get("Location") != callbackURL+"?state=s1" {
		t.Errorf("refusal: Location = %q, want %q", refused.Header.Get("Location"), callbackURL+"?state=s1")
	}
	allowed, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "allow"))
	token, err := w.client(t, website).Exchange(t.Context(), query(t, allowed.Header.Get("Location")).Get("code"))
	if err != nil || token.OpenID != w.OpenID("wang", website.AppID) || token.UnionID != w.UnionID("wang") || token.Scope != "snsapi_login" {
		t.Errorf("Exchange = %+v, %v, want wang's ids and scope snsapi_login", token, err)
	}
}

func TestFullService(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("zhao", w.rt, openURL)
	resp, err := phone.Open(t.Context(), authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, resp); !strings.Contains(body, "使用完整服务") {
		t.Fatalf("page for a snapshot user: got %s, want the full service offered", body)
	}
	if resp, err = phone.Tap(t.Context(), resp, wechattest.FullService); err != nil {
		t.Fatal(err)
	}
	token, err := w.client(t, official).Exchange(t.Context(), resp.Request.URL.Query().Get("code"))
	if err != nil || token.SnapshotUser || token.OpenID != w.OpenID("zhao", official.AppID) {
		t.Errorf("Exchange = %+v, %v, want zhao's openid and no snapshot user", token, err)
	}
	_ = read(t, resp)
}
