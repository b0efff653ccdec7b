package wechat_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
)

// textMessage returns a text message of the given time.
func textMessage(format wechat.Format, created time.Time) string {
	if format == wechat.FormatJSON {
		return fmt.Sprintf(`{"ToUserName":"gh_1","FromUserName":"%s","CreateTime":%d,"MsgType":"text","Content":"hi","MsgId":9}`, openID, created.Unix())
	}
	return fmt.Sprintf("<xml><ToUserName>gh_1</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>9</MsgId></xml>", openID, created.Unix())
}

// envelope returns the body of a push, with the given fields besides Encrypt.
func envelope(format wechat.Format, encrypt string) []byte {
	if format == wechat.FormatJSON {
		return fmt.Appendf(nil, `{"ToUserName":"gh_1","Encrypt":"%s"}`, encrypt)
	}
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>", encrypt)
}

// decryptReply decrypts the body of a response with a cipher of its own, and returns the
// reply.
func decryptReply(t *testing.T, body []byte, format wechat.Format, encodedKey string) wechat.Message {
	t.Helper()
	var e struct {
		Encrypt, MsgSignature, Nonce string
		TimeStamp                    int64
	}
	unmarshal := xml.Unmarshal
	if format == wechat.FormatJSON {
		unmarshal = json.Unmarshal
	}
	if err := unmarshal(body, &e); err != nil {
		t.Fatalf("reply %s: %v", body, err)
	}
	cipher := newCipher(t, wechat.CipherConfig{AppID: appID, Token: pushToken, EncodingAESKey: encodedKey})
	query := url.Values{"timestamp": {strconv.FormatInt(e.TimeStamp, 10)}, "nonce": {e.Nonce}, "msg_signature": {e.MsgSignature}}
	text, _, err := cipher.Decrypt(query, e.Encrypt)
	if err != nil {
		t.Fatalf("Decrypt of the reply %s: %v", body, err)
	}
	return parse(t, string(text))
}

func TestPushAndReply(t *testing.T) {
	for _, outer := range []wechat.Format{wechat.FormatXML, wechat.FormatJSON} {
		for _, format := range []wechat.Format{wechat.FormatXML, wechat.FormatJSON} {
			for key, encoded := range []string{wechat.CurrentKey: aesKey, wechat.FormerKey: formerKey} {
				encrypt := sealed(encoded, textMessage(format, time.Now()))
				push, err := newCipher(t, cipherConfig).Open(signedQuery(pushToken, "n", encrypt), envelope(outer, encrypt))
				if err != nil || push.Message.FromUserName != openID || push.Message.Content != "hi" || push.Message.Format != format || push.Key != wechat.Key(key) {
					t.Fatalf("Open = %v, key %d, %v, want the message, key %d", push.Message, push.Key, err, key)
				}
				reply := decryptReply(t, push.Reply(wechat.Reply{Text: "a\nb <a href=\"https://app.example/\">c</a> 月"}), outer, encoded)
				if reply.Format != format || reply.ToUserName != openID || reply.FromUserName != "gh_1" || reply.MsgType != "text" {
					t.Errorf("reply in format %d to %s from %s of type %s, want format %d, to the person, from gh_1, of type text", reply.Format, reply.ToUserName, reply.FromUserName, reply.MsgType, format)
				}
				if want := "a\nb <a href=\"https://app.example/\">c</a> 月"; reply.Content != want || time.Since(reply.CreateTime).Abs() > time.Minute {
					t.Errorf("reply: content = %q at %v, want %q now", reply.Content, reply.CreateTime, want)
				}
				if body := push.Reply(wechat.Reply{}); string(body) != "success" {
					t.Errorf("no reply = %q, want success", body)
				}
				raw := push.Reply(wechat.Reply{Text: "unused", Raw: []byte(inner("<MsgType>image</MsgType>"))})
				if got := decryptReply(t, raw, outer, encoded); got.MsgType != "image" {
					t.Errorf("raw reply: type = %s, want image", got.MsgType)
				}
			}
		}
	}
}

