package compat

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/message/callback/request"
	"github.com/silenceper/wechat/v2/util"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// bodyOf returns the body of a request.
func bodyOf(t *testing.T, r *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// silenceperPush returns the query and the body of a push that silenceper/wechat has encrypted
// and signed.
func silenceperPush(t *testing.T, s secrets, document []byte, format wechat.Format) (url.Values, []byte) {
	t.Helper()
	encrypted, err := util.EncryptMsg([]byte("0123456789abcdef"), document, s.appID, s.key)
	if err != nil {
		t.Fatal(err)
	}
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "1792106704"
	query := url.Values{
		"signature": {util.Signature(s.token, timestamp, nonce)}, "encrypt_type": {"aes"}, "timestamp": {timestamp}, "nonce": {nonce},
		"msg_signature": {util.Signature(s.token, timestamp, nonce, string(encrypted))},
	}
	if format == wechat.FormatJSON {
		return query, fmt.Appendf(nil, `{"ToUserName":"gh_1","Encrypt":"%s"}`, encrypted)
	}
	return query, fmt.Appendf(nil, "<xml><ToUserName>gh_1</ToUserName><Encrypt>%s</Encrypt></xml>", encrypted)
}

// TestWeReadSilenceperEncryption opens each kind of message, encrypted and signed by
// silenceper/wechat, in XML and JSON.
func TestWeReadSilenceperEncryption(t *testing.T) {
	for format, name := range []string{"XML", "JSON"} {
		pusher := pusherTo(t, http.NotFoundHandler(), wechattest.PushEncrypted, wechat.Format(format))
		for kind, m := range messages(pusher) {
			query, body := silenceperPush(t, ours, pusher.Document(m), wechat.Format(format))
			push, err := newCipher(t, ours).Open(query, body)
			if err != nil || receivedOf(push.Message) != receivedOf(m) || push.Message.RepeatKey() != m.RepeatKey() {
				t.Errorf("%s, %s: Open = %+v, %v, want %+v", name, kind, receivedOf(push.Message), err, receivedOf(m))
			}
		}
	}
}

// TestWeReadChanxuehongEncryption opens messages of chanxuehong/wechat's own types, encrypted
// and signed by it.
func TestWeReadChanxuehongEncryption(t *testing.T) {
	header := core.MsgHeader{ToUserName: "gh_1", FromUserName: "oLin", CreateTime: time.Now().Unix(), MsgType: "event"}
	text := header
	text.MsgType = request.MsgTypeText
	for name, c := range map[string]struct {
		document any
		want     received
	}{
		"text": {
			&request.Text{MsgHeader: text, MsgId: 1 << 62, Content: "4711 <月月🌙>"},
			received{MsgType: "text", MsgID: "4611686018427387904", Content: "4711 <月月🌙>"},
		},
		"SCAN": {
			&request.ScanEvent{MsgHeader: header, EventType: request.EventTypeScan, EventKey: "scene-1", Ticket: "gQ1"},
			received{MsgType: "event", Event: "SCAN", EventKey: "scene-1", Ticket: "gQ1"},
		},
		"subscribe": {
			&request.SubscribeEvent{MsgHeader: header, EventType: request.EventTypeSubscribe, EventKey: "qrscene_scene-1", Ticket: "gQ1"},
			received{MsgType: "event", Event: "subscribe", EventKey: "qrscene_scene-1", Ticket: "gQ1"},
		},
		"unsubscribe": {
			&request.UnsubscribeEvent{MsgHeader: header, EventType: request.EventTypeUnsubscribe},
			received{MsgType: "event", Event: "unsubscribe"},
		},
	} {
		c.want.ToUserName, c.want.FromUserName, c.want.CreateTime = header.ToUserName, header.FromUserName, header.CreateTime
		handle := core.HandlerFunc(func(context *core.Context) {
			if err := context.AESResponse(c.document, 0, "", nil); err != nil {
				t.Errorf("%s: AESResponse = %v, want none", name, err)
			}
		})
		server := core.NewServer("", ours.appID, ours.token, ours.key, handle, nil)
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, pushedRequest(t, "lin"), nil)
		e, _ := openEnvelope(t, recorder.Body.Bytes())
		push, err := newCipher(t, ours).Open(e.query(), []byte("<xml><Encrypt>"+e.Encrypt+"</Encrypt></xml>"))
		if err != nil || receivedOf(push.Message) != c.want {
			t.Errorf("%s: Open = %+v, %v, want %+v", name, receivedOf(push.Message), err, c.want)
		}
	}
}

