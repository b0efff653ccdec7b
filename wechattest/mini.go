package wechattest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// miniCode is a code that a mini program got from WeChat on a phone. Only used changes.
type miniCode struct {
	app    App
	person Person
	number string // the phone number of a code for a number, or ""
	used   bool
}

// LoginCode returns the code that the mini program gets from wx.login on this phone. It
// can be exchanged once, within 5 minutes.
func (p *Phone) LoginCode(appID string) (string, error) { return p.miniCode(appID, "") }

// NumberCode returns the code that the mini program gets when the person taps a
// getPhoneNumber button and confirms the number, such as "13580006666".
func (p *Phone) NumberCode(appID, number string) (string, error) { return p.miniCode(appID, number) }

// miniCode returns a code for a mini program.
func (p *Phone) miniCode(appID, number string) (string, error) {
	app, known := p.wechat.apps[appID]
	if !known || !app.MiniProgram {
		return "", fmt.Errorf("wechattest: %q is not a mini program", appID)
	}
	person, known := p.wechat.person(p.person)
	if !known {
		return "", fmt.Errorf("wechattest: unknown person %q", p.person)
	}
	p.wechat.mu.Lock()
	defer p.wechat.mu.Unlock()
	name := "0" + randomString(31)
	p.wechat.miniCodes.put(name, &miniCode{app: app, person: person, number: number}, p.wechat.now())
	return name, nil
}

// redeemMini marks a code as used and returns it. It returns an error for a code that is
// not the app's, or not of the wanted kind. The caller holds w.mu.
func (w *WeChat) redeemMini(app App, name string, forNumber bool) (*miniCode, apiError) {
	c, live, known := w.miniCodes.get(name, w.now())
	switch {
	case !known || !live || c.app.AppID != app.AppID || (c.number != "") != forNumber:
		return nil, newAPIError(40029)
	case c.used:
		return nil, newAPIError(40163)
	}
	c.used = true
	return c, apiError{}
}

// session serves /sns/jscode2session ("小程序登录凭证校验").
func (w *WeChat) session(r *http.Request) any {
	app, apiErr := w.granted(r, OpSession, "authorization_code", "appid", "secret", "js_code")
	if apiErr.Errcode != 0 {
		return apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c, apiErr := w.redeemMini(app, r.URL.Query().Get("js_code"), false)
	if apiErr.Errcode != 0 {
		return apiErr
	}
	answer := struct {
		SessionKey string `json:"session_key"`
		OpenID     string `json:"openid"`
		UnionID    string `json:"unionid,omitempty"`
	}{SessionKey: randomString(22) + "==", OpenID: w.OpenID(c.person.ID, app.AppID)}
	// Since February 2021 there are no conditions but the binding.
	if !app.Unbound {
		answer.UnionID = w.UnionID(c.person.ID)
	}
	return answer
}

// phoneAnswer is the answer with a phone number.
type phoneAnswer struct {
	apiError
	PhoneInfo phoneInfo `json:"phone_info"`
}

// phoneInfo is a phone number.
type phoneInfo struct {
	PhoneNumber     string `json:"phoneNumber"`
	PurePhoneNumber string `json:"purePhoneNumber"`
	// CountryCode is documented as a string. WeChat's own example has a number.
	CountryCode int `json:"countryCode"`
	Watermark   struct {
		Timestamp int64  `json:"timestamp"`
		AppID     string `json:"appid"`
	} `json:"watermark"`
}

// phoneNumber serves /wxa/business/getuserphonenumber ("手机号快速验证").
func (w *WeChat) phoneNumber(r *http.Request) any {
	app, apiErr := w.accountOf(OpPhoneNumber, r.URL.Query())
	switch {
	case apiErr.Errcode != 0:
		return apiErr
	case !app.MiniProgram || app.Unverified:
		return newAPIError(48001)
	}
	var body struct{ Code, OpenID string }
	if !w.decodeBody(OpPhoneNumber, r, &body) {
		return newAPIError(47001)
	}
	if apiErr, ok := w.missingParam(OpPhoneNumber, url.Values{"code": {body.Code}}, "code"); ok {
		return apiErr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// A code that is another person's is not used up.
	if c, _, known := w.miniCodes.get(body.Code, w.now()); known && body.OpenID != "" && body.OpenID != w.OpenID(c.person.ID, app.AppID) {
		return newAPIError(40003)
	}
	c, apiErr := w.redeemMini(app, body.Code, true)
	if apiErr.Errcode != 0 {
		return apiErr
	}
	answer := phoneAnswer{apiError: apiError{0, "ok"}, PhoneInfo: phoneInfo{PhoneNumber: c.number, PurePhoneNumber: c.number, CountryCode: 86}}
	answer.PhoneInfo.Watermark.Timestamp, answer.PhoneInfo.Watermark.AppID = w.now().Unix(), app.AppID
	return answer
}

// miniProgramCode serves /wxa/getwxacodeunlimit ("获取不限制的小程序码"). The picture is a QR
// code, not one of WeChat's round ones.
func (w *WeChat) miniProgramCode(r *http.Request) any {
	app, apiErr := w.accountOf(OpMiniProgramCode, r.URL.Query())
	switch {
	case apiErr.Errcode != 0:
		return apiErr
	case !app.MiniProgram:
		return newAPIError(48001)
	}
	var body struct {
		Scene     string `json:"scene"`
		Page      string `json:"page"`
		CheckPath *bool  `json:"check_path"`
	}
	if !w.decodeBody(OpMiniProgramCode, r, &body) {
		return newAPIError(47001)
	}
	allowed := "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$&'()*+,/:;=?@-._~"
	switch checked := body.CheckPath == nil || *body.CheckPath; {
	case body.Scene == "" || len(body.Scene) > 32 || strings.Trim(body.Scene, allowed) != "":
		w.misuse("getwxacodeunlimit: the scene is not 1 to 32 of the allowed characters")
		return newAPIError(40169)
	case strings.HasPrefix(body.Page, "/") || strings.Contains(body.Page, "?"):
		w.misuse("getwxacodeunlimit: the page has a slash at the beginning or a query")
		return newAPIError(41030)
	case checked && body.Page != "" && len(app.Pages) > 0 && !slices.Contains(app.Pages, body.Page):
		return newAPIError(41030)
	}
	drawn := draw("miniprogram:" + app.AppID + "/" + body.Page + "?scene=" + url.QueryEscape(body.Scene))
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, known := w.miniPictures.get(pictureKey(drawn), w.now()); !known { // the same code is the same picture
		w.miniPictures.put(pictureKey(drawn), miniPicture{app.AppID, body.Page, body.Scene}, w.now())
	}
	return drawn
}
