package wechattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	open = "https://open.weixin.qq.com"
	api  = "https://api.weixin.qq.com"
	back = "https://app.example.com/callback"
)

var (
	official = wechattest.App{Account: wechat.Account{AppID: "wxofficial", Secret: "official-secret"}, Hosts: []string{"app.example.com", "127.0.0.1:8080"}}
	website  = wechattest.App{Account: wechat.Account{AppID: "wxwebsite", Secret: "website-secret"}, Website: true}
	unbound  = wechattest.App{Account: wechat.Account{AppID: "wxunbound", Secret: "unbound-secret"}, Unbound: true}
)

// world is a simulator, in memory, with an application that shows what its
// callback got.
type world struct {
	*wechattest.WeChat
	rt        http.RoundTripper
	mu        sync.Mutex
	callbacks []*http.Request
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(wechattest.New(nil, official, website, unbound))
}

func newStrictWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(wechattest.NewStrict(t, official, website, unbound))
}

func worldOf(sim *wechattest.WeChat) *world {
	w := &world{WeChat: sim}
	w.rt = wechattest.Transport(map[string]http.Handler{
		"open.weixin.qq.com": sim, "api.weixin.qq.com": sim, "app.example.com": http.HandlerFunc(w.callback),
	})
	return w
}

func (w *world) callback(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callbacks = append(w.callbacks, r)
	_, _ = fmt.Fprint(rw, r.URL.RawQuery)
}

