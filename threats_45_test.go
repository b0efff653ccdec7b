package scangate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// request returns the signed push of a document, whose query the test may change.
func (w *chatWorld) request(document []byte) *http.Request {
	w.t.Helper()
	req, err := w.pusher.Request(w.t.Context(), document)
	if err != nil {
		w.t.Fatalf("make a push: %v", err)
	}
	return req
}

// roundTrip sends a push and returns the answer.
func (w *chatWorld) roundTrip(req *http.Request) answer {
	w.t.Helper()
	resp, err := w.hosts.RoundTrip(req)
	if err != nil {
		w.t.Fatalf("push: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("read the answer to a push: %v", err)
	}
	return answer{resp, string(body)}
}

// withBody returns the request with another body.
func withBody(req *http.Request, body string) *http.Request {
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return req
}

// bodyOf returns the request's body.
func bodyOf(t *testing.T, req *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("read a body: %v", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// An attacker forges a push. In the plain mode the signature covers no body, so a query
// that was logged once would sign anything. Only encrypted messages count.
func TestThreat45ForgedPush(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	desktop := w.desktop()
	s := desktop.start()
	scene := w.lastScene()
	victim := w.pusher.Document(w.pusher.Event("lin", "SCAN", scene))
	plain := w.pusherTo(wechattest.PushServer{Mode: wechattest.PushPlain})
	for name, req := range map[string]*http.Request{
		"plain mode":                      must(plain.Request(t.Context(), victim)),
		"a plain body with a good query":  withBody(w.request(victim), string(victim)),
		"no query":                        must(http.NewRequestWithContext(t.Context(), http.MethodPost, pushURL, bytes.NewReader(victim))),
		"another token":                   must(w.pusherTo(wechattest.PushServer{Token: "ponmlkjihgfedcba"}).Request(t.Context(), victim)),
		"another key":                     must(w.pusherTo(wechattest.PushServer{EncodingAESKey: "0" + pushKey[1:]}).Request(t.Context(), victim)),
		"another account's message":       withAppID(w, victim),
		"the body of another good signed": withBody(w.request(victim), bodyOf(t, w.request(victim))),
	} {
		if a := w.roundTrip(req); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "Encrypt") {
			t.Errorf("%s: status = %d, body = %s, want %d and no reply", name, a.StatusCode, a.body, http.StatusForbidden)
		}
	}
	// In the compatible mode, an attacker on the way changes the plain fields.
	compatible := w.pusherTo(wechattest.PushServer{Mode: wechattest.PushCompatible})
	attacker := must(compatible.Request(t.Context(), w.pusher.Document(w.pusher.Event("wang", "SCAN", "other"))))
	forged := strings.ReplaceAll(bodyOf(t, attacker), w.wechat.OpenID("wang", official.AppID), w.wechat.OpenID("lin", official.AppID))
	forged = strings.ReplaceAll(forged, "other", scene)
	if a := w.roundTrip(withBody(attacker, forged)); a.StatusCode != http.StatusOK || a.body != wechat.Success {
		t.Errorf("compatible mode with other plain fields: %d %s, want %d and %q", a.StatusCode, a.body, http.StatusOK, wechat.Success)
	}
	if got := desktop.state(s); got != "waiting" {
		t.Errorf("after all forged pushes: state = %q, want waiting", got)
	}
}

// must returns a request that was made without an error.
func must(req *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return req
}

// withAppID returns a push whose decrypted text belongs to another account.
func withAppID(w *chatWorld, document []byte) *http.Request {
	cipher, err := wechat.NewCipher(wechat.CipherConfig{AppID: website.AppID, Token: pushToken, EncodingAESKey: pushKey})
	if err != nil {
		w.t.Fatalf("NewCipher: %v", err)
	}
	e := cipher.Encrypt(document, wechat.CurrentKey)
	q := url.Values{"timestamp": {fmt.Sprintf("%010d", e.TimeStamp)}, "nonce": {e.Nonce}, "msg_signature": {e.MsgSignature}}
	req := httptest.NewRequest(http.MethodPost, pushURL+"?"+q.Encode(), bytes.NewReader(e.Encode(wechat.FormatXML)))
	return req.WithContext(w.t.Context())
}

// An attacker sends altered ciphertexts and compares the answers (a padding oracle), or
// moves characters from one signed part to another. The signature is checked first, the
// parts have strict forms, and all failures have one answer.
func TestThreat46OneAnswerForAllFailures(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow)
	document := w.pusher.Document(w.pusher.Text("lin", "hello"))
	var want answer
	for i, change := range []func(q url.Values, body string) string{
		func(q url.Values, body string) string { q.Set("msg_signature", strings.Repeat("0", 40)); return body },
		func(q url.Values, body string) string { q.Set("nonce", q.Get("nonce")+"0"); return body },
		func(q url.Values, body string) string { q.Del("timestamp"); return body },
		func(q url.Values, body string) string { q.Add("nonce", "1"); return body },
		func(_ url.Values, body string) string {
			return strings.Replace(body, "<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA", 1)
		},
		func(_ url.Values, body string) string {
			return strings.Replace(body, "]]></Encrypt>", "\n]]></Encrypt>", 1)
		},
		func(q url.Values, body string) string { // the last digit of the nonce begins Encrypt
			nonce := q.Get("nonce")
			q.Set("nonce", nonce[:len(nonce)-1])
			return strings.Replace(body, "<Encrypt><![CDATA[", "<Encrypt><![CDATA["+nonce[len(nonce)-1:], 1)
		},
	} {
		req := w.request(document)
		q := req.URL.Query()
		body := change(q, bodyOf(t, req))
		req.URL.RawQuery = q.Encode()
		a := w.roundTrip(withBody(req, body))
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("failure %d: status = %d, want %d", i, a.StatusCode, http.StatusForbidden)
		}
		if want.Response == nil {
			want = a
		}
		if a.body != want.body || fmt.Sprint(a.Header) != fmt.Sprint(want.Header) {
			t.Errorf("failure %d: got %v %s, want the answer to the first, %v %s", i, a.Header, a.body, want.Header, want.body)
		}
	}
}

