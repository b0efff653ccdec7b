package wechat

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Success is the answer to a push that has no reply. WeChat then does not repeat the push,
// and the person sees nothing.
const Success = "success"

// Reply is an account's reply in the chat. The zero Reply sends nothing.
type Reply struct {
	// Text is the reply, unless it is empty.
	Text Text
	// Raw is a whole reply in the format of the message, for pictures, news and other
	// kinds. It is sent as it is, in place of Text.
	Raw []byte
}

// Text is the text of a reply. A line end breaks the line. WeChat makes links out of
// <a href="...">...</a>, so build a Text out of constants, [PlainText] and [ChatLink]:
//
//	wechat.Reply{Text: "Hello, " + wechat.PlainText(name) + "!"}
type Text string

// PlainText returns a value from outside for insertion in a reply. It removes "]]>", "<",
// control characters and characters that change the direction of the text. Line ends and
// tabs become spaces.
func PlainText(value string) Text {
	value = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '<' || forbidden(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, value)
	return Text(removeAll(value, "]]>"))
}

// ChatLink returns a link for insertion in a reply. The label may come from outside, and
// the address must not. Characters of the address that would end the link are escaped.
func ChatLink(address, label string) Text {
	address = strings.Map(func(r rune) rune {
		if r <= ' ' || forbidden(r) {
			return -1
		}
		return r
	}, address)
	address = strings.NewReplacer(`"`, "%22", "'", "%27", "<", "%3C", ">", "%3E").Replace(address)
	return `<a href="` + Text(address) + `">` + PlainText(label) + `</a>`
}

// content returns t without characters that would end its CDATA section, or that XML does
// not allow.
func (t Text) content() string {
	content := strings.Map(func(r rune) rune {
		if forbidden(r) && r != '\n' {
			return -1
		}
		return r
	}, string(t))
	return removeAll(content, "]]>")
}

// forbidden reports whether r is a control character, or not a character.
func forbidden(r rune) bool { return unicode.IsControl(r) || r == '\ufffe' || r == '\uffff' }

// removeAll removes part from s until s does not contain it.
func removeAll(s, part string) string {
	// A removal can bring together the halves of another one.
	for strings.Contains(s, part) {
		s = strings.ReplaceAll(s, part, "")
	}
	return s
}

// Encode returns the reply to a message as a document in the message's format, not
// encrypted. It returns [Success] for a reply that sends nothing. Use [Push.Reply] in
// place of it for a message that came encrypted.
func (r Reply) Encode(to Message) []byte {
	content := r.Text.content()
	switch {
	case len(r.Raw) > 0:
		return r.Raw
	case content == "":
		return []byte(Success)
	}
	// The sender and the receiver change places.
	receiver, sender := string(PlainText(to.FromUserName)), string(PlainText(to.ToUserName))
	now := time.Now().Unix()
	if to.Format == FormatJSON {
		return encode(struct {
			ToUserName, FromUserName string
			CreateTime               int64
			MsgType, Content         string
		}{receiver, sender, now, "text", content})
	}
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content></xml>",
		receiver, sender, now, content)
}

// Envelope is an encrypted reply.
type Envelope struct {
	// Encrypt is the encrypted reply in base64.
	Encrypt string
	// MsgSignature signs the other fields.
	MsgSignature string
	// TimeStamp is the time in seconds since 1970.
	TimeStamp int64
	// Nonce is random.
	Nonce string
}

// Encode returns the body of the response.
func (e Envelope) Encode(format Format) []byte {
	if format == FormatJSON {
		return encode(e)
	}
	return fmt.Appendf(nil, "<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature>"+
		"<TimeStamp>%d</TimeStamp><Nonce><![CDATA[%s]]></Nonce></xml>", e.Encrypt, e.MsgSignature, e.TimeStamp, e.Nonce)
}

// encode returns v as JSON. v contains strings and numbers only.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("wechat: " + err.Error()) // strings and numbers can always be encoded
	}
	return text
}
