package scangate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestWeChatChecksThePushURL(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	if err := w.pusher.CheckURL(t.Context()); err != nil {
		t.Errorf("check of the URL: %v", err)
	}
	if err := w.pusherTo(wechattest.PushServer{Token: "ponmlkjihgfedcba"}).CheckURL(t.Context()); err == nil {
		t.Error("check with another token: no error, want one")
	}
	without := newWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if a := without.desktop().send(t.Context(), false, method, pushURL+"?echostr=1", ""); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s push of a gate without Push: status = %d, want %d", method, a.StatusCode, http.StatusNotFound)
		}
	}
}

// WeChat's servers send neither Origin nor Sec-Fetch-Site. A reader of the server's log may
// see both, from a developer tool.
func TestPushIsExemptFromTheOriginCheck(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	req := w.request(w.pusher.Document(w.pusher.Text("lin", strings.Repeat("x", 40_000))))
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := w.roundTrip(req); a.StatusCode != http.StatusOK {
		t.Errorf("push of 40 KB: status = %d, want %d", a.StatusCode, http.StatusOK)
	}
	large := strings.Repeat("a", 20_000)
	if a := w.desktop().post("/wechat/logout", url.Values{"a": {large}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("form of 20 KB: status = %d, want %d", a.StatusCode, http.StatusBadRequest)
	}
	if a := w.desktop().post("/wechat/logout", nil, "Origin", "https://evil.example"); a.StatusCode != http.StatusForbidden {
		t.Errorf("form of another site: status = %d, want %d", a.StatusCode, http.StatusForbidden)
	}
}

func TestRepliesInJSONAndUnderTheFormerKey(t *testing.T) {
	const former = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
	w := newChatWorld(t, scangate.ScanMessage, func(c *scangate.Config) { c.Push.FormerEncodingAESKey = former })
	for name, server := range map[string]wechattest.PushServer{
		"JSON": {Format: wechat.FormatJSON}, "former key": {EncodingAESKey: former}, "compatible": {Mode: wechattest.PushCompatible},
	} {
		w.pusher = w.pusherTo(server)
		s := w.desktop().start()
		if got := w.say("lin", s.Digits); !strings.Contains(got, textOne) {
			t.Errorf("%s: reply %q, want the question", name, got)
		}
	}
}

func TestFailuresOfPushesCountAgainstTheAddress(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.Limits.Address = 3 })
	forger := w.pusherTo(wechattest.PushServer{Token: "ponmlkjihgfedcba"})
	document := w.pusher.Document(w.pusher.Text("lin", "hello"))
	for i, want := range []int{403, 403, 403, 429} {
		if a := w.roundTrip(must(forger.Request(t.Context(), document))); a.StatusCode != want {
			t.Errorf("forged push %d: status = %d, want %d", i+1, a.StatusCode, want)
		}
	}
	for range 5 {
		w.say("lin", "hello") // fails the test if it is refused
	}
}

func TestHandleGetsEveryMessageOnce(t *testing.T) {
	own := &handled{reply: wechat.Reply{Text: "the application's"}}
	w := newChatWorld(t, scangate.ScanFollow, withHandle(own))
	hello := w.pusher.Text("lin", "hello")
	for i, want := range []string{"the application's", ""} {
		if got := w.push(hello); got != want {
			t.Errorf("delivery %d: reply %q, want %q", i+1, got, want)
		}
	}
	s := w.desktop().start()
	scan := w.pusher.Event("lin", "SCAN", w.lastScene())
	question := w.push(scan)
	if again := w.push(scan); again != question || !strings.Contains(question, textIgnore) {
		t.Errorf("scan twice: replies %q and %q, want the question twice", question, again)
	}
	for text, want := range map[string]string{"1234567": "the application's", "123456789": "the application's", "my 42": "the application's", "123": "the application's", "1234": "the application's"} {
		if got := w.say("lin", text); got != want {
			t.Errorf("text %q: reply %q, want %q", text, got, want)
		}
	}
	w.say("lin", s.number())
	if got := w.say("lin", s.number()); got != textApproved {
		t.Errorf("the number again: reply %q, want %q", got, textApproved)
	}
	_ = w.gate.Close() // waits for the calls
	contents := " " + own.contents() + " "
	for _, once := range []string{" hello ", " SCAN ", " 1234567 ", " my 42 "} {
		if strings.Count(contents, once) != 1 {
			t.Errorf("messages of the application: %q, want %q once", contents, once)
		}
	}
}

