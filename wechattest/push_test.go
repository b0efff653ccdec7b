package wechattest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

const (
	pushURL   = "https://app.example.com/push"
	pushToken = "t0kent0kent0kent0ken"
	pushKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// backend is an application's push server. It uses wechat.Cipher, which the simulator does
// not use.
type backend struct {
	t      *testing.T
	cipher *wechat.Cipher
	reply  wechat.Reply
	// before runs before each answer to a POST, if it is not nil.
	before func(rw http.ResponseWriter, number int)

	mu     sync.Mutex
	pushes []wechat.Push
	times  []time.Time
	query  url.Values // of the last request
	body   string
}

// ServeHTTP implements [http.Handler].
func (b *backend) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		echo, err := b.cipher.Echo(r.URL.Query())
		if err != nil {
			rw.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(rw, echo)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Errorf("reading a push: %v", err)
	}
	push, err := b.cipher.Open(r.URL.Query(), body)
	b.mu.Lock()
	b.pushes, b.times = append(b.pushes, push), append(b.times, time.Now())
	b.query, b.body = r.URL.Query(), string(body)
	number, before := len(b.pushes), b.before
	b.mu.Unlock()
	if before != nil {
		before(rw, number)
	}
	if err != nil {
		rw.WriteHeader(http.StatusForbidden)
		return
	}
	_, _ = rw.Write(push.Reply(b.reply))
}

// newBackend returns a push server for an app, and settings that lead to it.
func newBackend(t *testing.T, app wechattest.App) (*backend, wechattest.PushServer) {
	t.Helper()
	cipher, err := wechat.NewCipher(wechat.CipherConfig{AppID: app.AppID, Token: pushToken, EncodingAESKey: pushKey})
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{t: t, cipher: cipher}
	return b, wechattest.PushServer{
		URL: pushURL, Token: pushToken, EncodingAESKey: pushKey,
		Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": b}),
	}
}

func TestPush(t *testing.T) {
	for _, format := range []wechat.Format{wechat.FormatXML, wechat.FormatJSON} {
		for _, mode := range []wechattest.PushMode{wechattest.PushEncrypted, wechattest.PushCompatible} {
			synctest.Test(t, func(t *testing.T) {
				w := newStrictWorld(t)
				b, server := newBackend(t, official)
				server.Format, server.Mode = format, mode
				b.reply = wechat.Reply{Text: "Hello <月>\nline"}
				p := w.SetPush(official.AppID, server)
				if err := p.CheckURL(t.Context()); err != nil {
					t.Errorf("CheckURL: %v", err)
				}
				delivery := p.Push(t.Context(), p.Text("lin", "a <b> 月 ]]"))
				if delivery.Err != nil || delivery.Deliveries != 1 || delivery.Reply.MsgType != "text" || delivery.Reply.Content != "Hello <月>\nline" {
					t.Fatalf("Push in format %d and mode %d = %+v, want the reply after 1 delivery", format, mode, delivery)
				}
				m := b.pushes[0].Message
				if m.FromUserName != w.OpenID("lin", official.AppID) || m.Content != "a <b> 月 ]]" || m.Format != format || !m.CreateTime.Equal(time.Now()) {
					t.Errorf("received message = %q, %q, format %d at %v, want lin's text of now", m.FromUserName, m.Content, m.Format, m.CreateTime)
				}
				if number, err := strconv.ParseUint(m.MsgID, 10, 64); err != nil || number < 1<<53 {
					t.Errorf("MsgId = %s, %v, want a number that no float64 holds", m.MsgID, err)
				}
				if !strings.HasPrefix(m.ToUserName, "gh_") || len(m.ToUserName) != 15 {
					t.Errorf("ToUserName = %q, want gh_ and 12 characters", m.ToUserName)
				}
				wantQuery(t, b, "signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature")
				if plain := strings.Contains(b.body, "a <b> 月"); plain != (mode == wechattest.PushCompatible) {
					t.Errorf("body in mode %d = %s, want the plain text in the compatible mode only", mode, b.body)
				}
			})
		}
	}
}