func (w *world) client(t *testing.T, app wechattest.App) *wechat.Client {
	t.Helper()
	c, err := wechat.NewClient(app.Account, wechat.Endpoint{}, &http.Client{Transport: w.rt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get asks the simulator and returns the status, the headers and the body.
func (w *world) get(t *testing.T, address string, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	resp, err := w.rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp)
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// code has a person approve a link and returns the callback's code.
func (w *world) code(t *testing.T, link, person string) string {
	t.Helper()
	callback, err := w.Approve(link, person)
	if err != nil {
		t.Fatal(err)
	}
	return query(t, callback).Get("code")
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func authorize(app wechattest.App, redirect string, scope wechat.Scope, state string) string {
	return fmt.Sprintf("%s/connect/oauth2/authorize?appid=%s&redirect_uri=%s&response_type=code&scope=%s&state=%s#wechat_redirect",
		open, app.AppID, url.QueryEscape(redirect), scope, state)
}

func qrconnect(app wechattest.App, state string) string {
	return fmt.Sprintf("%s/connect/qrconnect?appid=%s&redirect_uri=%s&response_type=code&scope=snsapi_login&state=%s#wechat_redirect",
		open, app.AppID, url.QueryEscape(back), state)
}

// links are the addresses that a page links to.
func links(t *testing.T, page *url.URL, body string) []string {
	t.Helper()
	var found []string
	for _, match := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		u, err := page.Parse(html.UnescapeString(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, u.String())
	}
	return found
}

// tap returns the one of a page's links that sets a parameter to a value.
func tap(t *testing.T, page *url.URL, body, parameter, value string) string {
	t.Helper()
	all := links(t, page, body)
	i := slices.IndexFunc(all, func(link string) bool { return query(t, link).Get(parameter) == value })
	if i < 0 {
		t.Fatalf("no link sets %s=%s, out of %q", parameter, value, all)
	}
	return all[i]
}

func TestCheckAuthorizeURL(t *testing.T) {
	good := authorize(official, back, wechat.ScopeBase, "s1")
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, test := range map[string]struct{ link, want string }{
		"allowed: official account":          {good, ""},
		"allowed: website":                   {qrconnect(website, "s1"), ""},
		"allowed: website with a lang":       {strings.Replace(qrconnect(website, "s1"), "#", "&lang=en#", 1), ""},
		"allowed: forcePopup at the end":     {edit("#", "&forcePopup=true#"), ""},
		"allowed: below a path":              {edit("/connect", "/sim/connect"), ""},
		"refused: forcePopup in between":     {edit("&redirect_uri", "&forcePopup=true&redirect_uri"), "in this order"},
		"refused: another order":             {edit("&response_type=code&scope=snsapi_base", "&scope=snsapi_base&response_type=code"), "in this order"},
		"refused: no fragment":               {edit("#wechat_redirect", ""), "#wechat_redirect"},
		"refused: another fragment":          {edit("#wechat_redirect", "#top"), "#wechat_redirect"},
		"refused: no state":                  {edit("&state=s1", ""), "10013"},
		"refused: an empty state":            {edit("state=s1", "state="), "10013"},
		"refused: no appid":                  {edit("appid=wxofficial", "appid="), "10012"},
		"refused: no redirect_uri":           {edit(url.QueryEscape(back), ""), "10011"},
		"refused: no scope":                  {edit("snsapi_base", ""), "10010"},
		"refused: another scope":             {edit("snsapi_base", "snsapi_login"), "10005"},
		"refused: a base scope for websites": {strings.Replace(qrconnect(website, "s1"), "snsapi_login", "snsapi_base", 1), "10005"},
		"refused: another response_type":     {edit("response_type=code", "response_type=token"), "response_type"},
		"refused: a dash in the state":       {edit("state=s1", "state=s-1"), "a-zA-Z0-9"},
		"refused: a long state":              {edit("state=s1", "state="+strings.Repeat("s", 129)), "128"},
		"allowed: a state of 128":            {edit("state=s1", "state="+strings.Repeat("s", 128)), ""},
		"refused: twice the state":           {edit("#", "&state=s2#"), "twice"},
		"refused: redirect_uri unescaped":    {edit(url.QueryEscape(back), back), "escaped"},
		"refused: a relative redirect_uri":   {edit(url.QueryEscape(back), "%2Fcallback"), "10003"},
		"refused: a script":                  {edit(url.QueryEscape(back), "javascript%3Aalert(1)"), "10003"},
		"refused: another page":              {edit("/authorize", "/authorise"), "path"},
		"refused: no host":                   {strings.TrimPrefix(good, open), "address"},
		"refused: no address":                {"https://a b/", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			err := wechattest.CheckAuthorizeURL(test.link)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
}

func TestRefusedLinks(t *testing.T) {
	base := func(app wechattest.App, redirect string) string {
		return authorize(app, redirect, wechat.ScopeBase, "s1")
	}
	for name, test := range map[string]struct{ link, want string }{
		"another host":        {base(official, "https://evil.example/"), "10003"},
		"a host's parent":     {base(official, "https://example.com/"), "10003"},
		"a host's child":      {base(official, "https://x.app.example.com/"), "10003"},
		"another port":        {base(official, "https://app.example.com:8443/"), "10003"},
		"a website's appid":   {base(website, back), "10016"},
		"an official's appid": {qrconnect(official, "s1"), "10005"},
		"nobody's appid":      {base(wechattest.App{Account: wechat.Account{AppID: "wxnobody"}}, back), "appid"},
		"an empty state":      {authorize(official, back, wechat.ScopeBase, ""), "10013"},
		"a scope of websites": {authorize(official, back, wechat.ScopeLogin, "s1"), "10005"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.get(t, test.link)
			if resp.StatusCode != http.StatusOK || !strings.Contains(body, test.want) || !strings.Contains(body, "模拟微信") {
				t.Errorf("status %d, and %s isn't in %s", resp.StatusCode, test.want, body)
			}
			if _, err := w.Approve(test.link, "lin"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Approve: %v", err)
			}
			if _, err := w.Refuse(test.link); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Refuse: %v", err)
			}
		})
	}
}

func TestCallbacks(t *testing.T) {
	for name, test := range map[string]struct {
		redirect, approved, refused, authdeny string // CODE stands for the code
	}{
		"plain":          {back, "?code=CODE&state=s1", "?state=s1", "?code=authdeny&state=s1&reason=user_cancel"},
		"with a query":   {back + "?a=b%20c", "?a=b%20c&code=CODE&state=s1", "?a=b%20c&state=s1", "?a=b%20c&code=authdeny&state=s1&reason=user_cancel"},
		"of a test host": {"http://127.0.0.1:8080/cb", "?code=CODE&state=s1", "?state=s1", "?code=authdeny&state=s1&reason=user_cancel"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			link := authorize(official, test.redirect, wechat.ScopeUserInfo, "s1")
			path, _, _ := strings.Cut(test.redirect, "?")
			approved, err := w.Approve(link, "lin")
			code := query(t, approved).Get("code")
			if want := path + strings.Replace(test.approved, "CODE", code, 1); err != nil || approved != want || len(code) != 32 {
				t.Errorf("approved: got %s, %v; want %s", approved, err, want)
			}
			if refused, err := w.Refuse(link); err != nil || refused != path+test.refused {
				t.Errorf("refused: got %s, %v; want %s", refused, err, path+test.refused)
			}
			w.RefuseAsAuthdeny(true)
			if refused, err := w.Refuse(link); err != nil || refused != path+test.authdeny {
				t.Errorf("authdeny: got %s, %v; want %s", refused, err, path+test.authdeny)
			}
		})
	}
}

func TestApproveByNobody(t *testing.T) {
	if _, err := newStrictWorld(t).Approve(authorize(official, back, wechat.ScopeBase, "s1"), "nobody"); err == nil {
		t.Error("nobody approved")
	}
}

func TestPagesOfAStranger(t *testing.T) {
	w := newStrictWorld(t)
	resp, body := w.get(t, authorize(official, back, wechat.ScopeUserInfo, "s1"))
	page := resp.Request.URL
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "这是谁的手机") || !strings.Contains(body, "月月🌙🐰") {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	resp, body = w.get(t, tap(t, page, body, wechattest.PersonParam, "yueyue"))
	if cookies := resp.Cookies(); len(cookies) != 1 || cookies[0].Value != "yueyue" {
		t.Fatalf("cookies: %v", resp.Cookies())
	}
	if !strings.Contains(body, "月月🌙🐰") || strings.Contains(body, "full") {
		t.Fatalf("no consent page: %s", body)
	}
	if _, people := w.get(t, tap(t, page, body, wechattest.PersonParam, "")); !strings.Contains(people, "这是谁的手机") {
		t.Errorf("another person: %s", people)
	}
	if refused, _ := w.get(t, tap(t, page, body, wechattest.AnswerParam, "refuse")); refused.Header.Get("Location") != back+"?state=s1" {
		t.Errorf("refused: %v", refused.Header)
	}
	allowed, text := w.get(t, tap(t, page, body, wechattest.AnswerParam, "allow"))
	if location := allowed.Header.Get("Location"); allowed.StatusCode != http.StatusFound || query(t, location).Get("code") == "" || text != "" {
		t.Errorf("allowed: %d to %s, %s", allowed.StatusCode, location, text)
	}
}

func TestBaseIsSilent(t *testing.T) {
	w := newStrictWorld(t)
	link := authorize(official, back, wechat.ScopeBase, "s1")
	_, body := w.get(t, link)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := w.get(t, tap(t, u, body, wechattest.PersonParam, "wang"))
	again, _ := w.get(t, link, first.Cookies()...)
	for _, resp := range []*http.Response{first, again} {
		if resp.StatusCode != http.StatusFound || !strings.HasPrefix(resp.Header.Get("Location"), back+"?code=") {
			t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestStrangeTaps(t *testing.T) {
	for name, test := range map[string]struct{ add, cookie, want string }{
		"a person who isn't":          {"&wechattest_person=nobody", "lin", "这是谁的手机"},
		"a cookie of nobody":          {"", "nobody", "这是谁的手机"},
		"a broken cookie":             {"", "%zz", "这是谁的手机"},
		"an answer that isn't":        {"&wechattest_answer=maybe", "lin", "申请获取"},
		"markup in place of a person": {"&wechattest_person=" + url.QueryEscape("<script>"), "", "这是谁的手机"},
	} {
		t.Run(name, func(t *testing.T) {
			link := strings.Replace(authorize(official, back, wechat.ScopeUserInfo, "s1"), "#", test.add+"#", 1)
			_, body := newStrictWorld(t).get(t, link, &http.Cookie{Name: "wechattest_person", Value: test.cookie})
			if !strings.Contains(body, test.want) || strings.Contains(body, "<script") {
				t.Errorf("no %s in %s", test.want, body)
			}
		})
	}
}

func TestPagesEscape(t *testing.T) {
	person := wechattest.Person{ID: `a"><b>`, Nickname: `<img src=x>`, Note: `<i>`}
	w := worldOf(wechattest.New([]wechattest.Person{person}, official))
	link := authorize(official, back+`?q="><script>`, wechat.ScopeUserInfo, "s1")
	resp, body := w.get(t, link)
	if strings.ContainsAny(strings.ReplaceAll(body, "<i>", "\x00"), "\x00") || strings.Contains(body, "<img") || strings.Contains(body, "<script") {
		t.Errorf("unescaped: %s", body)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	_, body = w.get(t, tap(t, resp.Request.URL, body, wechattest.PersonParam, person.ID))
	allowed, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "allow"))
	if got := query(t, allowed.Header.Get("Location")).Get("q"); got != `"><script>` {
		t.Errorf("the callback's own query became %q", got)
	}
}

func TestQRConnectPages(t *testing.T) {
	w := newStrictWorld(t)
	lin := &http.Cookie{Name: "wechattest_person", Value: "lin"}
	resp, body := w.get(t, qrconnect(website, "s1"), lin) // the cookie is of another device
	if !strings.Contains(body, "<svg") || !strings.Contains(body, "谁来扫码") {
		t.Fatalf("no QR code: %s", body)
	}
	_, body = w.get(t, tap(t, resp.Request.URL, body, wechattest.PersonParam, "wang"))
	if !strings.Contains(body, "申请登录") {
		t.Fatalf("no consent page: %s", body)
	}
	if refused, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "refuse")); refused.Header.Get("Location") != back+"?state=s1" {
		t.Errorf("canceled: %v", refused.Header)
	}
	allowed, _ := w.get(t, tap(t, resp.Request.URL, body, wechattest.AnswerParam, "allow"))
	token, err := w.client(t, website).Exchange(t.Context(), query(t, allowed.Header.Get("Location")).Get("code"))
	if err != nil || token.OpenID != w.OpenID("wang", website.AppID) || token.UnionID != w.UnionID("wang") || token.Scope != "snsapi_login" {
		t.Errorf("got %+v, %v", token, err)
	}
}

func TestIDs(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, id := range []string{
		w.OpenID("lin", official.AppID), w.OpenID("wang", official.AppID), w.OpenID("lin", website.AppID), w.UnionID("lin"), w.UnionID("wang"),
	} {
		if len(id) != 28 || id[0] != 'o' || seen[id] {
			t.Errorf("%q isn't an id of its own", id)
		}
		seen[id] = true
	}
	if newWorld(t).OpenID("lin", official.AppID) != w.OpenID("lin", official.AppID) {
		t.Error("the openid changes")
	}
	if w.UnionID("chen") != "" || w.UnionID("nobody") != "" {
		t.Error("a unionid for those without one")
	}
}

// TestIdentities follows each kind of person through the calls.
func TestIdentities(t *testing.T) {
	for name, test := range map[string]struct {
		app      wechattest.App
		scope    wechat.Scope
		person   string
		union    bool
		snapshot bool
		nickname string // empty: a scope that doesn't tell
	}{
		"base":                {official, wechat.ScopeBase, "lin", false, false, ""},
		"user info":           {official, wechat.ScopeUserInfo, "lin", true, false, "林小北"},
		"emoji":               {official, wechat.ScopeUserInfo, "yueyue", true, false, "月月🌙🐰"},
		"without a unionid":   {official, wechat.ScopeUserInfo, "chen", false, false, "陈默"},
		"of an unbound app":   {unbound, wechat.ScopeUserInfo, "lin", false, false, "林小北"},
		"snapshot":            {official, wechat.ScopeUserInfo, "zhao", false, true, "微信用户"},
		"snapshot, with base": {official, wechat.ScopeBase, "zhao", false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			client := w.client(t, test.app)
			token, err := client.Exchange(t.Context(), w.code(t, authorize(test.app, back, test.scope, "s1"), test.person))
			if err != nil || token.SnapshotUser != test.snapshot || !token.HasScope(test.scope) {
				t.Fatalf("got %+v, %v", token, err)
			}
			if (token.OpenID == w.OpenID(test.person, test.app.AppID)) == test.snapshot || (token.UnionID == w.UnionID(test.person) && token.UnionID != "") != test.union {
				t.Errorf("ids: %+v", token)
			}
			if err := client.Verify(t.Context(), token.AccessToken, token.OpenID); err != nil {
				t.Error(err)
			}
			if test.nickname == "" {
				return
			}
			info, err := client.UserInfo(t.Context(), token.AccessToken, token.OpenID)
			if err != nil || info.Nickname != test.nickname || info.UnionID != token.UnionID || !strings.HasPrefix(info.HeadImgURL, "https://thirdwx.qlogo.cn/") {
				t.Errorf("got %+v, %v", info, err)
			}
		})
	}
}

func TestFullService(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("zhao", w.rt, open)
	resp, err := phone.Open(t.Context(), authorize(official, back, wechat.ScopeUserInfo, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, resp); !strings.Contains(body, "使用完整服务") {
		t.Fatalf("no snapshot page: %s", body)
	}
	if resp, err = phone.Tap(t.Context(), resp, wechattest.FullService); err != nil {
		t.Fatal(err)
	}
	token, err := w.client(t, official).Exchange(t.Context(), resp.Request.URL.Query().Get("code"))
	if err != nil || token.SnapshotUser || token.OpenID != w.OpenID("zhao", official.AppID) {
		t.Errorf("got %+v, %v", token, err)
	}
	_ = read(t, resp)
}

func TestAnswersWordForWord(t *testing.T) {
	w := newStrictWorld(t)
	code := w.code(t, authorize(official, back, wechat.ScopeUserInfo, "s1"), "lin")
	resp, body := w.get(t, api+"/sns/oauth2/access_token?appid=wxofficial&secret=official-secret&code="+code+"&grant_type=authorization_code")
	var token struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		t.Fatal(err)
	}
	openID, unionID := w.OpenID("lin", official.AppID), w.UnionID("lin")
	same(t, resp, body, fmt.Sprintf(`{"access_token":%q,"expires_in":7200,"refresh_token":%q,"openid":%q,"scope":"snsapi_userinfo","unionid":%q}`,
		token.AccessToken, token.RefreshToken, openID, unionID))

	resp, body = w.get(t, api+"/sns/userinfo?access_token="+token.AccessToken+"&openid="+openID+"&lang=zh_CN")
	same(t, resp, body, fmt.Sprintf(`{"openid":%q,"nickname":"林小北","sex":0,"language":"","city":"","province":"","country":"",`+
		`"headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/vi_32\/lin\/132","privilege":[],"unionid":%q}`, openID, unionID))

	resp, body = w.get(t, api+"/sns/auth?access_token="+token.AccessToken+"&openid="+openID)
	same(t, resp, body, `{"errcode":0,"errmsg":"ok"}`)

	resp, body = w.get(t, api+"/sns/oauth2/refresh_token?appid=wxofficial&grant_type=refresh_token&refresh_token="+token.RefreshToken)
	fresh := regexp.MustCompile(`"access_token":"([^"]*)"`).FindStringSubmatch(body)[1]
	same(t, resp, body, fmt.Sprintf(`{"access_token":%q,"expires_in":7200,"refresh_token":%q,"openid":%q,"scope":"snsapi_userinfo"}`, fresh, token.RefreshToken, openID))
	if fresh == token.AccessToken {
		t.Error("the same access token again")
	}
}

func same(t *testing.T, resp *http.Response, got, want string) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain" || got != want {
		t.Errorf("%d, %s:\n got %s\nwant %s", resp.StatusCode, resp.Header.Get("Content-Type"), got, want)
	}
}

