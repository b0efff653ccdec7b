package compat

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ArtisanCloud/PowerLibs/v3/http/helper"
	"github.com/ArtisanCloud/PowerLibs/v3/logger/drivers"
	"github.com/ArtisanCloud/PowerLibs/v3/object"
	"github.com/ArtisanCloud/PowerSocialite/v3/src/providers"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/contract"
	powermessages "github.com/ArtisanCloud/PowerWeChat/v3/src/kernel/messages"
	"github.com/ArtisanCloud/PowerWeChat/v3/src/officialAccount"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// newPowerAccount returns PowerWeChat's account, without its log files.
func newPowerAccount(c officialAccount.UserConfig) *officialAccount.OfficialAccount {
	c.Log.Driver = &drivers.DummyLogger{}
	account, err := officialAccount.NewOfficialAccount(&c)
	if err != nil {
		panic(err) // the configurations are constant
	}
	return account
}

// servePowerWeChat serves a push URL with PowerWeChat.
func servePowerWeChat(t *testing.T, s secrets, text string, read func(received)) http.Handler {
	return powerHandler(t, s, func(event contract.EventInterface) any {
		var m struct {
			ToUserName, FromUserName, MsgType, Event, EventKey, Ticket, Content string

			MsgID      string `xml:"MsgId"`
			CreateTime int64
		}
		if err := event.ReadMessage(&m); err != nil {
			t.Errorf("PowerWeChat: ReadMessage = %v, want none", err)
		}
		read(received{m.ToUserName, m.FromUserName, m.MsgType, m.Event, m.EventKey, m.Ticket, m.MsgID, m.Content, m.CreateTime})
		if text == "" {
			return nil
		}
		reply := powermessages.NewText(text)
		reply.ToXmlArray = func() *object.HashMap { // TestPowerWeChatSendsNoTime
			return &object.HashMap{"Content": text, "CreateTime": time.Now().Unix()}
		}
		return reply
	})
}

// powerHandler serves a push URL with PowerWeChat, as its documentation has it.
func powerHandler(t *testing.T, s secrets, handle func(contract.EventInterface) any) http.Handler {
	account := newPowerAccount(officialAccount.UserConfig{AppID: s.appID, Secret: official.Secret, Token: s.token, AESKey: s.key})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve := account.Server.VerifyURL
		if r.Method == http.MethodPost {
			serve = func(r *http.Request) (*http.Response, error) { return account.Server.Notify(r, handle) }
		}
		answer, err := serve(r)
		if err == nil {
			err = helper.HttpResponseSend(answer, w)
		}
		if err != nil {
			t.Logf("PowerWeChat: %v", err)
			http.Error(w, "refused", http.StatusForbidden)
		}
	})
}

// TestPowerWeChatSendsNoTime notes a difference: the CreateTime of PowerWeChat's replies is
// a quoted date, where WeChat documents a number. The simulator refuses such replies.
func TestPowerWeChatSendsNoTime(t *testing.T) {
	handler := powerHandler(t, ours, func(contract.EventInterface) any { return "ok" })
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, pushedRequest(t, "lin"))
	_, text := openEnvelope(t, recorder.Body.Bytes())
	if !strings.Contains(text, `<CreateTime><![CDATA["`) || !strings.Contains(text, "<Content><![CDATA[ok]]></Content>") {
		t.Errorf("decrypted reply = %q, want the text and a quoted date", text)
	}
}

// TestWeReadPowerWeChatEncryption opens each kind of message, encrypted and signed by
// PowerWeChat.
func TestWeReadPowerWeChatEncryption(t *testing.T) {
	encryptor, err := kernel.NewEncryptor(ours.appID, ours.token, ours.key)
	if err != nil {
		t.Fatal(err)
	}
	pusher := pusherTo(t, http.NotFoundHandler(), wechattest.PushEncrypted, wechat.FormatXML)
	for kind, m := range messages(pusher) {
		body, failed := encryptor.Encrypt(string(pusher.Document(m)), "", "")
		if failed != nil {
			t.Fatalf("%s: Encrypt = %s, want no error", kind, failed.ErrMsg)
		}
		e, _ := openEnvelope(t, body)
		push, err := newCipher(t, ours).Open(e.query(), body)
		if err != nil || receivedOf(push.Message) != receivedOf(m) {
			t.Errorf("%s: Open = %+v, %v, want %+v", kind, receivedOf(push.Message), err, receivedOf(m))
		}
	}
}

// powerClient is PowerWeChat's login. It has neither a refresh nor a check, and its calls
// have no context.
type powerClient struct {
	app      wechattest.App
	provider *providers.WeChat
}

