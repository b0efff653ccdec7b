package wechattest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/wechat"
)

// Text returns a text message of a person.
func (p *Pusher) Text(personID, content string) wechat.Message {
	return p.Complete(wechat.Message{FromUserName: p.wechat.OpenID(personID, p.app.AppID), MsgType: "text", Content: content})
}

// Event returns an event of a person, such as SCAN. The key is that of the event.
func (p *Pusher) Event(personID, event, key string) wechat.Message {
	m := wechat.Message{FromUserName: p.wechat.OpenID(personID, p.app.AppID), MsgType: "event", Event: event, EventKey: key}
	if _, hasScene := m.Scene(); hasScene {
		m.Ticket = "gQ" + deriveID("ticket", key)
	}
	return p.Complete(m)
}

// Complete returns m with values for the fields ToUserName, CreateTime and MsgID if they
// are zero. A complete message can be delivered several times: it stays the same message.
func (p *Pusher) Complete(m wechat.Message) wechat.Message {
	if m.ToUserName == "" {
		m.ToUserName = originalID(p.app.AppID)
	}
	if m.CreateTime.IsZero() {
		// Not the simulator's clock: FastForward is for codes and tokens.
		m.CreateTime = time.Unix(time.Now().Unix(), 0)
	}
	if m.MsgID == "" && m.MsgType != "event" {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		m.MsgID = strconv.FormatUint(binary.BigEndian.Uint64(b[:])>>2|1<<61, 10)
	}
	m.Format = p.server.Format
	return m
}

// originalID returns an account's original ID, which its messages have.
func originalID(appID string) string {
	return "gh_" + strings.ToLower(strings.NewReplacer("-", "0", "_", "1").Replace(deriveID("original", appID)[1:13]))
}

// Document returns a message in the server's format, not encrypted. Like WeChat, it does
// not escape anything inside of a CDATA section.
func (p *Pusher) Document(m wechat.Message) []byte {
	if p.server.Format == wechat.FormatJSON {
		return documentJSON(m)
	}
	var b bytes.Buffer
	cdata := func(name, value string) { fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>\n", name, value, name) }
	b.WriteString("<xml>")
	cdata("ToUserName", m.ToUserName)
	cdata("FromUserName", m.FromUserName)
	fmt.Fprintf(&b, "<CreateTime>%d</CreateTime>\n", m.CreateTime.Unix())
	cdata("MsgType", m.MsgType)
	if m.MsgType == "event" {
		cdata("Event", m.Event)
		cdata("EventKey", m.EventKey)
		if m.Ticket != "" {
			cdata("Ticket", m.Ticket)
		}
	} else {
		cdata("Content", m.Content)
		fmt.Fprintf(&b, "<MsgId>%s</MsgId>\n", m.MsgID)
	}
	b.WriteString("</xml>")
	return b.Bytes()
}

// documentJSON returns a message in JSON.
func documentJSON(m wechat.Message) []byte {
	document := map[string]any{
		"ToUserName": m.ToUserName, "FromUserName": m.FromUserName, "CreateTime": m.CreateTime.Unix(), "MsgType": m.MsgType,
	}
	if m.MsgType == "event" {
		document["Event"], document["EventKey"] = m.Event, m.EventKey
		if m.Ticket != "" {
			document["Ticket"] = m.Ticket
		}
	} else {
		document["Content"], document["MsgId"] = m.Content, json.Number(m.MsgID)
	}
	return encodeJSON(document)
}

// pushFields are the fields of a message, of an encrypted body and of a reply that the
// simulator reads.
type pushFields struct {
	ToUserName, FromUserName string
	CreateTime               int64
	MsgType, Content         string
	Encrypt, MsgSignature    string
	TimeStamp                json.Number
	Nonce                    string
}

// parseFields parses a document in XML or JSON.
func parseFields(document []byte) (pushFields, wechat.Format, error) {
	var f pushFields
	if bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) {
		return f, wechat.FormatJSON, json.Unmarshal(document, &f)
	}
	return f, wechat.FormatXML, xml.Unmarshal(document, &f) //nolint:gosec // into texts and a number
}

// openIDIn returns the sender in a message's document. WeChat adds it to the query.
func openIDIn(document []byte) string {
	f, _, err := parseFields(document)
	if err != nil {
		return ""
	}
	return f.FromUserName
}

// envelope returns the body of a push in an encrypting mode.
func (p *Pusher) envelope(document []byte, encrypted string) []byte {
	if p.server.Format == wechat.FormatJSON {
		body := map[string]any{"ToUserName": originalID(p.app.AppID), "Encrypt": encrypted}
		if p.server.Mode == PushCompatible {
			// A document that is not JSON is sent encrypted only.
			_ = json.Unmarshal(document, &body)
		}
		return encodeJSON(body)
	}
	if end := bytes.LastIndex(document, []byte("</xml>")); p.server.Mode == PushCompatible && end >= 0 {
		return fmt.Appendf(nil, "%s<Encrypt><![CDATA[%s]]></Encrypt>\n</xml>", document[:end], encrypted)
	}
	return fmt.Appendf(nil, "<xml>\n<ToUserName><![CDATA[%s]]></ToUserName>\n<Encrypt><![CDATA[%s]]></Encrypt>\n</xml>",
		originalID(p.app.AppID), encrypted)
}

// readReply reads the answer to a message. The reply's MsgType is empty for an answer that
// only confirms the push.
func (p *Pusher) readReply(body []byte, to wechat.Message) (wechat.Message, error) {
	if len(body) == 0 || string(body) == "success" {
		return wechat.Message{}, nil
	}
	f, format, err := parseFields(body)
	switch {
	case err != nil:
		return wechat.Message{}, fmt.Errorf("%q is neither XML nor JSON", shorten(body))
	case format != p.server.Format:
		return wechat.Message{}, errors.New("it has another format than the push")
	case p.key != nil && (f.Encrypt != "" || p.server.Mode == PushEncrypted):
		if body, err = p.openReply(f); err != nil {
			return wechat.Message{}, err
		}
	}
	if f, format, err = parseFields(body); err != nil || format != p.server.Format {
		return wechat.Message{}, errors.New("the decrypted reply has another format than the push")
	}
	switch {
	case f.ToUserName != to.FromUserName || f.FromUserName != to.ToUserName:
		return wechat.Message{}, errors.New("it is not from the account to the person")
	case f.CreateTime <= 0 || f.MsgType == "" || f.MsgType == "text" && f.Content == "":
		return wechat.Message{}, errors.New("CreateTime, MsgType or Content is missing")
	}
	return wechat.Message{
		ToUserName: f.ToUserName, FromUserName: f.FromUserName, CreateTime: time.Unix(f.CreateTime, 0),
		MsgType: f.MsgType, Content: f.Content, Format: format,
	}, nil
}

// openReply verifies and decrypts a reply.
func (p *Pusher) openReply(f pushFields) ([]byte, error) {
	switch {
	case f.Encrypt == "":
		return nil, errors.New("it is not encrypted")
	case f.MsgSignature != sign(p.server.Token, f.TimeStamp.String(), f.Nonce, f.Encrypt):
		return nil, errors.New("its MsgSignature is wrong")
	}
	return decrypt(p.key, f.Encrypt, p.app.AppID)
}
