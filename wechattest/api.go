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

// exchangePath is the route that exchanges codes, relative to the simulator's base URL.
const exchangePath = "/sns/oauth2/access_token"

// maxForm is the maximum size of a posted form, in bytes.
const maxForm = 64 << 10

// code is an authorization code: a person's consent to a scope, given to an app.
// Only used changes after the code is issued.
type code struct {
	app    App
	person Person
	scope  wechat.Scope
	// openID is the person's openid at app, or the one of a snapshot user.
	openID string
	// snapshot replaces the person's profile with an invented one.
	snapshot bool
	// used marks a code that was exchanged. Used codes are kept: a second
	// exchange fails with 40163, and an unknown code with 40029.
	used bool
}

// grant holds the data behind a token: the exchanged code, and the refresh token
// issued for it. All access tokens issued for one refresh token share one grant. Only
// accessToken changes after the grant is made.
type grant struct {
	code
	refreshToken string
	// accessToken is the newest access token. It may have expired.
	accessToken string
}

// unionID returns the unionid in the answer to a code's exchange, or "" if that
// has none.
func (w *WeChat) unionID(c code) string {
	// WeChat returns a unionid for snsapi_userinfo and snsapi_login only, and only
	// to accounts bound to an Open Platform account ("网页授权", step 2).
	switch {
	case c.scope == wechat.ScopeBase || c.app.Unbound || c.person.NoUnionID:
		return ""
	case c.snapshot:
		return deriveID("snapshot unionid", c.person.ID)
	}
	return w.UnionID(c.person.ID)
}

// apiError is WeChat's error answer. An Errcode of 0 means success.
type apiError struct {
	Errcode int    `json:"errcode"`
	Errmsg  string `json:"errmsg"`
}

// errmsgs maps WeChat's error codes to their texts ("全局返回码").
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
	40053: "invalid action info",
	40164: "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist",
	40169: "invalid length for scene, or the data is not json string",
	40226: "code blocked",
	40243: "appsecret frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41003: "refresh_token missing",
	41004: "appsecret missing",
	41008: "missing code",
	41009: "missing openid",
	41030: "invalid page",
	42001: "access_token expired",
	42002: "refresh_token expired",
	42003: "code expired",
	42007: "access_token and refresh_token exception",
	43001: "require GET method",
	43002: "require POST method",
	47001: "data format error",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	48001: "api unauthorized",
	48004: "api forbidden for irregularities",
	50001: "user unauthorized",
	50002: "user limited",
	61004: "access clientip is not registered",
	61007: "api is unauthorized to component",
	89501: "the ip waits for an administrator's confirmation",
	89503: "the call needs an administrator's confirmation",
	89506: "an administrator rejected the ip twice, blocked for 24 hours",
	89507: "an administrator rejected the ip, blocked for an hour",
}

// newAPIError returns an error with WeChat's text for the code.
func newAPIError(errcode int) apiError { return apiErrorText(errcode, errmsgs[errcode]) }

// apiErrorText returns an error with the given text. Like WeChat, it appends a
// request id.
func apiErrorText(errcode int, errmsg string) apiError {
	rid := strings.ToLower(randomString(24))
	return apiError{errcode, fmt.Sprintf("%s, rid: %s-%s-%s", errmsg, rid[:8], rid[8:16], rid[16:])}
}

// tokenAnswer is the answer to an exchange, with the fields in WeChat's order
// ("网页授权", step 2). The answer to a refresh has the first five fields only
// (step 3).
type tokenAnswer struct {
	AccessToken    string       `json:"access_token"`
	ExpiresIn      int          `json:"expires_in"`
	RefreshToken   string       `json:"refresh_token"`
	OpenID         string       `json:"openid"`
	Scope          wechat.Scope `json:"scope"`
	IsSnapshotUser int          `json:"is_snapshotuser,omitempty"`
	UnionID        string       `json:"unionid,omitempty"`
}

// userInfoAnswer is a person's profile ("网页授权", step 4). Since October 2021
// WeChat leaves sex, language and region empty.
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

