package wechattest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// tokenAnswer is the answer of stable_token.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	Errcode     int
	Errmsg      string
}

// stableToken calls stable_token by hand.
func stableToken(t *testing.T, w *world, app wechattest.App, force bool) tokenAnswer {
	t.Helper()
	body := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%t}`, app.AppID, app.Secret, force)
	resp, text := w.post(t.Context(), t, http.MethodPost, apiURL+"/cgi-bin/stable_token", "application/json", body)
	var answer tokenAnswer
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("stable_token: status = %d, body = %s, want 200 and JSON", resp.StatusCode, text)
	}
	return answer
}

// errcodeOf returns the errcode in an answer.
func errcodeOf(t *testing.T, body string) int {
	t.Helper()
	var answer struct{ Errcode int }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("answer = %q, want JSON", body)
	}
	return answer.Errcode
}

// followerErrcode returns the errcode of user/info with a token.
func followerErrcode(t *testing.T, w *world, token string) int {
	t.Helper()
	_, body := w.get(t, apiURL+"/cgi-bin/user/info?access_token="+token+"&openid="+w.OpenID("lin", official.AppID))
	return errcodeOf(t, body)
}

func TestStableToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		first := stableToken(t, w, official, false)
		if first.ExpiresIn != 7200 || len(first.AccessToken) > 512 {
			t.Errorf("stable_token = %+v, want 7200 seconds and at most 512 characters", first)
		}
		if again := stableToken(t, w, official, false); again != first {
			t.Errorf("second stable_token = %+v, want %+v", again, first)
		}
		if other := stableToken(t, w, personal, false); other.AccessToken == first.AccessToken {
			t.Error("another account has the same token, want another one")
		}
		<-time.After(time.Hour)
		if again := stableToken(t, w, official, false); again.AccessToken != first.AccessToken || again.ExpiresIn != 3600 {
			t.Errorf("stable_token after an hour = %+v, want the same token with 3600 seconds", again)
		}
		// In the last five minutes both tokens are valid.
		<-time.After(55 * time.Minute)
		second := stableToken(t, w, official, false)
		if second.AccessToken == first.AccessToken || second.ExpiresIn != 7200 {
			t.Errorf("stable_token in the last five minutes = %+v, want another token with 7200 seconds", second)
		}
		for name, token := range map[string]string{"former": first.AccessToken, "new": second.AccessToken} {
			if got := followerErrcode(t, w, token); got != 0 {
				t.Errorf("user/info with the %s token: errcode = %d, want 0", name, got)
			}
		}
		<-time.After(5 * time.Minute)
		if got := followerErrcode(t, w, first.AccessToken); got != 42001 {
			t.Errorf("user/info with the former token after its end: errcode = %d, want 42001", got)
		}
	})
}

func TestForceRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		first := stableToken(t, w, official, false)
		second := stableToken(t, w, official, true)
		if second.AccessToken == first.AccessToken {
			t.Error("stable_token with force_refresh: the same token, want another one")
		}
		if got := followerErrcode(t, w, first.AccessToken); got != 40001 {
			t.Errorf("user/info with the former token: errcode = %d, want 40001", got)
		}
		// Sooner than after 30 seconds it does nothing.
		<-time.After(29 * time.Second)
		if again := stableToken(t, w, official, true); again.AccessToken != second.AccessToken {
			t.Error("stable_token with force_refresh after 29 s: another token, want the same one")
		}
		last := second.AccessToken
		for n := 2; n <= 21; n++ {
			<-time.After(30 * time.Second)
			next := stableToken(t, w, official, true).AccessToken
			if changed := next != last; changed != (n <= 20) {
				t.Errorf("stable_token with force_refresh, number %d of the day: another token: %t, want %t", n, changed, n <= 20)
			}
			last = next
		}
	})
}

// TestToken fetches tokens by the older call. Each ends the one before after five minutes,
// and none disturbs the token of stable_token.
func TestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		token := func() string {
			t.Helper()
			_, text := w.get(t, apiURL+"/cgi-bin/token?grant_type=client_credential&appid="+official.AppID+"&secret="+official.Secret)
			var answer tokenAnswer
			if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.ExpiresIn != 7200 {
				t.Fatalf("token = %s, want one for 7200 seconds", text)
			}
			return answer.AccessToken
		}
		stable, first, second := stableToken(t, w, official, false).AccessToken, token(), token()
		for step, want := range []map[string]int{
			{stable: 0, first: 0, second: 0},
			{stable: 0, first: 42001, second: 0},
		} {
			for token, errcode := range want {
				if got := followerErrcode(t, w, token); got != errcode {
					t.Errorf("step %d: user/info with the token %.3s...: errcode = %d, want %d", step, token, got, errcode)
				}
			}
			<-time.After(5 * time.Minute)
		}
	})
	w := newWorld(t)
	for query, want := range map[string]int{
		"grant_type=client_credential&secret=" + official.Secret:                               41002,
		"grant_type=client_credential&appid=" + official.AppID:                                 41004,
		"appid=" + official.AppID + "&secret=" + official.Secret:                               40002,
		"grant_type=client_credential&appid=" + official.AppID + "&secret=" + website.Secret:   40125,
		"grant_type=client_credential&appid=wx0000000000000000" + "&secret=" + official.Secret: 40013,
	} {
		if _, text := w.get(t, apiURL+"/cgi-bin/token?"+query); errcodeOf(t, text) != want {
			t.Errorf("token?%s = %s, want errcode %d", query, text, want)
		}
	}
}

func TestStableTokenErrors(t *testing.T) {
	good := `{"grant_type":"client_credential","appid":"wx00000000official","secret":"0ff1c1a10ff1c1a10ff1c1a10ff1c1a1"}`
	for name, c := range map[string]struct {
		method, body string
		want         int
	}{
		"without force_refresh": {http.MethodPost, good, 0},
		"GET":                   {http.MethodGet, good, 43002},
		"a form":                {http.MethodPost, "grant_type=client_credential&appid=wx00000000official", 47001},
		"no appid":              {http.MethodPost, strings.Replace(good, "appid", "id", 1), 41002},
		"no secret":             {http.MethodPost, strings.Replace(good, "secret", "key", 1), 41004},
		"another grant_type":    {http.MethodPost, strings.Replace(good, "client_credential", "code", 1), 40002},
		"an unknown appid":      {http.MethodPost, strings.Replace(good, "official", "offic1al", 1), 40013},
		"another secret":        {http.MethodPost, strings.Replace(good, "0ff1", "1ff1", 1), 40125},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeT{TB: t}
			w := worldOf(wechattest.NewStrict(fake, official))
			_, body := w.post(t.Context(), t, c.method, apiURL+"/cgi-bin/stable_token", "application/json", c.body)
			if got := errcodeOf(t, body); got != c.want || len(fake.failures) > 0 != (c.want != 0) {
				t.Errorf("stable_token: errcode = %d and misuse %q, want %d", got, fake.failures, c.want)
			}
			if strings.Contains(strings.Join(fake.failures, "\n"), "1ff1c1a1") {
				t.Errorf("misuse = %q, want no secret in it", fake.failures)
			}
		})
	}
}

func TestIPList(t *testing.T) {
	listed := official
	listed.IPList = []string{"203.0.113.9"}
	listedMini := mini
	listedMini.IPList = []string{"203.0.113.9"}
	w := worldOf(wechattest.NewStrict(t, listed, listedMini))
	client := w.client(t, listed)
	_, err := client.AccessToken(t.Context())
	var failed *wechat.Error
	if !errors.Is(err, wechat.ErrConfiguration) || !errors.As(err, &failed) || failed.Code != 40164 || failed.Message != "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist" {
		t.Errorf("AccessToken from an address that is not listed: error = %v, want 40164 with the address", err)
	}
	ctx := wechattest.WithRemoteAddr(t.Context(), "203.0.113.9:5000")
	if _, err := client.AccessToken(ctx); err != nil {
		t.Errorf("AccessToken from the listed address: error = %v, want none", err)
	}
	// A mini program's list covers the exchange of codes, and an official account's does
	// not.
	code, err := w.Phone("lin", w.rt, openURL).LoginCode(mini.AppID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client(t, listedMini).SessionByCode(t.Context(), code); !errors.Is(err, wechat.ErrConfiguration) {
		t.Errorf("SessionByCode from an address that is not listed: error = %v, want %v", err, wechat.ErrConfiguration)
	}
	if _, err := w.client(t, listedMini).SessionByCode(ctx, code); err != nil {
		t.Errorf("SessionByCode from the listed address: error = %v, want none", err)
	}
	link := authorize(listed, callbackURL, wechat.ScopeBase, "s1")
	if _, err := client.Exchange(t.Context(), w.code(t, link, "lin")); err != nil {
		t.Errorf("Exchange from an address that is not listed: error = %v, want none", err)
	}
}

// TestAccountFaults lets the account's calls fail as they do in production.
func TestAccountFaults(t *testing.T) {
	for errcode, want := range map[int]error{
		61004: wechat.ErrConfiguration, 40243: wechat.ErrConfiguration, 89501: wechat.ErrConfiguration, 89503: wechat.ErrConfiguration,
		89506: wechat.ErrConfiguration, 45009: wechat.ErrQuota, 50002: wechat.ErrConfiguration,
	} {
		w := newStrictWorld(t)
		client := w.client(t, official)
		w.Fail(wechattest.OpStableToken, 1, wechattest.Fault{Errcode: errcode})
		if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); !errors.Is(err, want) {
			t.Errorf("CreateQRCode after errcode %d: error = %v, want %v", errcode, err, want)
		}
		if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); err != nil {
			t.Errorf("CreateQRCode after the fault: error = %v, want none", err)
		}
	}
}

func TestQuota(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	w.Quota(wechattest.OpCreateQRCode, 2)
	for n, want := range []error{nil, nil, wechat.ErrQuota, wechat.ErrQuota} {
		if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); !errors.Is(err, want) {
			t.Errorf("CreateQRCode number %d: error = %v, want %v", n+1, err, want)
		}
	}
	w.Quota(wechattest.OpCreateQRCode, 1)
	if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); err != nil {
		t.Errorf("CreateQRCode with a new quota: error = %v, want none", err)
	}
	if got := w.Calls(wechattest.OpCreateQRCode); got != 5 {
		t.Errorf("Calls = %d, want 5", got)
	}
}

// TestStaleTokenIsReplaced lets another program refresh the token. The client fetches the
// new one and repeats its call.
func TestStaleTokenIsReplaced(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); err != nil {
		t.Fatal(err)
	}
	w.ExpireAccountToken(official.AppID)
	if _, err := client.CreateQRCode(t.Context(), "s", time.Hour); err != nil {
		t.Errorf("CreateQRCode with a stale token: error = %v, want none", err)
	}
	w.Fail(wechattest.OpFollower, 1, wechattest.Fault{Errcode: 40001})
	if _, err := client.UserInfoByOpenID(t.Context(), w.OpenID("lin", official.AppID)); err != nil {
		t.Errorf("UserInfoByOpenID with a token that is refused once: error = %v, want none", err)
	}
	if tokens, codes := w.Calls(wechattest.OpStableToken), w.Calls(wechattest.OpCreateQRCode); tokens != 3 || codes != 3 {
		t.Errorf("calls of stable_token and qrcode/create = %d and %d, want 3 and 3", tokens, codes)
	}
}

func TestCreateQRCodeAnswer(t *testing.T) {
	w := newStrictWorld(t)
	token := stableToken(t, w, official, false).AccessToken
	create := func(body string) string {
		_, text := w.post(t.Context(), t, http.MethodPost, apiURL+"/cgi-bin/qrcode/create?access_token="+token, "application/json", body)
		return text
	}
	const tail = `"url":"http:\\/\\/weixin.qq.com\\/q\\/[0-9A-Z]{22}"}$`
	for body, want := range map[string]string{
		`{"expire_seconds":604800,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"test"}}}`: `^{"ticket":"gQ[^"]+==","expire_seconds":604800,` + tail,
		`{"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"test"}}}`:                         `^{"ticket":"gQ[^"]+==","expire_seconds":60,` + tail,
		`{"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":4294967295}}}`:                          `^{"ticket":"gQ[^"]+==","expire_seconds":60,` + tail,
		`{"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":100000}}}`:                        `^{"ticket":"gQ[^"]+==",` + tail,
		`{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"test"}}}`:                   `^{"ticket":"gQ[^"]+==",` + tail,
	} {
		if got := create(body); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("qrcode/create with %s = %s, want %s", body, got, want)
		}
	}
}