// TestThreat45PlainFields opens pushes without Encrypt, and with plain fields beside it.
func TestThreat45PlainFields(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	plain := textMessage(wechat.FormatXML, time.Now())
	query := signedQuery(pushToken, "n", "")
	if _, err := cipher.Open(query, []byte(plain)); !errors.Is(err, wechat.ErrUnverified) {
		t.Errorf("Open in the plain mode: error = %v, want %v", err, wechat.ErrUnverified)
	}
	encrypt := sealed(aesKey, plain)
	forged := strings.Replace(plain, openID, "oVictim", 1)
	forged = strings.Replace(forged, "</xml>", "<Encrypt>"+encrypt+"</Encrypt></xml>", 1)
	push, err := cipher.Open(signedQuery(pushToken, "n", encrypt), []byte(forged))
	if err != nil || push.Message.FromUserName != openID {
		t.Errorf("Open in the compatible mode: FromUserName = %q, %v, want %q", push.Message.FromUserName, err, openID)
	}
	// An attacker who has seen one query has no signature for another Encrypt.
	other := sealed(aesKey, forged)
	if _, err := cipher.Open(signedQuery(pushToken, "n", encrypt), envelope(wechat.FormatXML, other)); !errors.Is(err, wechat.ErrUnverified) {
		t.Errorf("Open with the query of another push: error = %v, want %v", err, wechat.ErrUnverified)
	}
}

// TestThreat48OldMessages opens messages of other times under a signature of now.
func TestThreat48OldMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cipher := newCipher(t, cipherConfig)
		for age, want := range map[time.Duration]error{
			0: nil, 15 * time.Second: nil, 10 * time.Minute: nil, -10 * time.Minute: nil,
			10*time.Minute + time.Second: wechat.ErrUnverified, time.Hour: wechat.ErrUnverified,
			-11 * time.Minute: wechat.ErrUnverified, 1000 * time.Hour: wechat.ErrUnverified,
		} {
			encrypt := sealed(aesKey, textMessage(wechat.FormatXML, time.Now().Add(-age)))
			_, err := cipher.Open(signedQuery(pushToken, "n", encrypt), envelope(wechat.FormatXML, encrypt))
			if !errors.Is(err, want) || want != nil && err.Error() != "wechat: push: not verified" {
				t.Errorf("Open of a message %v old: error = %v, want %v", age, err, want)
			}
		}
		encrypt := sealed(aesKey, "<xml><FromUserName>o1</FromUserName></xml>")
		if _, err := cipher.Open(signedQuery(pushToken, "n", encrypt), envelope(wechat.FormatXML, encrypt)); !errors.Is(err, wechat.ErrUnverified) {
			t.Errorf("Open of a message without a time: error = %v, want %v", err, wechat.ErrUnverified)
		}
	})
}

// TestThreat66WordsInReplies inserts values from outside in a reply.
func TestThreat66WordsInReplies(t *testing.T) {
	for value, want := range map[string]string{
		"]]>":                             "",
		"]]]]>>":                          "",
		"]]<>":                            "",
		"]]]<]>>":                         "",
		"a]]><FromUserName>b":             "aFromUserName>b",
		`<a href="https://evil/">x</a>`:   `a href="https://evil/">x/a>`,
		"a\r\nb\tc\x00\x1b[31m\x7f\u0085": "a  b c[31m",
		"a\u202eb\u2066c\u200ed\u2028e":   "abcd e",
		"👨\u200d👩 月\xff":                  "👨\u200d👩 月\uFFFD",
	} {
		if got := wechat.PlainText(value); string(got) != want {
			t.Errorf("PlainText(%q) = %q, want %q", value, got, want)
		}
	}
	link := wechat.ChatLink("https://app.example/a?b=\"'><\n]]>c d", "x</a>]]>")
	if want := `<a href="https://app.example/a?b=%22%27%3E%3C]]%3Ecd">x/a></a>`; string(link) != want {
		t.Errorf("ChatLink = %s, want %s", link, want)
	}
	// A Text itself cannot end its section either.
	m := wechat.Message{ToUserName: "gh_1]]><a>", FromUserName: "o1"}
	for _, format := range []wechat.Format{wechat.FormatXML, wechat.FormatJSON} {
		m.Format = format
		reply := parse(t, string(wechat.Reply{Text: "a]]><MsgType>b]]]]>>\x00\n\ufffe月"}.Encode(m)))
		if reply.Content != "a<MsgType>b\n月" || reply.MsgType != "text" || reply.FromUserName != "gh_1a>" {
			t.Errorf("reply in format %d = %q of type %q from %q, want the words as text", format, reply.Content, reply.MsgType, reply.FromUserName)
		}
	}
	if got := (wechat.Reply{Text: "]]>"}).Encode(m); string(got) != wechat.Success {
		t.Errorf("a reply that is empty when cleaned = %q, want success", got)
	}
}
