package compat

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/message/callback/response"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// official is the account of all tests.
var official = wechattest.App{Account: wechat.Account{
	AppID: "wx0123456789abcdef", Secret: "0ff1c1a10ff1c1a10ff1c1a10ff1c1a1",
}}

// The account's settings for messages.
const (
	pushToken = "tokenOfTheAccount"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// received holds the fields of a message as a library has read them.
type received struct {
	ToUserName, FromUserName, MsgType, Event, EventKey, Ticket, MsgID, Content string

	CreateTime int64
}

// receivedOf returns the fields of our message.
func receivedOf(m wechat.Message) received {
	return received{
		ToUserName: m.ToUserName, FromUserName: m.FromUserName, MsgType: m.MsgType, Event: m.Event,
		EventKey: m.EventKey, Ticket: m.Ticket, MsgID: m.MsgID, Content: m.Content, CreateTime: m.CreateTime.Unix(),
	}
}

// library is a library that serves an account's push URL.
type library struct {
	name string
	// serve returns the library's handler. It passes each message that the library accepts to
	// read, and answers with the text. Without a text it confirms the message.
	serve func(t *testing.T, secrets secrets, text string, read func(received)) http.Handler
}

// secrets holds the settings that a library has for an account.
type secrets struct{ appID, token, key string }

// ours are the account's settings.
var ours = secrets{official.AppID, pushToken, pushKey}

// libraries are the libraries for messages.
var libraries = []library{
	{"silenceper/wechat", serveSilenceper},
	{"chanxuehong/wechat", serveChanxuehong},
	{"node-webot/wechat", serveNodeWebot},
	{"PowerWeChat", servePowerWeChat},
}

// eachLibrary runs a subtest for each library.
func eachLibrary(t *testing.T, test func(t *testing.T, l library)) {
	t.Helper()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) { test(t, l) })
	}
}

// serveSilenceper serves a push URL with silenceper/wechat, as its documentation has it.
func serveSilenceper(t *testing.T, s secrets, text string, read func(received)) http.Handler {
	account := officialaccount.NewOfficialAccount(&config.Config{
		AppID: s.appID, Token: s.token, EncodingAESKey: s.key, Cache: cache.NewMemory(),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server := account.GetServer(r, w)
		server.SetMessageHandler(func(m *message.MixMessage) *message.Reply {
			read(received{
				ToUserName: string(m.ToUserName), FromUserName: string(m.FromUserName), MsgType: string(m.MsgType),
				Event: string(m.Event), EventKey: m.EventKey, Ticket: m.Ticket, MsgID: number(m.MsgID), Content: m.Content,
				CreateTime: m.CreateTime,
			})
			if text == "" {
				return nil
			}
			return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText(text)}
		})
		if err := server.Serve(); err != nil {
			t.Logf("silenceper/wechat: %v", err)
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		if r.Method == http.MethodPost {
			if err := server.Send(); err != nil {
				t.Errorf("silenceper/wechat: Send = %v, want none", err)
			}
		}
	})
}

// serveChanxuehong serves a push URL with chanxuehong/wechat.
func serveChanxuehong(t *testing.T, s secrets, text string, read func(received)) http.Handler {
	handle := core.HandlerFunc(func(c *core.Context) {
		m := c.MixedMsg
		read(received{
			ToUserName: m.ToUserName, FromUserName: m.FromUserName, MsgType: string(m.MsgType), Event: string(m.EventType),
			EventKey: m.EventKey, Ticket: m.Ticket, MsgID: number(m.MsgId), Content: m.Content, CreateTime: m.CreateTime,
		})
		if err := respondChanxuehong(c, text); err != nil {
			t.Errorf("chanxuehong/wechat: response = %v, want none", err)
		}
	})
	server := core.NewServer("", s.appID, s.token, s.key, handle, core.ErrorHandlerFunc(func(w http.ResponseWriter, _ *http.Request, err error) {
		t.Logf("chanxuehong/wechat: %v", err)
		http.Error(w, "refused", http.StatusForbidden)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r, nil) })
}

// respondChanxuehong writes the response to a message with chanxuehong/wechat.
func respondChanxuehong(c *core.Context, text string) error {
	if text == "" {
		return c.NoneResponse()
	}
	reply := response.NewText(c.MixedMsg.FromUserName, c.MixedMsg.ToUserName, time.Now().Unix(), text)
	if c.EncryptType == "aes" {
		return c.AESResponse(reply, 0, "", nil)
	}
	return c.RawResponse(reply)
}

// number returns a message's number as our messages have it.
func number(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
