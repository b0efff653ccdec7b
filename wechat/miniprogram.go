package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MiniSession identifies a person in a mini program. It prints and logs without the
// session key.
type MiniSession struct {
	// OpenID identifies the person at the mini program's AppID. It is never empty.
	OpenID string
	// UnionID is described at [Token]. It is empty if the mini program is not bound to an
	// Open Platform account.
	UnionID string
	// SessionKey decrypts data that WeChat gives to the mini program. Never send it to the
	// mini program.
	SessionKey string
}

// String returns a description of the session without its key.
func (s MiniSession) String() string { return "session of " + s.OpenID }

// GoString implements [fmt.GoStringer] without the key.
func (s MiniSession) GoString() string { return "wechat.MiniSession{" + s.String() + "}" }

// LogValue implements [slog.LogValuer] without the key.
func (s MiniSession) LogValue() slog.Value { return slog.GroupValue(slog.String("openid", s.OpenID)) }

// SessionByCode exchanges the code of wx.login for the person ("小程序登录凭证校验"). A code
// can be used once, within 5 minutes. For a malformed code, SessionByCode returns
// [ErrCodeInvalid] without a call. For a person whom WeChat considers a high risk, the
// error matches [ErrRefused].
func (c *Client) SessionByCode(ctx context.Context, code string) (MiniSession, error) {
	if !printable(code, maxCode) {
		return MiniSession{}, fmt.Errorf("wechat: %s: %w", opSession, ErrCodeInvalid)
	}
	var answer sessionAnswer
	err := c.call(ctx, request{
		op: opSession, path: "/sns/jscode2session",
		query: url.Values{
			"appid": {c.appID}, "secret": {c.secret()},
			"js_code": {code}, "grant_type": {"authorization_code"},
		},
	}, &answer)
	if err != nil {
		return MiniSession{}, err
	}
	return MiniSession{OpenID: answer.OpenID.value, UnionID: answer.UnionID.value, SessionKey: answer.SessionKey.value}, nil
}

// sessionAnswer answers an exchange of a mini program's code.
type sessionAnswer struct {
	oddities
	OpenID     tolerant[string] `json:"openid"`
	UnionID    tolerant[string] `json:"unionid"`
	SessionKey tolerant[string] `json:"session_key"`
}

func (a *sessionAnswer) problem() error {
	if a.OpenID.odd || !printable(a.OpenID.value, maxID) {
		return errors.New("no openid")
	}
	return checkUnionID(a.UnionID)
}

// PhoneNumber is the number that a person confirmed in a mini program. WeChat does not
// guarantee that the number still is theirs.
type PhoneNumber struct {
	// Number is the number as WeChat writes it. A foreign one begins with the country code.
	Number string
	// PureNumber is the number without the country code.
	PureNumber string
	// CountryCode is the country's calling code, such as "86".
	CountryCode string
	// Time is the time when WeChat gave the number.
	Time time.Time
}

// PhoneNumber exchanges the code of a getPhoneNumber button for the number ("手机号快速验证").
// A code can be used once, within 5 minutes, and each success costs money. WeChat checks
// that the code is the person's if openID is not empty.
//
// The error matches [ErrIdentity] if the number was given to another mini program.
func (c *Client) PhoneNumber(ctx context.Context, code, openID string) (PhoneNumber, error) {
	if !printable(code, maxCode) {
		return PhoneNumber{}, fmt.Errorf("wechat: %s: %w", opPhoneNumber, ErrCodeInvalid)
	}
	if openID != "" && !printable(openID, maxID) {
		return PhoneNumber{}, fmt.Errorf("wechat: %s: %w", opPhoneNumber, ErrTokenInvalid)
	}
	answer := phoneAnswer{appID: c.appID}
	err := c.accountCall(ctx, request{
		op: opPhoneNumber, path: "/wxa/business/getuserphonenumber",
		body: struct {
			Code   string `json:"code"`
			OpenID string `json:"openid,omitempty"`
		}{code, openID},
		private: []string{code, openID},
	}, decodeInto(&answer))
	if err != nil {
		return PhoneNumber{}, err
	}
	info := answer.PhoneInfo
	return PhoneNumber{
		Number: info.PhoneNumber.value, PureNumber: info.PurePhoneNumber.value, CountryCode: info.CountryCode.value,
		Time: time.Unix(info.Watermark.Timestamp.value, 0),
	}, nil
}

// phoneAnswer answers a request for a phone number.
type phoneAnswer struct {
	oddities
	appID     string // of the account that called
	PhoneInfo struct {
		PhoneNumber     tolerant[string] `json:"phoneNumber"`
		PurePhoneNumber tolerant[string] `json:"purePhoneNumber"`
		// CountryCode is documented as a string and arrives as a number.
		CountryCode tolerant[string] `json:"countryCode"`
		Watermark   struct {
			Timestamp tolerant[int64]  `json:"timestamp"`
			AppID     tolerant[string] `json:"appid"`
		} `json:"watermark"`
	} `json:"phone_info"`
}