func TestAPIErrors(t *testing.T) {
	const exchange, refresh = "/sns/oauth2/access_token?", "/sns/oauth2/refresh_token?"
	for name, test := range map[string]struct {
		call string // OPENID, ACCESS and REFRESH stand for a base login's; CODE for a fresh code, USED for that login's
		want int
	}{
		"exchange: no appid":           {exchange + "secret=official-secret&code=CODE&grant_type=authorization_code", 41002},
		"exchange: no secret":          {exchange + "appid=wxofficial&code=CODE&grant_type=authorization_code", 41004},
		"exchange: no code":            {exchange + "appid=wxofficial&secret=official-secret&grant_type=authorization_code", 41008},
		"exchange: no grant_type":      {exchange + "appid=wxofficial&secret=official-secret&code=CODE", 40002},
		"exchange: nobody's appid":     {exchange + "appid=wx&secret=official-secret&code=CODE&grant_type=authorization_code", 40013},
		"exchange: another secret":     {exchange + "appid=wxofficial&secret=x&code=CODE&grant_type=authorization_code", 40125},
		"exchange: no such code":       {exchange + "appid=wxofficial&secret=official-secret&code=x&grant_type=authorization_code", 40029},
		"exchange: another app's code": {exchange + "appid=wxunbound&secret=unbound-secret&code=CODE&grant_type=authorization_code", 40029},
		"exchange: a used code":        {exchange + "appid=wxofficial&secret=official-secret&code=USED&grant_type=authorization_code", 40163},
		"exchange: a refusal":          {exchange + "appid=wxofficial&secret=official-secret&code=authdeny&grant_type=authorization_code", 40029},
		"refresh: no appid":            {refresh + "grant_type=refresh_token&refresh_token=REFRESH", 41002},
		"refresh: no token":            {refresh + "appid=wxofficial&grant_type=refresh_token", 41003},
		"refresh: no grant_type":       {refresh + "appid=wxofficial&refresh_token=REFRESH", 40002},
		"refresh: nobody's appid":      {refresh + "appid=wx&grant_type=refresh_token&refresh_token=REFRESH", 40013},
		"refresh: another app's token": {refresh + "appid=wxunbound&grant_type=refresh_token&refresh_token=REFRESH", 40030},
		"refresh: no such token":       {refresh + "appid=wxofficial&grant_type=refresh_token&refresh_token=x", 40030},
		"refresh: an access token":     {refresh + "appid=wxofficial&grant_type=refresh_token&refresh_token=ACCESS", 40030},
		"verify: no token":             {"/sns/auth?openid=OPENID", 41001},
		"verify: no openid":            {"/sns/auth?access_token=ACCESS", 41009},
		"verify: another openid":       {"/sns/auth?access_token=ACCESS&openid=oX", 40003},
		"verify: no such token":        {"/sns/auth?access_token=x&openid=OPENID", 40001},
		"user info: a refresh token":   {"/sns/userinfo?access_token=REFRESH&openid=OPENID", 40001},
		"user info: another openid":    {"/sns/userinfo?access_token=ACCESS&openid=oX", 40003},
		"user info: a base token":      {"/sns/userinfo?access_token=ACCESS&openid=OPENID", 48001},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			link := authorize(official, back, wechat.ScopeBase, "s1")
			used := w.code(t, link, "lin")
			token, err := w.client(t, official).Exchange(t.Context(), used)
			if err != nil {
				t.Fatal(err)
			}
			call := strings.NewReplacer("CODE", w.code(t, link, "lin"), "USED", used,
				"OPENID", token.OpenID, "ACCESS", token.AccessToken, "REFRESH", token.RefreshToken).Replace(test.call)
			resp, body := w.get(t, api+call)
			pattern := fmt.Sprintf(`^{"errcode":%d,"errmsg":"[^"]+, rid: [0-9a-z]{8}-[0-9a-z]{8}-[0-9a-z]{8}"}$`, test.want)
			if resp.StatusCode != http.StatusOK || !regexp.MustCompile(pattern).MatchString(body) {
				t.Errorf("%d: %s; want %d", resp.StatusCode, body, test.want)
			}
		})
	}
}

