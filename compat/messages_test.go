package compat

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// pushURL is the push URL of all tests.
const pushURL = "https://app.example.com/push"

// pusherTo returns a pusher that delivers to a handler.
func pusherTo(t *testing.T, handler http.Handler, mode wechattest.PushMode, format wechat.Format) *wechattest.Pusher {
	t.Helper()
	return wechattest.NewStrict(t, official).SetPush(official.AppID, wechattest.PushServer{
		URL: pushURL, Token: pushToken, EncodingAESKey: pushKey, Mode: mode, Format: format,
		Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": handler}),
	})
}

// newCipher returns our cipher with other settings than the account's, where they differ.
func newCipher(t *testing.T, s secrets) *wechat.Cipher {
	t.Helper()
	cipher, err := wechat.NewCipher(wechat.CipherConfig{AppID: s.appID, Token: s.token, EncodingAESKey: s.key})
	if err != nil {
		t.Fatal(err)
	}
	return cipher
}

// messages returns the kinds of messages that logins use, and those that they must pass on.
func messages(p *wechattest.Pusher) map[string]wechat.Message {
	return map[string]wechat.Message{
		"text":        p.Text("lin", "4711"),
		"emoji":       p.Text("yueyue", "月月🌙 <a href=\"x\">&amp;</a>\n第二行"),
		"SCAN":        p.Event("lin", "SCAN", "scene-1"),
		"subscribe":   p.Event("wang", "subscribe", "qrscene_scene-1"),
		"no scene":    p.Event("wang", "subscribe", ""),
		"unsubscribe": p.Event("wang", "unsubscribe", ""),
		"CLICK":       p.Event("lin", "CLICK", "menu-1"),
	}
}

// modes are the modes of an account's pushes.
var modes = map[string]wechattest.PushMode{
	"encrypted": wechattest.PushEncrypted, "compatible": wechattest.PushCompatible, "plain": wechattest.PushPlain,
}

// TestLibrariesReadTheSimulatorsMessages pushes each kind of message in each mode to each
// library, and reads its reply.
func TestLibrariesReadTheSimulatorsMessages(t *testing.T) {
	const text = "收到 <ok> & 🌙"
	eachLibrary(t, func(t *testing.T, l library) {
		var got received
		handler := l.serve(t, ours, text, func(m received) { got = m })
		for mode, value := range modes {
			pusher := pusherTo(t, handler, value, wechat.FormatXML)
			if err := pusher.CheckURL(t.Context()); err != nil {
				t.Errorf("%s: CheckURL = %v, want none", mode, err)
			}
			for name, m := range messages(pusher) {
				got = received{}
				if d := pusher.Push(t.Context(), m); d.Err != nil || d.Reply.Content != text {
					t.Errorf("%s, %s: Push = %+v, want the library's reply", mode, name, d)
				}
				if want := receivedOf(m); got != want {
					t.Errorf("%s, %s: message as the library reads it = %+v, want %+v", mode, name, got, want)
				}
			}
		}
	})
}

// TestLibrariesConfirm pushes a message that the library's application does not reply to.
func TestLibrariesConfirm(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l library) {
		handler := l.serve(t, ours, "", func(received) {})
		for mode, value := range modes {
			if l.name == "silenceper/wechat" && value != wechattest.PushPlain {
				continue // TestSilenceperEncryptsNothing
			}
			pusher := pusherTo(t, handler, value, wechat.FormatXML)
			if d := pusher.Push(t.Context(), pusher.Text("lin", "hello")); d.Err != nil || d.Reply.MsgType != "" {
				t.Errorf("%s: Push = %+v, want neither a reply nor an error", mode, d)
			}
		}
	})
}

// TestSilenceperEncryptsNothing notes a fault of silenceper/wechat: in the encrypted mode its
// Send answers a message without a reply with an encrypted text of no bytes. WeChat documents
// "success" and an empty body only.
func TestSilenceperEncryptsNothing(t *testing.T) {
	handler := serveSilenceper(t, ours, "", func(received) {})
	request := pushedRequest(t, "lin")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	_, text := openEnvelope(t, recorder.Body.Bytes())
	if text != "" {
		t.Errorf("decrypted answer = %q, want no text", text)
	}
}

