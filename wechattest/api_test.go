package wechattest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestIDs(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, id := range []string{
		w.OpenID("lin", official.AppID), w.OpenID("wang", official.AppID), w.OpenID("lin", website.AppID), w.UnionID("lin"), w.UnionID("wang"),
	} {
		if len(id) != 28 || id[0] != 'o' || seen[id] {
			t.Errorf("id = %q, want a unique one of 28 characters that begins with o", id)
		}
		seen[id] = true
	}
	if got, want := newWorld(t).OpenID("lin", official.AppID), w.OpenID("lin", official.AppID); got != want {
		t.Errorf("OpenID in another simulator = %q, want %q", got, want)
	}
	for _, person := range []string{"chen", "unknown"} {
		if got := w.UnionID(person); got != "" {
			t.Errorf("UnionID(%q) = %q, want none", person, got)
		}
	}
}

// TestIdentities logs in each kind of person and checks all of the API's answers.
func TestIdentities(t *testing.T) {
	for name, test := range map[string]struct {
		app      wechattest.App
		scope    wechat.Scope
		person   string
		union    bool
		snapshot bool
		nickname string // empty for a scope without a profile
	}{
		"base scope":                {official, wechat.ScopeBase, "lin", false, false, ""},
		"user info scope":           {official, wechat.ScopeUserInfo, "lin", true, false, "林小北"},
		"emoji in the nickname":     {official, wechat.ScopeUserInfo, "yueyue", true, false, "月月🌙🐰"},
		"without a unionid":         {official, wechat.ScopeUserInfo, "chen", false, false, "陈默"},
		"at an unbound app":         {unbound, wechat.ScopeUserInfo, "lin", false, false, "林小北"},
		"snapshot user":             {official, wechat.ScopeUserInfo, "zhao", false, true, "微信用户"},
		"snapshot user, base scope": {official, wechat.ScopeBase, "zhao", false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t)
			client := w.client(t, test.app)
			token, err := client.Exchange(t.Context(), w.code(t, authorize(test.app, callbackURL, test.scope, "s1"), test.person))
			if err != nil || token.SnapshotUser != test.snapshot || !token.HasScope(test.scope) {
				t.Fatalf("Exchange = %+v, %v, want scope %s and snapshot user %t", token, err, test.scope, test.snapshot)
			}
			if (token.OpenID == w.OpenID(test.person, test.app.AppID)) == test.snapshot || (token.UnionID == w.UnionID(test.person) && token.UnionID != "") != test.union {
				t.Errorf("Exchange = %+v, want the person's openid: %t, a unionid: %t", token, !test.snapshot, test.union)
			}
			if err := client.Verify(t.Context(), token.AccessToken, token.OpenID); err != nil {
				t.Errorf("Verify = %v, want nil", err)
			}
			if test.nickname == "" {
				return
			}
			info, err := client.UserInfo(t.Context(), token.AccessToken, token.OpenID)
			if err != nil || info.Nickname != test.nickname || info.UnionID != token.UnionID || !strings.HasPrefix(info.HeadImgURL, "https://thirdwx.qlogo.cn/") {
				t.Errorf("UserInfo = %+v, %v, want nickname %q, unionid %q and a picture", info, err, test.nickname, token.UnionID)
			}
		})
	}
}

// TestAnswers compares whole answers with WeChat's, including the fields' order and
// the escapes.
func TestAnswers(t *testing.T) {
	w := newStrictWorld(t)
	code := w.code(t, authorize(official, callbackURL, wechat.ScopeUserInfo, "s1"), "lin")
	resp, body := w.get(t, apiURL+"/sns/oauth2/access_token?appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code="+code+"&grant_type=authorization_code")
	var token struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		t.Fatal(err)
	}
	openID, unionID := w.OpenID("lin", official.AppID), w.UnionID("lin")
	checkAnswer(t, resp, body, fmt.Sprintf(`{"access_token":%q,"expires_in":7200,"refresh_token":%q,"openid":%q,"scope":"snsapi_userinfo","unionid":%q}`,
		token.AccessToken, token.RefreshToken, openID, unionID))

	resp, body = w.get(t, apiURL+"/sns/userinfo?access_token="+token.AccessToken+"&openid="+openID+"&lang=zh_CN")
	checkAnswer(t, resp, body, fmt.Sprintf(`{"openid":%q,"nickname":"林小北","sex":0,"language":"","city":"","province":"","country":"",`+
		`"headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/vi_32\/lin\/132","privilege":[],"unionid":%q}`, openID, unionID))

	resp, body = w.get(t, apiURL+"/sns/auth?access_token="+token.AccessToken+"&openid="+openID)
	checkAnswer(t, resp, body, `{"errcode":0,"errmsg":"ok"}`)

	resp, body = w.get(t, apiURL+"/sns/oauth2/refresh_token?appid=wx00000000official&grant_type=refresh_token&refresh_token="+token.RefreshToken)
	fresh := regexp.MustCompile(`"access_token":"([^"]*)"`).FindStringSubmatch(body)[1]
	checkAnswer(t, resp, body, fmt.Sprintf(`{"access_token":%q,"expires_in":7200,"refresh_token":%q,"openid":%q,"scope":"snsapi_userinfo"}`, fresh, token.RefreshToken, openID))
	if fresh == token.AccessToken {
		t.Errorf("access token after the refresh = %q, want a new one", fresh)
	}
}