// api returns a handler for one route of the API. It counts each request, applies
// the next fault of op, and encodes the value that call returns.
func (w *WeChat) api(op Op, call func(url.Values) any) http.Handler {
	return w.apiOf(op, func(r *http.Request) any { return call(parameters(r)) })
}

// apiOf is api for a call that reads the request itself.
func (w *WeChat) apiOf(op Op, call func(*http.Request) any) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
		fault := w.nextFault(op)
		sleep(r.Context(), fault.Delay)
		if fault.replaces() && !fault.After {
			fault.answer(rw, r)
			return
		}
		answer := call(r)
		// Fault.After: the call took effect, and its answer is lost.
		if fault.replaces() {
			fault.answer(rw, r)
			return
		}
		writeAnswer(rw, fault.edit(answer))
	})
}

// parameters returns the parameters in a request's query and, for a POST, in its form.
func parameters(r *http.Request) url.Values {
	// Parameters that cannot be parsed count as missing.
	_ = r.ParseForm()
	return r.Form
}

// exchange serves /sns/oauth2/access_token. A malformed request is misuse. An
// invalid code is not: anyone can send any code to a callback, and WeChat delivers
// some callbacks twice.
func (w *WeChat) exchange(q url.Values) any {
	if apiErr, ok := w.missingParam(OpExchange, q, "appid", "secret", "code"); ok {
		return apiErr
	}
	app, known := w.apps[q.Get("appid")]
	switch {
	case q.Get("grant_type") != "authorization_code":
		w.misuse("access_token: grant_type is %q, want authorization_code", q.Get("grant_type"))
		return newAPIError(40002)
	case !known:
		w.misuse("access_token: unknown appid %q", q.Get("appid"))
		return newAPIError(40013)
	case q.Get("secret") != app.Secret:
		// The message must not contain the secret, not even a wrong one.
		w.misuse("access_token: wrong secret for %s", app.AppID)
		return newAPIError(40125)
	case q.Get("code") == "authdeny":
		// The application has to recognize the refusal before the exchange. Here
		// it gets 40029, like any unknown code.
		w.misuse("access_token: authdeny means that the user refused, and cannot be exchanged")
	}
	return w.redeem(app, q.Get("code"))
}

// redeem marks a code as used and returns a token. It returns 40029 for a code that
// is unknown, expired or another app's, and 40163 for a used one.
func (w *WeChat) redeem(app App, name string) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, live, known := w.codes.get(name, w.now())
	switch {
	case !known || !live || c.app.AppID != app.AppID:
		return newAPIError(40029)
	case c.used:
		return newAPIError(40163)
	}
	c.used = true
	token := &grant{code: *c, refreshToken: "78_" + randomString(90)}
	w.refresh.put(token.refreshToken, token, w.now())
	answer := w.issue(token)
	answer.UnionID = w.unionID(token.code)
	if token.snapshot {
		answer.IsSnapshotUser = 1
	}
	return answer
}

// issue creates or prolongs the grant's access token. It returns the fields that the
// answers to an exchange and to a refresh have in common. The caller holds w.mu.
func (w *WeChat) issue(token *grant) tokenAnswer {
	// Documented for accounts of the Open Platform: an access token that has not
	// expired stays the same, with a new lifetime.
	if !token.app.Website || !w.access.prolong(token.accessToken, w.now()) {
		token.accessToken = "78_" + randomString(90)
		w.access.put(token.accessToken, token, w.now())
	}
	return tokenAnswer{
		AccessToken:  token.accessToken,
		ExpiresIn:    int(accessTTL.Seconds()),
		RefreshToken: token.refreshToken,
		OpenID:       token.openID,
		Scope:        token.scope,
	}
}