// pushedRequest returns an encrypted push of a person's text, as WeChat sends it.
func pushedRequest(t *testing.T, person string) *http.Request {
	t.Helper()
	pusher := pusherTo(t, http.NotFoundHandler(), wechattest.PushEncrypted, wechat.FormatXML)
	req, err := pusher.Request(t.Context(), pusher.Document(pusher.Text(person, "hello")))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// envelope is an encrypted reply.
type envelope struct {
	XMLName                      xml.Name `xml:"xml"`
	Encrypt, MsgSignature, Nonce string
	TimeStamp                    string
}

// query returns the parameters of a push with the reply's signature.
func (e envelope) query() url.Values {
	return url.Values{
		"signature": {util.Signature(pushToken, e.TimeStamp, e.Nonce)}, "encrypt_type": {"aes"},
		"timestamp": {e.TimeStamp}, "nonce": {e.Nonce}, "msg_signature": {e.MsgSignature},
	}
}

// openEnvelope verifies and decrypts a library's reply with our cipher.
func openEnvelope(t *testing.T, body []byte) (envelope, string) {
	t.Helper()
	var e envelope
	if err := xml.Unmarshal(body, &e); err != nil {
		t.Fatalf("reply = %q, want XML: %v", body, err)
	}
	text, _, err := newCipher(t, ours).Decrypt(e.query(), e.Encrypt)
	if err != nil {
		t.Fatalf("Decrypt of the library's reply = %v, want none", err)
	}
	return e, string(text)
}

// TestLibrariesReadOurEncryption encrypts and signs each kind of message with our cipher, and
// passes it to each library.
func TestLibrariesReadOurEncryption(t *testing.T) {
	cipher := newCipher(t, ours)
	eachLibrary(t, func(t *testing.T, l library) {
		var got received
		handler := l.serve(t, ours, "", func(m received) { got = m })
		pusher := pusherTo(t, handler, wechattest.PushEncrypted, wechat.FormatXML)
		for name, m := range messages(pusher) {
			got = received{}
			request := requestWith(t, cipher.Encrypt(pusher.Document(m), wechat.CurrentKey), m.ToUserName)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if want := receivedOf(m); recorder.Code != http.StatusOK || got != want {
				t.Errorf("%s: status = %d, message as the library reads it = %+v, want %+v", name, recorder.Code, got, want)
			}
		}
	})
}

// requestWith returns a push that our cipher has encrypted.
func requestWith(t *testing.T, e wechat.Envelope, toUserName string) *http.Request {
	t.Helper()
	timestamp := strconv.FormatInt(e.TimeStamp, 10)
	query := envelope{TimeStamp: timestamp, Nonce: e.Nonce, MsgSignature: e.MsgSignature}.query()
	body := "<xml><ToUserName><![CDATA[" + toUserName + "]]></ToUserName><Encrypt><![CDATA[" + e.Encrypt + "]]></Encrypt></xml>"
	return encryptedRequest(t, query, body)
}

// encryptedRequest returns a push with an encrypted body.
func encryptedRequest(t *testing.T, query url.Values, body string) *http.Request {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pushURL+"?"+query.Encode(), strings.NewReader(body))
	request.Header.Set("Content-Type", "text/xml") // PowerWeChat reads anything else as JSON
	return request
}

// TestLibrariesReadOurReplies replies to a message, and reads the reply with each library.
func TestLibrariesReadOurReplies(t *testing.T) {
	const text = "登录 <成功> 🌙\nsecond line"
	req := pushedRequest(t, "lin")
	body := bodyOf(t, req)
	push, err := newCipher(t, ours).Open(req.URL.Query(), body)
	if err != nil {
		t.Fatalf("Open = %v, want none", err)
	}
	var e envelope
	if err := xml.Unmarshal(push.Reply(wechat.Reply{Text: text}), &e); err != nil {
		t.Fatal(err)
	}
	want := received{ToUserName: push.Message.FromUserName, FromUserName: push.Message.ToUserName, MsgType: "text", Content: text}
	eachLibrary(t, func(t *testing.T, l library) {
		var got received
		handler := l.serve(t, ours, "", func(m received) { got = m })
		forward := "<xml><ToUserName><![CDATA[" + want.ToUserName + "]]></ToUserName><Encrypt><![CDATA[" + e.Encrypt + "]]></Encrypt></xml>"
		handler.ServeHTTP(httptest.NewRecorder(), encryptedRequest(t, e.query(), forward))
		if age := time.Since(time.Unix(got.CreateTime, 0)); age < -time.Minute || age > time.Minute {
			t.Errorf("CreateTime of our reply = %d, want the present time", got.CreateTime)
		}
		got.CreateTime = 0
		if got != want {
			t.Errorf("our reply as the library reads it = %+v, want %+v", got, want)
		}
	})
	if signature := util.Signature(pushToken, e.TimeStamp, e.Nonce, e.Encrypt); signature != e.MsgSignature {
		t.Errorf("MsgSignature of our reply = %s, want silenceper's %s", e.MsgSignature, signature)
	}
	_, document, err := util.DecryptMsg(official.AppID, e.Encrypt, pushKey)
	var reply message.Text
	if err == nil {
		err = xml.Unmarshal(document, &reply)
	}
	if err != nil || reply.Content != text {
		t.Errorf("our reply, decrypted by silenceper/wechat: %+v, %v, want the text", reply, err)
	}
}