func TestCreateQRCodeErrors(t *testing.T) {
	const good = `{"expire_seconds":600,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"test"}}}`
	for name, c := range map[string]struct {
		app  wechattest.App
		body string
		want int
	}{
		"an unverified account":     {personal, good, 48001},
		"a mini program":            {mini, good, 48001},
		"no JSON":                   {official, "scene", 47001},
		"another action":            {official, strings.Replace(good, "QR_STR_SCENE", "QR", 1), 40053},
		"an empty scene":            {official, strings.Replace(good, `"test"`, `""`, 1), 40053},
		"65 characters":             {official, strings.Replace(good, "test", strings.Repeat("码", 65), 1), 40053},
		"64 characters":             {official, strings.Replace(good, "test", strings.Repeat("码", 64), 1), 0},
		"a number of 0":             {official, `{"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":0}}}`, 40053},
		"a large permanent number":  {official, `{"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":100001}}}`, 40053},
		"more than 30 days":         {official, strings.Replace(good, "600", "2592001", 1), 40053},
		"30 days":                   {official, strings.Replace(good, "600", "2592000", 1), 0},
		"a number that is a string": {official, `{"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":"1"}}}`, 47001},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			token := stableToken(t, w, c.app, false).AccessToken
			_, text := w.post(t.Context(), t, http.MethodPost, apiURL+"/cgi-bin/qrcode/create?access_token="+token, "application/json", c.body)
			if got := errcodeOf(t, text); got != c.want {
				t.Errorf("qrcode/create: errcode = %d, want %d", got, c.want)
			}
		})
	}
	w := newWorld(t)
	for query, want := range map[string]int{"": 41001, "access_token=x": 40001} {
		_, text := w.post(t.Context(), t, http.MethodPost, apiURL+"/cgi-bin/qrcode/create?"+query, "application/json", good)
		if got := errcodeOf(t, text); got != want {
			t.Errorf("qrcode/create with the query %q: errcode = %d, want %d", query, got, want)
		}
	}
}

