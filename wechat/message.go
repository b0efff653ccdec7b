package wechat

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Message is a message or an event that WeChat pushes to an account. It prints and logs
// without the person's openid and words.
//
// Only [Cipher.Open] verifies that a message comes from WeChat.
type Message struct {
	// ToUserName is the account's original ID ("gh_...").
	ToUserName string
	// FromUserName is the person's openid at the account.
	FromUserName string
	// CreateTime is the time of the message, in whole seconds. WeChat repeats a message
	// with the same time.
	CreateTime time.Time
	// MsgType is "text", "event", "image" and so on.
	MsgType string
	// Event is the kind of an event. Compare it with [Message.IsEvent].
	Event string
	// EventKey and Ticket describe the event. See [Message.Scene].
	EventKey, Ticket string
	// MsgID is the number of a message, 64 bits in decimal. Events have none.
	MsgID string
	// Content is the text that the person typed.
	Content string
	// Format is the data format of the message. A reply has the same.
	Format Format

	document document
}

// ParseMessage parses a message, XML or JSON. It does not verify that the message comes
// from WeChat: use [Cipher.Open] for the body of a request. The error matches
// [ErrMessage].
func ParseMessage(text []byte) (Message, error) {
	d, err := parseDocument(text)
	if err != nil {
		return Message{}, err
	}
	m := Message{
		ToUserName: d.field("ToUserName"), FromUserName: d.field("FromUserName"), MsgType: d.field("MsgType"),
		Event: d.field("Event"), EventKey: d.field("EventKey"), Ticket: d.field("Ticket"),
		MsgID: d.field("MsgId"), Content: d.field("Content"),
		Format: d.format, document: d,
	}
	// Pushes about the account itself come from no person.
	if m.FromUserName != "" && !printable(m.FromUserName, maxID) {
		return Message{}, malformed("FromUserName is not an openid")
	}
	if created := d.field("CreateTime"); created != "" {
		seconds, err := strconv.ParseUint(created, 10, 40)
		if err != nil {
			return Message{}, malformed("CreateTime is not a time")
		}
		m.CreateTime = time.Unix(int64(seconds), 0)
	}
	return m, nil
}

// IsEvent reports whether m is an event of the given kind, such as "subscribe",
// "unsubscribe" or "SCAN". The letter case does not matter.
func (m Message) IsEvent(kind string) bool {
	return strings.EqualFold(m.MsgType, "event") && strings.EqualFold(m.Event, kind)
}

// Scene returns the scene of the QR code that the person scanned, and reports whether
// there is one. A follower's scan is the event SCAN. Another person's scan is the event
// subscribe, once they follow the account. A person who follows by another way has no
// scene.
func (m Message) Scene() (string, bool) {
	switch {
	case m.IsEvent("SCAN") && m.EventKey != "":
		return m.EventKey, true
	case m.IsEvent("subscribe"):
		if scene, ok := strings.CutPrefix(m.EventKey, "qrscene_"); ok && scene != "" {
			return scene, true
		}
	}
	return "", false
}

// RepeatKey returns a text that is the same for all deliveries of a message, and different
// for other messages. WeChat delivers a message up to four times. The text has 43
// characters out of a-zA-Z0-9-_, and it does not reveal the openid.
func (m Message) RepeatKey() string {
	// WeChat's rule: a message has its number, an event the openid and the time. Two
	// events of a person can have the same second.
	parts := []string{m.ToUserName, m.FromUserName, m.MsgID}
	if m.MsgID == "" {
		parts = append(parts, strconv.FormatInt(m.CreateTime.Unix(), 10), m.MsgType, m.Event, m.EventKey)
	}
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// Field returns the text of another child of the message's root, such as "MediaId". The
// letter case of the name does not matter. It returns "" if there is none, or if it has
// children of its own.
func (m Message) Field(name string) string { return m.document.field(name) }

// Decode decodes the whole message into v, with encoding/xml or encoding/json according
// to m.Format. It is for messages whose children have children, such as the event
// pic_sysphoto.
func (m Message) Decode(v any) error {
	var err error
	switch {
	case len(m.document.text) == 0:
		return malformed("not a parsed message")
	case m.Format == FormatJSON:
		err = json.Unmarshal(m.document.text, v)
	default:
		err = xml.Unmarshal(m.document.text, v)
	}
	if err != nil {
		return fmt.Errorf("wechat: push: decoding: %w", err)
	}
	return nil
}

// Raw returns a copy of the message's text. Characters that its format does not allow are
// spaces.
func (m Message) Raw() []byte { return bytes.Clone(m.document.text) }

// String returns the kind of the message.
func (m Message) String() string {
	if m.Event == "" {
		return fmt.Sprintf("message of type %q", m.MsgType)
	}
	return fmt.Sprintf("message of type %q, event %q", m.MsgType, m.Event)
}

// GoString implements [fmt.GoStringer] without the openid and the content.
func (m Message) GoString() string { return "wechat.Message{" + m.String() + "}" }

// LogValue implements [slog.LogValuer] without the openid and the content.
func (m Message) LogValue() slog.Value {
	return slog.GroupValue(slog.String("type", m.MsgType), slog.String("event", m.Event))
}