// A token that can be guessed lets an attacker sign pushes.
func TestThreat46WeakToken(t *testing.T) {
	for token, want := range map[string]string{
		"": "Config.Push.Token: it is empty", "abcdefghijklmno": "Config.Push.Token: it has 15 characters", "abcdefghijklmnop ": "Config.Push.Token: ",
		strings.Repeat("a", 33): "Config.Push.Token: ", "abcdefgh ijklmnop": "Config.Push.Token: ",
	} {
		_, err := scangate.New(scangate.Config{
			PublicURL: appURL, OfficialAccount: official, Push: scangate.Push{Token: token, EncodingAESKey: pushKey},
		})
		if err == nil || !strings.Contains(err.Error(), want) || token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("New with the token %q: error = %v, want %q without the token", token, err, want)
		}
	}
}

// An attacker types markup in the chat. A child of the message that occurs twice is refused,
// because parsers differ in which one they take.
func TestThreat47MarkupInAMessage(t *testing.T) {
	own := &handled{}
	w := newChatWorld(t, scangate.ScanFollow, withHandle(own))
	desktop := w.desktop()
	s := desktop.start()
	victim := w.wechat.OpenID("lin", official.AppID)
	typed := "]]></Content><FromUserName>" + victim + "</FromUserName><Event>SCAN</Event><EventKey>" + w.lastScene() + "</EventKey><Content><![CDATA["
	good := string(w.pusher.Document(w.pusher.Text("wang", "hello")))
	deep := strings.Repeat("<a>", 5_000) + strings.Repeat("</a>", 5_000)
	for name, document := range map[string]string{
		"markup in a text": string(w.pusher.Document(w.pusher.Text("wang", typed))), "a DTD": "<!DOCTYPE xml>" + good,
		"a child twice": strings.Replace(good, "</xml>", "<fromusername>"+victim+"</fromusername></xml>", 1),
		"deep elements": strings.Replace(good, "</xml>", deep+"</xml>", 1), "two documents": good + good, "nothing": "",
	} {
		if a := w.roundTrip(w.request([]byte(document))); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, http.StatusBadRequest)
		}
	}
	twice := w.request([]byte(good))
	body := bodyOf(t, twice)
	if a := w.roundTrip(withBody(twice, strings.Replace(body, "</xml>", "<encrypt>AAAA</encrypt></xml>", 1))); a.StatusCode != http.StatusBadRequest {
		t.Errorf("Encrypt twice: status = %d, want %d", a.StatusCode, http.StatusBadRequest)
	}
	large := withBody(w.request([]byte(good)), "<xml>"+strings.Repeat("<a></a>", 150_000)+"</xml>")
	if a := w.roundTrip(large); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("1 MB: status = %d, want %d", a.StatusCode, http.StatusRequestEntityTooLarge)
	}
	nested := strings.Replace(good, "</xml>", "<SendPicsInfo><Count>2</Count><PicList><item><a>1</a></item><item><a>2</a></item></PicList></SendPicsInfo></xml>", 1)
	if a := w.roundTrip(w.request([]byte(nested))); a.StatusCode != http.StatusOK {
		t.Errorf("repeated items: status = %d, want %d", a.StatusCode, http.StatusOK)
	}
	if got := own.contents(); got != "hello" || desktop.state(s) != "waiting" {
		t.Errorf("messages = %q, state = %q, want one and waiting", got, desktop.state(s))
	}
}

