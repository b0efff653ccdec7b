package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// maxQRCodeLifetime is the longest lifetime of a temporary QR code.
const maxQRCodeLifetime = 30 * 24 * time.Hour

// QRCode is a temporary QR code of an account, with a scene.
type QRCode struct {
	// Ticket names the code. See [Client.QRCodePictureURL].
	Ticket string
	// URL is the text that the code contains. A server can draw the code itself.
	URL string
	// Expiry is the end of the code's lifetime, counted from before the call.
	Expiry time.Time
	// Oddities is described at [Token].
	Oddities []string `json:",omitempty"`
}

// CreateQRCode creates a temporary QR code ("生成带参数的二维码"). A scan of it is an event
// with the scene: see [Message.Scene]. The scene has 1 to 64 characters of printable ASCII
// without spaces. The lifetime is 1 second to 30 days, in whole seconds.
//
// Only verified service accounts and test accounts can create such codes. For others the
// error matches [ErrConfiguration]. The number of calls per day is limited: [ErrQuota].
func (c *Client) CreateQRCode(ctx context.Context, scene string, lifetime time.Duration) (QRCode, error) {
	switch {
	case !printable(scene, 64):
		return QRCode{}, argumentError(opCreateQRCode, "the scene is not 1 to 64 characters of printable ASCII without spaces")
	case lifetime < time.Second || lifetime > maxQRCodeLifetime:
		return QRCode{}, argumentError(opCreateQRCode, "the lifetime is not 1 second to 30 days")
	}
	type sceneString struct {
		SceneStr string `json:"scene_str"`
	}
	type actionInfo struct {
		Scene sceneString `json:"scene"`
	}
	sent := time.Now()
	var answer qrCodeAnswer
	err := c.accountCall(ctx, request{
		op: opCreateQRCode, path: "/cgi-bin/qrcode/create",
		// Without expire_seconds the code would live for a minute only.
		body: struct {
			ExpireSeconds int64      `json:"expire_seconds"`
			ActionName    string     `json:"action_name"`
			ActionInfo    actionInfo `json:"action_info"`
		}{int64(lifetime / time.Second), "QR_STR_SCENE", actionInfo{sceneString{scene}}},
	}, decodeInto(&answer))
	if err != nil {
		return QRCode{}, err
	}
	return answer.qrCode(sent), nil
}

// QRCodePictureURL returns the address of WeChat's picture of a QR code, a JPEG. It needs
// no token.
func (c *Client) QRCodePictureURL(ticket string) string {
	return c.endpoint.MP + "/cgi-bin/showqrcode?ticket=" + escape(ticket)
}

// argumentError returns the error for an argument that WeChat would refuse.
func argumentError(op, fault string) error {
	return fmt.Errorf("wechat: %s: %w: %s", op, ErrConfiguration, fault)
}

// qrCodeAnswer answers a request for a QR code.
type qrCodeAnswer struct {
	oddities
	Ticket        tolerant[string] `json:"ticket"`
	ExpireSeconds tolerant[int64]  `json:"expire_seconds"`
	URL           tolerant[string] `json:"url"`
}

func (a *qrCodeAnswer) problem() error {
	if a.Ticket.odd || !printable(a.Ticket.value, maxToken) {
		return errors.New("no ticket")
	}
	u, err := url.Parse(a.URL.value)
	if err != nil || !printable(a.URL.value, maxCode) || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("no address to draw")
	}
	return nil
}

// qrCode returns the code in the answer to a request that was sent at the given time.
func (a *qrCodeAnswer) qrCode(sent time.Time) QRCode {
	return QRCode{
		Ticket: a.Ticket.value, URL: a.URL.value, Expiry: sent.Add(lifetime(a.ExpireSeconds)),
		Oddities: a.with([]oddity{{"expire_seconds", a.ExpireSeconds.odd}}),
	}
}