// renew serves /sns/oauth2/refresh_token, which takes no secret. The refresh token
// stays the same, and its 30 days are not extended.
func (w *WeChat) renew(q url.Values) any {
	if apiErr, ok := w.missingParam(OpRefresh, q, "appid", "refresh_token"); ok {
		return apiErr
	}
	if q.Get("grant_type") != "refresh_token" {
		w.misuse("refresh_token: grant_type is %q, want refresh_token", q.Get("grant_type"))
		return newAPIError(40002)
	}
	if _, known := w.apps[q.Get("appid")]; !known {
		w.misuse("refresh_token: unknown appid %q", q.Get("appid"))
		return newAPIError(40013)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, live, known := w.refresh.get(q.Get("refresh_token"), w.now())
	switch {
	case !known || token.app.AppID != q.Get("appid"):
		return newAPIError(40030)
	case !live:
		return newAPIError(42002)
	}
	return w.issue(token)
}

// verify serves /sns/auth. It returns errcode 0 for a valid token.
func (w *WeChat) verify(q url.Values) any {
	if _, apiErr := w.grantOf(OpVerify, q); apiErr.Errcode != 0 {
		return apiErr
	}
	return apiError{0, "ok"}
}

// userInfo serves /sns/userinfo. It ignores the parameter lang, which selects the
// language of the region's name, and that is always empty.
func (w *WeChat) userInfo(q url.Values) any {
	token, apiErr := w.grantOf(OpUserInfo, q)
	if apiErr.Errcode != 0 {
		return apiErr
	}
	if token.scope == wechat.ScopeBase {
		// This is misuse because the application chose the scope itself.
		w.misuse("userinfo: a token with scope snsapi_base gives no access")
		return newAPIError(48001)
	}
	answer := userInfoAnswer{
		OpenID:     token.openID,
		Nickname:   token.person.Nickname,
		HeadImgURL: token.person.HeadImgURL,
		Privilege:  []string{},
		UnionID:    w.unionID(token.code),
	}
	if token.snapshot {
		// WeChat shows every snapshot user with this name.
		answer.Nickname, answer.HeadImgURL = "微信用户", "https://thirdwx.qlogo.cn/mmopen/vi_32/snapshot/132"
	}
	return answer
}

// grantOf returns the grant behind the access token of a call. If the token is not
// valid for the openid, it returns an error with a non-zero Errcode.
func (w *WeChat) grantOf(op Op, q url.Values) (*grant, apiError) {
	if apiErr, ok := w.missingParam(op, q, "access_token", "openid"); ok {
		return nil, apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	token, live, known := w.access.get(q.Get("access_token"), w.now())
	switch {
	case !known:
		return nil, newAPIError(40001)
	case !live:
		return nil, newAPIError(42001)
	case token.openID != q.Get("openid"):
		return nil, newAPIError(40003)
	}
	return token, apiError{}
}

// missingParam reports misuse if one of the named parameters is empty. It returns
// WeChat's error for the first such parameter, and whether there is one.
func (w *WeChat) missingParam(op Op, q url.Values, names ...string) (apiError, bool) {
	i := slices.IndexFunc(names, func(name string) bool { return q.Get(name) == "" })
	if i < 0 {
		return apiError{}, false
	}
	w.misuse("%s: the parameter %s is missing", op, names[i])
	errcode := map[string]int{
		"access_token": 41001, "appid": 41002, "refresh_token": 41003,
		"secret": 41004, "code": 41008, "js_code": 41008, "openid": 41009,
	}[names[i]]
	return newAPIError(errcode), true
}

// encodeJSON returns the answer as JSON in WeChat's style: emoji unescaped, slashes
// escaped.
func encodeJSON(answer any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		// Only a value set by Fault.Edit can fail to encode. The answer is then
		// not JSON, and the text names the cause.
		return fmt.Appendf(nil, "wechattest: encoding the answer after Fault.Edit: %v", err)
	}
	// JSON contains slashes in strings only, where the escape is allowed.
	return bytes.ReplaceAll(bytes.TrimSpace(out.Bytes()), []byte("/"), []byte(`\/`))
}

// picture is an answer that is a JPEG.
type picture []byte

// missing is an answer with status 404.
type missing struct{}

// writeAnswer writes an answer with status 200, which WeChat uses for errors too.
func writeAnswer(rw http.ResponseWriter, answer any) {
	switch answer := answer.(type) {
	case picture:
		rw.Header().Set("Content-Type", "image/jpeg")
		_, _ = rw.Write(answer)
		return
	case missing:
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	// WeChat sends no charset. Some clients then decode the text as Latin-1, and
	// tests should notice that.
	rw.Header().Set("Content-Type", "text/plain")
	_, _ = rw.Write(encodeJSON(answer))
}