// WeChat repeats a push, and an attacker replays one. Processing is idempotent, and an old
// message is refused even with a fresh signature.
func TestThreat48RepeatedPush(t *testing.T) {
	state, users := scangate.NewMemoryStore(), scangate.NewMemoryStore()
	shared := func(c *scangate.Config) { c.State, c.Users = state, users }
	first := newChatWorld(t, scangate.ScanFollow, shared)
	second := newChatWorld(t, scangate.ScanFollow, shared)
	s := first.desktop().start()
	m := first.pusher.Event("lin", "SCAN", first.lastScene())
	replies := make(chan string, 3)
	for _, w := range []*chatWorld{first, second, first} {
		go func() { replies <- w.push(m) }()
	}
	want := <-replies
	for range 2 {
		if got := <-replies; got != want || !strings.Contains(got, textIgnore) {
			t.Errorf("delivery at the same time: %q, want the reply of the other one, %q", got, want)
		}
	}
	if got := first.say("lin", s.number()); got != textApproved {
		t.Errorf("answer: %q, want %q", got, textApproved)
	}
	if got := second.push(m); got != want {
		t.Errorf("delivery after the consent: %q, want the first reply, %q", got, want)
	}
	identified := 0
	for _, w := range []*chatWorld{first, second} {
		identified += strings.Count(strings.Join(w.happened(), " "), "identified")
	}
	if identified != 1 {
		t.Errorf("%d logins were identified, want 1", identified)
	}
}

func TestThreat48ReplayedPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := &handled{}
		w := newChatWorld(t, scangate.ScanFollow, withHandle(own))
		m := w.pusher.Text("lin", "hello")
		w.push(m)
		pass(9 * time.Minute)
		if got := w.push(m); got != "" || own.contents() != "hello" {
			t.Errorf("the message 9 minutes later: reply %q, messages %q, want none and one message", got, own.contents())
		}
		pass(time.Hour)
		if d := w.pusher.Deliver(t.Context(), m); d.Err == nil || !strings.Contains(d.Err.Error(), "403") {
			t.Errorf("the message an hour later: error = %v, want status 403", d.Err)
		}
	})
}

