package scangate_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

const (
	pushToken = "abcdefghijklmnop"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
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

// fakeAccount is WeChat's side of the official account: it creates QR codes with scenes and
// answers questions about followers.
type fakeAccount struct {
	next http.RoundTripper

	mu    sync.Mutex
	calls map[string]int    // by path
	codes map[string]string // scenes by the text of the code
	errs  map[string]int    // errcodes by path
	union string            // unionid of all followers
}

// withAccount returns an option of newWorld that puts a before the simulator.
func withAccount(a *fakeAccount) func(*scangate.Config) {
	return func(c *scangate.Config) {
		a.next, a.calls, a.codes, a.errs = c.HTTPClient.Transport, map[string]int{}, map[string]string{}, map[string]int{}
		c.HTTPClient = &http.Client{Transport: a}
	}
}

func (a *fakeAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
		return a.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[r.URL.Path]++
	answer := fmt.Sprintf(`{"errcode":%d,"errmsg":"refused"}`, a.errs[r.URL.Path])
	switch {
	case a.errs[r.URL.Path] != 0:
	case r.URL.Path == "/cgi-bin/stable_token":
		answer = `{"access_token":"account-token","expires_in":7200}`
	case r.URL.Path == "/cgi-bin/qrcode/create":
		text := "http://weixin.qq.com/q/" + strconv.Itoa(len(a.codes))
		a.codes[text] = regexp.MustCompile(`"scene_str":"([^"]*)"`).FindStringSubmatch(string(body))[1]
		answer = fmt.Sprintf(`{"ticket":"T","expire_seconds":300,"url":%q}`, text)
	case r.URL.Path == "/cgi-bin/user/info":
		answer = fmt.Sprintf(`{"subscribe":1,"openid":%q,"unionid":%q}`, r.URL.Query().Get("openid"), a.union)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// called returns how often a path was called.
func (a *fakeAccount) called(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[path]
}

// fail makes WeChat answer a path with an errcode.
func (a *fakeAccount) fail(path string, errcode int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.errs[path] = errcode
}

// scene returns the scene of the code with that text.
func (a *fakeAccount) scene(text string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.codes[text]
}

// chatWorld is a world whose gate takes the messages of the official account.
type chatWorld struct {
	*world
	account *fakeAccount
	cipher  *wechat.Cipher
}

// newChatWorld returns a world with logins that are authorized in a chat.
func newChatWorld(t *testing.T, mode scangate.ScanMode, options ...func(*scangate.Config)) *chatWorld {
	t.Helper()
	a := &fakeAccount{}
	w := newWorld(t, append([]func(*scangate.Config){withChat(mode), withAccount(a)}, options...)...)
	return &chatWorld{w, a, newPushCipher(t, official.AppID, pushToken, pushKey)}
}

// newPushCipher returns a cipher that signs and encrypts as WeChat does.
func newPushCipher(t *testing.T, appID, token, key string) *wechat.Cipher {
	t.Helper()
	cipher, err := wechat.NewCipher(wechat.CipherConfig{AppID: appID, Token: token, EncodingAESKey: key})
	if err != nil {
		t.Fatalf("NewCipher: %v", err)
	}
	return cipher
}

// message is a message of a person to the account.
type message struct {
	from, kind, event, key, content, id string
	at                                  time.Time
}

// messages counts messages, so that each has a number of its own.
var messages struct {
	sync.Mutex
	n int
}

// text returns a new text message of a person.
func (w *chatWorld) text(person, content string) message {
	messages.Lock()
	defer messages.Unlock()
	messages.n++
	return message{from: w.openID(person), kind: "text", content: content, id: strconv.Itoa(messages.n), at: time.Now()}
}

// event returns an event of a person.
func (w *chatWorld) event(person, event, key string) message {
	return message{from: w.openID(person), kind: "event", event: event, key: key, at: time.Now()}
}

// openID returns the person's openid at the official account.
func (w *chatWorld) openID(person string) string { return w.wechat.OpenID(person, official.AppID) }

// xml returns the message's document. Like WeChat, it escapes nothing.
func (m message) xml() string {
	rest := "<MsgId>" + m.id + "</MsgId><Content><![CDATA[" + m.content + "]]></Content>"
	if m.kind == "event" {
		rest = "<Event><![CDATA[" + m.event + "]]></Event><EventKey><![CDATA[" + m.key + "]]></EventKey>"
	}
	return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[%s]]></MsgType>%s</xml>", m.from, m.at.Unix(), m.kind, rest)
}

// seal returns the query and the body of a push of the document.
func (w *chatWorld) seal(document string) (query, body string) {
	e := w.cipher.Encrypt([]byte(document), wechat.CurrentKey)
	q := url.Values{
		"timestamp": {fmt.Sprintf("%010d", e.TimeStamp)}, "nonce": {e.Nonce}, "openid": {"ignored"}, "encrypt_type": {"aes"},
		"msg_signature": {e.MsgSignature}, "signature": {"0000000000000000000000000000000000000000"},
	}
	return q.Encode(), "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[" + e.Encrypt + "]]></Encrypt></xml>"
}

// deliver posts a push, as WeChat's servers do.
func (w *chatWorld) deliver(ctx context.Context, query, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, appURL+"/wechat/push?"+query, bytes.NewBufferString(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := w.hosts.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return answer{resp, string(text)}, err
}

// push delivers a message once and returns the reply in the chat; "" for none.
func (w *chatWorld) push(m message) string {
	w.t.Helper()
	reply, err := w.tryPush(m)
	if err != nil {
		w.t.Fatalf("push of %q %q %q: %v", m.kind, m.key, m.content, err)
	}
	return reply
}

// tryPush is push, but returns an error for a delivery without a reply or "success".
func (w *chatWorld) tryPush(m message) (string, error) {
	query, body := w.seal(m.xml())
	a, err := w.deliver(w.t.Context(), query, body)
	switch {
	case err != nil:
		return "", err
	case a.StatusCode != http.StatusOK:
		return "", fmt.Errorf("status %d: %s", a.StatusCode, a.body)
	case a.body == wechat.Success:
		return "", nil
	}
	return w.open(m, a.body)
}

// open decrypts a reply to the message.
func (w *chatWorld) open(m message, body string) (string, error) {
	var sealed struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }
	if err := xml.Unmarshal([]byte(body), &sealed); err != nil {
		return "", fmt.Errorf("the answer %q is not a reply: %w", body, err)
	}
	// In a bubble of synctest, the time is in 2000 and has 9 digits.
	text, _, err := w.cipher.Decrypt(url.Values{
		"timestamp": {fmt.Sprintf("%010s", sealed.TimeStamp)}, "nonce": {sealed.Nonce}, "msg_signature": {sealed.MsgSignature},
	}, sealed.Encrypt)
	if err != nil {
		return "", err
	}
	reply, err := wechat.ParseMessage(text)
	if err == nil && reply.ToUserName != m.from {
		err = fmt.Errorf("the reply is for %q, want %q", reply.ToUserName, m.from)
	}
	return reply.Content, err
}

// digits of a login in the answer of a script.
func (s scan) number() string { return strconv.Itoa(s.MatchNumber) }

// scanCode delivers the event of a person who scans the login's code.
func (w *chatWorld) scanCode(person string, s scan) string {
	w.t.Helper()
	scene := w.account.scene(s.ScanURL)
	if scene == "" {
		w.t.Fatalf("scan: %q is not a code of WeChat's", s.ScanURL)
	}
	return w.push(w.event(person, "SCAN", scene))
}

// say delivers a text message of a person.
func (w *chatWorld) say(person, content string) string {
	w.t.Helper()
	return w.push(w.text(person, content))
}