func TestShowQRCode(t *testing.T) {
	w := newStrictWorld(t)
	client := w.client(t, official)
	code, err := client.CreateQRCode(t.Context(), "s", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := w.get(t, client.QRCodePictureURL(code.Ticket))
	if _, err := jpeg.Decode(bytes.NewReader([]byte(body))); err != nil || resp.Header.Get("Content-Type") != "image/jpeg" || resp.StatusCode != http.StatusOK {
		t.Errorf("picture: status = %d, Content-Type = %q, %v, want a JPEG", resp.StatusCode, resp.Header.Get("Content-Type"), err)
	}
	if resp, _ := w.get(t, mpURL+"/cgi-bin/showqrcode?ticket="+url.QueryEscape("gQ+x=")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("picture of a wrong ticket: status = %d, want 404", resp.StatusCode)
	}
	w.FastForward(time.Minute)
	if resp, _ := w.get(t, client.QRCodePictureURL(code.Ticket)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("picture of an expired code: status = %d, want 404", resp.StatusCode)
	}
}

func TestFollowerErrors(t *testing.T) {
	w := newWorld(t)
	token := stableToken(t, w, official, false).AccessToken
	openID := w.OpenID("lin", official.AppID)
	for query, want := range map[string]int{
		"openid=" + openID: 41001, "access_token=" + token: 41009, "access_token=x&openid=" + openID: 40001,
		"access_token=" + token + "&openid=oX":                                        40003,
		"access_token=" + token + "&openid=" + w.OpenID("lin", personal.AppID):        40003,
		"access_token=" + stableToken(t, w, personal, false).AccessToken + "&openid=": 48001,
	} {
		if _, text := w.get(t, apiURL+"/cgi-bin/user/info?"+query); errcodeOf(t, text) != want {
			t.Errorf("user/info?%s = %s, want errcode %d", query, text, want)
		}
	}
	_, text := w.get(t, apiURL+"/cgi-bin/user/info?access_token="+token+"&openid="+openID)
	if want := `{"subscribe":0,"openid":"` + openID + `"}`; text != want {
		t.Errorf("user/info of a person who does not follow = %s, want %s", text, want)
	}
	if _, text := w.post(t.Context(), t, http.MethodPost, apiURL+"/cgi-bin/user/info?access_token="+token+"&openid="+openID, formType, ""); errcodeOf(t, text) != 43001 {
		t.Errorf("user/info by POST = %s, want errcode 43001", text)
	}
}
