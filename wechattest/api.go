package wechattest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// code is what a person's consent is worth: who agreed, to what, and for whom.
// All but used is fixed when it is made.
type code struct {
	app    App
	person Person
	scope  wechat.Scope
	// openID is the person's at app, or a snapshot user's.
	openID string
	// snapshot makes everything about the person up.
	snapshot bool
	// used says that the code was exchanged. It is kept, so that a second
	// exchange gets 40163 and not 40029.
	used bool
}

// grant is what a token stands for: the code that it was exchanged for, and the
// refresh token of that exchange. It never changes; all the access tokens that a
// refresh token buys stand for the same one.
type grant struct {
	code
	refreshToken string
}

// unionID returns the unionid that goes with a code, or "". WeChat gives one for
// snsapi_userinfo and snsapi_login only, and only to accounts that are bound to
// an Open Platform account ("网页授权", step 2).
func (w *WeChat) unionID(c code) string {
	switch {
	case c.scope == wechat.ScopeBase || c.app.Unbound || c.person.NoUnionID:
		return ""
	case c.snapshot:
		return derive("snapshot unionid", c.person.ID)
	}
	return w.UnionID(c.person.ID)
}

// failure is an answer that says what went wrong, or, with 0, that nothing did.
type failure struct {
	Errcode int    `json:"errcode"`
	Errmsg  string `json:"errmsg"`
}

// errmsgs are WeChat's texts ("全局返回码").
var errmsgs = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40014: "invalid access_token",
	40029: "invalid code",
	40030: "invalid refresh_token",
	40125: "invalid appsecret",
	40163: "code been used",
	40164: "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist",
	41001: "access_token missing",
	41002: "appid missing",
	41003: "refresh_token missing",
	41004: "appsecret missing",
	41008: "missing code",
	41009: "missing openid",
	42001: "access_token expired",
	42002: "refresh_token expired",
	42003: "code expired",
	42007: "access_token and refresh_token exception",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	48001: "api unauthorized",
	50001: "user unauthorized",
	50002: "user limited",
}

// failed returns a failure with WeChat's text.
func failed(errcode int) failure { return failedAs(errcode, errmsgs[errcode]) }

// failedAs returns a failure with a request id after its text, as WeChat has it.
func failedAs(errcode int, errmsg string) failure {
	rid := strings.ToLower(random(24))
	return failure{errcode, fmt.Sprintf("%s, rid: %s-%s-%s", errmsg, rid[:8], rid[8:16], rid[16:])}
}

// tokenAnswer is the answer to an exchange, its fields in WeChat's order
// ("网页授权", step 2). A refresh answers with the first five (step 3).
type tokenAnswer struct {
	AccessToken    string       `json:"access_token"`
	ExpiresIn      int          `json:"expires_in"`
	RefreshToken   string       `json:"refresh_token"`
	OpenID         string       `json:"openid"`
	Scope          wechat.Scope `json:"scope"`
	IsSnapshotUser int          `json:"is_snapshotuser,omitempty"`
	UnionID        string       `json:"unionid,omitempty"`
}