func TestLifetimes(t *testing.T) {
	passes := map[string]func(*world, time.Duration){
		"by the bubble's clock": func(_ *world, d time.Duration) { <-time.After(d) },
		"by FastForward":        func(w *world, d time.Duration) { w.FastForward(d) },
	}
	for name, pass := range passes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { lifetimes(t, newStrictWorld(t), pass) })
		})
	}
}

func lifetimes(t *testing.T, w *world, pass func(*world, time.Duration)) {
	client, link := w.client(t, official), authorize(official, back, wechat.ScopeBase, "s1")
	early, late := w.code(t, link, "lin"), w.code(t, link, "lin")
	pass(w, 5*time.Minute-time.Second)
	token, err := client.Exchange(t.Context(), early)
	if err != nil {
		t.Fatal(err)
	}
	pass(w, time.Second)
	if _, err := client.Exchange(t.Context(), late); !errors.Is(err, wechat.ErrCodeInvalid) {
		t.Errorf("an expired code: %v", err)
	}
	pass(w, 2*time.Hour)
	if err := client.Verify(t.Context(), token.AccessToken, token.OpenID); !errors.Is(err, wechat.ErrTokenExpired) {
		t.Errorf("an expired access token: %v", err)
	}
	fresh, err := client.Refresh(t.Context(), token.RefreshToken)
	if err != nil || client.Verify(t.Context(), fresh.AccessToken, fresh.OpenID) != nil {
		t.Errorf("refreshed: %+v, %v", fresh, err)
	}
	pass(w, 30*24*time.Hour)
	if _, err := client.Refresh(t.Context(), token.RefreshToken); !errors.Is(err, wechat.ErrTokenInvalid) {
		t.Errorf("an expired refresh token: %v", err)
	}
}