// wantQuery fails t unless the last push had exactly these parameters.
func wantQuery(t *testing.T, b *backend, names ...string) {
	t.Helper()
	var got []string
	for name := range b.query {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("query of the push = %q, want %q", got, names)
	}
}

// TestPushPlain pushes in the plain mode. The Cipher refuses such pushes, so the answer
// does not come from it.
func TestPushPlain(t *testing.T) {
	w := newStrictWorld(t)
	b, server := newBackend(t, official)
	server.Mode = wechattest.PushPlain
	var answer []byte
	b.before = func(rw http.ResponseWriter, _ int) { _, _ = rw.Write(answer) }
	p := w.SetPush(official.AppID, server)
	m := p.Text("lin", "hi")
	answer = wechat.Reply{Text: "plain"}.Encode(m)
	if delivery := p.Deliver(t.Context(), m); delivery.Err != nil || delivery.Reply.Content != "plain" {
		t.Errorf("Deliver in the plain mode = %+v, want the reply", delivery)
	}
	wantQuery(t, b, "signature", "timestamp", "nonce", "openid")
	if parsed, err := wechat.ParseMessage([]byte(b.body)); err != nil || parsed.Content != "hi" || parsed.MsgID != m.MsgID {
		t.Errorf("body = %s, %v, want the message", b.body, err)
	}
}

// TestPushRepeats leaves a push without an answer, in several ways. WeChat repeats it after
// 5, 10 and 15 seconds.
func TestPushRepeats(t *testing.T) {
	cut := func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }
	late := func(http.ResponseWriter, int) { <-time.After(5*time.Second + 1) }
	third := func(rw http.ResponseWriter, number int) {
		if number < 3 {
			cut(rw, number)
		}
	}
	for name, c := range map[string]struct {
		before     func(http.ResponseWriter, int)
		deliveries int
		edit       func(*wechattest.PushServer)
		failed     bool
	}{
		"cut":                      {cut, 4, nil, true},
		"late":                     {late, 4, nil, true},
		"cut twice":                {third, 3, nil, false},
		"in time":                  {func(http.ResponseWriter, int) { <-time.After(5*time.Second - 1) }, 1, nil, false},
		"three deliveries":         {cut, 3, func(s *wechattest.PushServer) { s.Deliveries = 3 }, true},
		"a delay before the first": {third, 3, func(s *wechattest.PushServer) { s.Delay = time.Minute }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStrictWorld(t)
				b, server := newBackend(t, official)
				if c.edit != nil {
					c.edit(&server)
				}
				b.before, b.reply = c.before, wechat.Reply{Text: "hello"}
				p := w.SetPush(official.AppID, server)
				start := time.Now().Add(server.Delay)
				delivery := p.Push(t.Context(), wechat.Message{FromUserName: "o1", MsgType: "text", Content: "hi"})
				if delivery.Deliveries != c.deliveries || (delivery.Err != nil) != c.failed || (delivery.Reply.Content == "hello") == c.failed {
					t.Errorf("Push = %+v, want %d deliveries, failed: %t", delivery, c.deliveries, c.failed)
				}
				synctest.Wait()
				for n, at := range b.times {
					if want := start.Add(time.Duration(n) * 5 * time.Second); !at.Equal(want) {
						t.Errorf("delivery %d came %v after the event, want %v", n+1, at.Sub(start), want.Sub(start))
					}
					if first, this := b.pushes[0].Message, b.pushes[n].Message; this.RepeatKey() != first.RepeatKey() || this.MsgID == "" || !this.CreateTime.Equal(first.CreateTime) {
						t.Errorf("delivery %d = number %s at %v, want the same message again", n+1, this.MsgID, this.CreateTime)
					}
				}
				<-time.After(time.Minute) // late handlers end
			})
		})
	}
}