// A store that fails after it has written must not cost the application its message.
func TestHandleGetsAMessageWhoseNoteWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := &handled{reply: wechat.Reply{Text: "the application's"}}
		store := &lostAnswer{StateStore: scangate.NewMemoryStore(), part: ":push:", lose: true}
		w := newChatWorld(t, scangate.ScanFollow, withHandle(own), func(c *scangate.Config) { c.State = store })
		m := w.pusher.Text("lin", "hello")
		for i, want := range []string{"the application's", ""} {
			if got := w.push(m); got != want {
				t.Errorf("delivery %d: reply %q, want %q", i+1, got, want)
			}
		}
		if got := own.contents(); got != "hello" || store.lose {
			t.Errorf("the application got %q, want one message after one lost answer", got)
		}
	})
}

func TestHandleFails(t *testing.T) {
	for name, handle := range map[string]func(context.Context, wechat.Message) (wechat.Reply, error){
		"error": func(context.Context, wechat.Message) (wechat.Reply, error) {
			return wechat.Reply{Text: "half"}, errors.New("no database")
		},
		"panic": func(context.Context, wechat.Message) (wechat.Reply, error) { panic("no database") },
		"slow": func(ctx context.Context, _ wechat.Message) (wechat.Reply, error) {
			<-ctx.Done()
			<-time.After(time.Minute)
			return wechat.Reply{Text: "late"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.Push.Handle = handle })
				begun := time.Now()
				if got := w.say("lin", "hello"); got != "" || time.Since(begun) > 4*time.Second {
					t.Errorf("reply %q after %v, want none within 4 s", got, time.Since(begun))
				}
				s := w.desktop().start()
				begun = time.Now()
				if got := w.scanCode("lin", s); !strings.HasPrefix(got, textIgnore) || time.Since(begun) > 0 {
					t.Errorf("scan: reply %q after %v, want the question at once", got, time.Since(begun))
				}
			})
		})
	}
}

func TestHandlePush(t *testing.T) {
	own := &handled{}
	w := newChatWorld(t, scangate.ScanMessage, withHandle(own))
	s := w.desktop().start()
	push := func(req *http.Request) ([]byte, error) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.gate.HandlePush(t.Context(), req.URL.Query(), body)
	}
	reply, err := push(w.request(w.pusher.Document(w.pusher.Text("lin", s.Digits))))
	if err != nil || !strings.Contains(string(reply), "<Encrypt>") {
		t.Errorf("HandlePush of digits: %q, %v, want an encrypted reply", reply, err)
	}
	if _, err := push(w.request(w.pusher.Document(w.pusher.Text("lin", "hello")))); !errors.Is(err, scangate.ErrNotLogin) {
		t.Errorf("HandlePush of another message: error = %v, want %v", err, scangate.ErrNotLogin)
	}
	forged := w.request(w.pusher.Document(w.pusher.Text("lin", "hello")))
	forged.URL.RawQuery += "0"
	if _, err := push(forged); !errors.Is(err, wechat.ErrUnverified) || errors.Is(err, scangate.ErrNotLogin) {
		t.Errorf("HandlePush of a forged message: error = %v, want %v", err, wechat.ErrUnverified)
	}
	if _, err := push(withBody(w.request(nil), "<xml>")); !errors.Is(err, wechat.ErrMessage) {
		t.Errorf("HandlePush of half a document: error = %v, want %v", err, wechat.ErrMessage)
	}
	if got := own.contents(); got != "" {
		t.Errorf("Handle was called with %q, want no call", got)
	}
	if _, err := newWorld(t).gate.HandlePush(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "Config.Push") {
		t.Errorf("HandlePush without Push: error = %v, want one about Config.Push", err)
	}
}