func TestExpire(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	tokens := map[string]wechat.Token{}
	for _, person := range []string{"lin", "wang"} {
		token, err := client.Exchange(t.Context(), w.code(t, authorize(official, back, wechat.ScopeBase, "s1"), person))
		if err != nil {
			t.Fatal(err)
		}
		tokens[person] = token
	}
	w.Expire("lin")
	if err := client.Verify(t.Context(), tokens["lin"].AccessToken, tokens["lin"].OpenID); !errors.Is(err, wechat.ErrTokenExpired) {
		t.Errorf("lin's: %v", err)
	}
	if err := client.Verify(t.Context(), tokens["wang"].AccessToken, tokens["wang"].OpenID); err != nil {
		t.Errorf("wang's: %v", err)
	}
}

func TestOldestAreForgotten(t *testing.T) {
	w := newStrictWorld(t)
	link := authorize(official, back, wechat.ScopeBase, "s1")
	oldest, second := w.code(t, link, "lin"), w.code(t, link, "lin")
	for range 10_000 - 1 {
		_ = w.code(t, link, "lin")
	}
	if _, err := w.client(t, official).Exchange(t.Context(), oldest); !errors.Is(err, wechat.ErrCodeInvalid) {
		t.Errorf("the oldest: %v", err)
	}
	if _, err := w.client(t, official).Exchange(t.Context(), second); err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault wechattest.Fault
		want  error // of an exchange
		after time.Duration
		again error // of the same exchange again
	}{
		"an errcode":           {wechattest.Fault{Errcode: 40164}, wechat.ErrConfiguration, 0, nil},
		"a delay":              {wechattest.Fault{Delay: 3 * time.Second}, nil, 3 * time.Second, wechat.ErrCodeUsed},
		"a delayed errcode":    {wechattest.Fault{Delay: time.Second, Errcode: 45011}, wechat.ErrQuota, time.Second, nil},
		"too long a delay":     {wechattest.Fault{Delay: time.Minute}, wechat.ErrUnreachable, 5 * time.Second, wechat.ErrCodeUsed},
		"a status":             {wechattest.Fault{Status: 502}, wechat.ErrResponse, 0, nil},
		"a body":               {wechattest.Fault{Body: "<html>"}, wechat.ErrResponse, 0, nil},
		"a status and a body":  {wechattest.Fault{Status: 500, Body: "{}"}, wechat.ErrResponse, 0, nil},
		"a redirect":           {wechattest.Fault{Location: "https://evil.example/"}, wechat.ErrResponse, 0, nil},
		"no answer":            {wechattest.Fault{Hang: true}, wechat.ErrUnreachable, 5 * time.Second, nil},
		"no answer, code used": {wechattest.Fault{Hang: true, After: true}, wechat.ErrUnreachable, 5 * time.Second, wechat.ErrCodeUsed},
		"another answer":       {wechattest.Fault{Edit: func(a map[string]any) { a["openid"] = "" }}, wechat.ErrResponse, 0, wechat.ErrCodeUsed},
		"no JSON to send":      {wechattest.Fault{Edit: func(a map[string]any) { a["openid"] = func() {} }}, wechat.ErrResponse, 0, wechat.ErrCodeUsed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStrictWorld(t)
				client, code := w.client(t, official), w.code(t, authorize(official, back, wechat.ScopeBase, "s1"), "lin")
				w.Fail(wechattest.OpExchange, 1, test.fault)
				start := time.Now()
				if _, err := client.Exchange(t.Context(), code); !errors.Is(err, test.want) || time.Since(start) != test.after {
					t.Errorf("got %v after %v; want %v after %v", err, time.Since(start), test.want, test.after)
				}
				synctest.Wait()
				if _, err := client.Exchange(t.Context(), code); !errors.Is(err, test.again) {
					t.Errorf("again: got %v; want %v", err, test.again)
				}
			})
		})
	}
}

func TestFaultsComeInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		client, code := w.client(t, official), w.code(t, authorize(official, back, wechat.ScopeBase, "s1"), "lin")
		w.Fail(wechattest.OpExchange, 2, wechattest.Fault{Errcode: -1})
		w.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029, Errmsg: "no"})
		w.Fail(wechattest.OpVerify, 0, wechattest.Fault{Status: 500})
		_, err := client.Exchange(t.Context(), code)
		var failed *wechat.Error
		if !errors.As(err, &failed) || failed.Message != "no" {
			t.Errorf("third: %v", err)
		}
		token, err := client.Exchange(t.Context(), code)
		if err != nil || client.Verify(t.Context(), token.AccessToken, token.OpenID) != nil {
			t.Errorf("fourth: %v", err)
		}
		if w.Calls(wechattest.OpExchange) != 4 || w.Calls(wechattest.OpVerify) != 1 || w.Calls(wechattest.OpUserInfo) != 0 || w.TotalCalls() != 5 {
			t.Errorf("counted %d of %d", w.Calls(wechattest.OpExchange), w.TotalCalls())
		}
	})
}

func TestEditLeavesErrorsAlone(t *testing.T) {
	w := newStrictWorld(t)
	w.Fail(wechattest.OpVerify, 1, wechattest.Fault{Edit: func(map[string]any) { t.Error("edited an error") }})
	if err := w.client(t, official).Verify(t.Context(), "x", "oX"); !errors.Is(err, wechat.ErrTokenInvalid) {
		t.Error(err)
	}
}