func newPowerClient(app wechattest.App) loginClient {
	return powerClient{app, newPowerAccount(officialAccount.UserConfig{AppID: app.AppID, Secret: app.Secret}).OAuth}
}

func (c powerClient) link(state string) (string, error) {
	if !c.app.Website {
		return newSilenceper(c.app).link(state) // TestPowerWeChatLinkOfAnOfficialAccount
	}
	c.provider.WithState(state)
	return c.provider.Redirect(url.QueryEscape(callbackURL)) // the library does not escape it
}

func (c powerClient) exchange(_ context.Context, code string) (token, error) {
	got, err := c.provider.TokenFromCode(code)
	if err != nil {
		return token{}, err
	}
	text := func(name string) string {
		s, _ := (*got)[name].(string)
		return s
	}
	return token{text("access_token"), text("refresh_token"), text("openid"), text("unionid")}, nil
}

func (c powerClient) profile(_ context.Context, t token) (profile, error) {
	user, err := c.provider.UserFromToken(t.access, t.openID)
	if err != nil {
		return profile{}, err
	}
	raw, err := user.GetRaw()
	if err != nil {
		return profile{}, err
	}
	if user.GetOpenID() == "" { // TestPowerWeChatReturnsEmptyProfiles
		return profile{}, errors.New("no profile")
	}
	unionID, _ := (*raw)["unionid"].(string)
	return profile{user.GetOpenID(), unionID, user.GetNickname(), user.GetAvatar()}, nil
}

func (powerClient) refresh(context.Context, token) (token, error) { return token{}, errUnsupported }
func (powerClient) check(context.Context, token) (bool, error)    { return false, errUnsupported }

// TestPowerWeChatLinkOfAnOfficialAccount notes a difference: PowerWeChat sorts the parameters by
// name, and one that WeChat does not document comes second. The simulator's authorization page
// refuses such links.
func TestPowerWeChatLinkOfAnOfficialAccount(t *testing.T) {
	weChat := wechattest.New(nil, official) // a strict one would fail the test
	account := newPowerAccount(officialAccount.UserConfig{AppID: official.AppID, Secret: official.Secret})
	account.OAuth.SetScopes([]string{"snsapi_userinfo"}) // OAuth.Scopes of the configuration has no effect
	link, err := account.OAuth.Redirect(url.QueryEscape(callbackURL))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := weChat.Approve(link, "lin"); err == nil || !strings.Contains(err.Error(), "in this order") {
		t.Errorf("Approve(%q) = %v, want that the order is not as documented", link, err)
	}
}

// TestPowerWeChatReturnsEmptyProfiles notes a fault of PowerWeChat: it returns a person without
// an openid, and no error, where WeChat refuses the profile.
func TestPowerWeChatReturnsEmptyProfiles(t *testing.T) {
	serveWeChat(t, wechattest.New(nil, official))
	account := newPowerAccount(officialAccount.UserConfig{AppID: official.AppID, Secret: official.Secret})
	user, err := account.OAuth.UserFromToken("unknown", "oLin")
	if err != nil || user.GetOpenID() != "" {
		t.Errorf("UserFromToken with an unknown token = %v, %v, want an empty person", user, err)
	}
}

// socialiteClient is the login of PowerSocialite, PowerWeChat's module for logins. Its calls
// have no context.
type socialiteClient struct {
	app      wechattest.App
	provider *providers.OpenPlatform
}

func newSocialiteClient(app wechattest.App) loginClient {
	return socialiteClient{app, providers.NewOpenPlatformform(&object.HashMap{"app_id": app.AppID, "app_secret": app.Secret})}
}

func (c socialiteClient) link(state string) (string, error) {
	if c.app.Website {
		return c.provider.GetWebAppRedirectURL(callbackURL, "snsapi_login", state)
	}
	return c.provider.GetRedirectURL(callbackURL, "snsapi_userinfo", state)
}

func (c socialiteClient) exchange(_ context.Context, code string) (token, error) {
	got, err := c.provider.GetUserAccessToken(code)
	return token{got.AccessToken, got.RefreshToken, got.OpenID, got.UnionID}, err
}

func (c socialiteClient) profile(_ context.Context, t token) (profile, error) {
	got, err := c.provider.GetUserInfo(t.access, t.openID, "")
	return profile{got.OpenID, got.Unionid, got.Nickname, got.HeadImgURL}, err
}

func (c socialiteClient) refresh(_ context.Context, t token) (token, error) {
	got, err := c.provider.RefreshAccessToken(t.refresh)
	return token{got.AccessToken, got.RefreshToken, got.OpenID, t.unionID}, err
}

func (c socialiteClient) check(_ context.Context, t token) (bool, error) {
	return c.provider.CheckAccessToken(t.access, t.openID)
}
