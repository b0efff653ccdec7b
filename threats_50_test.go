package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// chatLink returns the link in the last reply to the person, as a path.
func (w *chatWorld) chatLink(person string) string {
	w.t.Helper()
	reply := w.chat(person).LastReply(official.AppID)
	if len(reply.Links) != 1 {
		w.t.Fatalf("reply to %s: got %q with the links %q, want one link", person, reply.Text, reply.Links)
	}
	return strings.TrimPrefix(reply.Links[0], appURL)
}

// openLink presses the button of the page behind a link in a chat, and follows redirects
// through WeChat.
func (b *browser) openLink(link string) answer {
	b.t.Helper()
	b.get(link)
	return b.submit(link, ticketForm(link))
}

// ticketForm returns the form of the page behind a link in a chat.
func ticketForm(link string) url.Values {
	_, ticket, _ := strings.Cut(link, "ticket=")
	return url.Values{"ticket": {ticket}}
}

// The attacker sends the victim the link of the attacker's own scan. The link shows which
// chat it is from, and not who has opened it: the victim's browser gets no page on which
// they would prove their number for the attacker's WeChat.
func TestThreat50LinkOfAnotherChat(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanFollow, sms.withPhone)
	s := w.desktop().start()
	w.scanCode("wang", s)
	link, victim, attacker := w.chatLink("wang"), w.phone("lin"), w.phone("wang")
	if a := victim.openLink(link); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "Not your link") {
		t.Errorf("victim opens the link: status = %d, want %d\n%s", a.StatusCode, http.StatusForbidden, a.body)
	}
	for _, page := range []string{"phone", "profile", "terms", "confirm", "resume"} {
		if a := victim.get("/wechat/" + page + "/" + s.ID); a.StatusCode != http.StatusNotFound {
			t.Errorf("victim gets %s: status = %d, want %d", page, a.StatusCode, http.StatusNotFound)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/join?login="+s.ID, nil)
	for _, c := range victim.appCookies() {
		r.AddCookie(c)
	}
	if _, err := w.gate.Pending(r); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("Pending in the victim's browser: error = %v, want %v", err, scangate.ErrNotFound)
	}
	if a := attacker.openLink(link); a.StatusCode != http.StatusOK || a.Request.URL.Path != "/wechat/phone/"+s.ID {
		t.Errorf("owner of the chat opens the link: status = %d at %s, want the phone page", a.StatusCode, a.Request.URL)
	}
	if sms.sent != 0 {
		t.Errorf("%d codes were sent, want none", sms.sent)
	}
}

// Without web authorization the person repeats four digits of the page in the chat.
func TestThreat50EchoOfAnotherChat(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret, sms.withPhone)
	s := w.desktop().start()
	followAccount(t, w, "wang")
	reply := w.push(w.pusher.Text("wang", s.Digits))
	link := reply[strings.Index(reply, appURL)+len(appURL) : strings.Index(reply, `">`)]
	victim := w.phone("lin")
	page := victim.openLink(link)
	if page.StatusCode != http.StatusOK || len(page.find(t, echoPattern)) != 4 {
		t.Errorf("victim opens the link: status = %d, want %d and four digits\n%s", page.StatusCode, http.StatusOK, page.body)
	}
	digits := page.find(t, echoPattern)
	if got := w.say("lin", digits); got != "" || victim.get("/wechat/phone/"+s.ID).StatusCode != http.StatusNotFound {
		t.Errorf("victim sends the digits: reply %q, want none, and the phone page unknown", got)
	}
	wrong := fmt.Sprintf("%04d", (atoi(t, digits)+1)%10_000)
	for i, want := range []string{"These digits are wrong.", "These digits are wrong.", textDenied} {
		if got := w.say("wang", wrong); !strings.HasPrefix(got, want) {
			t.Errorf("guess %d by the attacker: reply %q, want %q", i+1, got, want)
		}
	}
}

