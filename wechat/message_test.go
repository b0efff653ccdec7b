package wechat_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

// inner returns a message in XML with the given children besides the usual ones.
func inner(children string) string {
	return "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[" + openID +
		"]]></FromUserName><CreateTime>1409735668</CreateTime>" + children + "</xml>"
}

// innerJSON returns a message in JSON with the given members besides the usual ones.
func innerJSON(members string) string {
	return `{"ToUserName":"gh_10f6c3c3ac5a","FromUserName":"` + openID + `","CreateTime":1409735668,` + members + `}`
}

// parse parses a message that must be accepted.
func parse(t *testing.T, text string) wechat.Message {
	t.Helper()
	m, err := wechat.ParseMessage([]byte(text))
	if err != nil {
		t.Fatalf("ParseMessage(%s): %v", text, err)
	}
	return m
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct{ xml, json string }{
		"text": {
			"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a <b> & 月🌙\n]]></Content><MsgId>6054768590064713728</MsgId>",
			`"MsgType":"text","Content":"a <b> & 月🌙\n","MsgId":6054768590064713728`,
		},
		"event": {
			"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_test]]></EventKey><Ticket><![CDATA[TICKET]]></Ticket>",
			`"MsgType":"event","Event":"subscribe","EventKey":"qrscene_test","Ticket":"TICKET"`,
		},
	} {
		for _, text := range []string{inner(c.xml), innerJSON(c.json), "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n" + inner("\n"+c.xml) + "\n"} {
			m := parse(t, text)
			if m.ToUserName != "gh_10f6c3c3ac5a" || m.FromUserName != openID || !m.CreateTime.Equal(time.Unix(1409735668, 0)) || m.MsgType != name {
				t.Errorf("ParseMessage(%s) = %q, %q, %v, %q, want the usual fields and the type %s", text, m.ToUserName, m.FromUserName, m.CreateTime, m.MsgType, name)
			}
			want := [...]string{"", "", "", "6054768590064713728", "a <b> & 月🌙\n"}
			if name == "event" {
				want = [...]string{"subscribe", "qrscene_test", "TICKET", "", ""}
			}
			if got := [...]string{m.Event, m.EventKey, m.Ticket, m.MsgID, m.Content}; got != want {
				t.Errorf("ParseMessage(%s): event, key, ticket, number and content = %q, want %q", text, got, want)
			}
			if isJSON := text[0] == '{'; isJSON != (m.Format == wechat.FormatJSON) {
				t.Errorf("ParseMessage(%s): format = %d, want JSON: %t", text, m.Format, isJSON)
			}
		}
	}
}

func TestMessageFieldsOfAnotherType(t *testing.T) {
	m := parse(t, `{"CreateTime":"1409735668","MsgId":"12","Event":null,"EventKey":0,"Ticket":{"a":["b"]},"Content":true}`)
	if !m.CreateTime.Equal(time.Unix(1409735668, 0)) || m.MsgID != "12" || m.Event != "" || m.EventKey != "0" || m.Ticket != "" || m.Content != "true" {
		t.Errorf("ParseMessage = %v, %q, %q, %q, %q, %q, want the texts of scalars and nothing of an object", m.CreateTime, m.MsgID, m.Event, m.EventKey, m.Ticket, m.Content)
	}
	for _, text := range []string{
		inner("")[:5] + "<CreateTime>soon</CreateTime></xml>", "<xml><CreateTime>-1</CreateTime></xml>", "<xml><CreateTime>99999999999999999999</CreateTime></xml>",
		"<xml><FromUserName>a b</FromUserName></xml>", "<xml><FromUserName>" + strings.Repeat("o", 129) + "</FromUserName></xml>", `{"FromUserName":"o\n"}`,
	} {
		if _, err := wechat.ParseMessage([]byte(text)); !errors.Is(err, wechat.ErrMessage) {
			t.Errorf("ParseMessage(%s): error = %v, want %v", text, err, wechat.ErrMessage)
		}
	}
}

func TestMessageControlCharacters(t *testing.T) {
	for _, text := range []string{
		inner("<Content>a\x00b\x14\x1f\xffc\ufffed</Content>"),
		innerJSON("\"Content\":\"a\x00b\x14\x1f\xffc d\""),
	} {
		if m := parse(t, text); m.Content != "a b  \uFFFDc d" {
			t.Errorf("ParseMessage(%q): content = %q, want spaces for the control characters", text, m.Content)
		}
	}
}

func TestScene(t *testing.T) {
	for name, c := range map[string]struct {
		msgType, event, key, want string
	}{
		"a new follower":                {"event", "subscribe", "qrscene_sg.main.abc", "sg.main.abc"},
		"a follower":                    {"event", "SCAN", "sg.main.abc", "sg.main.abc"},
		"small letters":                 {"event", "scan", "sg.main.abc", "sg.main.abc"},
		"a number":                      {"event", "SCAN", "123", "123"},
		"a scene that has the prefix":   {"event", "SCAN", "qrscene_a", "qrscene_a"},
		"the prefix twice":              {"event", "subscribe", "qrscene_qrscene_a", "qrscene_a"},
		"followed by another way":       {"event", "subscribe", "", ""},
		"followed after a payment":      {"event", "subscribe", "last_trade_no_4003", ""},
		"the prefix alone":              {"event", "subscribe", "qrscene_", ""},
		"a scan without a scene":        {"event", "SCAN", "", ""},
		"no longer a follower":          {"event", "unsubscribe", "qrscene_a", ""},
		"a menu":                        {"event", "CLICK", "a", ""},
		"a text with an event's fields": {"text", "SCAN", "a", ""},
	} {
		m := wechat.Message{MsgType: c.msgType, Event: c.event, EventKey: c.key}
		if scene, ok := m.Scene(); scene != c.want || ok != (c.want != "") {
			t.Errorf("%s: Scene() = %q, %t, want %q", name, scene, ok, c.want)
		}
	}
}

