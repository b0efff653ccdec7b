package scangate_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	pushToken = "abcdefghijklmnop"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	pushURL   = appURL + "/wechat/push"
	accountQR = "http://weixin.qq.com/r/account"
)

// withChat returns an option of newWorld for a gate whose logins are authorized in a chat.
func withChat(mode scangate.ScanMode) func(*scangate.Config) {
	return func(c *scangate.Config) {
		c.Scan = mode
		c.Push = scangate.Push{Token: pushToken, EncodingAESKey: pushKey, AccountQR: accountQR}
	}
}

// withoutSecret is an option of newWorld for an account without web authorization.
func withoutSecret(c *scangate.Config) { c.OfficialAccount.Secret = "" }

// withHandle returns an option of newWorld for an application with messages of its own.
func withHandle(handle *handled) func(*scangate.Config) {
	return func(c *scangate.Config) { c.Push.Handle = handle.take }
}

// scenes notes the scenes of the QR codes that the gate creates.
type scenes struct {
	next http.RoundTripper
	mu   sync.Mutex
	last string
}

var scenePattern = regexp.MustCompile(`"scene_str":"([^"]*)"`)

func (s *scenes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/cgi-bin/qrcode/create" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		defer s.mu.Unlock()
		if m := scenePattern.FindSubmatch(body); m != nil {
			s.last = string(m[1])
		}
	}
	return s.next.RoundTrip(r)
}

// chatWorld is a world whose gate takes the messages of the official account.
type chatWorld struct {
	*world
	pusher *wechattest.Pusher
	scenes *scenes
}

// newChatWorld returns a world with logins that are authorized in a chat.
func newChatWorld(t testing.TB, mode scangate.ScanMode, options ...func(*scangate.Config)) *chatWorld {
	t.Helper()
	s := &scenes{}
	note := func(c *scangate.Config) {
		s.next = c.WeChat.HTTPClient.Transport
		c.WeChat.HTTPClient = &http.Client{Transport: s}
	}
	w := &chatWorld{world: newWorld(t, append([]func(*scangate.Config){withChat(mode), note}, options...)...), scenes: s}
	w.pusher = w.pusherTo(wechattest.PushServer{})
	return w
}

// pusherTo returns a pusher with the server's settings, except those that are empty.
func (w *chatWorld) pusherTo(server wechattest.PushServer) *wechattest.Pusher {
	w.t.Helper()
	server.URL, server.Transport = pushURL, w.hosts
	if server.Token == "" {
		server.Token = pushToken
	}
	if server.EncodingAESKey == "" {
		server.EncodingAESKey = pushKey
	}
	return w.wechat.SetPush(official.AppID, server)
}

// lastScene returns the scene of the QR code that the gate has created last.
func (w *chatWorld) lastScene() string {
	w.t.Helper()
	w.scenes.mu.Lock()
	defer w.scenes.mu.Unlock()
	if w.scenes.last == "" {
		w.t.Fatal("the gate has created no QR code")
	}
	return w.scenes.last
}

// push delivers a message once and returns the reply; "" for none.
func (w *chatWorld) push(m wechat.Message) string {
	w.t.Helper()
	d := w.pusher.Deliver(w.t.Context(), m)
	if d.Err != nil {
		w.t.Fatalf("push of %v: %v", m, d.Err)
	}
	return d.Reply.Content
}

// chat returns the phone of a person, with whose messages the gate's account is pushed.
func (w *chatWorld) chat(person string) *wechattest.Phone {
	w.t.Helper()
	return w.wechat.Phone(person, w.hosts, openURL)
}

// scanCode lets a person scan the code of the login and, if they do not yet, follow the
// account. It returns the reply.
func (w *chatWorld) scanCode(person string, s scan) string {
	w.t.Helper()
	phone := w.chat(person)
	act := phone.Follow
	if phone.Follows(official.AppID) {
		act = phone.Scan
	}
	if err := act(w.t.Context(), s.ScanURL); err != nil {
		w.t.Fatalf("scan by %s: %v", person, err)
	}
	return phone.LastReply(official.AppID).Text
}

// say delivers a person's text, and returns the reply; "" for none.
func (w *chatWorld) say(person, content string) string {
	w.t.Helper()
	return w.push(w.pusher.Text(person, content))
}

// wantOneDenial fails the test unless there was one event of a denial.
func (w *chatWorld) wantOneDenial(doing string) {
	w.t.Helper()
	if got := strings.Count(strings.Join(w.happened(), " "), "denied"); got != 1 {
		w.t.Errorf("%s: %d events of a denial, want 1", doing, got)
	}
}

// number returns the number on the login page, as a person types it.
func (s scan) number() string { return strconv.Itoa(s.MatchNumber) }

// wrongNumber returns another number than the one on the login page.
func (s scan) wrongNumber() string { return strconv.Itoa(10 + (s.MatchNumber-9)%90) }

// handled is the application's part of the account's messages.
type handled struct {
	mu    sync.Mutex
	texts []string // of messages, or the kinds of events
	reply wechat.Reply
}

// contents returns the messages that the application got, separated by spaces.
func (h *handled) contents() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.texts, " ")
}

func (h *handled) take(_ context.Context, m wechat.Message) (wechat.Reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, m.Content+m.Event)
	return h.reply, nil
}

// login logs the desktop in by a scan that the person confirms in the chat.
func (w *chatWorld) login(desktop *browser, person string) scan {
	w.t.Helper()
	s := desktop.start()
	w.scanCode(person, s)
	if got, want := w.say(person, s.number()), textApproved; got != want {
		w.t.Fatalf("reply to the number: %q, want %q", got, want)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("finish: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	return s
}

// Replies of the gate in English, the language of the browsers in the tests.
const (
	textApproved = "Confirmed. Return to the login page."
	textDenied   = "Refused. No device was logged in."
	textTaken    = "Another WeChat has used this QR code. Get a new one on the login page and scan again."
	textOver     = "This login is over. Get a new QR code on the login page."
	textIgnore   = "If you only wanted to follow this account, ignore this message."
	textOne      = "If this is you, reply 1. If not, reply 0."
)

// followAccount makes the person a follower by another way than a login's code.
func followAccount(t *testing.T, w *chatWorld, person string) {
	t.Helper()
	if err := w.chat(person).FollowAccount(t.Context(), official.AppID); err != nil {
		t.Fatalf("follow the account: %v", err)
	}
}

// echoPattern matches the four digits on the page behind a link in a chat.
var echoPattern = regexp.MustCompile(`<p class="number"><b>(\d{4})</b></p>`)

// atoi returns the number in a text.
func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%q is not a number", s)
	}
	return n
}

// hasNumber reports whether a text has the number by itself: an address or a ticket may
// contain its digits.
func hasNumber(text, number string) bool {
	return regexp.MustCompile(`\b` + number + `\b`).MatchString(text)
}