// A link checker, WeChat on a desktop or a friend opens the link before the person. Neither
// a GET nor the form binds a browser: only the proof does.
func TestThreat51LinkOpenedElsewhere(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanFollow, sms.withPhone)
	s := w.desktop().start()
	w.scanCode("lin", s)
	link := w.chatLink("lin")
	for range 5 {
		if a := w.desktop().get(link); a.StatusCode != http.StatusOK {
			t.Errorf("GET by a link checker: status = %d, want %d", a.StatusCode, http.StatusOK)
		}
	}
	if a := w.desktop().post(link, ticketForm(link)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("POST by a link checker: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
	}
	for _, target := range []string{"/wechat/scan/" + s.ID, "/wechat/scan/" + s.ID + "?ticket=", link + "A", strings.ToLower(link)} {
		if a := w.desktop().get(target); a.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s without the ticket: status = %d, want %d", target, a.StatusCode, http.StatusNotFound)
		}
	}
	phone, second := w.phone("lin"), w.phone("lin")
	if a := phone.openLink(link); a.Request.URL.Path != "/wechat/phone/"+s.ID {
		t.Errorf("the person opens the link: at %s, want the phone page\n%s", a.Request.URL, a.body)
	}
	for name, a := range map[string]answer{"GET": second.get(link), "POST": second.post(link, ticketForm(link))} {
		if a.StatusCode != http.StatusConflict {
			t.Errorf("%s in another browser afterwards: status = %d, want %d", name, a.StatusCode, http.StatusConflict)
		}
	}
	if a := phone.get(link); a.StatusCode != http.StatusSeeOther || a.location() != "/wechat/phone/"+s.ID {
		t.Errorf("the link again: %d to %s, want the phone page", a.StatusCode, a.location())
	}
}

// The attacker shows a login's code or digits to the victim, or asks them to pass the
// number on. Only the openid that has scanned can answer, and it has one try.
func TestThreat52AnswerOfAnotherPerson(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	s := desktop.start()
	w.scanCode("lin", s)
	followAccount(t, w, "wang")
	if got := w.scanCode("wang", s); got != textTaken {
		t.Errorf("second person scans: reply %q, want %q", got, textTaken)
	}
	for _, text := range []string{s.number(), "0", "1", s.wrongNumber()} {
		if got := w.say("wang", text); got != "" || desktop.state(s) != "scanned" {
			t.Errorf("second person answers %q: reply %q, state %q, want none and scanned", text, got, desktop.state(s))
		}
	}
	if got := w.say("lin", s.wrongNumber()); got != textDenied || desktop.state(s) != "denied" {
		t.Errorf("wrong number: reply %q, state %q, want %q and denied", got, desktop.state(s), textDenied)
	}
	if got := w.say("lin", s.number()); got == textApproved || desktop.state(s) != "denied" {
		t.Errorf("right number afterwards: reply %q, state %q, want denied", got, desktop.state(s))
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusGone || desktop.user() != "" {
		t.Errorf("finish: status = %d, user %q, want %d and none", a.StatusCode, desktop.user(), http.StatusGone)
	}
}

// Follows and scenes that are not the gate's belong to the application.
func TestThreat53ForeignScenes(t *testing.T) {
	own := &handled{reply: wechat.Reply{Text: "the application's"}}
	w := newChatWorld(t, scangate.ScanFollow, withHandle(own))
	s := w.desktop().start()
	scene := w.lastScene()
	parts := strings.Split(scene, ".")
	if len(parts) != 3 || parts[0] != "sg" || parts[2] != s.ID {
		t.Fatalf("scene = %q, want sg, the gate and the login", scene)
	}
	for i, key := range []string{
		"poster-7", "sg.another." + s.ID, "sg." + parts[1] + ".", scene + "x", strings.ToLower(scene), "sg." + parts[1] + "." + s.ID[:25], "x" + scene, "",
	} {
		event := "SCAN"
		if key == "" {
			event = "subscribe"
		}
		if got := w.push(w.pusher.Event("lin", event, key)); got != "the application's" {
			t.Errorf("event %d with the scene %q: reply %q, want the application's", i, key, got)
		}
	}
	if got := w.push(w.pusher.Event("lin", "SCAN", "sg."+parts[1]+"."+unknownLoginID)); got == "the application's" || got == "" {
		t.Errorf("scene of an unknown login of this gate: reply %q, want that it is over", got)
	}
	if got := len(strings.Fields(own.contents())); got < 8 {
		t.Errorf("the application got %d messages, want 8", got)
	}
}

// An attacker guesses digits, or tries to lock others out with wrong ones.
func TestThreat54GuessedDigits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanMessage, withoutSecret)
		desktop := w.desktop()
		s := desktop.start()
		denied := desktop.start()
		missed := w.say("wang", "00000000")
		if !strings.Contains(missed, "数字") {
			t.Errorf("wrong digits: reply %q, want the pages' first language", missed)
		}
		for i := range 4 {
			if got := w.say("wang", fmt.Sprintf("0000000%d", i+1)); got != missed {
				t.Errorf("wrong digits, try %d: reply %q, want the first one, %q", i+2, got, missed)
			}
		}
		for _, digits := range []string{"00000006", s.Digits, denied.Digits} {
			if got := w.say("wang", digits); got != "" {
				t.Errorf("digits after five wrong ones: reply %q, want none", got)
			}
		}
		for i := range 1000 {
			m := wechat.Message{FromUserName: fmt.Sprintf("o%027d", i), MsgType: "text", Content: "99999999"}
			if d := w.pusher.Deliver(t.Context(), m); d.Err != nil || d.Reply.Content != missed {
				t.Fatalf("wrong digits of person %d: reply %q, error %v, want %q", i, d.Reply.Content, d.Err, missed)
			}
		}
		if got := w.say("lin", s.Digits); !strings.Contains(got, textOne) {
			t.Errorf("right digits of another person: reply %q, want the question", got)
		}
		if got := w.say("lin", "1"); got != textApproved || desktop.finish(s).StatusCode != http.StatusSeeOther {
			t.Errorf("answer: reply %q, want %q and a login", got, textApproved)
		}
		if got := w.say("yueyue", s.Digits); got != missed {
			t.Errorf("used digits: reply %q, want %q", got, missed)
		}
		pass(time.Hour)
		if got := w.say("wang", "00000007"); got != missed {
			t.Errorf("wrong digits an hour later: reply %q, want %q", got, missed)
		}
	})
}