// checkAnswer compares an answer of the API with the wanted JSON.
func checkAnswer(t *testing.T, resp *http.Response, got, want string) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain" || got != want {
		t.Errorf("answer: status = %d, Content-Type = %q, want 200 and text/plain\n got %s\nwant %s", resp.StatusCode, resp.Header.Get("Content-Type"), got, want)
	}
}

func TestAPIErrors(t *testing.T) {
	const exchange, refresh = "/sns/oauth2/access_token?", "/sns/oauth2/refresh_token?"
	for name, test := range map[string]struct {
		// call is a URL. In it, OPENID, ACCESS and REFRESH are replaced by those of a
		// login with the base scope, USED by that login's code, and CODE by a new
		// code.
		call string
		want int
	}{
		"exchange: no appid":                 {exchange + "secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&grant_type=authorization_code", 41002},
		"exchange: no secret":                {exchange + "appid=wx00000000official&code=CODE&grant_type=authorization_code", 41004},
		"exchange: no code":                  {exchange + "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&grant_type=authorization_code", 41008},
		"exchange: no grant_type":            {exchange + "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE", 40002},
		"exchange: an unknown appid":         {exchange + "appid=wx&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=CODE&grant_type=authorization_code", 40013},
		"exchange: another secret":           {exchange + "appid=wx00000000official&secret=x&code=CODE&grant_type=authorization_code", 40125},
		"exchange: an unknown code":          {exchange + "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=x&grant_type=authorization_code", 40029},
		"exchange: another app's code":       {exchange + "appid=wx000000000unbound&secret=0b0a4d000b0a4d000b0a4d000b0a4d00&code=CODE&grant_type=authorization_code", 40029},
		"exchange: a used code":              {exchange + "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=USED&grant_type=authorization_code", 40163},
		"exchange: a refusal":                {exchange + "appid=wx00000000official&secret=0ff1c1a10ff1c1a10ff1c1a10ff1c1a1&code=authdeny&grant_type=authorization_code", 40029},
		"refresh: no appid":                  {refresh + "grant_type=refresh_token&refresh_token=REFRESH", 41002},
		"refresh: no token":                  {refresh + "appid=wx00000000official&grant_type=refresh_token", 41003},
		"refresh: no grant_type":             {refresh + "appid=wx00000000official&refresh_token=REFRESH", 40002},
		"refresh: an unknown appid":          {refresh + "appid=wx&grant_type=refresh_token&refresh_token=REFRESH", 40013},
		"refresh: another app's token":       {refresh + "appid=wx000000000unbound&grant_type=refresh_token&refresh_token=REFRESH", 40030},
		"refresh: an unknown token":          {refresh + "appid=wx00000000official&grant_type=refresh_token&refresh_token=x", 40030},
		"refresh: an access token":           {refresh + "appid=wx00000000official&grant_type=refresh_token&refresh_token=ACCESS", 40030},
		"verify: no token":                   {"/sns/auth?openid=OPENID", 41001},
		"verify: no openid":                  {"/sns/auth?access_token=ACCESS", 41009},
		"verify: another openid":             {"/sns/auth?access_token=ACCESS&openid=oX", 40003},
		"verify: an unknown token":           {"/sns/auth?access_token=x&openid=OPENID", 40001},
		"user info: a refresh token":         {"/sns/userinfo?access_token=REFRESH&openid=OPENID", 40001},
		"user info: another openid":          {"/sns/userinfo?access_token=ACCESS&openid=oX", 40003},
		"user info: a token with base scope": {"/sns/userinfo?access_token=ACCESS&openid=OPENID", 48001},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			link := authorize(official, callbackURL, wechat.ScopeBase, "s1")
			used := w.code(t, link, "lin")
			token, err := w.client(t, official).Exchange(t.Context(), used)
			if err != nil {
				t.Fatal(err)
			}
			call := strings.NewReplacer("CODE", w.code(t, link, "lin"), "USED", used,
				"OPENID", token.OpenID, "ACCESS", token.AccessToken, "REFRESH", token.RefreshToken).Replace(test.call)
			resp, body := w.get(t, apiURL+call)
			pattern := fmt.Sprintf(`^{"errcode":%d,"errmsg":"[^"]+, rid: [0-9a-z]{8}-[0-9a-z]{8}-[0-9a-z]{8}"}$`, test.want)
			if resp.StatusCode != http.StatusOK || !regexp.MustCompile(pattern).MatchString(body) {
				t.Errorf("GET %s: status = %d, body = %s, want 200 and errcode %d", test.call, resp.StatusCode, body, test.want)
			}
		})
	}
}

