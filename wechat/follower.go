package wechat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Follower is a person as their account sees them. Since the end of 2021 WeChat sends no
// nickname and no picture here.
type Follower struct {
	// OpenID is the openid of the request.
	OpenID string
	// UnionID is described at [Token]. It is empty for a person who does not follow the
	// account.
	UnionID string
	// Subscribed reports whether the person follows the account. If not, WeChat sends
	// nothing else.
	Subscribed bool
	// SubscribedAt is the time when the person followed the account last.
	SubscribedAt time.Time
	// SubscribeScene is the way on which they came, such as ADD_SCENE_QR_CODE.
	SubscribeScene string
	// Scene is the scene of the QR code with which they came.
	Scene string
	// Oddities is described at [Token].
	Oddities []string `json:",omitempty"`
}

// UserInfoByOpenID returns a person's data at the account ("获取用户基本信息"), such as the
// unionid. Unlike [Client.UserInfo] it needs no authorization by the person, but only
// verified accounts may call it.
func (c *Client) UserInfoByOpenID(ctx context.Context, openID string) (Follower, error) {
	if !printable(openID, maxID) {
		return Follower{}, fmt.Errorf("wechat: %s: %w", opFollower, ErrTokenInvalid)
	}
	answer := followerAnswer{requested: openID}
	err := c.accountCall(ctx, request{
		op: opFollower, path: "/cgi-bin/user/info",
		query: url.Values{"openid": {openID}, "lang": {"zh_CN"}},
	}, decodeInto(&answer))
	if err != nil {
		return Follower{}, err
	}
	return answer.follower(), nil
}

// followerAnswer answers a request for a person's data at the account.
type followerAnswer struct {
	oddities
	requested string // the openid in the request
	// Subscribe is nil if the field is missing.
	Subscribe      *tolerant[int]   `json:"subscribe"`
	OpenID         tolerant[string] `json:"openid"`
	UnionID        tolerant[string] `json:"unionid"`
	SubscribeTime  tolerant[int64]  `json:"subscribe_time"`
	SubscribeScene tolerant[string] `json:"subscribe_scene"`
	QRScene        tolerant[int64]  `json:"qr_scene"`
	QRSceneStr     tolerant[string] `json:"qr_scene_str"`
}

func (a *followerAnswer) problem() error {
	switch {
	case !a.OpenID.odd && a.OpenID.value == "":
		return errors.New("no openid")
	case a.OpenID.odd || a.OpenID.value != a.requested:
		return fmt.Errorf("%w: the openid of another person", ErrIdentity)
	case a.Subscribe == nil:
		return errors.New("no subscribe")
	}
	return checkUnionID(a.UnionID)
}

// follower returns the person in the answer.
func (a *followerAnswer) follower() Follower {
	f := Follower{
		OpenID: a.OpenID.value, UnionID: a.UnionID.value, Subscribed: a.Subscribe.value == 1,
		SubscribeScene: a.SubscribeScene.value, Scene: a.QRSceneStr.value,
		Oddities: a.with([]oddity{
			{"subscribe", a.Subscribe.odd},
			{"subscribe_time", a.SubscribeTime.odd},
			{"subscribe_scene", a.SubscribeScene.odd},
			{"qr_scene", a.QRScene.odd},
			{"qr_scene_str", a.QRSceneStr.odd},
		}),
	}
	// A code has either a number or a text.
	if f.Scene == "" && a.QRScene.value != 0 {
		f.Scene = strconv.FormatInt(a.QRScene.value, 10)
	}
	if seconds := a.SubscribeTime.value; seconds > 0 {
		f.SubscribedAt = time.Unix(seconds, 0)
	}
	return f
}