// An attacker spends the account's calls by loading the login page.
func TestThreat55CallsOfTheAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow)
		digits := 0
		for i := range 600 {
			page := w.desktop().get("/wechat/login")
			if page.StatusCode != http.StatusOK {
				t.Fatalf("page load %d: status = %d, want %d", i+1, page.StatusCode, http.StatusOK)
			}
			if strings.Contains(page.body, `<p class="number digits">`) {
				digits++
			}
		}
		if got := w.wechat.Calls(wechattest.OpCreateQRCode); got != 20 || digits != 580 {
			t.Errorf("600 page loads in a minute: %d calls and %d pages with digits, want 20 and 580", got, digits)
		}
		pass(time.Minute)
		if s := w.desktop().start(); s.Digits != "" || w.wechat.Calls(wechattest.OpCreateQRCode) != 21 {
			t.Errorf("a page load in the next minute: digits %q, want a code", s.Digits)
		}
	})
}

// spentCodes is a state store with a count of 49,999 codes when the gate counts its first one.
type spentCodes struct {
	scangate.StateStore
	once sync.Once
}

func (s *spentCodes) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if strings.HasSuffix(key, ":scenes") {
		s.once.Do(func() {
			for range 49_999 {
				_, _ = s.StateStore.Add(ctx, key, window)
			}
		})
	}
	return s.StateStore.Add(ctx, key, window)
}

// TestThreat55BudgetOfADay: attackers with many addresses spend the account's calls in the
// course of a day. From the budget of codes on, login pages show digits until the day ends.
func TestThreat55BudgetOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
			c.State = &spentCodes{StateStore: scangate.NewMemoryStore()}
		})
		if s := w.desktop().start(); s.Digits != "" || w.wechat.Calls(wechattest.OpCreateQRCode) != 1 {
			t.Errorf("login 50,000 of a day: digits %q after %d calls, want a code after 1 call", s.Digits, w.wechat.Calls(wechattest.OpCreateQRCode))
		}
		calls := w.wechat.TotalCalls()
		for _, after := range []time.Duration{0, 24*time.Hour - time.Second} {
			pass(after)
			page := w.desktop().get("/wechat/login")
			if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `<p class="number digits">`) {
				t.Errorf("login page over the budget, after %v: status = %d, want %d and digits", after, page.StatusCode, http.StatusOK)
			}
			if got := w.wechat.TotalCalls() - calls; got != 0 {
				t.Errorf("login page over the budget, after %v: %d calls to WeChat, want 0", after, got)
			}
		}
		pass(time.Second)
		if s := w.desktop().start(); s.Digits != "" || w.wechat.Calls(wechattest.OpCreateQRCode) != 2 {
			t.Errorf("login after 24 hours: %+v, want a code", s)
		}
	})
}

