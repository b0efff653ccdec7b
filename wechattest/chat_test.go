package wechattest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// chatWorld returns a world in which an account's pushes reach a backend, lin's phone, and
// a code with the scene "test".
func chatWorld(t *testing.T) (*world, *backend, *wechattest.Phone, wechat.QRCode) {
	t.Helper()
	w := newStrictWorld(t)
	b, server := newBackend(t, official)
	w.SetPush(official.AppID, server)
	code, err := w.client(t, official).CreateQRCode(t.Context(), "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return w, b, w.Phone("lin", w.rt, openURL), code
}

// lastEvent returns the last pushed event, and the number of pushes.
func (b *backend) lastEvent() (event, key, ticket string, number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pushes) == 0 {
		return "", "", "", 0
	}
	m := b.pushes[len(b.pushes)-1].Message
	return m.Event, m.EventKey, m.Ticket, len(b.pushes)
}

// wantEvent fails t unless the last event is the wanted one.
func wantEvent(t *testing.T, b *backend, event, key, ticket string, number int) {
	t.Helper()
	gotEvent, gotKey, gotTicket, got := b.lastEvent()
	if gotEvent != event || gotKey != key || gotTicket != ticket || got != number {
		t.Errorf("event number %d = %q with key %q and ticket %q, want number %d, %q with key %q and ticket %q", got, gotEvent, gotKey, gotTicket, number, event, key, ticket)
	}
}

func TestEvents(t *testing.T) {
	w, b, phone, code := chatWorld(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	// A person who scans and does not follow causes no event.
	must(phone.Scan(ctx, code.URL))
	wantEvent(t, b, "", "", "", 0)
	must(phone.Follow(ctx, code.URL))
	wantEvent(t, b, "subscribe", "qrscene_test", code.Ticket, 1)
	must(phone.Scan(ctx, code.URL))
	wantEvent(t, b, "SCAN", "test", code.Ticket, 2)
	if m := b.pushes[1].Message; m.MsgID != "" || m.FromUserName != w.OpenID("lin", official.AppID) {
		t.Errorf("event = number %q from %q, want no number, from lin", m.MsgID, m.FromUserName)
	}
	must(phone.Unfollow(ctx, official.AppID))
	wantEvent(t, b, "unsubscribe", "", "", 3)
	must(phone.FollowAccount(ctx, official.AppID))
	wantEvent(t, b, "subscribe", "", "", 4)
	must(phone.Type(ctx, official.AppID, "你好"))
	if m := b.pushes[4].Message; m.MsgType != "text" || m.Content != "你好" || m.MsgID == "" {
		t.Errorf("message = %q %q with number %q, want lin's text", m.MsgType, m.Content, m.MsgID)
	}
	for name, err := range map[string]error{
		"Follow of a follower":        phone.Follow(ctx, code.URL),
		"FollowAccount of a follower": phone.FollowAccount(ctx, official.AppID),
		"Scan of another code":        phone.Scan(ctx, "http://weixin.qq.com/q/other"),
		"Follow of an account":        phone.FollowAccount(ctx, personal.AppID),
		"Type to another account":     phone.Type(ctx, unbound.AppID, "a"),
		"Unfollow of another account": phone.Unfollow(ctx, unbound.AppID),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "wechattest: ") {
			t.Errorf("%s: error = %v, want one from wechattest", name, err)
		}
	}
	w.FastForward(time.Hour)
	if err := phone.Scan(ctx, code.URL); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("Scan of an expired code: error = %v, want one that names the reason", err)
	}
	if _, _, _, number := b.lastEvent(); number != 5 {
		t.Errorf("pushes = %d, want 5", number)
	}
}

func TestFollowerInfo(t *testing.T) {
	w, _, phone, code := chatWorld(t)
	client := w.client(t, official)
	openID := w.OpenID("lin", official.AppID)
	info := func() wechat.Follower {
		t.Helper()
		follower, err := client.UserInfoByOpenID(t.Context(), openID)
		if err != nil || follower.OpenID != openID || follower.Oddities != nil {
			t.Errorf("UserInfoByOpenID = %+v, %v, want lin without oddities", follower, err)
		}
		return follower
	}
	if got := info(); got.Subscribed || got.UnionID != "" {
		t.Errorf("person who does not follow = %+v, want no unionid", got)
	}
	if err := phone.Follow(t.Context(), code.URL); err != nil {
		t.Fatal(err)
	}
	if got := info(); !got.Subscribed || got.UnionID != w.UnionID("lin") || got.Scene != "test" || got.SubscribeScene != "ADD_SCENE_QR_CODE" || time.Since(got.SubscribedAt) > time.Minute {
		t.Errorf("follower = %+v, want the unionid and the scene", got)
	}
	if err := phone.Unfollow(t.Context(), official.AppID); err != nil {
		t.Fatal(err)
	}
	if got := info(); got.Subscribed || got.UnionID != "" {
		t.Errorf("person who stopped following = %+v, want no unionid", got)
	}
	if err := phone.FollowAccount(t.Context(), official.AppID); err != nil {
		t.Fatal(err)
	}
	if got := info(); !got.Subscribed || got.Scene != "" || got.SubscribeScene == "ADD_SCENE_QR_CODE" {
		t.Errorf("follower by another way = %+v, want no scene", got)
	}
}

