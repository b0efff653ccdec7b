package scangate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestScanToFollowAndAnswerInTheChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	s := desktop.start()
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("before the scan: state = %q, want waiting", got)
	}
	question := w.scanCode("lin", s)
	for _, want := range []string{textIgnore + "\n", "Example", "Chrome · Windows", "reply 0"} {
		if !strings.Contains(question, want) {
			t.Errorf("question: got %q, want it to contain %q", question, want)
		}
	}
	if hasNumber(question, s.number()) || strings.Contains(question, "http") {
		t.Errorf("question: got %q, want neither the number %s nor a link", question, s.number())
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("after the scan: state = %q, want scanned", got)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusConflict {
		t.Errorf("finish before the answer: status = %d, want %d", a.StatusCode, http.StatusConflict)
	}
	if got, want := w.say("lin", s.number()), textApproved; got != want {
		t.Errorf("reply to the number: %q, want %q", got, want)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, user = %q, want %d and a user", a.StatusCode, desktop.user(), http.StatusSeeOther)
	}
	if got, want := strings.Join(w.happened(), " "), "started scanned identified refused registered approved finished"; got != want {
		t.Errorf("events = %s, want %s", got, want)
	}
}

func TestDigitsAndAnAnswerLogIn(t *testing.T) {
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret)
	desktop := w.desktop()
	s := desktop.start()
	if len(s.Digits) != 8 || s.ScanURL != accountQR || s.MatchNumber == 0 {
		t.Fatalf("start: got %+v, want 8 digits, the account's code and a number", s)
	}
	question := w.say("lin", s.Digits[:4]+" "+s.Digits[4:])
	if !strings.Contains(question, textOne) || !strings.Contains(question, "Chrome · Windows") || strings.Contains(question, "ignore") {
		t.Errorf("question: got %q, want one about the browser, to answer with 1 or 0", question)
	}
	if got := w.say("lin", "１"); got != textApproved {
		t.Errorf("reply to 1: %q, want %q", got, textApproved)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, user = %q, want %d and a user", a.StatusCode, desktop.user(), http.StatusSeeOther)
	}
}

func TestLoginPagesOfChats(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    scangate.ScanMode
		agent   string
		want    []string
		without []string
	}{
		{"a code to follow", scangate.ScanFollow, "", []string{"Scan and follow, then reply", "Type this in WeChat"}, []string{"number digits", `class="qr" href`}},
		{"digits", scangate.ScanMessage, "", []string{"Scan with WeChat to open the account", `<p class="number digits">`, "/qr.svg"}, []string{"Type this in WeChat", `class="qr" href`}},
		{"in WeChat", scangate.ScanMessage, wechattest.UserAgentPhone, []string{`<p class="number digits">`, "Send the eight digits to the account"}, []string{"weixin://"}},
		{"digits on a phone", scangate.ScanFollow, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile", []string{`<p class="number digits">`}, []string{"weixin://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newChatWorld(t, c.mode, func(config *scangate.Config) {
				if c.mode == scangate.ScanMessage {
					withoutSecret(config)
				}
			})
			desktop := w.desktop()
			if c.agent != "" {
				desktop = w.browser(c.agent)
			}
			page := desktop.open("/wechat/login")
			for _, want := range c.want {
				if !strings.Contains(page.body, want) {
					t.Errorf("login page: got\n%s\nwant it to contain %q", page.body, want)
				}
			}
			for _, without := range c.without {
				if strings.Contains(page.body, without) {
					t.Errorf("login page: got\n%s\nwant it not to contain %q", page.body, without)
				}
			}
		})
	}
}