// foreign are settings that differ from the account's in one value.
var foreign = map[string]secrets{
	"another token":  {ours.appID, "tokenOfAnotherAccount", ours.key},
	"another key":    {ours.appID, ours.token, strings.ToLower(pushKey)},
	"another AppID":  {"wx9999999999999999", ours.token, ours.key},
	"another length": {"wx0123456789abcde", ours.token, ours.key},
}

// TestWeRefuseLibrariesWithOtherSettings opens messages that silenceper/wechat has encrypted
// with other settings.
func TestWeRefuseLibrariesWithOtherSettings(t *testing.T) {
	pusher := pusherTo(t, http.NotFoundHandler(), wechattest.PushEncrypted, wechat.FormatXML)
	document := pusher.Document(pusher.Text("lin", "hello"))
	for name, s := range foreign {
		query, body := silenceperPush(t, s, document, wechat.FormatXML)
		if _, err := newCipher(t, ours).Open(query, body); !errors.Is(err, wechat.ErrUnverified) {
			t.Errorf("%s: Open = %v, want ErrUnverified", name, err)
		}
	}
	query, body := silenceperPush(t, ours, document, wechat.FormatXML)
	query.Set("nonce", "1792106705")
	if _, err := newCipher(t, ours).Open(query, body); !errors.Is(err, wechat.ErrUnverified) {
		t.Errorf("a changed nonce: Open = %v, want ErrUnverified", err)
	}
}

// TestLibrariesRefuseOtherSettings pushes messages to libraries that have other settings.
func TestLibrariesRefuseOtherSettings(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l library) {
		for name, s := range foreign {
			if ignoresAppID(l) && s.key == ours.key && s.token == ours.token {
				continue // TestLibrariesIgnoreTheAppID
			}
			handler := l.serve(t, s, "", func(m received) { t.Errorf("%s: accepted = %+v, want none", name, m) })
			pusher := pusherTo(t, handler, wechattest.PushEncrypted, wechat.FormatXML)
			if d := pusher.Deliver(t.Context(), pusher.Text("lin", "hello")); d.Err == nil {
				t.Errorf("%s: Deliver = %+v, want an error", name, d)
			}
		}
	})
}

// ignoresAppID reports whether a library does not compare the AppID of encrypted messages.
func ignoresAppID(l library) bool { return l.name == "node-webot/wechat" || l.name == "PowerWeChat" }

// TestLibrariesIgnoreTheAppID notes a fault of node-webot's wechat and of PowerWeChat: they
// take messages for another account that has the same token and key.
func TestLibrariesIgnoreTheAppID(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l library) {
		if !ignoresAppID(l) {
			return // TestLibrariesRefuseOtherSettings
		}
		accepted := false
		handler := l.serve(t, foreign["another AppID"], "", func(received) { accepted = true })
		pusher := pusherTo(t, handler, wechattest.PushEncrypted, wechat.FormatXML)
		if d := pusher.Deliver(t.Context(), pusher.Text("lin", "hello")); d.Err != nil || !accepted {
			t.Errorf("Deliver = %+v, accepted = %t, want an accepted message", d, accepted)
		}
	})
}

// TestSilenceperReadsJSON pushes messages in JSON to silenceper/wechat.
func TestSilenceperReadsJSON(t *testing.T) {
	for modeName, mode := range modes {
		var got received
		handler := serveSilenceper(t, ours, "", func(m received) { got = m })
		pusher := pusherTo(t, handler, mode, wechat.FormatJSON)
		for name, m := range messages(pusher) {
			request, err := pusher.Request(t.Context(), pusher.Document(m))
			if err != nil {
				t.Fatal(err)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if want := receivedOf(m); recorder.Code != http.StatusOK || got != want {
				t.Errorf("%s, %s: status = %d, message as the library reads it = %+v, want %+v", modeName, name, recorder.Code, got, want)
			}
		}
	}
}

// TestSilenceperRepliesInXML notes a limit of silenceper/wechat: it replies in XML to messages
// in JSON.
func TestSilenceperRepliesInXML(t *testing.T) {
	handler := serveSilenceper(t, ours, "ok", func(received) {})
	pusher := pusherTo(t, handler, wechattest.PushPlain, wechat.FormatJSON)
	request, err := pusher.Request(t.Context(), pusher.Document(pusher.Text("lin", "hello")))
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if body := recorder.Body.String(); !strings.HasPrefix(body, "<xml>") {
		t.Errorf("reply to a message in JSON = %q, want XML", body)
	}
}