func TestChat(t *testing.T) {
	w, b, phone, code := chatWorld(t)
	b.reply = wechat.Reply{Text: "Log in?\n" + wechat.ChatLink("https://app.example.com/callback?a=1&b=2", "Yes, <log> in")}
	if err := phone.Follow(t.Context(), code.URL); err != nil {
		t.Fatal(err)
	}
	b.reply = wechat.Reply{}
	if err := phone.Type(t.Context(), official.AppID, "42"); err != nil {
		t.Fatal(err)
	}
	b.reply = wechat.Reply{Text: "bye"}
	if err := phone.Type(t.Context(), official.AppID, "0"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range phone.Chat(official.AppID) {
		got = append(got, m.Text)
	}
	if want := []string{"Log in?\nYes, log> in", "42", "0", "bye"}; !slices.Equal(got, want) {
		t.Errorf("chat = %q, want %q", got, want)
	}
	if last := phone.LastReply(official.AppID); last.Text != "bye" || !last.FromAccount || last.Type != "text" {
		t.Errorf("LastReply = %+v, want bye", last)
	}
	resp, err := phone.TapLink(t.Context(), official.AppID)
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, resp); body != "a=1&b=2" || w.callbacks[0].UserAgent() != wechattest.UserAgentPhone {
		t.Errorf("page behind the link: query = %q, want a=1&b=2 in WeChat's browser", body)
	}
	// Another phone of the person has the same chat, another person has none, and it is
	// deleted when the person stops following.
	if n := len(w.Phone("lin", w.rt, openURL).Chat(official.AppID)); n != 4 {
		t.Errorf("messages on lin's other phone = %d, want 4", n)
	}
	wang := w.Phone("wang", w.rt, openURL)
	if _, err := wang.TapLink(t.Context(), official.AppID); err == nil || wang.LastReply(official.AppID).Text != "" {
		t.Errorf("TapLink of another person: error = %v, want one", err)
	}
	if err := phone.Unfollow(t.Context(), official.AppID); err != nil || len(phone.Chat(official.AppID)) != 0 {
		t.Errorf("chat after Unfollow = %v, %v, want none", phone.Chat(official.AppID), err)
	}
}

// TestChatShowsAFailure leaves an event without an answer.
func TestChatShowsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, phone, code := chatWorld(t)
		b.before = func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }
		start := time.Now()
		if err := phone.Follow(t.Context(), code.URL); err == nil || time.Since(start) != 15*time.Second {
			t.Errorf("Follow: error = %v after %v, want one after 15s", err, time.Since(start))
		}
		chat := phone.Chat(official.AppID)
		if len(chat) != 1 || chat[0].Type != "notice" || chat[0].Text != "该公众号提供的服务出现故障，请稍后再试" || !phone.Follows(official.AppID) {
			t.Errorf("chat = %+v, want WeChat's notice", chat)
		}
	})
}

// TestTypedMarkup types the text of threat 47. The simulator sends it as it is.
func TestTypedMarkup(t *testing.T) {
	_, b, phone, code := chatWorld(t)
	if err := phone.Follow(t.Context(), code.URL); err != nil {
		t.Fatal(err)
	}
	err := phone.Type(t.Context(), official.AppID, "]]></Content><FromUserName>oVictim</FromUserName><Content><![CDATA[")
	if err == nil || !strings.Contains(err.Error(), "status 403") || b.pushes[1].Message.FromUserName != "" {
		t.Errorf("Type of markup: error = %v, want the status 403 of the server", err)
	}
}

func TestMiniProgram(t *testing.T) {
	w := newStrictWorld(t)
	phone, client := w.Phone("lin", w.rt, openURL), w.client(t, mini)
	code, err := phone.LoginCode(mini.AppID)
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.SessionByCode(t.Context(), code)
	if err != nil || session.OpenID != w.OpenID("lin", mini.AppID) || session.UnionID != w.UnionID("lin") || session.SessionKey == "" {
		t.Errorf("SessionByCode = %#v, %v, want lin's ids and a key", session, err)
	}
	number, err := phone.NumberCode(mini.AppID, "13580006666")
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.PhoneNumber(t.Context(), number, session.OpenID)
	if err != nil || got.PureNumber != "13580006666" || got.CountryCode != "86" || time.Since(got.Time) > time.Minute {
		t.Errorf("PhoneNumber = %+v, %v, want the number of now", got, err)
	}
	picture, err := client.MiniProgramCode(t.Context(), wechat.MiniProgramCode{Scene: "abc", Page: "pages/login/login"})
	if err != nil || picture.Type != "image/jpeg" {
		t.Errorf("MiniProgramCode = %s, %v, want a JPEG", picture.Type, err)
	}
	if _, err := phone.LoginCode(official.AppID); err == nil {
		t.Error("LoginCode at an official account: no error, want one")
	}
}