// recorder stands in for a test that fails.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) end() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}

func TestMisuseFailsTheTest(t *testing.T) {
	good := authorize(official, back, wechat.ScopeBase, "s1")
	edit := func(old, instead string) string { return strings.Replace(good, old, instead, 1) }
	for name, test := range map[string]struct {
		address string
		want    string // in the failure; empty: none
	}{
		"allowed: a good link":            {good, ""},
		"allowed: an icon":                {open + "/favicon.ico", ""},
		"allowed: a code that is none":    {api + "/sns/oauth2/access_token?appid=wxofficial&secret=official-secret&code=x&grant_type=authorization_code", ""},
		"allowed: a token that is none":   {api + "/sns/auth?access_token=x&openid=x", ""},
		"refused: another order":          {edit("&response_type=code&scope=snsapi_base", "&scope=snsapi_base&response_type=code"), "in this order"},
		"refused: another host":           {edit("app.example.com", "evil.example"), "10003"},
		"refused: a website's appid":      {edit("wxofficial", "wxwebsite"), "10016"},
		"refused: another secret":         {api + "/sns/oauth2/access_token?appid=wxofficial&secret=hush&code=x&grant_type=authorization_code", "isn't the secret of wxofficial"},
		"refused: no grant_type":          {api + "/sns/oauth2/access_token?appid=wxofficial&secret=official-secret&code=x", "grant_type"},
		"refused: a refusal exchanged":    {api + "/sns/oauth2/access_token?appid=wxofficial&secret=official-secret&code=authdeny&grant_type=authorization_code", "authdeny"},
		"refused: no code":                {api + "/sns/oauth2/access_token?appid=wxofficial&secret=official-secret&grant_type=authorization_code", "parameter code"},
		"refused: refresh with no appid":  {api + "/sns/oauth2/refresh_token?refresh_token=x&grant_type=refresh_token", "parameter appid"},
		"refused: nobody's refresh":       {api + "/sns/oauth2/refresh_token?appid=wx&refresh_token=x&grant_type=refresh_token", "appid"},
		"refused: refresh, no grant_type": {api + "/sns/oauth2/refresh_token?appid=wxofficial&refresh_token=x", "grant_type"},
		"refused: a route that isn't":     {api + "/sns/oauth/access_token", "no such route"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			w := worldOf(wechattest.NewStrict(r, official, website, unbound))
			w.get(t, test.address)
			failed(t, r, test.want)
			r.end()
			w.get(t, test.address)
			if len(r.failures) > 1 {
				t.Error("failed a test that had ended")
			}
		})
	}
}

func failed(t *testing.T, r *recorder, want string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case want == "" && len(r.failures) == 0:
	case want == "" || len(r.failures) != 1 || !strings.HasPrefix(r.failures[0], "wechattest: ") || !strings.Contains(r.failures[0], want):
		t.Errorf("got %q; want one about %q", r.failures, want)
	case strings.Contains(r.failures[0], "hush"):
		t.Errorf("%q tells a secret", r.failures[0])
	}
}

func TestMisuseByHand(t *testing.T) {
	base := authorize(official, back, wechat.ScopeBase, "s1")
	for name, test := range map[string]struct {
		do   func(context.Context, *world)
		want string
	}{
		"a base token at userinfo": {func(ctx context.Context, w *world) {
			c := w.client(t, official)
			token, _ := c.Exchange(ctx, w.code(t, base, "lin"))
			_, _ = c.UserInfo(ctx, token.AccessToken, token.OpenID)
		}, "snsapi_base"},
		"a link without its fragment, approved": {func(_ context.Context, w *world) {
			_, _ = w.Approve(strings.TrimSuffix(base, "#wechat_redirect"), "lin")
		}, "#wechat_redirect"},
		"a link without its fragment, opened": {func(ctx context.Context, w *world) {
			if resp, err := w.Phone("lin", w.rt, open).Open(ctx, strings.TrimSuffix(base, "#wechat_redirect")); err == nil {
				_ = resp.Body.Close()
			}
		}, "#wechat_redirect"},
		"a POST": {func(ctx context.Context, w *world) {
			if resp, err := w.Phone("lin", w.rt, open).PostForm(ctx, api+"/sns/auth", nil); err == nil {
				_ = resp.Body.Close()
			}
		}, "GET alone"},
		"nobody's phone": {func(_ context.Context, w *world) { w.Phone("nobody", w.rt, open) }, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			test.do(t.Context(), worldOf(wechattest.NewStrict(r, official, website)))
			failed(t, r, test.want)
		})
	}
}

