package chat_test

import (
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/chat"
)

func TestAnswersAreReadAsPeopleTypeThem(t *testing.T) {
	for text, want := range map[string]chat.Answer{
		"0": {Kind: chat.Single, Digits: "0"}, "1": {Kind: chat.Single, Digits: "1"}, "７": {Kind: chat.Single, Digits: "7"},
		"42": {Kind: chat.Number, Digits: "42"}, " ４２\n": {Kind: chat.Number, Digits: "42"}, "4 2": {Kind: chat.Number, Digits: "42"},
		"\u200b42\u00a0": {Kind: chat.Number, Digits: "42"}, "4\r\n2": {Kind: chat.Number, Digits: "42"},
		"0123": {Kind: chat.Echo, Digits: "0123"}, "1234 5678": {Kind: chat.Code, Digits: "12345678"}, "１２３４　５６７８": {Kind: chat.Code, Digits: "12345678"},
		"": {}, " ": {}, "123": {}, "1234567": {}, "123456789": {}, "code 12345678": {}, "42.": {}, "+1": {}, "-1": {}, "一": {}, "٤٢": {},
		strings.Repeat(" ", 100) + "42": {},
	} {
		if got := chat.Read(text); got != want {
			t.Errorf("answer %q: got %+v, want %+v", text, got, want)
		}
	}
}

// speaker has the keys as its texts, with their placeholders.
func speaker(app string) chat.Speaker {
	return chat.Speaker{App: app, Texts: func(key string) string {
		return map[string]string{"chat.question": "question {app} {device}", "chat.address": "from {address}"}[key] + "<" + key + ">]]>"
	}}
}

func TestQuestionNamesTheBrowserOnly(t *testing.T) {
	from := chat.Origin{Browser: "Chrome", System: "Windows", Address: "192.0.2.1"}
	for typed, want := range map[bool]string{
		false: "chat.ignore>\nquestion Example Chrome · Windowschat.question>\nfrom 192.0.2.1chat.address>\nchat.number>",
		true:  "question Example Chrome · Windowschat.question>\nfrom 192.0.2.1chat.address>\nchat.one>",
	} {
		if got := string(speaker("Example").Ask(from, typed)); got != want {
			t.Errorf("question, typed = %v: got %q, want %q", typed, got, want)
		}
	}
	if got := string(speaker("Example").Ask(chat.Origin{System: "Windows"}, true)); !strings.Contains(got, "Example Windows") || strings.Contains(got, "from") {
		t.Errorf("question without browser and address: got %q, want the system alone", got)
	}
}

func TestValuesStayText(t *testing.T) {
	hostile := `<a href="https://evil.example">x</a>]]>{device}` + "\n\u202e"
	got := string(speaker(hostile).Lead(chat.Origin{Browser: hostile, Address: "{app}"}, false, "https://app.example.com/wechat/scan/A?ticket=B"))
	if n := strings.Count(got, "<"); n != 2 || strings.Contains(got, "]]>") || strings.Contains(got, "\u202e") {
		t.Errorf("text with hostile values: got %q, want one link and no markup", got)
	}
	if !strings.Contains(got, `<a href="https://app.example.com/wechat/scan/A?ticket=B">`) || !strings.Contains(got, "from {app}") {
		t.Errorf("text with hostile values: got %q, want the gate's link, and values as they are", got)
	}
}