// TestPushAnswers answers pushes in ways that WeChat accepts, and in others.
func TestPushAnswers(t *testing.T) {
	m := wechat.Message{ToUserName: "gh_1", FromUserName: "o1", MsgType: "text", Content: "hi", MsgID: "1", CreateTime: time.Unix(1_700_000_000, 0)}
	plain := string(wechat.Reply{Text: "a"}.Encode(m))
	for name, c := range map[string]struct {
		status int
		answer string
		want   string // in the error; empty for none
	}{
		"success":             {200, "success", ""},
		"nothing":             {200, "", ""},
		"JSON":                {200, `{"ok":true}`, "another format"},
		"an error page":       {200, "<html><body>Oops</body></html>", "not encrypted"},
		"text":                {200, "ok", "neither XML nor JSON"},
		"a plain reply":       {200, plain, "not encrypted"},
		"a status":            {500, "", "status 500"},
		"a redirect":          {301, "", "status 301"},
		"success in capitals": {200, "SUCCESS", "neither XML nor JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeT{TB: t}
			w := worldOf(wechattest.NewStrict(fake, official))
			p := w.SetPush(official.AppID, wechattest.PushServer{
				URL: pushURL, Token: pushToken, EncodingAESKey: pushKey,
				Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Location", "https://elsewhere.example/")
					rw.WriteHeader(c.status)
					_, _ = io.WriteString(rw, c.answer)
				})}),
			})
			delivery := p.Push(t.Context(), m)
			if (delivery.Err == nil) != (c.want == "") || delivery.Err != nil && !strings.Contains(delivery.Err.Error(), c.want) || delivery.Deliveries != 1 {
				t.Errorf("Push = %+v, want 1 delivery and the error %q", delivery, c.want)
			}
			// A wrong answer is misuse. An error status may be meant.
			if misused := len(fake.failures) > 0; misused != (c.want != "" && c.status == 200) {
				t.Errorf("misuse = %q", fake.failures)
			}
		})
	}
}

// TestReplyIsChecked replies with messages that WeChat would not show.
func TestReplyIsChecked(t *testing.T) {
	const reply = "<xml><ToUserName>o1</ToUserName><FromUserName>gh_1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>a</Content></xml>"
	m := wechat.Message{ToUserName: "gh_1", FromUserName: "o1", MsgType: "text", Content: "hi"}
	for name, c := range map[string]struct{ old, instead, want string }{
		"right":                       {"", "", ""},
		"to another person":           {"o1", "o2", "not from the account to the person"},
		"from another account":        {"gh_1", "gh_2", "not from the account to the person"},
		"without a time":              {"<CreateTime>1</CreateTime>", "", "is missing"},
		"without a type":              {"<MsgType>text</MsgType>", "", "is missing"},
		"without a text":              {"a</Content>", "</Content>", "is missing"},
		"in another format":           {reply, `{"ToUserName":"o1","FromUserName":"gh_1","CreateTime":1,"MsgType":"text","Content":"a"}`, "another format"},
		"of another type than a text": {"text</MsgType><Content>a</Content>", "image</MsgType>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeT{TB: t}
			w := worldOf(wechattest.NewStrict(fake, official))
			b, server := newBackend(t, official)
			b.reply = wechat.Reply{Raw: []byte(strings.Replace(reply, c.old, c.instead, 1))}
			delivery := w.SetPush(official.AppID, server).Push(t.Context(), m)
			if (delivery.Err == nil) != (c.want == "") || delivery.Err != nil && !strings.Contains(delivery.Err.Error(), c.want) {
				t.Errorf("Push with a reply %s = %+v, want the error %q", name, delivery, c.want)
			}
		})
	}
}