func TestServer(t *testing.T) {
	server := wechattest.NewServer(t, official)
	client, err := wechat.NewClient(official.Account, server.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	link := client.AuthorizeURL(back, "s1", wechat.ScopeUserInfo)
	if !strings.HasPrefix(link, server.URL+"/connect/") {
		t.Errorf("a link to %s", link)
	}
	callback, err := server.Approve(link, "yueyue")
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Exchange(t.Context(), query(t, callback).Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := client.UserInfo(t.Context(), token.AccessToken, token.OpenID); err != nil || info.Nickname != "月月🌙🐰" {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestServerStopsWhatHangs(t *testing.T) {
	r := &recorder{TB: t}
	server := wechattest.NewServer(r, official)
	server.Fail(wechattest.OpVerify, 1, wechattest.Fault{Hang: true})
	client, err := wechat.NewClient(official.Account, server.Endpoint(), &http.Client{Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- client.Verify(t.Context(), "x", "oX") }()
	for range time.Tick(time.Millisecond) { // a real socket: no bubble
		if server.Calls(wechattest.OpVerify) == 1 {
			break
		}
	}
	r.end()
	if err := <-done; !errors.Is(err, wechat.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestPhone(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("lin", w.rt, open)
	ctx := wechattest.WithRemoteAddr(t.Context(), "203.0.113.9:99")
	resp, err := phone.Open(ctx, authorize(official, back, wechat.ScopeBase, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	got := w.callbacks[0]
	if read(t, resp) != got.URL.RawQuery || len(w.callbacks) != 1 || got.UserAgent() != wechattest.UserAgentPhone || got.RemoteAddr != "203.0.113.9:99" {
		t.Errorf("got %d callbacks, %s, %s", len(w.callbacks), got.UserAgent(), got.RemoteAddr)
	}
	resp, err = phone.PostForm(ctx, back, url.Values{"a": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	if got := w.callbacks[1]; got.Method != http.MethodPost || got.PostFormValue("a") != "b" || got.Header.Get("Origin") != "https://app.example.com" {
		t.Errorf("posted %s, %v", got.Method, got.Header)
	}
}

func TestPhoneTapsAtAQRCode(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("wang", w.rt, open)
	resp, err := phone.Open(t.Context(), qrconnect(website, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = phone.Tap(t.Context(), resp, wechattest.Refuse); err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "state=s1" {
		t.Errorf("got %s", got)
	}
}

func TestDeliverTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := wechattest.NewStrict(t, official)
		var mu sync.Mutex
		var codes []string
		both := make(chan struct{})
		rt := wechattest.Transport(map[string]http.Handler{
			"open.weixin.qq.com": sim,
			"app.example.com": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				if codes = append(codes, r.FormValue("code")); len(codes) == 2 {
					close(both)
				}
				mu.Unlock()
				<-both // which a delivery one after the other would never pass
			}),
		})
		sim.DeliverTwice(true)
		phone := sim.Phone("lin", rt, open)
		resp, err := phone.Open(t.Context(), authorize(official, back, wechat.ScopeBase, "s1"))
		if err != nil {
			t.Fatal(err)
		}
		_ = read(t, resp)
		if len(codes) != 2 || codes[0] != codes[1] || codes[0] == "" {
			t.Errorf("delivered %q", codes)
		}
	})
}

func TestDeliverTwiceLeavesOtherRequestsAlone(t *testing.T) {
	w := newStrictWorld(t)
	w.DeliverTwice(true)
	phone := w.Phone("lin", w.rt, open)
	resp, err := phone.Open(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	if len(w.callbacks) != 1 {
		t.Errorf("delivered %d times", len(w.callbacks))
	}
}

func TestConcurrently(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	code := w.code(t, authorize(official, back, wechat.ScopeBase, "s1"), "lin")
	var all sync.WaitGroup
	errs := make(chan error, 50)
	for range cap(errs) {
		all.Go(func() {
			_, err := client.Exchange(t.Context(), code)
			w.Fail(wechattest.OpVerify, 1, wechattest.Fault{})
			w.Expire("lin")
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	count := map[bool]int{}
	for err := range errs {
		count[errors.Is(err, wechat.ErrCodeUsed)]++
	}
	if !reflect.DeepEqual(count, map[bool]int{true: 49, false: 1}) {
		t.Errorf("a code was good %d times", count[false])
	}
}
