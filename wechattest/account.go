package wechattest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"rsc.io/qr"
)

const (
	// tokenOverlap is the time before the expiry of an account's token from which WeChat
	// answers with the next one.
	tokenOverlap = 5 * time.Minute
	// maxForced is how often per day force_refresh has an effect.
	maxForced = 20
	// forcedPause is the shortest time between two of them.
	forcedPause = 30 * time.Second
)

// accountState is the state of an app's own token and of its push server.
type accountState struct {
	token   string // the newest token
	expires time.Time
	forced  []time.Time // of force_refresh within the last day
	other   string      // the newest token of /cgi-bin/token
	pusher  *Pusher     // nil if there is no push server
}

// decodeBody decodes the JSON in a request's body. It reports misuse if there is none.
func (w *WeChat) decodeBody(op Op, r *http.Request, v any) bool {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		w.misuse("%s: the body is not the expected JSON", op)
		return false
	}
	return true
}

// accountTokenAnswer is the answer with an account's token.
type accountTokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// stableToken serves /cgi-bin/stable_token ("获取稳定版接口调用凭据").
func (w *WeChat) stableToken(r *http.Request) any {
	var body struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if !w.decodeBody(OpStableToken, r, &body) {
		return newAPIError(47001)
	}
	q := url.Values{"appid": {body.AppID}, "secret": {body.Secret}}
	if apiErr, ok := w.missingParam(OpStableToken, q, "appid", "secret"); ok {
		return apiErr
	}
	if body.GrantType != "client_credential" {
		w.misuse("stable_token: grant_type is %q, want client_credential", body.GrantType)
		return newAPIError(40002)
	}
	app, apiErr := w.authenticate(OpStableToken, q)
	if apiErr.Errcode != 0 {
		return apiErr
	}
	if apiErr := app.checkAddress(r); apiErr.Errcode != 0 {
		return apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.currentToken(app, body.ForceRefresh)
}

// authenticate returns the app of a call that carries the app's secret.
func (w *WeChat) authenticate(op Op, q url.Values) (App, apiError) {
	app, known := w.apps[q.Get("appid")]
	switch {
	case !known:
		w.misuse("%s: unknown appid %q", op, q.Get("appid"))
		return App{}, newAPIError(40013)
	case q.Get("secret") != app.Secret:
		// The message must not contain the secret, not even a wrong one.
		w.misuse("%s: wrong secret for %s", op, app.AppID)
		return App{}, newAPIError(40125)
	}
	return app, apiError{}
}

// checkAddress returns WeChat's error if the request's address is not on the app's list.
func (a App) checkAddress(r *http.Request) apiError {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if len(a.IPList) == 0 || slices.Contains(a.IPList, host) {
		return apiError{}
	}
	return apiErrorText(40164, fmt.Sprintf("invalid ip %s ipv6 ::ffff:%s, not in whitelist", host, host))
}

// currentToken returns the app's token. The caller holds w.mu.
func (w *WeChat) currentToken(app App, force bool) accountTokenAnswer {
	state, now := w.accounts[app.AppID], w.now()
	state.forced = slices.DeleteFunc(state.forced, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	forced := len(state.forced)
	// Too many or too early, and force_refresh does nothing.
	force = force && forced < maxForced && (forced == 0 || now.Sub(state.forced[forced-1]) >= forcedPause)
	if force {
		state.forced = append(state.forced, now)
		// The former token ends at once.
		if entry, known := w.accountTokens.entries[state.token]; known {
			entry.expires = time.Time{}
		}
	}
	// In the last minutes the next token is issued. The former one stays valid until its
	// end.
	if force || state.expires.Sub(now) <= tokenOverlap {
		state.token, state.expires = "80_"+randomString(133), now.Add(accessTTL)
		w.accountTokens.putUntil(state.token, app.AppID, state.expires)
	}
	return accountTokenAnswer{state.token, int(state.expires.Sub(now).Seconds())}
}

// granted returns the app of a GET with the grant_type, the app's secret and the required
// parameters, from an address of its list.
func (w *WeChat) granted(r *http.Request, op Op, grant string, required ...string) (App, apiError) {
	q := r.URL.Query()
	if apiErr, ok := w.missingParam(op, q, required...); ok {
		return App{}, apiErr
	}
	if got := q.Get("grant_type"); got != grant {
		w.misuse("%s: grant_type is %q, want %s", op, got, grant)
		return App{}, newAPIError(40002)
	}
	app, apiErr := w.authenticate(op, q)
	if apiErr.Errcode == 0 {
		apiErr = app.checkAddress(r)
	}
	return app, apiErr
}

// token serves /cgi-bin/token ("获取接口调用凭据"). Each call ends the former call's token
// after five minutes. The token of stable_token is another one, and is not affected.
func (w *WeChat) token(r *http.Request) any {
	app, apiErr := w.granted(r, OpToken, "client_credential", "appid", "secret")
	if apiErr.Errcode != 0 {
		return apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	state, now := w.accounts[app.AppID], w.now()
	if former, known := w.accountTokens.entries[state.other]; known && former.expires.After(now.Add(tokenOverlap)) {
		former.expires = now.Add(tokenOverlap)
	}
	state.other = "79_" + randomString(133)
	w.accountTokens.put(state.other, app.AppID, now)
	return accountTokenAnswer{state.other, int(accessTTL.Seconds())}
}

// ExpireAccountToken makes the token of stable_token invalid, as a force_refresh of another
// program does. Calls with it get 40001.
func (w *WeChat) ExpireAccountToken(appID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state, known := w.accounts[appID]; known {
		delete(w.accountTokens.entries, state.token)
		state.token, state.expires = "", time.Time{}
	}
}

// accountOf returns the app of the account's token in a call's query.
func (w *WeChat) accountOf(op Op, q url.Values) (App, apiError) {
	if apiErr, ok := w.missingParam(op, q, "access_token"); ok {
		return App{}, apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	appID, live, known := w.accountTokens.get(q.Get("access_token"), w.now())
	switch {
	case !known:
		return App{}, apiErrorText(40001, "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r")
	case !live && w.accountTokens.entries[q.Get("access_token")].expires.IsZero():
		return App{}, newAPIError(40001)
	case !live:
		return App{}, newAPIError(42001)
	}
	return w.apps[appID], apiError{}
}

// verifiedAccountOf is accountOf for a call that only a verified service account may make.
func (w *WeChat) verifiedAccountOf(op Op, q url.Values) (App, apiError) {
	app, apiErr := w.accountOf(op, q)
	if apiErr.Errcode == 0 && (app.Unverified || app.Website || app.MiniProgram) {
		return App{}, newAPIError(48001)
	}
	return app, apiErr
}

// sceneCode is a QR code with a scene.
type sceneCode struct {
	app         App
	url, ticket string
	scene       string
}

// sceneAction is the body of a request for a QR code.
type sceneAction struct {
	ExpireSeconds int64  `json:"expire_seconds"`
	ActionName    string `json:"action_name"`
	ActionInfo    struct {
		Scene struct {
			SceneID  uint32 `json:"scene_id"`
			SceneStr string `json:"scene_str"`
		} `json:"scene"`
	} `json:"action_info"`
}

// scene returns the scene as events have it, and reports whether the request is valid.
func (a sceneAction) scene() (string, bool) {
	id, text := a.ActionInfo.Scene.SceneID, a.ActionInfo.Scene.SceneStr
	switch a.ActionName {
	case "QR_SCENE":
		return strconv.FormatUint(uint64(id), 10), id != 0
	case "QR_LIMIT_SCENE":
		return strconv.FormatUint(uint64(id), 10), id >= 1 && id <= 100_000
	case "QR_STR_SCENE", "QR_LIMIT_STR_SCENE":
		return text, text != "" && utf8.RuneCountInString(text) <= 64
	}
	return "", false
}

// temporary reports whether the code expires.
func (a sceneAction) temporary() bool {
	return a.ActionName == "QR_SCENE" || a.ActionName == "QR_STR_SCENE"
}

// createQRCode serves /cgi-bin/qrcode/create ("生成带参数的二维码").
func (w *WeChat) createQRCode(r *http.Request) any {
	app, apiErr := w.verifiedAccountOf(OpCreateQRCode, r.URL.Query())
	if apiErr.Errcode != 0 {
		return apiErr
	}
	var body sceneAction
	if !w.decodeBody(OpCreateQRCode, r, &body) {
		return newAPIError(47001)
	}
	scene, valid := body.scene()
	if !valid || body.ExpireSeconds < 0 || body.ExpireSeconds > int64(sceneTTL.Seconds()) {
		w.misuse("qrcode/create: the action, the scene or expire_seconds is invalid")
		return newAPIError(40053)
	}
	if body.ExpireSeconds == 0 {
		body.ExpireSeconds = 60
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	code := &sceneCode{app: app, scene: scene, url: w.codeBase() + codePath + randomString(22), ticket: "gQ" + randomString(92) + "=="}
	answer := struct {
		Ticket        string `json:"ticket"`
		ExpireSeconds int64  `json:"expire_seconds,omitempty"`
		URL           string `json:"url"`
	}{code.ticket, body.ExpireSeconds, code.url}
	expires := w.now().Add(time.Duration(body.ExpireSeconds) * time.Second)
	if !body.temporary() {
		answer.ExpireSeconds, expires = 0, w.now().AddDate(100, 0, 0)
	}
	w.scenes.putUntil(code.url, code, expires)
	w.tickets.putUntil(code.ticket, code, expires)
	return answer
}

// showQRCode serves /cgi-bin/showqrcode on the host mp.weixin.qq.com. It needs no token.
func (w *WeChat) showQRCode(r *http.Request) any {
	w.mu.Lock()
	code, live, _ := w.tickets.get(r.URL.Query().Get("ticket"), w.now())
	w.mu.Unlock()
	if !live {
		return missing{}
	}
	return draw(code.url)
}

// draw returns the picture of a QR code.
func draw(text string) picture {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		panic("wechattest: " + err.Error()) // only for a text of some thousand bytes
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, code.Image(), nil); err != nil {
		panic("wechattest: " + err.Error()) // a buffer accepts everything
	}
	return out.Bytes()
}

// followerAnswer is a person's data at an account. Only the first two fields are sent
// about a person who does not follow it.
type followerAnswer struct {
	Subscribe      int    `json:"subscribe"`
	OpenID         string `json:"openid"`
	Language       string `json:"language"`
	SubscribeTime  int64  `json:"subscribe_time"`
	UnionID        string `json:"unionid,omitempty"`
	Remark         string `json:"remark"`
	GroupID        int    `json:"groupid"`
	TagIDList      []int  `json:"tagid_list"`
	SubscribeScene string `json:"subscribe_scene"`
	QRScene        int    `json:"qr_scene"`
	QRSceneStr     string `json:"qr_scene_str"`
}

// follower serves /cgi-bin/user/info ("获取用户基本信息").
func (w *WeChat) follower(q url.Values) any {
	app, apiErr := w.verifiedAccountOf(OpFollower, q)
	if apiErr.Errcode != 0 {
		return apiErr
	}
	if apiErr, ok := w.missingParam(OpFollower, q, "openid"); ok {
		return apiErr
	}
	i := slices.IndexFunc(w.persons, func(p Person) bool { return w.OpenID(p.ID, app.AppID) == q.Get("openid") })
	if i < 0 {
		return newAPIError(40003)
	}
	person := w.persons[i]
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.chatOf(app.AppID, person.ID)
	if !c.follows {
		return struct {
			Subscribe int    `json:"subscribe"`
			OpenID    string `json:"openid"`
		}{0, q.Get("openid")}
	}
	answer := followerAnswer{
		Subscribe: 1, OpenID: q.Get("openid"), Language: "zh_CN", SubscribeTime: c.since.Unix(),
		TagIDList: []int{}, SubscribeScene: "ADD_SCENE_SEARCH", QRSceneStr: c.scene,
	}
	if c.scene != "" {
		answer.SubscribeScene = "ADD_SCENE_QR_CODE"
	}
	if !app.Unbound {
		answer.UnionID = w.UnionID(person.ID)
	}
	return answer
}