// userInfoAnswer is the answer about a person ("网页授权", step 4). Since October
// 2021 sex and region are there and empty.
type userInfoAnswer struct {
	OpenID     string   `json:"openid"`
	Nickname   string   `json:"nickname"`
	Sex        int      `json:"sex"`
	Language   string   `json:"language"`
	City       string   `json:"city"`
	Province   string   `json:"province"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
	UnionID    string   `json:"unionid,omitempty"`
}

// api serves one route of the API by call, which returns what is encoded as the
// answer. Each request is counted and meets the next fault of op.
func (w *WeChat) api(op Op, call func(url.Values) any) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fault := w.nextFault(op)
		sleep(r.Context(), fault.Delay)
		if fault.replaces() && !fault.After {
			fault.answer(rw, r)
			return
		}
		answer := call(r.URL.Query())
		if fault.replaces() {
			fault.answer(rw, r)
			return
		}
		writeAnswer(rw, fault.edit(answer))
	})
}

// exchange serves /sns/oauth2/access_token. What can be wrong with the request
// itself is misuse. What can be wrong with its code is not: anybody can put any
// code into a callback, and WeChat delivers some twice.
func (w *WeChat) exchange(q url.Values) any {
	if failure, ok := w.missing(OpExchange, q, "appid", "secret", "code"); ok {
		return failure
	}
	app, known := w.apps[q.Get("appid")]
	switch {
	case q.Get("grant_type") != "authorization_code":
		w.misuse("access_token: grant_type is %q and must be authorization_code", q.Get("grant_type"))
		return failed(40002)
	case !known:
		w.misuse("access_token: nobody has the appid %q", q.Get("appid"))
		return failed(40013)
	case q.Get("secret") != app.Secret:
		w.misuse("access_token: that isn't the secret of %s", app.AppID)
		return failed(40125)
	case q.Get("code") == "authdeny":
		w.misuse("access_token: authdeny is a refusal, and no code to exchange")
	}
	return w.redeem(app, q.Get("code"))
}

// redeem uses a code up and returns the answer to that: a token, or 40029 for a
// code that is unknown, expired or another app's, or 40163 for one used before.
func (w *WeChat) redeem(app App, name string) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, live, known := w.codes.get(name, w.now())
	switch {
	case !known || !live || c.app.AppID != app.AppID:
		return failed(40029)
	case c.used:
		return failed(40163)
	}
	c.used = true
	token := &grant{code: *c, refreshToken: "78_" + random(90)}
	w.refresh.put(token.refreshToken, token, w.now())
	answer := w.issue(token)
	answer.UnionID = w.unionID(token.code)
	if token.snapshot {
		answer.IsSnapshotUser = 1
	}
	return answer
}

// issue makes an access token and the part of the answer that an exchange and a
// refresh have in common. The caller holds w.mu.
func (w *WeChat) issue(token *grant) tokenAnswer {
	accessToken := "78_" + random(90)
	w.access.put(accessToken, token, w.now())
	return tokenAnswer{
		AccessToken:  accessToken,
		ExpiresIn:    int(accessTTL.Seconds()),
		RefreshToken: token.refreshToken,
		OpenID:       token.openID,
		Scope:        token.scope,
	}
}

// renew serves /sns/oauth2/refresh_token, which takes no secret. The refresh
// token stays the same and its 30 days are not extended.
func (w *WeChat) renew(q url.Values) any {
	if failure, ok := w.missing(OpRefresh, q, "appid", "refresh_token"); ok {
		return failure
	}
	if q.Get("grant_type") != "refresh_token" {
		w.misuse("refresh_token: grant_type is %q and must be refresh_token", q.Get("grant_type"))
		return failed(40002)
	}
	if _, known := w.apps[q.Get("appid")]; !known {
		w.misuse("refresh_token: nobody has the appid %q", q.Get("appid"))
		return failed(40013)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, live, known := w.refresh.get(q.Get("refresh_token"), w.now())
	switch {
	case !known || token.app.AppID != q.Get("appid"):
		return failed(40030)
	case !live:
		return failed(42002)
	}
	return w.issue(token)
}

// verify serves /sns/auth, which answers with errcode 0 for a token that holds.
func (w *WeChat) verify(q url.Values) any {
	if _, failure := w.holder(OpVerify, q); failure.Errcode != 0 {
		return failure
	}
	return failure{0, "ok"}
}

// userInfo serves /sns/userinfo. Its lang changes nothing: the region names that
// it would translate are empty. Asking with a base-scope token is misuse, since
// an application knows which scope it asked for.
func (w *WeChat) userInfo(q url.Values) any {
	token, failure := w.holder(OpUserInfo, q)
	if failure.Errcode != 0 {
		return failure
	}
	if token.scope == wechat.ScopeBase {
		w.misuse("userinfo: a snsapi_base token doesn't admit to it")
		return failed(48001)
	}
	answer := userInfoAnswer{
		OpenID:     token.openID,
		Nickname:   token.person.Nickname,
		HeadImgURL: token.person.HeadImgURL,
		Privilege:  []string{},
		UnionID:    w.unionID(token.code),
	}
	if token.snapshot {
		answer.Nickname, answer.HeadImgURL = "微信用户", "https://thirdwx.qlogo.cn/mmopen/vi_32/snapshot/132"
	}
	return answer
}

// holder returns what the access token of a call stands for, or why it stands
// for nothing.
func (w *WeChat) holder(op Op, q url.Values) (*grant, failure) {
	if failure, ok := w.missing(op, q, "access_token", "openid"); ok {
		return nil, failure
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, live, known := w.access.get(q.Get("access_token"), w.now())
	switch {
	case !known:
		return nil, failed(40001)
	case !live:
		return nil, failed(42001)
	case token.openID != q.Get("openid"):
		return nil, failed(40003)
	}
	return token, failure{}
}

// missing returns the failure for the first of the parameters that is empty, and
// whether there is one. It is misuse: a client has no reason to call then.
func (w *WeChat) missing(op Op, q url.Values, names ...string) (failure, bool) {
	i := slices.IndexFunc(names, func(name string) bool { return q.Get(name) == "" })
	if i < 0 {
		return failure{}, false
	}
	w.misuse("%s: the parameter %s is missing", op, names[i])
	errcode := map[string]int{
		"access_token": 41001, "appid": 41002, "refresh_token": 41003,
		"secret": 41004, "code": 41008, "openid": 41009,
	}[names[i]]
	return failed(errcode), true
}

// encode writes JSON the way WeChat does: emoji as they are, slashes escaped.
// In JSON a slash can only stand inside of a string, where the escape is allowed.
func encode(answer any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		return fmt.Appendf(nil, "wechattest: a fault's edit left what isn't JSON: %v", err)
	}
	return bytes.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("/"), []byte(`\/`))
}

// writeAnswer answers as WeChat does: with status 200, for errors too, and as text
// without a charset, which some clients then take for Latin-1.
func writeAnswer(rw http.ResponseWriter, answer any) {
	rw.Header().Set("Content-Type", "text/plain")
	_, _ = rw.Write(encode(answer))
}