// WeChat refuses more codes, by the errcode 45009. The page shows digits.
func TestThreat55QuotaOfTheAccount(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	w.wechat.Quota(wechattest.OpCreateQRCode, 0)
	desktop := w.desktop()
	s := desktop.start()
	if len(s.Digits) != 8 || s.ScanURL != accountQR {
		t.Errorf("login page after 45009: %+v, want digits and the account's code", s)
	}
	if again := desktop.start(); again.Digits != s.Digits {
		t.Errorf("the page again: digits %q, want the same, %q", again.Digits, s.Digits)
	}
	if a := desktop.get(s.QRURL); a.StatusCode != http.StatusOK {
		t.Errorf("code of the account: status = %d, want %d", a.StatusCode, http.StatusOK)
	}
	if got := w.say("lin", s.Digits); !strings.Contains(got, textOne) {
		t.Errorf("the digits: reply %q, want the question", got)
	}
}

// The application's name, its texts and a browser's place become neither markup nor a part of the reply's document.
func TestThreat66WordsInTheChat(t *testing.T) {
	hostile := `]]></Content><x><a href="https://evil.example">x</a>` + "\u202e{device}"
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
		c.AppName = hostile
		c.Pages.Texts = map[string]map[string]string{"en": {"chat.ignore": `]]><a href="https://evil.example">ignore</a>`}}
		c.Pages.Languages = []string{"en", "zh"}
	})
	s := w.desktop().start()
	scene := w.lastScene()
	reply := w.push(w.pusher.Event("lin", "SCAN", scene))
	if strings.ContainsAny(reply, "<\u202e") || strings.Contains(reply, "]]>") {
		t.Errorf("question: got %q, want no markup", reply)
	}
	if !strings.Contains(reply, `a href="https://evil.example">ignore`) || !strings.Contains(reply, "Chrome · Windows") {
		t.Errorf("question: got %q, want the texts without their markup", reply)
	}
	if got := w.say("lin", s.number()); got != textApproved {
		t.Errorf("answer: reply %q, want %q", got, textApproved)
	}
}

// TestThreat66PlaceInTheChat: the question names the browser's place in one line. An
// attacker whose address has a hostile place adds no line, no markup and no hidden character
// to the question.
func TestThreat66PlaceInTheChat(t *testing.T) {
	t.Parallel()
	ask := func(place string) string {
		w := newChatWorld(t, scangate.ScanFollow, withLocate(func(netip.Addr) string { return place }))
		w.desktop().start()
		return w.push(w.pusher.Event("lin", "SCAN", w.lastScene()))
	}
	const address = "\nIP address: 198.51.100.7\n"
	without := ask("")
	if strings.Count(without, address) != 1 || strings.Contains(without, "Place") {
		t.Fatalf("question without a place: %q, want the address and no place", without)
	}
	for _, c := range []struct{ place, want string }{
		{"北京", "北京"},
		{"\tBei\x00jing\r\nReply 1\x1b[0m\n", "BeijingReply 1[0m"},
		{"a\u2028b\u2029c\u0085d", "abcd"},
		{"a\u202eb\u2066c\u200fd", "abcd"},
		{`{app}</Content>]]><a href="https://evil.example">x</a>`, ""},
		{strings.Repeat("京", 100_000), strings.Repeat("京", 64)},
	} {
		got := ask(c.place)
		if c.want == "" {
			if strings.ContainsAny(got, "<") || strings.Contains(got, "]]>") || strings.Count(got, "\n") != strings.Count(without, "\n")+1 {
				t.Errorf("question with the place %.80q: %q, want one more line than %q and no markup", c.place, got, without)
			}
			continue
		}
		if want := strings.Replace(without, address, "\nPlace: "+c.want+address, 1); got != want {
			t.Errorf("question with the place %.80q: got %q, want %q", c.place, got, want)
		}
	}
}