// TestForgedPushes changes signed requests. The server refuses all of them.
func TestForgedPushes(t *testing.T) {
	for name, change := range map[string]func(*http.Request, url.Values){
		"another signature": func(_ *http.Request, q url.Values) { q.Set("msg_signature", strings.Repeat("0", 40)) },
		"another nonce":     func(_ *http.Request, q url.Values) { q.Set("nonce", "1") },
		"no msg_signature":  func(_ *http.Request, q url.Values) { q.Del("msg_signature") },
		"another body": func(r *http.Request, _ url.Values) {
			r.Body = io.NopCloser(strings.NewReader("<xml><Encrypt>" + strings.Repeat("A", 43) + "=</Encrypt></xml>"))
		},
	} {
		w := newStrictWorld(t)
		b, server := newBackend(t, official)
		p := w.SetPush(official.AppID, server)
		m := p.Text("lin", "hi")
		req, err := p.Request(t.Context(), p.Document(m))
		if err != nil {
			t.Fatal(err)
		}
		query := req.URL.Query()
		change(req, query)
		req.URL.RawQuery = query.Encode()
		if delivery := p.Do(req, m); delivery.Err == nil || !strings.Contains(delivery.Err.Error(), "status 403") || b.pushes[0].Message.MsgType != "" {
			t.Errorf("push with %s = %+v, want status 403", name, delivery)
		}
	}
}

// TestTwoPushServers delivers one message to two servers at once.
func TestTwoPushServers(t *testing.T) {
	w := newStrictWorld(t)
	first, server := newBackend(t, official)
	p := w.SetPush(official.AppID, server)
	second, server := newBackend(t, official)
	q := w.SetPush(official.AppID, server)
	m := p.Event("lin", "SCAN", "s")
	var all sync.WaitGroup
	for _, pusher := range []*wechattest.Pusher{p, q, p} {
		all.Go(func() {
			if delivery := pusher.Deliver(t.Context(), m); delivery.Err != nil {
				t.Errorf("Deliver: %v", delivery.Err)
			}
		})
	}
	all.Wait()
	if len(first.pushes) != 2 || len(second.pushes) != 1 || first.pushes[0].Message.RepeatKey() != second.pushes[0].Message.RepeatKey() {
		t.Errorf("pushes = %d and %d, want 2 and 1 of the same message", len(first.pushes), len(second.pushes))
	}
}

// TestFormerKey pushes a message under the key before a change. The reply has to be under
// the same key.
func TestFormerKey(t *testing.T) {
	w := newStrictWorld(t)
	b, server := newBackend(t, official)
	cipher, err := wechat.NewCipher(wechat.CipherConfig{
		AppID: official.AppID, Token: pushToken, EncodingAESKey: strings.Repeat("k", 43), FormerEncodingAESKey: pushKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.cipher, b.reply = cipher, wechat.Reply{Text: "hello"}
	p := w.SetPush(official.AppID, server)
	if delivery := p.Push(t.Context(), p.Text("lin", "hi")); delivery.Err != nil || delivery.Reply.Content != "hello" {
		t.Errorf("Push under the former key = %+v, want the reply", delivery)
	}
	if b.pushes[0].Key != wechat.FormerKey {
		t.Errorf("key of the push = %d, want the former one", b.pushes[0].Key)
	}
}

func TestCheckURLFails(t *testing.T) {
	w := newStrictWorld(t)
	for name, handler := range map[string]http.HandlerFunc{
		"more than the echostr": func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, r.FormValue("echostr")+"\n") },
		"nothing":               func(http.ResponseWriter, *http.Request) {},
		"an error":              func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) },
		"no answer":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		p := w.SetPush(official.AppID, wechattest.PushServer{
			URL: pushURL + "?a=b", Token: pushToken, EncodingAESKey: pushKey,
			Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": handler}),
		})
		if err := p.CheckURL(t.Context()); err == nil || strings.Contains(err.Error(), "signature") {
			t.Errorf("CheckURL with %s: error = %v, want one without the query", name, err)
		}
	}
}

func TestPushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		b, server := newBackend(t, official)
		b.before = func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		p := w.SetPush(official.AppID, server)
		if delivery := p.Push(ctx, p.Text("lin", "hi")); !errors.Is(delivery.Err, context.DeadlineExceeded) || delivery.Deliveries != 2 {
			t.Errorf("Push = %+v, want %v after 2 deliveries", delivery, context.DeadlineExceeded)
		}
	})
}