func TestLifetimes(t *testing.T) {
	// In the bubble of synctest, time passes at once.
	waits := map[string]func(*world, time.Duration){
		"by waiting":     func(_ *world, d time.Duration) { <-time.After(d) },
		"by FastForward": func(w *world, d time.Duration) { w.FastForward(d) },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkLifetimes(t, newStrictWorld(t), wait) })
		})
	}
}

// checkLifetimes uses codes and tokens shortly before and after they expire. wait
// makes time pass for the simulator.
func checkLifetimes(t *testing.T, w *world, wait func(*world, time.Duration)) {
	t.Helper()
	client, link := w.client(t, official), authorize(official, callbackURL, wechat.ScopeBase, "s1")
	early, late := w.code(t, link, "lin"), w.code(t, link, "lin")
	wait(w, 5*time.Minute-time.Second)
	token, err := client.Exchange(t.Context(), early)
	if err != nil {
		t.Fatal(err)
	}
	wait(w, time.Second)
	if _, err := client.Exchange(t.Context(), late); !errors.Is(err, wechat.ErrCodeInvalid) {
		t.Errorf("Exchange of an expired code = %v, want %v", err, wechat.ErrCodeInvalid)
	}
	wait(w, 2*time.Hour)
	if err := client.Verify(t.Context(), token.AccessToken, token.OpenID); !errors.Is(err, wechat.ErrTokenExpired) {
		t.Errorf("Verify of an expired access token = %v, want %v", err, wechat.ErrTokenExpired)
	}
	fresh, err := client.Refresh(t.Context(), token.RefreshToken)
	if err != nil || client.Verify(t.Context(), fresh.AccessToken, fresh.OpenID) != nil {
		t.Errorf("Refresh = %+v, %v, want a valid access token", fresh, err)
	}
	wait(w, 30*24*time.Hour)
	if _, err := client.Refresh(t.Context(), token.RefreshToken); !errors.Is(err, wechat.ErrTokenInvalid) {
		t.Errorf("Refresh with an expired token = %v, want %v", err, wechat.ErrTokenInvalid)
	}
}

func TestExpire(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	tokens := map[string]wechat.Token{}
	for _, person := range []string{"lin", "wang"} {
		token, err := client.Exchange(t.Context(), w.code(t, authorize(official, callbackURL, wechat.ScopeBase, "s1"), person))
		if err != nil {
			t.Fatal(err)
		}
		tokens[person] = token
	}
	w.Expire("lin")
	if err := client.Verify(t.Context(), tokens["lin"].AccessToken, tokens["lin"].OpenID); !errors.Is(err, wechat.ErrTokenExpired) {
		t.Errorf("Verify of lin's token = %v, want %v", err, wechat.ErrTokenExpired)
	}
	if err := client.Verify(t.Context(), tokens["wang"].AccessToken, tokens["wang"].OpenID); err != nil {
		t.Errorf("Verify of wang's token = %v, want nil", err)
	}
}

func TestOldestCodeIsDropped(t *testing.T) {
	w := newStrictWorld(t)
	link := authorize(official, callbackURL, wechat.ScopeBase, "s1")
	oldest, second := w.code(t, link, "lin"), w.code(t, link, "lin")
	// The simulator keeps 10,000 codes.
	for range 10_000 - 1 {
		_ = w.code(t, link, "lin")
	}
	if _, err := w.client(t, official).Exchange(t.Context(), oldest); !errors.Is(err, wechat.ErrCodeInvalid) {
		t.Errorf("Exchange of the oldest code = %v, want %v", err, wechat.ErrCodeInvalid)
	}
	if _, err := w.client(t, official).Exchange(t.Context(), second); err != nil {
		t.Errorf("Exchange of the second code = %v, want nil", err)
	}
}

// TestConcurrentUse exchanges one code from 50 goroutines, while others change the
// simulator. The race detector checks the rest.
func TestConcurrentUse(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	code := w.code(t, authorize(official, callbackURL, wechat.ScopeBase, "s1"), "lin")
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
	succeeded := 0
	for err := range errs {
		switch {
		case err == nil:
			succeeded++
		case !errors.Is(err, wechat.ErrCodeUsed):
			t.Errorf("Exchange = %v, want nil or %v", err, wechat.ErrCodeUsed)
		}
	}
	if succeeded != 1 {
		t.Errorf("exchanges of one code that succeeded = %d, want 1", succeeded)
	}
}