func (a *phoneAnswer) problem() error {
	info := a.PhoneInfo
	switch {
	case info.PurePhoneNumber.value == "" || len(info.PurePhoneNumber.value) > 20 || !consistsOf(info.PurePhoneNumber.value, digits):
		return errors.New("no phone number")
	case !printable(info.PhoneNumber.value, 32):
		return errors.New("no phone number")
	case info.CountryCode.value == "" || len(info.CountryCode.value) > 4 || !consistsOf(info.CountryCode.value, digits):
		return errors.New("no country code")
	case info.Watermark.AppID.value != a.appID:
		return fmt.Errorf("%w: the number was given to another mini program", ErrIdentity)
	case info.Watermark.Timestamp.value <= 0:
		return errors.New("no time")
	}
	return nil
}

// MiniProgramCode describes a mini program's code ("小程序码").
type MiniProgramCode struct {
	// Scene reaches the page as query.scene, which the page has to decode. It has 1 to 32
	// characters out of 0-9A-Za-z!#$&'()*+,/:;=?@-._~.
	Scene string
	// Page is the page's path without a slash at the beginning and without a query. Empty
	// means the home page.
	Page string
	// AllowUnpublished accepts a page that is not published. Such codes count against a
	// limit of 60,000 pages.
	AllowUnpublished bool
	// EnvVersion is "release", "trial" or "develop". Empty means "release".
	EnvVersion string
	// Width is the width of the picture, 280 to 1280 pixels. 0 means 430.
	Width int
	// Transparent makes the background transparent.
	Transparent bool
}

// Picture is a picture file.
type Picture struct {
	// Type is image/jpeg or image/png.
	Type string
	// Data is the file.
	Data []byte
}

// MiniProgramCode returns a picture of a mini program's code ("获取不限制的小程序码"). The code
// lives for ever. The error matches [ErrConfiguration] if the page does not exist or is not
// published, and [ErrQuota] after 5,000 calls in a minute.
func (c *Client) MiniProgramCode(ctx context.Context, code MiniProgramCode) (Picture, error) {
	if err := code.check(); err != nil {
		return Picture{}, err
	}
	var picture Picture
	err := c.accountCall(ctx, request{
		op: opMiniProgramCode, path: "/wxa/getwxacodeunlimit",
		body: struct {
			Scene      string `json:"scene"`
			Page       string `json:"page,omitempty"`
			CheckPath  bool   `json:"check_path"`
			EnvVersion string `json:"env_version,omitempty"`
			Width      int    `json:"width,omitempty"`
			IsHyaline  bool   `json:"is_hyaline,omitempty"`
		}{code.Scene, code.Page, !code.AllowUnpublished, code.EnvVersion, code.Width, code.Transparent},
	}, func(r request, body []byte) (err error) {
		picture, err = r.decodePicture(body)
		return err
	})
	return picture, err
}

// check returns an error if WeChat would refuse the code.
func (code MiniProgramCode) check() error {
	switch {
	case code.Scene == "" || len(code.Scene) > 32 || !consistsOf(code.Scene, alphanumeric+"!#$&'()*+,/:;=?@-._~"):
		return argumentError(opMiniProgramCode, "the scene is not 1 to 32 of the allowed characters")
	case strings.HasPrefix(code.Page, "/") || strings.ContainsAny(code.Page, "?#"):
		return argumentError(opMiniProgramCode, "the page has a slash at the beginning or a query")
	case code.EnvVersion != "" && code.EnvVersion != "release" && code.EnvVersion != "trial" && code.EnvVersion != "develop":
		return argumentError(opMiniProgramCode, "the version is not release, trial or develop")
	case code.Width != 0 && (code.Width < 280 || code.Width > 1280):
		return argumentError(opMiniProgramCode, "the width is not 280 to 1280 pixels")
	}
	return nil
}

// decodePicture returns the picture in a response. An error is JSON in place of it.
func (r request) decodePicture(body []byte) (Picture, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		var none noAnswer
		return Picture{}, r.decode(body, &none)
	}
	switch kind := http.DetectContentType(body); kind {
	case "image/jpeg", "image/png":
		return Picture{Type: kind, Data: body}, nil
	}
	return Picture{}, r.responseError("not a picture")
}

// noAnswer is the answer of a call whose JSON can only be an error.
type noAnswer struct {
	oddities
}

func (a *noAnswer) problem() error { return errors.New("not a picture") }
