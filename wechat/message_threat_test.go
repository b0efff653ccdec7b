package wechat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// deep returns n elements or lists inside of each other.
func deep(n int, open, closing string) string {
	return strings.Repeat(open, n) + strings.Repeat(closing, n)
}

// refusedDocuments are documents that parsers read in different ways, or that cost much to
// parse.
var refusedDocuments = map[string]string{
	"an element in a text":          inner("<MsgType>text</MsgType><Content><![CDATA[]]></Content><FromUserName>oVictim<![CDATA[]]></FromUserName>"),
	"a message in a text":           inner("<Content><![CDATA[]]></Content></xml><xml><FromUserName>oVictim</FromUserName><Content><![CDATA[]]></Content>"),
	"a comment in a text":           inner("<Content><![CDATA[]]></Content></xml><!--<![CDATA[]]></Content>"),
	"a comment around a field":      inner("<!-- <MsgType>text</MsgType> -->"),
	"two of Encrypt":                "<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
	"encrypt and Encrypt":           "<xml><encrypt>a</encrypt><Encrypt>b</Encrypt></xml>",
	"Encrypt with a long s":         "<xml><MſgType>a</MſgType><MsgType>b</MsgType></xml>",
	"Encrypt with a prefix":         "<xml><a:Encrypt>a</a:Encrypt></xml>",
	"a namespace":                   `<xml xmlns="a"><Encrypt>a</Encrypt></xml>`,
	"two of Encrypt in JSON":        `{"Encrypt":"a","Encrypt":"b"}`,
	"ENCRYPT in JSON":               `{"Encrypt":"a","ENCRYPT":"b"}`,
	"an escaped name in JSON":       `{"Encrypt":"a","\u0045ncrypt":"b"}`,
	"a Kelvin sign in JSON":         `{"Ticket":"a","Tic\u212aet":"b"}`,
	"an object beside a text":       `{"Encrypt":{},"Encrypt":"b"}`,
	"a null beside a text":          `{"Encrypt":null,"Encrypt":"b"}`,
	"two documents":                 "<xml></xml><xml></xml>",
	"two documents in JSON":         `{}{}`,
	"JSON behind XML":               `<xml></xml>{}`,
	"text behind the root":          "<xml></xml>a",
	"text before the root":          "a<xml></xml>",
	"text in the root":              "<xml>a<Encrypt>b</Encrypt></xml>",
	"another root":                  "<root><Encrypt>b</Encrypt></root>",
	"a DTD":                         `<!DOCTYPE xml><xml></xml>`,
	"an entity":                     `<!DOCTYPE xml [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>`,
	"an external entity":            `<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Encrypt>&a;</Encrypt></xml>`,
	"an unknown entity":             `<xml><Encrypt>&a;</Encrypt></xml>`,
	"another encoding":              `<?xml version="1.0" encoding="GBK"?><xml></xml>`,
	"a processing instruction":      `<xml><?php a ?></xml>`,
	"a declaration in the middle":   `<xml><?xml version="1.0"?></xml>`,
	"depth 9":                       deep(9, "<xml>", "</xml>"),
	"depth 9 in JSON":               `{"a":` + deep(8, "[", "]") + `}`,
	"depth 9 of objects in JSON":    strings.Repeat(`{"a":`, 8) + "{}" + strings.Repeat("}", 8),
	"depth 10,000":                  "<xml>" + deep(5000, "<a>", "</a>") + "</xml>",
	"depth 10,000 in JSON":          `{"a":` + deep(10_000, "[", "]") + `}`,
	"more than 64 KiB":              inner("<Content>" + strings.Repeat("a", 64<<10) + "</Content>"),
	"more than 64 KiB in JSON":      innerJSON(`"Content":"` + strings.Repeat("a", 64<<10) + `"`),
	"more than 64 KiB of spaces":    inner("") + strings.Repeat(" ", 64<<10),
	"an element that does not end":  "<xml><Encrypt>a</Encrypt>",
	"elements that end in disorder": "<xml><a><b></a></b></xml>",
	"JSON that does not end":        `{"Encrypt":"a"`,
	"a comma too many in JSON":      `{"Encrypt":"a",}`,
	"a list":                        `[{"Encrypt":"a"}]`,
	"nothing":                       "",
	"spaces":                        " \n",
	"a declaration alone":           `<?xml version="1.0"?>`,
	"a form":                        "Encrypt=a",
}

// TestThreat47RefusedDocuments parses documents. Cipher.Open refuses them as its body and
// as its decrypted text.
func TestThreat47RefusedDocuments(t *testing.T) {
	for name, text := range refusedDocuments {
		t.Run(name, func(t *testing.T) {
			m, err := wechat.ParseMessage([]byte(text))
			if !errors.Is(err, wechat.ErrMessage) || strings.Contains(err.Error(), "oVictim") || strings.ContainsAny(err.Error(), "\n<{") {
				t.Errorf("ParseMessage = %#v, %v, want an error that matches %v and does not quote the message", m, err, wechat.ErrMessage)
			}
			cipher := newCipher(t, cipherConfig)
			if _, err := cipher.Open(signedQuery(pushToken, "n", ""), []byte(text)); !errors.Is(err, wechat.ErrMessage) {
				t.Errorf("Open of it as a body: error = %v, want %v", err, wechat.ErrMessage)
			}
			// Base64 of a longer text does not fit into a body.
			if len(text) > 40<<10 {
				return
			}
			encrypt := sealed(aesKey, text)
			body := fmt.Sprintf(`{"Encrypt":%q}`, encrypt)
			if _, err := cipher.Open(signedQuery(pushToken, "n", encrypt), []byte(body)); !errors.Is(err, wechat.ErrMessage) {
				t.Errorf("Open of it as a decrypted text: error = %v, want %v", err, wechat.ErrMessage)
			}
		})
	}
}

func TestThreat47AllowedDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"pic_sysphoto":              inner(picSysphoto),
		"subscribe_msg_popup_event": inner(subscribePopup),
		"pic_sysphoto in JSON":      innerJSON(`"SendPicsInfo":{"Count":1,"PicList":[{"PicMd5Sum":"a"},{"PicMd5Sum":"b"}]}`),
		"the event in JSON":         innerJSON(`"SubscribeMsgPopupEvent":{"List":[{"TemplateId":"a"},{"TemplateId":"b"}]}`),
		"depth 8":                   "<xml>" + strings.Repeat("<a>", 7) + strings.Repeat("</a>", 7) + "</xml>",
		"depth 8 in JSON":           `{"a":` + strings.Repeat("[", 7) + strings.Repeat("]", 7) + `}`,
		"brackets in a text":        innerJSON(`"Content":"` + strings.Repeat("[{", 50) + `"`),
		"64 KiB":                    "<xml><a>" + strings.Repeat("a", 64<<10-19) + "</a></xml>",
		"an XML declaration":        `<?xml version="1.0" encoding="utf-8"?>` + inner(""),
		"an empty root":             "<xml/>",
		"escaped markup in a text":  inner("<Content>]]&gt;&lt;/Content&gt;&lt;FromUserName&gt;oVictim</Content>"),
		"markup in CDATA":           inner("<Content><![CDATA[</Content><FromUserName>oVictim]]></Content>"),
	} {
		t.Run(name, func(t *testing.T) {
			if m := parse(t, text); m.FromUserName != "" && m.FromUserName != openID {
				t.Errorf("ParseMessage(%s): FromUserName = %q, want %q", text, m.FromUserName, openID)
			}
		})
	}
}