func TestUnfollowing(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	w.login(desktop, "lin")
	m := w.pusher.Event("lin", "unsubscribe", "")
	w.push(m)
	w.push(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []scangate.Event
	for _, e := range w.events {
		if e.Name == scangate.EventUnfollowed {
			got = append(got, e)
		}
	}
	if len(got) != 1 || got[0].UserID == "" || got[0].AppID != official.AppID {
		t.Errorf("events of unfollowing: %+v, want one with the user", got)
	}
}

func TestNewerScanEndsTheOlderLoginOfAPerson(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	older, newer := w.desktop(), w.desktop()
	first := older.start()
	w.scanCode("lin", first)
	second := newer.start()
	w.scanCode("lin", second)
	if got := older.state(first); got != "expired" {
		t.Errorf("older login: state = %q, want expired", got)
	}
	if got := w.say("lin", second.number()); got != textApproved || newer.state(second) != "approved" {
		t.Errorf("number of the newer login: reply %q, state %q, want %q", got, newer.state(second), textApproved)
	}
}

func TestRefusalInTheChat(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"zero": "0", "full-width zero": "０ \n", "another digit": "7"} {
		w := newChatWorld(t, scangate.ScanFollow)
		desktop := w.desktop()
		s := desktop.start()
		w.scanCode("lin", s)
		if got := w.say("lin", answer); got != textDenied || desktop.state(s) != "denied" {
			t.Errorf("%s: reply %q, state %q, want %q and denied", name, got, desktop.state(s), textDenied)
		}
		w.wantOneDenial(name)
		w = newChatWorld(t, scangate.ScanMessage)
		desktop = w.desktop()
		s = desktop.start()
		w.say("lin", s.Digits)
		if got := w.say("lin", answer); got != textDenied || desktop.state(s) != "denied" {
			t.Errorf("%s to a login by digits: reply %q, state %q, want %q and denied", name, got, desktop.state(s), textDenied)
		}
		w.wantOneDenial(name + " to a login by digits")
	}
}

// TestThirdWrongEchoIsOneDenial: WeChat delivers the message that denies twice.
func TestThirdWrongEchoIsOneDenial(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanMessage, withoutSecret, sms.withPhone)
	s := w.desktop().start()
	digits := w.phone("lin").openLink(linkIn(t, w.say("lin", s.Digits))).find(t, echoPattern)
	for by := 1; by <= 2; by++ {
		w.say("lin", otherDigits(t, digits, by))
	}
	third := w.pusher.Text("lin", otherDigits(t, digits, 3))
	for i := range 2 {
		if got := w.push(third); got != textDenied {
			t.Errorf("delivery %d of the third wrong digits: reply %q, want %q", i+1, got, textDenied)
		}
	}
	w.wantOneDenial("three times wrong digits")
}

func TestScanOfAnExpiredCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChatWorld(t, scangate.ScanFollow)
		desktop := w.desktop()
		desktop.start()
		scene := w.lastScene()
		pass(6 * time.Minute)
		if got := w.push(w.pusher.Event("lin", "SCAN", scene)); got != textOver {
			t.Errorf("scan of an expired login: reply %q, want %q", got, textOver)
		}
		s := desktop.start()
		w.scanCode("lin", s)
		pass(11 * time.Minute)
		if got := w.say("lin", s.number()); got != textOver {
			t.Errorf("answer after the login's time: reply %q, want %q", got, textOver)
		}
	})
}

func TestRenewedCodesOfAChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	s := desktop.start()
	former := w.lastScene()
	var renewed scan
	desktop.postJSON("/wechat/login/"+s.ID+"/renew", "{}", &renewed)
	if renewed.ScanURL == s.ScanURL || renewed.ScanURL == "" || w.lastScene() == former {
		t.Errorf("renewed code: %+v, want another one than %q", renewed, s.ScanURL)
	}
	if got := w.push(w.pusher.Event("lin", "SCAN", former)); got != textOver {
		t.Errorf("scan of the former code: reply %q, want %q", got, textOver)
	}
}