// The stores fail at a push. The gate never confirms a login's message that is not stored.
func TestThreat49StoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingState{StateStore: scangate.NewMemoryStore()}
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.State = store })
		desktop := w.desktop()
		s := desktop.start()
		away := errors.New("the store is away")
		store.err.Store(&away)
		m := w.pusher.Event("lin", "SCAN", w.lastScene())
		begun := time.Now()
		go func() {
			pass(9500 * time.Millisecond) // during the second delivery's pause before the third
			store.err.Store(nil)
		}()
		d := w.pusher.Push(t.Context(), m)
		if d.Err != nil || d.Deliveries != 3 || !strings.Contains(d.Reply.Content, textIgnore) {
			t.Errorf("push: %d deliveries, reply %q, error %v after %v, want the question at the third", d.Deliveries, d.Reply.Content, d.Err, time.Since(begun))
		}
		if got := desktop.state(s); got != "scanned" {
			t.Errorf("after the third delivery: state = %q, want scanned", got)
		}
	})
}

func TestThreat49StoreAwayForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingState{StateStore: scangate.NewMemoryStore()}
		w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.State = store })
		desktop := w.desktop()
		s := desktop.start()
		away := errors.New("the store is away")
		store.err.Store(&away)
		m := w.pusher.Event("lin", "SCAN", w.lastScene())
		d := w.pusher.Push(t.Context(), m)
		if d.Err != nil || d.Deliveries != 3 || !strings.Contains(d.Reply.Content, "新") && !strings.Contains(d.Reply.Content, "二维码") {
			t.Errorf("push while the store is away: %d deliveries, reply %q, error %v, want a text at the third", d.Deliveries, d.Reply.Content, d.Err)
		}
		store.err.Store(nil)
		if got := w.push(m); !strings.Contains(got, textIgnore) || desktop.state(s) != "scanned" {
			t.Errorf("another delivery: reply %q, state = %q, want the question and scanned", got, desktop.state(s))
		}
	})
}

// A flood of 200,000 chat messages leaves room for logins and their limits. The small
// crowd pushes the last of them; the store has what the others leave.
func TestThreat49Flood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		w := newChatWorld(t, scangate.ScanMessage, withHandle(&handled{}), func(c *scangate.Config) {
			c.State, c.Users, c.Limits.Address = store, store, 3
		})
		before := w.desktop()
		waiting := before.start()
		for range 2 {
			w.desktop().start()
		}
		pushed := crowd(2_000, 200_000)
		for i := range 200_000 - pushed {
			if err := store.Create(t.Context(), fmt.Sprintf("gate:push:%043d", i), make([]byte, 26), 11*time.Minute); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		for i := range pushed {
			w.say(fmt.Sprintf("person %d", i%50_000), []string{"hello", "00000000", "42", "1"}[i%4])
		}
		if a := w.desktop().postJSON("/wechat/login", "{}", nil); a.StatusCode != http.StatusTooManyRequests {
			t.Errorf("fourth login of the address after the flood: status = %d, want %d", a.StatusCode, http.StatusTooManyRequests)
		}
		if got := w.say("lin", waiting.Digits); !strings.Contains(got, textOne) {
			t.Errorf("digits of a login from before the flood: reply %q, want the question", got)
		}
		if got := w.say("lin", "1"); got != textApproved || before.finish(waiting).StatusCode != http.StatusSeeOther {
			t.Errorf("answer after the flood: reply %q, want %q and a login", got, textApproved)
		}
		pass(time.Minute)
		desktop := w.desktop()
		w.say("wang", desktop.start().Digits)
		w.say("wang", "1")
		if got := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(got.body, "/finish") {
			t.Errorf("a login that begins after the flood: status = %d, want the finish page\n%s", got.StatusCode, got.body)
		}
	})
}
