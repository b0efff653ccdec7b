package wechat

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzCipher returns a cipher for fuzzing.
func fuzzCipher(f *testing.F) *Cipher {
	c, err := NewCipher(CipherConfig{
		AppID: "wxbad0b45542aa0b5e", Token: "weixin", EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
		FormerEncodingAESKey: "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba",
	})
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// FuzzCipher looks for a push that is accepted without a signature, for a signed one that
// makes Decrypt fail in another way than with ErrUnverified, and for a text that does not
// survive Encrypt and Decrypt.
func FuzzCipher(f *testing.F) {
	c := fuzzCipher(f)
	f.Add("1414243737", "1792106704", "881f93c358035168e395efd491669a2c835d1455", "p+r0iQqiVGZ/wFZFbB/y3/dH0oltDJhHKfYmxS3L53NG0clqKv9RKypusrFbg9dgf7YnPCF1vpADZ+cjco44mN56OtqWe4oqQMmuyyNwX+7mDPOrKOMpcxSxYc3Jusyi")
	f.Add("1414243737", "1792106704", "", "")
	f.Add("1414243737", "n", strings.Repeat("0", 40), strings.Repeat("A", 43)+"=")
	f.Add("141424373", "", "é", "A\n==")
	f.Fuzz(func(t *testing.T, timestamp, nonce, signature, encrypt string) {
		query := url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "msg_signature": {signature}}
		right := sign("weixin", timestamp, nonce, encrypt)
		text, _, err := c.Decrypt(query, encrypt)
		if err == nil && signature != right || err != nil && !errors.Is(err, ErrUnverified) {
			t.Errorf("Decrypt(%v, %q) = %q, %v, want ErrUnverified", query, encrypt, text, err)
		}
		query.Set("msg_signature", right)
		if text, _, err := c.Decrypt(query, encrypt); err != nil && (text != nil || !errors.Is(err, ErrUnverified)) {
			t.Errorf("Decrypt(%v, %q) = %q, %v, want ErrUnverified", query, encrypt, text, err)
		}
		for _, key := range []Key{CurrentKey, FormerKey} {
			e := c.Encrypt([]byte(encrypt), key)
			query := url.Values{"timestamp": {strconv.FormatInt(e.TimeStamp, 10)}, "nonce": {e.Nonce}, "msg_signature": {e.MsgSignature}}
			text, got, err := c.Decrypt(query, e.Encrypt)
			if len(e.Encrypt) <= MaxMessage && (string(text) != encrypt || got != key || err != nil) {
				t.Errorf("Decrypt of %q encrypted = %q, key %d, %v, want the same under key %d", encrypt, text, got, err, key)
			}
		}
	})
}

// FuzzMessage looks for a message that another parser reads in another way, and for a
// reply that does not come back as it was.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>]]></Content></xml>`,
		`<?xml version="1.0"?><xml><Event>SCAN</Event><EventKey>qrscene_a</EventKey><A><B/><B/></A></xml>`,
		`{"FromUserName":"o1","MsgType":"event","Event":"subscribe","EventKey":"qrscene_a","CreateTime":"1","A":[{"B":1},{"B":2}]}`,
		`{"fromusername":"o1","FromUserName":"o2"}`, `<xml><a:FromUserName>o</a:FromUserName></xml>`, "{\"Content\":\"\x00\xff\\ud800\"}",
		`<xml><FromUserName><!-- -->o</FromUserName></xml>`, `<!DOCTYPE a><xml/>`, `{}{}`, `[[[[[[[[[`, `<xml>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMessage(text)
		if err != nil {
			if !errors.Is(err, ErrMessage) || strings.ContainsAny(err.Error(), "\n\r<>{") {
				t.Errorf("ParseMessage(%q): error = %q, want ErrMessage on one line", text, err)
			}
			return
		}
		wantSameMessage(t, m)
		_, _ = m.Scene()
		if key := m.RepeatKey(); len(key) != 43 {
			t.Errorf("RepeatKey = %q, want 43 characters", key)
		}
		reply, err := ParseMessage(Reply{Text: PlainText(string(text)) + "."}.Encode(m))
		if err != nil || reply.Content != string(PlainText(string(text)))+"." || reply.MsgType != "text" {
			// A long reply is more than a message may have, once it is escaped.
			if len(text) < MaxMessage/8 {
				t.Errorf("reply to %q with the same words = %q, %v, want the words", text, reply.Content, err)
			}
		}
	})
}

// wantSameMessage fails t if encoding/xml or encoding/json reads another openid or content
// in m's text.
func wantSameMessage(t *testing.T, m Message) {
	t.Helper()
	var other struct{ FromUserName, Content any }
	if m.Format == FormatJSON {
		if err := json.Unmarshal(m.Raw(), &other); err != nil {
			t.Fatalf("json.Unmarshal(%q): %v", m.Raw(), err)
		}
	} else {
		var texts struct{ FromUserName, Content string }
		if err := xml.Unmarshal(m.Raw(), &texts); err != nil {
			t.Fatalf("xml.Unmarshal(%q): %v", m.Raw(), err)
		}
		other.FromUserName, other.Content = texts.FromUserName, texts.Content
	}
	for name, value := range map[string]any{"FromUserName": other.FromUserName, "Content": other.Content} {
		// encoding/xml finds no name in another letter case, and it reads the text around
		// children.
		text, isText := value.(string)
		if field := m.document.fields[foldName(name)]; isText && text != "" && !field.nested && field.text != text {
			t.Errorf("%s of %q = %q, another parser reads %q", name, m.Raw(), field.text, text)
		}
	}
	if !utf8.ValidString(m.Content) {
		t.Errorf("Content of %q = %q, want UTF-8", m.Raw(), m.Content)
	}
}