func TestRepeatKey(t *testing.T) {
	event := wechat.Message{ToUserName: "gh_1", FromUserName: "o1", CreateTime: time.Unix(7, 0), MsgType: "event", Event: "SCAN", EventKey: "a"}
	text := wechat.Message{ToUserName: "gh_1", FromUserName: "o1", CreateTime: time.Unix(7, 0), MsgType: "text", MsgID: "9", Content: "a"}
	repeated := event
	repeated.CreateTime = repeated.CreateTime.UTC()
	if event.RepeatKey() != repeated.RepeatKey() || len(event.RepeatKey()) != 43 {
		t.Errorf("keys of one event = %q and %q, want the same 43 characters", event.RepeatKey(), repeated.RepeatKey())
	}
	keys := map[string]string{event.RepeatKey(): "event", text.RepeatKey(): "text"}
	for name, change := range map[string]func(*wechat.Message){
		"another second":  func(m *wechat.Message) { m.CreateTime = time.Unix(8, 0) },
		"another person":  func(m *wechat.Message) { m.FromUserName = "o2" },
		"another account": func(m *wechat.Message) { m.ToUserName = "gh_2" },
		"another event":   func(m *wechat.Message) { m.Event = "subscribe" },
		"another scene":   func(m *wechat.Message) { m.EventKey = "b" },
		"another number":  func(m *wechat.Message) { m.MsgID = "10" },
		"a shifted field": func(m *wechat.Message) { m.Event, m.EventKey = "SCA", "Na" },
	} {
		m := event
		change(&m)
		if other, taken := keys[m.RepeatKey()]; taken {
			t.Errorf("key of the event with %s = %q, want another than that of the %s", name, m.RepeatKey(), other)
		}
		keys[m.RepeatKey()] = name
	}
}

func TestMessagePrintsWithoutPerson(t *testing.T) {
	m := parse(t, inner("<MsgType>text</MsgType><Content>my words</Content>"))
	text := fmt.Sprintf("%v %+v %#v %s %q", m, m, m, m, m)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("push", "message", m)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("push", "message", m)
	for _, private := range []string{openID, "my words"} {
		if all := text + log.String(); strings.Contains(all, private) || !strings.Contains(all, "text") {
			t.Errorf("message = %s, want its type and no %q", all, private)
		}
	}
}

// picSysphoto is the event after a person sent pictures from a menu. It repeats item.
const picSysphoto = `<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[pic_sysphoto]]></Event><EventKey><![CDATA[6]]></EventKey>
<SendPicsInfo><Count>2</Count>
<PicList><item><PicMd5Sum><![CDATA[1b5f7c23b5bf75682a53e7b6d163e185]]></PicMd5Sum></item>
<item><PicMd5Sum><![CDATA[5a75aaca956d97be686719218f275c6b]]></PicMd5Sum></item></PicList>
</SendPicsInfo>`

// subscribePopup is the event after a person answered a request for notifications. It
// repeats List.
const subscribePopup = `<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_popup_event]]></Event>
<SubscribeMsgPopupEvent>
<List><TemplateId><![CDATA[VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3]]></TemplateId><SubscribeStatusString><![CDATA[accept]]></SubscribeStatusString><PopupScene>2</PopupScene></List>
<List><TemplateId><![CDATA[9nLIlbOQZC5Y89AZteFEux3WCXRRRG5W]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString><PopupScene>2</PopupScene></List>
</SubscribeMsgPopupEvent>`

func TestMessageDecode(t *testing.T) {
	var pictures struct {
		MD5 []string `xml:"SendPicsInfo>PicList>item>PicMd5Sum"`
	}
	m := parse(t, inner(picSysphoto))
	if err := m.Decode(&pictures); err != nil || len(pictures.MD5) != 2 || pictures.MD5[1] != "5a75aaca956d97be686719218f275c6b" {
		t.Errorf("Decode of pic_sysphoto = %q, %v, want two sums", pictures.MD5, err)
	}
	if got := m.Field("SendPicsInfo"); got != "" {
		t.Errorf("Field(SendPicsInfo) = %q, want nothing of a field with children", got)
	}
	var popup struct {
		Answers []struct{ SubscribeStatusString string } `json:"SubscribeMsgPopupEvent"`
	}
	m = parse(t, innerJSON(`"Event":"subscribe_msg_popup_event","SubscribeMsgPopupEvent":[{"SubscribeStatusString":"accept"},{"SubscribeStatusString":"reject"}],"Latitude":23.137466`))
	if err := m.Decode(&popup); err != nil || len(popup.Answers) != 2 || popup.Answers[1].SubscribeStatusString != "reject" {
		t.Errorf("Decode of subscribe_msg_popup_event = %+v, %v, want two answers", popup, err)
	}
	if got := m.Field("LATITUDE"); got != "23.137466" {
		t.Errorf("Field(LATITUDE) = %q, want 23.137466", got)
	}
	if err := m.Decode(new(int)); err == nil || strings.Contains(err.Error(), openID) {
		t.Errorf("Decode into a number: error = %v, want one without the openid", err)
	}
	if err := (wechat.Message{}).Decode(&popup); !errors.Is(err, wechat.ErrMessage) {
		t.Errorf("Decode of a message that was not parsed: error = %v, want %v", err, wechat.ErrMessage)
	}
	if raw := parse(t, inner(picSysphoto)).Raw(); string(raw) != inner(picSysphoto) {
		t.Errorf("Raw() = %q, want the message", raw)
	}
}
