package wechat_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

// accountClient returns a client whose account's token is accessToken.
func accountClient(t *testing.T, responses ...response) (*wechat.Client, *network) {
	t.Helper()
	c, n := newClient(t, responses...)
	return c.WithTokenSource(fixedToken), n
}

// wantPost fails t unless the client sent exactly one request: a POST of the JSON to path
// with the account's token.
func wantPost(t *testing.T, n *network, path, want string) {
	t.Helper()
	if len(n.requests) != 1 {
		t.Fatalf("requests = %d, want 1", len(n.requests))
	}
	req := n.requests[0]
	sent, err := io.ReadAll(req.Body)
	if err != nil || req.Method != http.MethodPost || req.URL.String() != "https://api.weixin.qq.com"+path+"?access_token="+accessToken || strings.TrimSpace(string(sent)) != want {
		t.Errorf("request = %s %s with %s, want POST %s with %s", req.Method, req.URL, sent, path, want)
	}
}

func TestCreateQRCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, n := accountClient(t, body(`{"ticket":"gQH47joAAAAAAAAAASxodHRw==","expire_seconds":600,"url":"http:\/\/weixin.qq.com\/q\/kZgfwMTm72WWPkovabbI"}`))
		code, err := c.CreateQRCode(t.Context(), "sg.main.a&b<c>", 10*time.Minute+time.Millisecond)
		want := wechat.QRCode{Ticket: "gQH47joAAAAAAAAAASxodHRw==", URL: "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI", Expiry: time.Now().Add(10 * time.Minute)}
		if err != nil || !reflect.DeepEqual(code, want) {
			t.Errorf("CreateQRCode = %+v, %v, want %+v", code, err, want)
		}
		wantPost(t, n, "/cgi-bin/qrcode/create", `{"expire_seconds":600,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"sg.main.a&b<c>"}}}`)
		if got, want := c.QRCodePictureURL("gQH+a/b=="), "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH%2Ba%2Fb%3D%3D"; got != want {
			t.Errorf("QRCodePictureURL = %s, want %s", got, want)
		}
	})
}

func TestCreateQRCodeArguments(t *testing.T) {
	for name, c := range map[string]struct {
		scene    string
		lifetime time.Duration
		allowed  bool
	}{
		"64 characters":        {strings.Repeat("s", 64), time.Hour, true},
		"a second":             {"s", time.Second, true},
		"30 days":              {"s", 2_592_000 * time.Second, true},
		"no scene":             {"", time.Hour, false},
		"65 characters":        {strings.Repeat("s", 65), time.Hour, false},
		"a space":              {"a b", time.Hour, false},
		"Chinese":              {"码", time.Hour, false},
		"less than a second":   {"s", time.Second - 1, false},
		"more than 30 days":    {"s", 2_592_001 * time.Second, false},
		"a lifetime in future": {"s", -time.Hour, false},
	} {
		client, n := accountClient(t, body(`{"ticket":"t","expire_seconds":60,"url":"http:\/\/weixin.qq.com\/q\/a"}`))
		_, err := client.CreateQRCode(t.Context(), c.scene, c.lifetime)
		if c.allowed != (err == nil) || !c.allowed && (!errors.Is(err, wechat.ErrConfiguration) || len(n.requests) != 0) {
			t.Errorf("CreateQRCode with %s: error = %v after %d requests, want allowed: %t", name, err, len(n.requests), c.allowed)
		}
	}
	for _, answer := range []string{
		`{"ticket":"t"}`, `{"url":"http:\/\/weixin.qq.com\/q\/a"}`, `{"ticket":"t","url":"javascript:alert(1)"}`, `{"ticket":"t","url":"http:\/\/a b"}`,
		`{"ticket":1,"url":"http:\/\/weixin.qq.com\/q\/a"}`, `{"ticket":"t","url":""}`,
	} {
		client, _ := accountClient(t, body(answer))
		_, err := client.CreateQRCode(t.Context(), "s", time.Hour)
		wantOnly(t, err, wechat.ErrResponse)
	}
}

func TestUserInfoByOpenID(t *testing.T) {
	c, n := accountClient(t, body(followerBody))
	follower, err := c.UserInfoByOpenID(t.Context(), openID)
	want := wechat.Follower{
		OpenID: openID, UnionID: "oUnion", Subscribed: true, SubscribedAt: time.Unix(1434093047, 0),
		SubscribeScene: "ADD_SCENE_QR_CODE", Scene: "sg.main.abc",
	}
	if err != nil || !reflect.DeepEqual(follower, want) {
		t.Errorf("user info = %+v, %v, want %+v", follower, err, want)
	}
	wantRequest(t, n, "/cgi-bin/user/info", map[string][]string{"access_token": {accessToken}, "openid": {openID}, "lang": {"zh_CN"}})
	for name, c := range map[string]struct {
		fields string
		want   wechat.Follower // besides the openid
	}{
		"not a follower":   {`"subscribe":0`, wechat.Follower{}},
		"a number's scene": {`"subscribe":1,"qr_scene":98765,"qr_scene_str":""`, wechat.Follower{Subscribed: true, Scene: "98765"}},
		"in quotes":        {`"subscribe":"1","qr_scene":"7"`, wechat.Follower{Subscribed: true, Scene: "7", Oddities: []string{"subscribe", "qr_scene"}}},
		"other types":      {`"subscribe":0,"subscribe_time":{},"subscribe_scene":[]`, wechat.Follower{Oddities: []string{"subscribe_time", "subscribe_scene"}}},
		"an unknown value": {`"subscribe":2`, wechat.Follower{}},
	} {
		client, _ := accountClient(t, body(`{"openid":"`+openID+`",`+c.fields+`}`))
		c.want.OpenID = openID
		if got, err := client.UserInfoByOpenID(t.Context(), openID); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("user info, %s = %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestUserInfoByOpenIDIsStrict(t *testing.T) {
	for answer, identity := range map[string]bool{
		`{"subscribe":1,"openid":"oOther"}`:                              true,
		`{"subscribe":1,"openid":1}`:                                     true,
		`{"subscribe":1,"openid":"` + openID + `","unionid":"a b"}`:      true,
		`{"subscribe":1,"openid":"` + openID + `","unionid":1}`:          true,
		`{"subscribe":null,"openid":"` + openID + `","unionid":"oUnio"}`: false,
		`{"subscribe":1}`:             false,
		`{"openid":"` + openID + `"}`: false,
	} {
		c, _ := accountClient(t, body(answer))
		follower, err := c.UserInfoByOpenID(t.Context(), openID)
		wantOnly(t, err, wechat.ErrResponse)
		if errors.Is(err, wechat.ErrIdentity) != identity || follower.UnionID != "" {
			t.Errorf("user info of %s = %+v, %v, want ErrIdentity: %t", answer, follower, err, identity)
		}
	}
	c, n := accountClient(t, body(followerBody))
	for _, openID := range []string{"", "a b", strings.Repeat("o", 129)} {
		if _, err := c.UserInfoByOpenID(t.Context(), openID); !errors.Is(err, wechat.ErrTokenInvalid) || len(n.requests) != 0 {
			t.Errorf("user info of openid %q: error = %v after %d requests, want %v after none", openID, err, len(n.requests), wechat.ErrTokenInvalid)
		}
	}
}
